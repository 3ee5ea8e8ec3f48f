// SPDX-License-Identifier: GPL-2.0-or-later
#include "http/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "http/confine.h"
#include "http/pages.h"
#include "http/serve.h"
#include "sys/host.h"
#include "sys/sysroot.h"

/* Pages on their way; more would only be memory. */
#define UNTAKEN_MOST 2

struct http_server {
	struct listeners listeners;	/* the HTTP side has them; here for their paths */
	struct serve_counts *counts;	/* shared with it */
	uint64_t sent;
	int channel;
	int pidfd;
	pid_t child;
	struct sysroot root;		/* where to read what the HTTP side uses */
};

/* ---- the HTTP side ---- */

/* What it reports when it can't begin. */
struct report {
	int rc;
	struct error err;
};

static int become(const struct serve_options *options, const struct confine_user *user, pid_t parent,
		  struct serving **ret, struct error *err)
{
	int rc = confine_drop(user, err);
	/* only now: a change of uid would clear it */
	if (!rc && (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent))
		rc = fail(err, EXIT_FAILED, "the collector is gone");
	if (!rc)
		rc = serve_prepare(ret, options, err);
	return rc ? rc : confine_http_calls(err);
}

/* Its parent's signals are its parent's business; with its parent it ends. */
static _Noreturn void child_main(const struct serve_options *options, const struct confine_user *user, pid_t parent)
{
	struct serving *serving = NULL;
	struct report report = { 0 };

	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	prctl(PR_SET_NAME, "ksm-http");
	report.rc = become(options, user, parent, &serving, &report.err);
	if (send(options->channel, &report, sizeof(report), MSG_NOSIGNAL) == sizeof(report) && !report.rc)
		serve_run(serving);
	_exit(EXIT_FAILED);
}

/* ---- its beginning ---- */

static int open_listeners(struct listeners *l, const struct http_settings *settings, const char *default_address,
			  struct error *err)
{
	int rc = settings->systemd_socket ? listen_inherit(l, err) : 0;

	for (size_t i = 0; i < settings->listen.count && !rc; i++)
		rc = listen_open(l, settings->listen.words[i], err);
	if (!rc && !l->count)
		rc = listen_open(l, default_address, err);
	return rc;
}

static int hear_of_beginning(struct http_server *s, struct error *err)
{
	struct report report;
	ssize_t n;

	while ((n = recv(s->channel, &report, sizeof(report), 0)) < 0 && errno == EINTR)
		;
	if (n != sizeof(report))
		return fail(err, EXIT_FAILED, "the HTTP side ended before it began");
	if (report.rc)
		*err = report.err;
	return report.rc;
}

static int fork_http_side(struct http_server *s, const struct http_settings *settings, const struct web_config *config,
			  const struct confine_user *user, struct error *err)
{
	pid_t parent = getpid();
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return fail_errno(err, "make", "a socket pair", NULL);
	s->child = fork();
	if (s->child == 0) {
		const struct serve_options options = {
			.listeners = &s->listeners, .channel = ends[1], .config = config, .program = settings->program,
			.telemetry_path = settings->telemetry_path, .stale_seconds = settings->stale_seconds,
			.counts = s->counts };
		close(ends[0]);
		child_main(&options, user, parent);
	}
	close(ends[1]);
	s->channel = ends[0];
	if (s->child < 0) {
		s->child = 0;
		return fail_errno(err, "fork", "the HTTP side", NULL);
	}
	s->pidfd = (int)syscall(SYS_pidfd_open, s->child, 0);
	return hear_of_beginning(s, err);
}

static void announce(const struct http_server *s, const struct http_settings *settings, const struct web_config *config)
{
	for (size_t i = 0; i < s->listeners.count; i++) {
		const char *name = s->listeners.list[i].name;
		bool local = !strncmp(name, "unix:", 5);
		fprintf(stderr, "%s: listening on %s%s%s\n", settings->program,
			local ? "" : web_config_tls(config) ? "https://" : "http://", name,
			local ? "" : settings->telemetry_path);
	}
}

static int start(struct http_server *s, const struct http_settings *settings, const char *default_address,
		 struct error *err)
{
	struct web_config config = { 0 };
	struct confine_user user = { 0 };

	s->counts = mmap(NULL, sizeof(*s->counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->counts == MAP_FAILED)
		return fail(err, EXIT_FAILED, "out of memory");
	int rc = sysroot_open(&s->root, NULL, err);
	if (!rc && settings->config_file)
		rc = web_config_load(&config, settings->config_file, err);
	if (!rc && geteuid() == 0)
		rc = confine_find_user(settings->user, &user, err);
	if (!rc)
		rc = open_listeners(&s->listeners, settings, default_address, err);
	if (!rc)
		rc = fork_http_side(s, settings, &config, &user, err);
	if (!rc)
		announce(s, settings, &config);
	/* the sockets are the HTTP side's alone now */
	listen_close(&s->listeners, rc != 0);
	web_config_free(&config);
	return rc;
}

int http_start(struct http_server **ret, const struct http_settings *settings, const char *default_address,
	       struct error *err)
{
	struct http_server *s = calloc(1, sizeof(*s));

	*ret = NULL;
	if (!s)
		return fail(err, EXIT_FAILED, "out of memory");
	s->channel = s->pidfd = s->root.dir = -1;
	int rc = start(s, settings, default_address, err);
	if (rc)
		http_stop(s);
	else
		*ret = s;
	return rc;
}

/* ---- its life ---- */

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

bool http_publish(struct http_server *s, const struct text pages[METRIC_FORMATS], int64_t time_ns)
{
	int64_t age = clock_ns(CLOCK_REALTIME) - time_ns;

	if (s->sent - s->counts->taken >= UNTAKEN_MOST)
		return false;
	int fd = pages_make(pages, clock_ns(CLOCK_BOOTTIME) - (age > 0 ? age : 0));
	bool sent = fd >= 0 && pages_send(s->channel, fd);
	if (fd >= 0)
		close(fd);
	s->sent += sent;
	return sent;
}

struct http_use http_use(const struct http_server *s)
{
	struct http_use use = { .requests = s->counts->requests, .refused = s->counts->refused,
				.failed_logins = s->counts->failed_logins, .connections = s->counts->connections };
	unsigned long long resident;
	char statm[128];

	if (sysroot_read(&s->root, statm, sizeof(statm), "proc/%d/statm", (int)s->child) == KNOWN &&
	    sscanf(statm, "%*s %llu", &resident) == 1)
		use.resident_bytes = resident * (uint64_t)sysconf(_SC_PAGESIZE);
	use.cpu_ns = (uint64_t)value_or(host_task_cpu_ns(&s->root, s->child), 0);
	return use;
}

int http_fd(const struct http_server *s)
{
	return s->pidfd;
}

int http_ended(struct http_server *s, struct error *err)
{
	int status = 0;

	if (waitpid(s->child, &status, WNOHANG) != s->child)
		return 0;
	s->child = 0;
	return WIFSIGNALED(status) ? fail(err, EXIT_FAILED, "the HTTP side was ended by signal %d", WTERMSIG(status))
				   : fail(err, EXIT_FAILED, "the HTTP side ended with status %d", WEXITSTATUS(status));
}

void http_stop(struct http_server *s)
{
	if (!s)
		return;
	if (s->child > 0) {
		kill(s->child, SIGKILL);
		while (waitpid(s->child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (s->channel >= 0)
		close(s->channel);
	if (s->pidfd >= 0)
		close(s->pidfd);
	if (s->counts && s->counts != MAP_FAILED)
		munmap(s->counts, sizeof(*s->counts));
	if (s->root.dir >= 0)
		sysroot_close(&s->root);
	listen_close(&s->listeners, true);
	free(s);
}
