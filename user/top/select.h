/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes are wanted: --pid, --comm, --uid, --cgroup; one that fits any of them. */
#ifndef KSMSCOPE_TOP_SELECT_H
#define KSMSCOPE_TOP_SELECT_H

#include "core/live/top.h"
#include "top/options.h"

/* Mark the others as left out. Where nothing was asked for, all are wanted. */
void top_select(struct top_sample *sample, const struct top_settings *settings);

#endif
