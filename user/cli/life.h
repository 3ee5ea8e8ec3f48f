/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How programs that run for long live: what ends them, and what they do with memory. */
#ifndef KSMSCOPE_CLI_LIFE_H
#define KSMSCOPE_CLI_LIFE_H

#include <stdint.h>

/* INT, TERM and HUP call `on_signal`; a pipe that nobody reads is an error of write() instead. */
void life_heed_signals(void (*on_signal)(int signal));

/*
 * Every sample takes and gives back the same hundreds of kilobytes: without
 * this they would go back to the kernel each time, and be faulted in again.
 * Programs that use it call life_give_back().
 */
void life_keep_memory(void);

/*
 * After each sample: what a crowd of processes needed once is not kept for ever. Every LIFE_KEEP_NS all that malloc()
 * holds and nobody uses goes back to the kernel, from between what is in use, too; the next sample faults in what it
 * needs. *given_back_ns: CLOCK_MONOTONIC, begins at 0.
 */
#define LIFE_KEEP_NS 60000000000
void life_give_back(int64_t now_ns, int64_t *given_back_ns);

#endif
