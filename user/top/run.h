/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ksmtop's two ways: writing lines, or a display. */
#ifndef KSMSCOPE_TOP_RUN_H
#define KSMSCOPE_TOP_RUN_H

#include <signal.h>

#include "top/options.h"
#include "top/session.h"

/* As the settings ask: a display where there is a terminal for it, else text. `stop`: non-zero ends it. */
int top_run(const struct top_settings *settings, const volatile sig_atomic_t *stop, struct error *err);

/* Write samples to standard output. */
int batch_run(const struct top_settings *settings, const volatile sig_atomic_t *stop, struct error *err);

/* Show them on the terminal and heed keys. */
int display_run(const struct top_settings *settings, const volatile sig_atomic_t *stop, struct error *err);

/* Was a process asked for that is not there? An error then. */
int check_wanted(const struct top_settings *settings, const struct session *session, struct error *err);

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t clock_now_ns(void);

#endif
