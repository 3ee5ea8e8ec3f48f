/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page contents, as keyed hashes made in the kernel. Two readers give the same
 * hashes: the direct map (by frame, takes no lock of the target) and the
 * copying task iterator (by address). Contents never reach user space; the key
 * is random per content_open(), or a fleet's, and never leaves the process.
 */
#ifndef KSMSCOPE_PROBE_CONTENT_H
#define KSMSCOPE_PROBE_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "core/fleet/fleet_key.h"
#include "core/sample.h"
#include "probe/scan.h"

struct content;

/*
 * Load the readers. `want` forces one; READER_NONE chooses: the direct map
 * where it is allowed and a page of our own is found through it, else the
 * copying iterator. `*ret_why` (may be NULL; static storage) says why the
 * direct map is not used, NULL where it is.
 */
int content_open(struct content **ret, enum reader_kind want, const char **ret_why, struct error *err);

/*
 * The same, with the key of a fleet in place of a random one: equal pages have
 * equal hashes on all its hosts. What content_hash() gives then is still none
 * of what may leave the process: fleet_hash() makes that of it.
 */
int content_open_fleet(struct content **ret, const struct fleet_key *key, enum reader_kind want, const char **ret_why,
		       struct error *err);
void content_close(struct content *content);

enum reader_kind content_reader(const struct content *content);

/* The hash that a page full of zeros has under this run's key. */
uint64_t content_zero_hash(const struct content *content);

/* A page to look at. */
struct page_ref {
	uint64_t address;	/* virtual, in the target */
	uint64_t pfn;
};

/*
 * Hash `count` pages of process `pid`. `ret_hash[i]` is valid where
 * `ret_read[i]` is true; a page that could not be read is not an error.
 */
int content_hash(struct content *content, pid_t pid, const struct page_ref *pages, size_t count,
		 uint64_t *ret_hash, bool *ret_read, struct error *err);

enum probe_state {
	PROBE_UNREAD,
	PROBE_READ,
	PROBE_ZEROS,		/* nothing but zeros where it looked: only the hash of the page can tell more */
};

/*
 * Probe `count` pages of process `pid`: ret_probe[i] is a keyed hash of a few
 * cache lines, at places that are random per content_open(). Equal pages have
 * equal probes. Pages with equal probes may differ elsewhere. False, and
 * nothing read, where the direct map is not the reader, or no longer gives
 * anything: content_hash() finds out why.
 */
bool content_probe(struct content *content, pid_t pid, const struct page_ref *pages, size_t count,
		   uint64_t *ret_probe, enum probe_state *ret_state);

/*
 * Prepare to find and probe pages in one walk (scan.h), which takes about 60 ms.
 * Not where the direct map is not the reader, nor before Linux 6.17: then there
 * are other ways, and content_scans() is false.
 */
void content_prepare_scan(struct content *content, const struct sysroot *root);
bool content_scans(const struct content *content);

/* scan_pages() with the probe of content_probe(). False, too, where it can't be done any more. */
bool content_scan(struct content *content, pid_t pid, uint64_t *address, uint64_t end, const struct scan_batch **ret);

/* What content_probe() says of a page with that probe. */
enum probe_state content_probe_state(const struct content *content, uint64_t probe);

/* 64 bits that nobody outside can know, for what else must be random in this run. 0, or no randomness was to be had. */
int content_random(uint64_t *ret, struct error *err);

#endif
