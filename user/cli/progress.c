// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define BAR_CELLS 30

static double monotonic_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

void progress_start(struct progress *p)
{
	*p = (struct progress){ .terminal = isatty(STDERR_FILENO), .start = monotonic_seconds() };
}

void progress_show(struct progress *p, double share, const char *what, ...)
{
	double now = p->terminal ? monotonic_seconds() : 0;
	if (!p->terminal || now - p->start < 1 || now - p->drawn < 0.1)
		return;
	p->drawn = now;
	p->shown = true;
	share = share < 0 ? 0 : share > 1 ? 1 : share;
	fputs("\r\033[K[", stderr);
	for (int i = 0; i < BAR_CELLS; i++)
		fputc(i < share * BAR_CELLS ? '#' : '.', stderr);
	fprintf(stderr, "] %3.0f %%  ", 100 * share);
	va_list args;
	va_start(args, what);
	vfprintf(stderr, what, args);
	va_end(args);
	fflush(stderr);
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
