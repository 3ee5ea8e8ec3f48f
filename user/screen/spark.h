/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The last minutes of a value as a line of bars, the newest at the right. */
#ifndef KSMSCOPE_SCREEN_SPARK_H
#define KSMSCOPE_SCREEN_SPARK_H

#include <stddef.h>

#include "screen/canvas.h"

#define SPARK_MOST 512

/*
 * `values` fill the span; NAN leaves a gap. The scale runs from zero, or from
 * the lowest value where `relative` (what hardly moves would be a flat line).
 */
void put_spark(struct span span, enum role role, const float *values, size_t count, bool relative);

/* How full: `share` of the span. */
void put_bar(struct span span, enum role role, double share);

#endif
