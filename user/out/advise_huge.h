/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Huge pages in the answer of ksm-advise: the ledger and the frontier. `huge` may be NULL: not counted. */
#ifndef KSMSCOPE_OUT_ADVISE_HUGE_H
#define KSMSCOPE_OUT_ADVISE_HUGE_H

#include "core/huge/frontier.h"
#include "out/advise.h"
#include "out/json.h"

/* `ledger`: one row per region as well. */
void huge_json(struct json *json, const struct sample *sample, const struct huge *huge, bool ledger);

/* Counts, the curve as a small plot, and with `ledger` the regions that are broken first. */
void huge_text(struct text *out, const struct sample *sample, const struct huge *huge,
	       const struct advise_style *style, bool ledger);

/* The curve as a picture of its own: bytes saved against slow-down and against huge pages lost. */
void huge_svg(struct text *out, const struct sample *sample, const struct huge *huge);

#endif
