/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values as short text: for columns of some few characters, and for meters. */
#ifndef KSMSCOPE_SCREEN_FORMAT_H
#define KSMSCOPE_SCREEN_FORMAT_H

#include <stddef.h>

#include "core/live/top_model.h"

struct brief {
	char text[40];
};

/*
 * At most six characters (seven where the field is signed): "1.23G", "12.3k",
 * "0.4", "3.2%". A rate that is uncertain by more than a tenth begins with
 * "~", a sum of which parts are unknown ends with "+" instead. What is not known:
 * "-" absent, "!" denied, "." not yet.
 */
struct brief brief_column(enum field f, struct quantity q);

/* As in a sentence, with its unit: "1.50 GiB", "12.3 k/s", "3.2 %", "20 ms". What is not known: "-". */
struct brief brief_meter(enum field f, struct quantity q);

/* "985 to 1,009": the interval of an estimate; "" of an exact value. */
struct brief brief_interval(enum field f, struct quantity q);

/* Three significant digits with a decimal multiplier: "997", "12.3k", "4.56M". */
struct brief brief_count(double number);

/* Is it uncertain by more than this share of its value? */
bool quantity_uncertain(struct quantity q, double share);

#endif
