// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/daemon.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/life.h"
#include "gather/top.h"
#include "policy/decide.h"
#include "policy/looker.h"
#include "policy/replay.h"
#include "policy/socket.h"
#include "sys/host.h"
#include "sys/notify.h"
#include "sys/proc.h"

#define SOON_NS 50000000

struct daemon {
	const struct policy_settings *settings;
	const struct policy_signals *signals;
	struct configuration configuration;
	struct sysroot root;
	struct instance instance;
	struct http_server *http;	/* NULL: no metrics are served */
	struct top_source *source;
	struct deciding deciding;
	struct looker looker;
	struct policy_status status;	/* its counters */
	bool ready;
	bool soon;			/* memory was opted in: the engine is to follow at once */
	int64_t given_back_ns;		/* memory was, last */
	char executable[4096];		/* of the process that is asked for */
};

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static const struct policy_config *config_of(const struct daemon *d)
{
	return &d->configuration.policy;
}

/* ---- being asked ---- */

static void fill_status(const struct daemon *d, struct policy_status *ret)
{
	*ret = d->status;
	ret->time_ns = now_ns(CLOCK_REALTIME);
	ret->pid = getpid();
	ret->apply = hands_act(&d->deciding.hands);
	ret->config = config_of(d);
	ret->memory = &d->deciding.memory;
	ret->facts = &d->deciding.facts;
	ret->own_cpu_ns = host_own_cpu_ns();
	ret->own_rss_bytes = host_own_rss();
	ret->changes_made = d->deciding.hands.made;
	ret->changes_refused = d->deciding.hands.refused;
}

static void answer(void *context, const char *request, struct text *ret)
{
	const struct daemon *d = context;
	struct policy_status status;

	fill_status(d, &status);
	if (!strcmp(request, "status text"))
		policy_status_text(ret, &status);
	else if (!strcmp(request, "status json"))
		policy_status_json(ret, &status);
	else if (!strcmp(request, "explain text"))
		policy_log_explain(&d->deciding.log, false, ret);
	else if (!strcmp(request, "explain json"))
		policy_log_explain(&d->deciding.log, true, ret);
	else
		text_puts(ret, "not understood\n");
}

static void publish(struct daemon *d)
{
	struct text pages[METRIC_FORMATS] = { 0 };
	struct policy_status status;

	if (!d->http)
		return;
	fill_status(d, &status);
	for (int format = 0; format < METRIC_FORMATS; format++)
		policy_status_metrics(&pages[format], format, &status);
	http_publish(d->http, pages, status.time_ns);	/* what could not be handed over is a page that is older */
	for (int format = 0; format < METRIC_FORMATS; format++)
		text_free(&pages[format]);
}

/* ---- one step ---- */

static const char *executable_of(void *context, const struct top_task *task)
{
	struct daemon *d = context;
	enum known known = proc_executable(&d->root, task->pid, d->executable, sizeof(d->executable));

	return known == KNOWN ? d->executable : NULL;
}

/* Reading a link for each process is dear: only where a rule asks for it. */
static bool asks_for_executables(const struct configuration *c)
{
	if (c->domains.of_kind[RULE_EXECUTABLE])
		return true;
	for (uint32_t i = 0; i < c->policy.allow_count; i++)
		if (!c->policy.allow[i].unit && c->policy.allow[i].rule.kind == RULE_EXECUTABLE)
			return true;
	return false;
}

static int observe(struct daemon *d, struct error *err)
{
	bool asks = asks_for_executables(&d->configuration);
	int rc = top_source_take(d->source, deciding_next(&d->deciding), err);

	return rc ? rc : deciding_observe(&d->deciding, &d->configuration, asks ? executable_of : NULL, d, err);
}

/* A look that came back, or NULL. */
static const struct policy_look *take_look(struct daemon *d, struct policy_look *look)
{
	enum errand_state state = looker_take(&d->looker, look);

	if (state == ERRAND_FAILED) {
		d->status.looks_failed++;
		d->deciding.memory.next_look_ns = d->deciding.memory.now_ns + config_of(d)->rest_ns;
		policy_log_line(&d->deciding.log, POLICY_WARNING,
				"contents could not be looked at: nobody is opted in; ksm-advise says why");
	}
	if (state != ERRAND_DONE)
		return NULL;
	d->status.looks++;
	d->status.look_seconds += look->cpu_seconds;
	return look;
}

static int decide(struct daemon *d, const struct policy_look *look, struct error *err)
{
	struct decided decided = { 0 };
	int rc = deciding_decide(&d->deciding, config_of(d), now_ns(CLOCK_REALTIME), look, &decided, err);

	d->soon = decided.opts_in;
	if (!rc && decided.want_look && !looker_begin(&d->looker, config_of(d), &d->deciding.facts))
		policy_log_line(&d->deciding.log, POLICY_WARNING, "no child can be had to look at contents");
	return rc;
}

static int refuse_rival(const struct daemon *d, struct error *err)
{
	if (!hands_act(&d->deciding.hands) || !*d->deciding.facts.rival || d->ready)
		return 0;
	return fail(err, EXIT_FAILED, "%s drives the engine: two that do would fight; stop and disable it first",
		    d->deciding.facts.rival);
}

static void tell_manager(struct daemon *d)
{
	char text[256];

	if (!d->ready)
		policy_log_line(&d->deciding.log, POLICY_NOTICE, "%s; memory %s: %s", hands_act(&d->deciding.hands) ? "acting"
				: "dry run: nothing is written", pressure_names[d->deciding.memory.pressure.state],
				d->deciding.memory.pressure.reason);
	snprintf(text, sizeof(text), "%sWATCHDOG=1\nSTATUS=memory %s, engine %s", d->ready ? "" : "READY=1\n",
		 pressure_names[d->deciding.memory.pressure.state], pace_names[d->deciding.memory.pace.pace]);
	notify_send(text);
	d->ready = true;
}

static int step(struct daemon *d, struct error *err)
{
	struct policy_look look = { 0 };
	int rc = observe(d, err);

	if (!rc)
		rc = refuse_rival(d, err);
	if (!rc)
		rc = decide(d, take_look(d, &look), err);
	policy_look_free(&look);
	if (!rc) {
		tell_manager(d);
		publish(d);
	}
	return rc;
}

/* ---- a new configuration ---- */

static int reload(struct daemon *d, struct error *err)
{
	struct configuration fresh;
	struct error refused;

	notify_send("RELOADING=1");
	if (configuration_read(&fresh, d->settings, &refused)) {
		d->status.reloads_refused++;
		policy_log_line(&d->deciding.log, POLICY_ERROR, "the configuration stays as it was: %s", refused.text);
		notify_send("READY=1");
		return 0;
	}
	bool anew = fresh.policy.apply != config_of(d)->apply || fresh.policy.pace != config_of(d)->pace;
	configuration_free(&d->configuration);
	d->configuration = fresh;
	d->status.reloads++;
	policy_log_line(&d->deciding.log, POLICY_NOTICE, "read the configuration anew");
	/* what another way of driving has written must not stand in the way of this one */
	int rc = anew ? hands_begin_anew(&d->deciding.hands, config_of(d), &d->deciding.memory, &d->deciding.log, err) : 0;
	notify_send("READY=1");
	return rc;
}

/* ---- the loop ---- */

/* Until then, or until somebody wants something. */
static void wait_until(struct daemon *d, int64_t when)
{
	while (!*d->signals->stop && !*d->signals->reload) {
		struct pollfd events[] = { { .fd = d->instance.socket, .events = POLLIN },
					   { .fd = errand_fd(&d->looker.errand), .events = POLLIN } };
		int64_t wake, clock = now_ns(CLOCK_MONOTONIC);
		if (clock >= when)
			return;
		top_source_tick(d->source, &wake);
		wake = (wake < when ? wake : when) - clock;
		struct timespec left = { wake > 0 ? wake / 1000000000 : 0, wake > 0 ? wake % 1000000000 : 0 };
		if (ppoll(events, 2, &left, &d->signals->while_waiting) <= 0)
			continue;
		if (events[0].revents)
			instance_serve(&d->instance, answer, d);
		if (events[1].revents)
			return;		/* the look has something to say, and it is wanted now */
	}
}

/* Often enough for a watchdog; half as often where nothing is to be done but to notice that this changes. */
static int64_t interval_of(const struct daemon *d)
{
	bool calm = d->deciding.memory.pressure.state == PRESSURE_HIGH || d->deciding.memory.pace.pace == PACE_REST;
	int64_t interval = config_of(d)->interval_ns * (calm ? 2 : 1), watchdog = (int64_t)notify_watchdog_us() * 1000 / 3;
	return watchdog && watchdog < interval ? watchdog : interval;
}

static int loop(struct daemon *d, struct error *err)
{
	int64_t due = now_ns(CLOCK_MONOTONIC);
	int rc = 0;

	for (uint64_t steps = 0; !rc && !*d->signals->stop;) {
		wait_until(d, due);
		if (*d->signals->stop)
			break;
		if (*d->signals->reload) {
			*d->signals->reload = 0;
			rc = reload(d, err);
			continue;
		}
		rc = step(d, err);
		life_give_back(now_ns(CLOCK_MONOTONIC), &d->given_back_ns);
		if (d->settings->steps && ++steps >= d->settings->steps)
			break;
		/* a step that was missed is not made up for */
		for (due += interval_of(d); due < now_ns(CLOCK_MONOTONIC); due += interval_of(d))
			;
		if (d->soon)
			due = now_ns(CLOCK_MONOTONIC) + SOON_NS;
	}
	return rc;
}

/* ---- life ---- */

static int open_all(struct daemon *d, struct error *err)
{
	struct top_options options = { .probes = !d->settings->no_bpf, .potential = config_of(d)->measure,
				       .domains = &d->configuration.domains };
	int rc = sysroot_open(&d->root, NULL, err);

	if (!rc)
		rc = instance_open(&d->instance, d->settings->state_dir, err);
	if (!rc && (d->settings->http.listen.count || d->settings->http.systemd_socket))
		rc = http_start(&d->http, &d->settings->http, "127.0.0.1:9935", err);
	/* the guardian is forked before BPF programs are loaded: it needs none of them */
	if (!rc)
		rc = hands_open(&d->deciding.hands, &d->root, d->settings->state_dir, config_of(d), &d->deciding.log, err);
	if (!rc)
		rc = top_source_open(&d->source, &d->root, &options, err);
	d->looker.root = &d->root;
	d->status.started_ns = now_ns(CLOCK_REALTIME);
	return rc;
}

static int close_all(struct daemon *d, struct error *err)
{
	notify_send("STOPPING=1");
	looker_end(&d->looker);
	int rc = hands_close(&d->deciding.hands, config_of(d)->keep_opt_ins, &d->deciding.log, err);
	top_source_close(d->source);
	http_stop(d->http);
	instance_close(&d->instance);
	sysroot_close(&d->root);
	deciding_free(&d->deciding);
	return rc;
}

static int run(const struct policy_settings *settings, const struct policy_signals *signals,
	       struct configuration *configuration, struct error *err)
{
	struct daemon *d = calloc(1, sizeof(*d));
	struct error closing;

	if (!d)
		return fail(err, EXIT_FAILED, "out of memory");
	*d = (struct daemon){ .settings = settings, .signals = signals, .configuration = *configuration,
			      .root.dir = -1, .instance = { .lock = -1, .socket = -1 } };
	policy_log_open(&d->deciding.log, settings->format == POLICY_JSON);
	int rc = open_all(d, err);
	if (!rc)
		rc = loop(d, err);
	int closed = close_all(d, &closing);
	if (!rc && closed) {
		rc = closed;
		*err = closing;
	}
	*configuration = d->configuration;
	free(d);
	return rc;
}

/* ---- what was asked for ---- */

static int put_back(const struct policy_settings *s, struct error *err)
{
	struct undo_report report;
	struct sysroot root;
	int rc = sysroot_open(&root, NULL, err);

	if (rc)
		return rc;
	rc = keeper_restore(&root, s->state_dir, POLICY_OWNER, &report, err);
	sysroot_close(&root);
	for (size_t i = 0; !rc && i < report.count; i++)
		printf("%s\n", report.lines[i].text);
	if (!rc && report.failed)
		rc = fail(err, EXIT_FAILED, "%u changes could not be put back; their journal is kept", report.failed);
	undo_report_free(&report);
	return rc;
}

int policy_run(const struct policy_settings *s, const struct policy_signals *signals, struct error *err)
{
	const char *form = s->format == POLICY_JSON ? "json" : "text";
	struct configuration configuration;
	char request[32];

	if (s->restore)
		return put_back(s, err);
	if (s->status || s->explain) {
		snprintf(request, sizeof(request), "%s %s", s->status ? "status" : "explain", form);
		return instance_ask(s->state_dir, request, err);
	}
	int rc = configuration_read(&configuration, s, err);
	if (!rc && s->replay)
		rc = policy_replay(s, &configuration, signals->stop, err);
	else if (!rc && !s->check)
		rc = run(s, signals, &configuration, err);
	if (rc && s->check)
		return rc;
	configuration_free(&configuration);
	return rc;
}
