/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How programs that run for long live: what ends them, and what they do with memory. */
#ifndef KSMSCOPE_CLI_LIFE_H
#define KSMSCOPE_CLI_LIFE_H

/* INT, TERM and HUP call `on_signal`; a pipe that nobody reads is an error of write() instead. */
void life_heed_signals(void (*on_signal)(int signal));

/*
 * Every sample takes and gives back the same hundreds of kilobytes: without
 * this they would go back to the kernel each time, and be faulted in again.
 */
void life_keep_memory(void);

#endif
