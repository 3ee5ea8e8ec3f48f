// SPDX-License-Identifier: GPL-2.0-or-later
#include "gather/errand.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void child_main(int fd, errand_work *work, void *context)
{
	struct text result = { 0 };
	sigset_t none;
	size_t written = 0;

	sigemptyset(&none);
	signal(SIGINT, SIG_IGN);	/* the terminal's; our parent ends us */
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_IGN);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpriority(PRIO_PROCESS, 0, 10);	/* not the lowest: what it finds is waited for */
	bool good = work(context, &result) && !result.failed;
	while (good && written < result.length) {
		ssize_t n = write(fd, result.bytes + written, result.length - written);
		good = n >= 0 || errno == EINTR;
		written += n > 0 ? (size_t)n : 0;
	}
	_exit(good ? 0 : 1);
}

bool errand_begin(struct errand *e, errand_work *work, void *context)
{
	int ends[2];

	e->result.length = 0;
	if (pipe2(ends, O_CLOEXEC))
		return false;
	e->child = fork();
	if (e->child == 0) {
		close(ends[0]);
		child_main(ends[1], work, context);
	}
	close(ends[1]);
	if (e->child < 0) {
		e->child = 0;
		close(ends[0]);
		return false;
	}
	e->pipe = ends[0];
	fcntl(e->pipe, F_SETFL, O_NONBLOCK);
	return true;
}

/* True at the end of what the child had to say. */
static bool read_on(struct errand *e)
{
	char part[65536];

	for (;;) {
		ssize_t n = read(e->pipe, part, sizeof(part));
		if (n == 0)
			return true;
		if (n < 0)
			return errno != EAGAIN && errno != EINTR;
		text_add(&e->result, part, (size_t)n);
	}
}

static double seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

enum errand_state errand_look(struct errand *e, double *ret_cpu_seconds)
{
	struct rusage use = { 0 };
	int status = -1;

	if (!e->child)
		return ERRAND_NONE;
	if (!read_on(e))
		return ERRAND_UNDER_WAY;
	close(e->pipe);
	while (wait4(e->child, &status, 0, &use) < 0 && errno == EINTR)
		;
	e->child = 0;
	*ret_cpu_seconds = seconds_of(use.ru_utime) + seconds_of(use.ru_stime);
	return WIFEXITED(status) && !WEXITSTATUS(status) && !e->result.failed ? ERRAND_DONE : ERRAND_FAILED;
}

int errand_fd(const struct errand *e)
{
	return e->child ? e->pipe : -1;
}

void errand_end(struct errand *e)
{
	if (e->child) {
		kill(e->child, SIGKILL);
		while (waitpid(e->child, NULL, 0) < 0 && errno == EINTR)
			;
		close(e->pipe);
		e->child = 0;
	}
	text_free(&e->result);
}
