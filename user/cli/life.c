// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/life.h"

#include <malloc.h>
#include <signal.h>
#include <stddef.h>

void life_heed_signals(void (*on_signal)(int signal))
{
	struct sigaction action = { .sa_handler = on_signal };
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

void life_keep_memory(void)
{
	mallopt(M_TRIM_THRESHOLD, 4 << 20);
	mallopt(M_MMAP_THRESHOLD, 4 << 20);
}
