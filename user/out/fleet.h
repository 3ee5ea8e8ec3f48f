/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What ksm-advise says of portable sketches (core/fleet/portable.h): that one
 * was written (schema ksm-sketch/1), and how several compare (ksm-compare/1).
 */
#ifndef KSMSCOPE_OUT_FLEET_H
#define KSMSCOPE_OUT_FLEET_H

#include "base/text.h"
#include "core/fleet/portable.h"
#include "core/sample.h"

struct sketched {
	const struct sample *sample;
	const struct portable *portable;
	const char *file;
	size_t domains;			/* of how many trust domains the targets are */
};

void sketched_json(struct text *out, const struct sketched *sketched);
void sketched_text(struct text *out, const struct sketched *sketched);

/* Two of the sketches, alone. */
struct compared_pair {
	size_t a, b;
	struct comparison of;
};

struct compared {
	const struct portable *const *sets;
	size_t count;
	struct comparison all;
	const struct compared_pair *pairs;	/* what co-locating saves most first */
	size_t pairs_count;
};

void compared_json(struct text *out, const struct compared *compared);
/* `verbose`: all pairs. */
void compared_text(struct text *out, const struct compared *compared, bool verbose);

#endif
