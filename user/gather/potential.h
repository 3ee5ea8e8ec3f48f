/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What merging more would free, measured beside the display: a child takes an
 * exact look at all processes (gather.h), at the lowest priority, again and
 * again, and takes no more than half a per cent of a CPU on the average. It
 * looks once each time, so what changes is not told from what stays.
 *
 * A look needs 16 bytes per frame, so it is not taken where there is more
 * anonymous memory than POTENTIAL_MOST_BYTES.
 */
#ifndef KSMSCOPE_GATHER_POTENTIAL_H
#define KSMSCOPE_GATHER_POTENTIAL_H

#include "core/live/top.h"
#include "core/trust/domain.h"
#include "sys/sysroot.h"

#define POTENTIAL_MOST_BYTES (4ll << 30)

struct potential;

/* Inside these trust domains; NULL: each uid, each VM. NULL when memory is out. The first look begins with the first call of potential_take(). */
struct potential *potential_open(const struct sysroot *root, const struct domain_rules *domains);
/* Ends a look that is under way. NULL is fine. */
void potential_close(struct potential *potential);

/*
 * Put the last measurement into the sample's FACT_POTENTIAL_BYTES and
 * TASK_POTENTIAL_BYTES, or into `missing` why there is none; begin a new look
 * when it is time. Never waits.
 */
void potential_take(struct potential *potential, struct top_sample *sample);

#endif
