/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ksm-exporter's ways: pages over HTTP, or a file. */
#ifndef KSMSCOPE_EXPORTER_RUN_H
#define KSMSCOPE_EXPORTER_RUN_H

#include <signal.h>

#include "exporter/options.h"

/* Until `stop` is non-zero. */
int exporter_run(const struct exporter_settings *settings, const volatile sig_atomic_t *stop, struct error *err);

#endif
