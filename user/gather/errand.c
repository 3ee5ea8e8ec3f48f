// SPDX-License-Identifier: GPL-2.0-or-later
#include "gather/errand.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/whole_file.h"

void errand_hand_over(struct errand_voice *voice)
{
	if (write_fully(voice->fd, voice->text.bytes, voice->text.length) || voice->text.failed)
		_exit(1);
	voice->text.length = 0;
}

static _Noreturn void child_main(int fd, int nice, errand_work *work, void *context)
{
	struct errand_voice voice = { .fd = fd };
	sigset_t none;

	sigemptyset(&none);
	signal(SIGINT, SIG_IGN);	/* the terminal's; our parent ends us */
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpriority(PRIO_PROCESS, 0, nice);
	bool good = work(context, &voice);
	errand_hand_over(&voice);
	_exit(good ? 0 : 1);
}

bool errand_begin(struct errand *e, int nice, errand_work *work, void *context)
{
	int ends[2];

	e->result.length = 0;
	e->result.failed = false;
	if (pipe2(ends, O_CLOEXEC))
		return false;
	e->child = fork();
	if (e->child == 0) {
		close(ends[0]);
		child_main(ends[1], nice, work, context);
	}
	int why = errno;
	close(ends[1]);
	if (e->child < 0) {
		e->child = 0;
		close(ends[0]);
		errno = why;
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

void errand_used(struct errand *e, size_t length)
{
	if (length)
		memmove(e->result.bytes, e->result.bytes + length, e->result.length - length);
	e->result.length -= length;
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
