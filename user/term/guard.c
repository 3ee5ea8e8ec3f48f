// SPDX-License-Identifier: GPL-2.0-or-later
#include "term/guard.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* Shared by parent and child. */
struct guard {
	volatile bool holds;
};

/* What ncurses has changed, undone by what every terminal of today understands (xterm, VT220 and their kin). */
static const char give_back[] = "\033[?1049l"	/* the screen that was there before */
				"\033[?25h"	/* the cursor */
				"\033[m\017"	/* no colours, the ordinary character set */
				"\033[?1l\033>";	/* arrow keys as usual */

static void restore(const struct termios *before)
{
	/* we may be in the background by now: that must not stop us */
	signal(SIGTTOU, SIG_IGN);
	if (write(STDOUT_FILENO, give_back, sizeof(give_back) - 1) < 0)
		return;
	tcsetattr(STDIN_FILENO, TCSANOW, before);
}

/* End by the same signal, for the shell to see; without a second core. */
__attribute__((noreturn))
static void end_by(int number, sigset_t *signals)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	signal(number, SIG_DFL);
	raise(number);
	sigprocmask(SIG_UNBLOCK, signals, NULL);
	_exit(128 + number);
}

/* The child stopped itself (^Z): so do we, and then both go on. */
static void stop_with(pid_t child)
{
	raise(SIGSTOP);
	kill(child, SIGCONT);
}

__attribute__((noreturn))
static void watch(const struct guard *guard, pid_t child, const struct termios *before, sigset_t *signals,
		  const char *program)
{
	for (;;) {
		siginfo_t info;
		int status, number = sigwaitinfo(signals, &info);
		if (number < 0)
			continue;
		if (number != SIGCHLD) {
			/* what the terminal sends (^C, ^Z) the child gets, too */
			if (info.si_code != SI_KERNEL)
				kill(child, number);
			continue;
		}
		if (waitpid(child, &status, WNOHANG | WUNTRACED) != child)
			continue;
		if (WIFSTOPPED(status)) {
			stop_with(child);
			continue;
		}
		if (guard->holds)
			restore(before);
		if (!WIFSIGNALED(status))
			_exit(WEXITSTATUS(status));
		if (guard->holds)
			fprintf(stderr, "%s: ended by signal %d (%s)\n", program, WTERMSIG(status),
				strsignal(WTERMSIG(status)));
		end_by(WTERMSIG(status), signals);
	}
}

/* Everything that would end us, SIGSEGV included: a signal that somebody sends waits like any other. */
static void signals_to_pass(sigset_t *ret)
{
	static const int list[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTSTP,
				    SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGPIPE };
	sigemptyset(ret);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		sigaddset(ret, list[i]);
}

int guard_start(struct guard **ret, const char *program, struct error *err)
{
	struct termios before;
	sigset_t signals, old;
	pid_t parent = getpid();
	struct guard *guard = mmap(NULL, sizeof(*guard), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (guard == MAP_FAILED)
		return fail_errno(err, "share memory with", "the guard of the terminal", NULL);
	if (tcgetattr(STDIN_FILENO, &before))
		return fail_errno(err, "ask", "the terminal for its settings", NULL);
	signals_to_pass(&signals);
	sigprocmask(SIG_BLOCK, &signals, &old);
	pid_t child = fork();
	if (child < 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		return fail_errno(err, "start", "the guard of the terminal", NULL);
	}
	if (child)
		watch(guard, child, &before, &signals, program);
	/* should the parent be killed, there is nobody left to wait for us */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		raise(SIGTERM);
	sigprocmask(SIG_SETMASK, &old, NULL);
	*ret = guard;
	return 0;
}

void guard_holds(struct guard *guard, bool holds)
{
	guard->holds = holds;
}
