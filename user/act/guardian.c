// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "act/damon_change.h"
#include "act/knob_change.h"
#include "act/opt_in.h"
#include "act/opt_out.h"
#include "act/reshape.h"
#include "act/restore.h"
#include "base/cleanup.h"

enum message_kind {
	MESSAGE_READY,		/* rc, error; journal */
	MESSAGE_PLAN,		/* end: how many changes follow, a message each */
	MESSAGE_CHANGE,		/* number first */
	MESSAGE_CARRY_OUT,	/* changes first … end */
	MESSAGE_FINISH,		/* keep_opt_ins */
	MESSAGE_RESULT,		/* of change first */
	MESSAGE_COMPLETE,	/* the order has been carried out: rc, error */
};

/* Both ends are the same program: no format to agree on. */
struct message {
	enum message_kind kind;
	size_t first, end;
	bool keep_opt_ins;
	int rc;
	struct change change;
	struct change_result result;
	struct error error;
	char journal[JOURNAL_NAME_BYTES];
};

#define RENEW_LINES 10000			/* of a journal: some hundred kilobytes */

/* A hang-up must not raise SIGPIPE. */
/* What can't be handed over is as good as a hang-up: or else the other side would wait for it for ever. */
static bool send_message(int socket, const struct message *message)
{
	ssize_t n;
	do {
		n = send(socket, message, sizeof(*message), MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(*message))
		shutdown(socket, SHUT_RDWR);
	return n == sizeof(*message);
}

static bool receive_message(int socket, struct message *ret)
{
	ssize_t n;
	do {
		n = recv(socket, ret, sizeof(*ret), 0);
	} while (n < 0 && errno == EINTR);
	return n == sizeof(*ret);
}

/* ---- the guardian ---- */

struct guarding {
	int socket;
	const struct sysroot *root;
	const struct state_dir *state;
	const struct plan *plan;
	struct plan told;		/* by messages; where `plan` is this one */
	double hang_seconds;
	struct journal journal;
	struct change_result *results;
};

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/*
 * Let go of what belongs to the program: an open file, a pipe or a loaded BPF
 * program would live as long as we do. Standard error stays, to report on.
 */
static void close_others(const struct guarding *g)
{
	int kept[] = { STDERR_FILENO, g->socket, g->root->dir, g->state->dir, g->state->lock };
	size_t count = sizeof(kept) / sizeof(kept[0]);
	int null = open("/dev/null", O_RDWR);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	qsort(kept, count, sizeof(kept[0]), by_number);
	for (size_t i = 0; i < count; i++) {
		unsigned int from = kept[i] + 1, to = i + 1 < count ? (unsigned int)kept[i + 1] - 1 : ~0u;
		if (kept[i] >= STDERR_FILENO && from <= to && from <= INT32_MAX)
			close_range(from, to, 0);
	}
}

static void stand_apart(void)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGTTOU,
				       SIGUSR1, SIGUSR2, SIGALRM };
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	setsid();
	prctl(PR_SET_NAME, "ksm-guardian");
	if (chdir("/"))
		return;
	/* what restores the machine must not be the first to go when memory is out; only root may ask for it */
	scoped_fd int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "-1000", 5) < 0)
		return;
}

/* Of this process's journal, what meets the range; a result for the change that asked for it. */
static void let_go(struct guarding *g, size_t index)
{
	const struct change *c = &g->plan->changes[index];
	const struct restore_filter filter = { .opt_ins = true, .keep_knobs = true, .pids = &c->pid, .pids_count = 1,
					       .start = c->start, .end = c->end == UINT64_MAX ? 0 : c->end };
	struct restore_tally tally = { 0 };

	restore_journal(g->root, &g->journal, &filter, restore_count, &tally);
	if (tally.stuck)
		result_set(&g->results[index], CHANGE_REFUSED, "%s", tally.first_stuck);
	else
		result_set(&g->results[index], CHANGE_DONE, "%u ranges taken back, %u not ours any more", tally.restored,
			   tally.foreign + tally.gone);
}

/* What one lever does to one process. */
static int pull(struct guarding *g, size_t first, size_t end, struct error *err)
{
	enum lever lever = change_lever(g->plan->changes[first].kind);
	if (lever == LEVER_SHAPE)
		return reshape(g->root, &g->journal, g->plan, first, end, g->results, err);
	if (lever == LEVER_OPT_OUT)
		return opt_out(g->root, &g->journal, g->plan, first, end, g->results, err);
	if (lever == LEVER_DAMON)
		return damon_change(g->root, &g->journal, g->plan, first, end, g->results, err);
	return opt_in(g->root, &g->journal, g->plan, first, end, g->results, err);
}

/* A knob, a release, or what one lever does to one process. A program that goes on wants to hear of a refusal, not to end by it. */
static void carry_out_told(struct guarding *g, size_t first, size_t end)
{
	const struct change *c = &g->plan->changes[first];
	struct error err;

	if (c->kind == CHANGE_KNOB)
		knob_rewrite(g->root, &g->journal, c, first, &g->results[first]);
	else if (c->kind == CHANGE_RELEASE)
		let_go(g, first);
	else if (pull(g, first, end, &err))
		for (size_t i = first; i < end; i++)
			result_set(&g->results[i], CHANGE_REFUSED, "%s", err.text);
}

static int carry_out(struct guarding *g, size_t first, size_t end, struct error *err)
{
	if (g->plan == &g->told) {
		carry_out_told(g, first, end);
		return 0;
	}
	if (g->plan->changes[first].kind != CHANGE_KNOB)
		return pull(g, first, end, err);
	int rc = 0;
	for (size_t i = first; !rc && i < end; i++)
		rc = knob_change(g->root, &g->journal, &g->plan->changes[i], i, &g->results[i], err);
	return rc;
}

static int restore(struct guarding *g, bool keep_opt_ins, struct restore_tally *tally, struct error *err)
{
	const struct restore_filter filter = { .opt_ins = !keep_opt_ins };
	*tally = (struct restore_tally){ .results = g->results };
	state_restoring(g->state);
	restore_journal(g->root, &g->journal, &filter, restore_count, tally);
	return restore_outcome(tally, err);
}

static void answer(struct guarding *g, size_t first, size_t end, int rc, const struct error *err)
{
	struct message message = { .kind = MESSAGE_RESULT };
	for (size_t i = first; i < end; i++) {
		message.first = i;
		message.result = g->results[i];
		send_message(g->socket, &message);
	}
	message.kind = MESSAGE_COMPLETE;
	message.rc = rc;
	message.error = *err;
	send_message(g->socket, &message);
}

static void report_loss(const struct restore_tally *tally, const struct error *err, bool failed)
{
	char text[700];
	snprintf(text, sizeof(text), "the program ended before it was through: %u changes put back, %u left alone "
		 "since somebody else changed them, %u of processes that ended, %u stuck%s%s", tally->restored,
		 tally->foreign, tally->gone, tally->stuck, failed ? ": " : "", failed ? err->text : "");
	openlog("ksm-guardian", LOG_PID, LOG_DAEMON);
	syslog(failed ? LOG_ERR : LOG_WARNING, "%s", text);
	closelog();
	fprintf(stderr, "ksm-guardian: %s\n", text);
}

/* Room for a plan that is told change by change; the journal's records belong to no change of it. */
static int make_room(struct guarding *g, size_t count, struct error *err)
{
	free(g->told.changes);
	free(g->results);
	g->told = (struct plan){ .changes = calloc(count ? count : 1, sizeof(*g->told.changes)), .count = count };
	g->results = calloc(count ? count : 1, sizeof(*g->results));
	for (size_t i = 0; i < g->journal.count; i++)
		g->journal.records[i].change = SIZE_MAX;
	if (g->told.changes && g->results)
		return 0;
	g->told.count = 0;
	return fail(err, EXIT_FAILED, "the guardian has no memory for a plan");
}

/* A new plan. False: nobody is there any more. */
static bool take_plan(struct guarding *g, size_t count)
{
	struct message message;
	struct error err = { 0 };
	int rc = make_room(g, count, &err);

	for (size_t i = 0; i < count; i++) {
		if (!receive_message(g->socket, &message))
			return false;
		if (!rc)
			g->told.changes[i] = message.change;
	}
	/* what can't be renewed is gone on with, until it can't be written either, which is told then */
	if (g->journal.lines > RENEW_LINES)
		journal_renew(&g->journal, g->state, NULL);
	message = (struct message){ .kind = MESSAGE_COMPLETE, .rc = rc, .error = err };
	memcpy(message.journal, g->journal.name, sizeof(message.journal));
	return send_message(g->socket, &message);
}

/* Take orders until the last one, or until nobody gives any more. */
static void serve(struct guarding *g)
{
	struct restore_tally tally;
	struct message order;
	struct error err = { 0 };

	while (receive_message(g->socket, &order)) {
		if (order.kind == MESSAGE_FINISH) {
			int rc = restore(g, order.keep_opt_ins, &tally, &err);
			answer(g, 0, g->plan->count, rc, &err);
			return;
		}
		if (order.kind == MESSAGE_PLAN) {
			if (!take_plan(g, order.end))
				break;
			continue;
		}
		int rc = carry_out(g, order.first, order.end, &err);
		answer(g, order.first, order.end, rc, &err);
	}
	report_loss(&tally, &err, restore(g, false, &tally, &err) != 0);
}

/* A receive that takes longer fails, which is as good as a hang-up. */
static void hear_within(const struct guarding *g)
{
	struct timeval most = { .tv_sec = (time_t)g->hang_seconds };
	if (g->hang_seconds > 0)
		setsockopt(g->socket, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
}

static int get_ready(struct guarding *g, struct error *err)
{
	char boot[BOOT_ID_BYTES];
	if (!g->plan)
		g->plan = &g->told;
	g->results = calloc(g->plan->count ? g->plan->count : 1, sizeof(*g->results));
	if (!g->results)
		return fail(err, EXIT_FAILED, "out of memory");
	hear_within(g);
	boot_id(g->root, boot);
	return journal_create(&g->journal, g->state, boot, err);
}

__attribute__((noreturn))
static void guard(struct guarding *g)
{
	struct message ready = { .kind = MESSAGE_READY };
	stand_apart();
	close_others(g);
	ready.rc = get_ready(g, &ready.error);
	memcpy(ready.journal, g->journal.name, sizeof(ready.journal));
	send_message(g->socket, &ready);
	if (!ready.rc) {
		serve(g);
		journal_close_settled(&g->journal);
	}
	free(g->results);
	free(g->told.changes);
	_exit(EXIT_DONE);
}

/* ---- the program's side ---- */

static int take_ready(struct guardian *guardian, struct error *err)
{
	struct message message;
	if (!receive_message(guardian->socket, &message))
		return fail(err, EXIT_FAILED, "the guardian did not start: without it nothing is changed");
	if (message.rc && err)
		*err = message.error;
	memcpy(guardian->journal, message.journal, sizeof(guardian->journal));
	return message.rc;
}

int guardian_start(struct guardian *ret, const struct sysroot *root, const struct state_dir *state,
		   const struct plan *plan, double hang_seconds, struct error *err)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return fail_errno(err, "make a socket for", "the guardian", NULL);
	ret->pid = fork();
	if (ret->pid < 0) {
		int rc = fail_errno(err, "start", "the guardian", "without it nothing is changed");
		close(ends[0]);
		close(ends[1]);
		return rc;
	}
	if (ret->pid == 0) {
		struct guarding g = { .socket = ends[1], .root = root, .state = state, .plan = plan,
				      .hang_seconds = hang_seconds };
		close(ends[0]);		/* else we would never see the program hang up */
		guard(&g);
	}
	close(ends[1]);
	ret->socket = ends[0];
	int rc = take_ready(ret, err);
	if (rc)
		guardian_end(ret);
	return rc;
}

/* Give an order and take in what came of it. */
static int command(struct guardian *guardian, const struct message *order, struct change_result *results,
		   bool *ret_lost, struct error *err)
{
	struct message message;
	*ret_lost = !send_message(guardian->socket, order);
	while (!*ret_lost) {
		*ret_lost = !receive_message(guardian->socket, &message);
		if (*ret_lost || message.kind == MESSAGE_COMPLETE)
			break;
		if (results)
			results[message.first] = message.result;
	}
	if (*ret_lost)
		return fail(err, EXIT_FAILED, "the guardian was killed");
	if (message.rc && err)
		*err = message.error;
	return message.rc;
}

int guardian_plan(struct guardian *guardian, const struct plan *plan, bool *ret_lost, struct error *err)
{
	const struct message order = { .kind = MESSAGE_PLAN, .end = plan->count };
	struct message answer;

	*ret_lost = !send_message(guardian->socket, &order);
	for (size_t i = 0; i < plan->count && !*ret_lost; i++) {
		const struct message one = { .kind = MESSAGE_CHANGE, .first = i, .change = plan->changes[i] };
		*ret_lost = !send_message(guardian->socket, &one);
	}
	*ret_lost = *ret_lost || !receive_message(guardian->socket, &answer);
	if (*ret_lost)
		return fail(err, EXIT_FAILED, "the guardian was killed");
	memcpy(guardian->journal, answer.journal, sizeof(guardian->journal));
	if (answer.rc && err)
		*err = answer.error;
	return answer.rc;
}

int guardian_carry_out(struct guardian *guardian, size_t first, size_t end, struct change_result *results,
		       bool *ret_lost, struct error *err)
{
	const struct message order = { .kind = MESSAGE_CARRY_OUT, .first = first, .end = end };
	return command(guardian, &order, results, ret_lost, err);
}

int guardian_finish(struct guardian *guardian, bool keep_opt_ins, struct change_result *results, bool *ret_lost,
		    struct error *err)
{
	const struct message order = { .kind = MESSAGE_FINISH, .keep_opt_ins = keep_opt_ins };
	return command(guardian, &order, results, ret_lost, err);
}

void guardian_end(struct guardian *guardian)
{
	if (guardian->socket >= 0)
		close(guardian->socket);
	guardian->socket = -1;
	if (guardian->pid <= 0)
		return;
	while (waitpid(guardian->pid, NULL, 0) < 0 && errno == EINTR)
		;
	guardian->pid = 0;
}
