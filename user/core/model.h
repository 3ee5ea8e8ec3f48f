/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model: what follows from a sample by arithmetic. No I/O, no clock, no
 * globals; the same sample gives the same model on any machine. Formulas,
 * sources and errors: docs/model.md.
 */
#ifndef KSMSCOPE_CORE_MODEL_H
#define KSMSCOPE_CORE_MODEL_H

#include "core/sample.h"

/* sizeof(struct ksm_rmap_item): what ksmd pays for each page it tracks (mm/ksm.c). */
#define RMAP_ITEM_BYTES 64

/* Frames, each counted once however many mappings it has. */
struct frame_counts {
	uint64_t candidate;		/* all frames KSM could take, zero and merged ones included */
	uint64_t zero;			/* real frames full of zeros */
	uint64_t zero_in_huge;		/* of these, inside huge pages */
	uint64_t merged;		/* KSM frames */
	uint64_t huge;			/* inside huge pages */
	uint64_t is_volatile;
	uint64_t volatile_low, volatile_high;	/* 95 % interval, where sampled */
	bool volatile_known;		/* where sampled: pages were looked at twice */
	uint64_t unread;
	uint64_t multi;			/* mapped more than once and not merged: forked families */
	uint64_t not_mergeable[AREA_CLASSES];	/* present pages of mappings that KSM refuses */
	uint64_t file_pages;		/* pages of files in private mappings */
	uint64_t zero_page_mappings;	/* of the shared zero page: no frames */
	uint64_t saved_now;		/* mappings of merged frames less merged frames, of the targets */
};

struct duplicate_counts {
	uint64_t frames;		/* candidate - distinct: what merging everything would free */
	uint64_t low, high;		/* 95 % interval; equal to frames when exact */
	bool exact;
	uint64_t distinct;
	uint64_t within_processes;	/* freed by merging inside each process alone */
	uint64_t between_processes;	/* the rest */
	uint64_t capped;		/* with max_page_sharing mappings to a merged frame */
	uint64_t zero;			/* of `frames`, copies of the zero page */
	uint64_t inside_low, inside_high;	/* 95 % interval of inside_domains, where sampled */
	uint64_t inside_domains;	/* freed by merging only inside each trust domain */
	uint64_t mergeable;		/* in worthwhile mappings, inside domains, capped: what the engine's settings give */
	uint64_t mergeable_low, mergeable_high;	/* 95 % interval; equal to mergeable when exact */
	/*
	 * Of it, what is left when ksmd comes round a second time, where that takes
	 * longer than the two looks were apart; only where `paced`.
	 */
	bool paced;
	uint64_t at_pace, at_pace_low, at_pace_high;
};

#define GRANULARITY_LEVELS 5		/* base page, 4 ×, 16 ×, PMD, PUD */

struct granularity {
	uint64_t block_bytes;
	uint64_t blocks;		/* aligned, all pages present candidates */
	uint64_t distinct;
	uint64_t low, high;		/* 95 % interval of distinct; equal to it when exact */
};

/* How long pages stay as they are, from those that were looked at twice; each with its 95 % interval. */
struct lasting {
	bool known;
	double share, share_low, share_high;	/* that stayed between the two looks */
	double half_life, half_life_low, half_life_high;	/* seconds; INFINITY: no change was seen */
};

struct owner_counts {
	uint64_t candidate;		/* distinct frames mapped by this owner */
	uint64_t distinct;
	uint64_t self_duplicates;	/* candidate - distinct */
	uint64_t self_low, self_high;	/* 95 % intervals, where sampled */
	double attributed_low, attributed_high;
	struct lasting lasts;
	double attributed_frames;	/* its share of all duplicates; shares add up to duplicates.frames */
};

enum owner_kind { OWNER_PROCESS, OWNER_UID, OWNER_CGROUP, OWNER_DOMAIN, OWNER_KINDS };

/* Contents that two owners both hold, in different frames. */
struct sharing {
	uint32_t a, b;			/* task indices; uids; cgroup names: as the matrix's kind says */
	uint64_t frames;
	bool crosses;			/* a and b are of different trust domains */
	uint64_t low, high;		/* 95 % interval; equal to frames when exact */
};

/* One trust domain. Its frames are those that one of its processes was the first to map. */
struct domain_counts {
	uint32_t first_task;		/* sample.tasks[first_task].domain is its name */
	uint32_t processes;
	uint64_t candidate;
	uint64_t duplicates;		/* freed by merging all of it, and nothing else */
	uint64_t low, high;		/* 95 % interval; equal to duplicates when exact */
	uint64_t mergeable;		/* in worthwhile mappings, capped */
	uint64_t mergeable_low, mergeable_high;	/* likewise */
};

struct mapping_counts {
	uint64_t candidate;
	double duplicates;		/* its share of the duplicates: 1 - 1/copies per frame */
	double low, high;		/* 95 % interval, where sampled */
	uint64_t volatile_low, volatile_high;	/* likewise */
	bool in_rest;			/* sampled, and too small to be told alone: it is in the rest of its process */
	uint64_t huge;
	uint64_t zero;
	uint64_t is_volatile;
};

/* Frames freed by merging the worthwhile mappings of one trust domain, capped by max_page_sharing. */
struct saving {
	uint64_t key;			/* owner_key() of the domain */
	uint32_t first_task;
	uint64_t frames;
	uint64_t frames_split;		/* on a kernel that frees the zero pages of a huge page when it splits it */
};

enum verdict_code { VERDICT_MERGE, VERDICT_MERGE_PART, VERDICT_LEAVE, VERDICT_CANNOT };

enum reason_code {
	REASON_ENGINE_OFF, REASON_ENGINE_UNMERGING, REASON_NO_KSM, REASON_NOT_OPTED_IN, REASON_PARTLY_OPTED_IN,
	REASON_SHARED, REASON_HUGETLB, REASON_DAX, REASON_PFNMAP,
	REASON_VOLATILE, REASON_TWO_PASSES, REASON_SLOW, REASON_CAP, REASON_NODES, REASON_KERNEL_OLD,
	REASON_SMART_SCAN, REASON_HUGE, REASON_ZERO_PAGES, REASON_DENIED, REASON_SWAPPED, REASON_TRUST, REASON_NOTHING,
	REASON_COUNT
};

struct reason {
	enum reason_code code;
	int32_t pid;			/* 0: all targets */
	char text[240];
	char remedy[240];
};

/* Memory that would be needed if every merged page of the host were written. */
struct exposure {
	uint64_t needed_bytes;
	uint64_t needed_predicted_bytes;	/* the same, once the advice was carried out */
	uint64_t needed_low, needed_high;	/* its 95 % interval, where sampled; equal to it when exact */
	struct value available_bytes;
};

struct huge;

struct model {
	bool complete;			/* nothing is missing */
	/*
	 * From a sample of contents: small mappings are known as the `rests` of their
	 * processes; of blocks larger than a page, of `domains` and `together`, which
	 * a plan is made of, and of huge pages nothing is known. Frame counts are
	 * exact all the same, but for volatile ones.
	 */
	bool sampled;
	double theta;			/* share of the contents that were kept */
	struct frame_counts frames;
	struct duplicate_counts duplicates;
	struct lasting lasts;		/* of all pages that were looked at twice */
	int64_t net_bytes;		/* saved less metadata, with all candidates tracked */
	int64_t net_part_bytes;		/* the same with only the worthwhile mappings tracked, inside trust domains */
	int64_t net_part_low, net_part_high;	/* 95 % interval; equal to net_part_bytes when exact */
	uint64_t candidate_pages;	/* mappings of candidates: each would be tracked on its own */
	uint64_t tracked_pages;		/* of these, in worthwhile mappings */
	double eta_seconds;		/* until merging at the present settings; < 0: never */
	struct exposure exposure;
	struct granularity granularity[GRANULARITY_LEVELS];
	size_t granularity_levels;

	struct owner_counts *processes;	/* one per sample.tasks */
	struct mapping_counts *mappings;	/* one per sample.areas */
	struct mapping_counts *rests;	/* one per sample.tasks: its mappings that are `in_rest`; NULL when exact */
	bool *worthwhile;		/* one per sample.areas: opt it in */
	struct saving *domains;		/* by ascending key */
	size_t domains_count;
	struct saving together;		/* all domains merged with each other: what a plan that crosses gets */

	struct sharing *sharing;	/* by process, most frames first */
	size_t sharing_count;
	struct sharing *uid_sharing;
	size_t uid_sharing_count;
	struct sharing *cgroup_sharing;
	size_t cgroup_sharing_count;
	struct domain_counts *by_domain;	/* as owner_set_make(OWNER_DOMAIN) orders them; from a sample, too */
	size_t by_domain_count;
	struct sharing *domain_sharing;	/* by task indices, one of each domain: what crosses; from a sample, too */
	size_t domain_sharing_count;
	uint64_t crossing_frames;	/* duplicates only found across trust domains: a risk, no saving */

	struct reason *reasons;
	size_t reasons_count;
	enum verdict_code verdict;
	char verdict_text[480];
	struct huge *huge;		/* what breaking huge pages costs and gives; NULL: not counted (huge/frontier.h) */
};

#endif
