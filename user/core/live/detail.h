/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One process in detail: its mappings, what of them is merged, whom it shares
 * merged frames with, and the doctor's reasons why not more is merged.
 */
#ifndef KSMSCOPE_CORE_DETAIL_H
#define KSMSCOPE_CORE_DETAIL_H

#include "core/model.h"
#include "core/sample.h"

/* Mappings of the same name, class and flags are put together: an interpreter's heap has thousands. */
struct detail_mapping {
	char name[128];			/* raw; "" for anonymous */
	enum area_class class;
	unsigned int flags;		/* enum area_flags */
	uint32_t count;
	uint64_t bytes;
	uint64_t resident_pages, swapped_pages;
	struct value merged_pages;
};

/* Another process that maps some of the same merged frames. */
struct detail_partner {
	pid_t pid;
	char comm[64];
	uid_t uid;
	uint64_t frames;		/* merged frames that both map */
	bool crosses;			/* it is of another trust domain */
};

struct detail {
	pid_t pid;
	uint64_t start_ticks;
	uint64_t page_bytes;
	enum known mappings_known, partners_known;
	char partners_why[160];		/* why partners are not known, or not all of them */
	struct detail_mapping *mappings;	/* most resident first */
	size_t mappings_count;
	struct detail_partner *partners;	/* most frames first */
	size_t partners_count;
	struct reason *reasons;
	size_t reasons_count;
};

void detail_free(struct detail *detail);

#endif
