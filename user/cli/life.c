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

void life_give_back(int64_t now_ns, int64_t *given_back_ns)
{
	if (now_ns - *given_back_ns < LIFE_KEEP_NS)
		return;
	malloc_trim(0);
	*given_back_ns = now_ns;
}
