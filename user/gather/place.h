/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By what a page is chosen: its probe; the hash of the whole page where the
 * probe finds nothing but zeros, or where the reader can't probe. The choice
 * between these depends on the page and the reader alone, so equal pages have
 * equal places.
 */
#ifndef KSMSCOPE_GATHER_PLACE_H
#define KSMSCOPE_GATHER_PLACE_H

#include "bpf/abi.h"
#include "gather/walk.h"

struct place {
	uint64_t place;
	uint64_t hash;		/* where `hashed` */
	bool read, hashed;
};

/* Room for one batch. */
struct places {
	struct content *content;
	bool by_hash;		/* no probe */
	const struct fleet_key *fleet;	/* hashes are what it makes of them; NULL: as they are */
	struct place of[CHUNK_PAGES];
	uint64_t hashed;	/* pages that got the whole hash, so far */
	uint64_t read_bytes;	/* of contents, so far: whole pages, and the lines of probes */
	uint64_t page_bytes;

	uint64_t values[CHUNK_PAGES];
	enum probe_state state[CHUNK_PAGES];
	bool read[CHUNK_PAGES], unprobed[CHUNK_PAGES];
	struct page_ref some[CHUNK_PAGES];
	uint32_t index[CHUNK_PAGES];
};

void places_begin(struct places *ret, struct content *content, uint64_t page_bytes, const struct fleet_key *fleet);

/* The places of `count` pages of a process, at most CHUNK_PAGES; `probes` where they are known already, else NULL. */
int places_read(struct places *places, pid_t pid, const struct page_ref *pages, const uint64_t *probes, size_t count,
		struct error *err);

/* The whole hash of those of them that `wanted` says and that have none yet. */
int places_hash(struct places *places, pid_t pid, const struct page_ref *pages, const bool *wanted, size_t count,
		struct error *err);

#endif
