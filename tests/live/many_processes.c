// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many processes that do nothing: many_processes N. Prints "ready" when all
 * are there, and ends with its parent or on SIGTERM, the children with it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static void wait_for_the_end(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	int count = argc == 2 ? atoi(argv[1]) : 0;
	pid_t self = getpid(), parent = getppid();

	for (int i = 0; i < count; i++) {
		pid_t child = fork();
		if (child < 0) {
			perror("many_processes: fork");
			return 1;
		}
		if (!child)
			wait_for_the_end(self);
	}
	puts("ready");
	fflush(stdout);
	wait_for_the_end(parent);
}
