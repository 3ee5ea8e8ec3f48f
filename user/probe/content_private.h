/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What only the tests of probe/content.c see. */
#ifndef KSMSCOPE_PROBE_CONTENT_PRIVATE_H
#define KSMSCOPE_PROBE_CONTENT_PRIVATE_H

#include "probe/content.h"

/* What content_open() goes by; but for the key only a test sets it. */
struct content_pretence {
	uint64_t page_bytes;	/* a larger base page; 0: the true one */
	bool wrong_contents;	/* our own page is found, but does not read as what it holds */
	bool old_probe;		/* lines can't be read in place */
	const struct fleet_key *key;	/* a fleet's; NULL: a random one */
};

/* content_open() on that machine. */
int content_open_pretending(struct content **ret, enum reader_kind want, const struct content_pretence *pretence,
			    const char **ret_why, struct error *err);

/* Behave as if the kernel had just begun to refuse its direct map. */
void content_forbid_direct_map(struct content *content);

/* The map that contents pass through. The key is at its start; the rest is empty between batches. */
int content_scratch(const struct content *content, size_t *ret_bytes, size_t *ret_key_bytes);

/* The hash of a page of our own under this run's key, computed in user space. */
uint64_t content_hash_own(const struct content *content, const void *page);

/* Are lines read in place? Not before Linux 6.17. */
bool content_probes_in_place(const struct content *content);

/* The same of its probe. */
uint64_t content_probe_own(const struct content *content, const void *page);

#endif
