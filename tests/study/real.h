/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A population of the memory of processes that are there: their private
 * anonymous frames that nobody else maps, read through /proc/PID/mem. With a
 * probe of four cache lines the groups are what real contents make of it.
 */
#ifndef KSMSCOPE_TESTS_REAL_H
#define KSMSCOPE_TESTS_REAL_H

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/study/population.h"

#define PROBE_LINES 4
#define LINE_BYTES 64

struct real_frame {
	uint64_t hash, probe;
	uint32_t owner, group;
};

struct real_frames {
	struct real_frame *items;
	size_t count, capacity;
	size_t page_bytes;
};

/* Any good hash does: nobody aims at the study. */
static inline uint64_t real_hash(const unsigned char *bytes, size_t length, uint64_t seed)
{
	for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
		uint64_t word;
		memcpy(&word, bytes + i, sizeof(word));
		seed = (seed ^ word) * UINT64_C(0x9fb21c651e98df25);
		seed ^= seed >> 29;
	}
	return mix64(seed);
}

static inline bool is_zero(const unsigned char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i])
			return false;
	return true;
}

/* Lines at fixed places of no meaning; where all of them are zero, the whole page. */
static inline uint64_t real_probe(const unsigned char *page, size_t page_bytes, uint64_t whole)
{
	unsigned char lines[PROBE_LINES * LINE_BYTES];

	for (unsigned int i = 0; i < PROBE_LINES; i++) {
		size_t line = mix64(i + 1) % (page_bytes / LINE_BYTES);
		memcpy(lines + i * LINE_BYTES, page + line * LINE_BYTES, LINE_BYTES);
	}
	return is_zero(lines, sizeof(lines)) ? whole : real_hash(lines, sizeof(lines), 1);
}

static inline void real_add(struct real_frames *f, const unsigned char *page, uint32_t owner, bool by_hash)
{
	if (is_zero(page, f->page_bytes))
		return;
	if (f->count == f->capacity) {
		f->capacity = f->capacity ? 2 * f->capacity : 65536;
		f->items = realloc(f->items, f->capacity * sizeof(*f->items));
		if (!f->items)
			abort();
	}
	uint64_t hash = real_hash(page, f->page_bytes, 2);
	f->items[f->count++] = (struct real_frame){
		.hash = hash, .probe = by_hash ? hash : real_probe(page, f->page_bytes, hash), .owner = owner,
	};
}

/* Present, mapped by nobody else, no file's page: Documentation/admin-guide/mm/pagemap.rst. */
static inline bool is_private_frame(uint64_t entry)
{
	return (entry >> 63 & 1) && (entry >> 56 & 1) && !(entry >> 61 & 1);
}

static inline void real_range(struct real_frames *f, int mem, int pagemap, uint64_t start, uint64_t end,
			      uint32_t owner, bool by_hash)
{
	unsigned char page[65536];

	for (uint64_t at = start; at < end; at += f->page_bytes) {
		uint64_t entry;
		if (pread(pagemap, &entry, sizeof(entry), (off_t)(at / f->page_bytes * sizeof(entry))) != sizeof(entry))
			return;
		if (is_private_frame(entry) &&
		    pread(mem, page, f->page_bytes, (off_t)at) == (ssize_t)f->page_bytes)
			real_add(f, page, owner, by_hash);
	}
}

static inline void real_process(struct real_frames *f, const char *pid, uint32_t owner, bool by_hash)
{
	char path[64], line[512];
	snprintf(path, sizeof(path), "/proc/%s/mem", pid);
	int mem = open(path, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%s/pagemap", pid);
	int pagemap = open(path, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	FILE *maps = fopen(path, "r");

	while (mem >= 0 && pagemap >= 0 && maps && fgets(line, sizeof(line), maps)) {
		unsigned long start, end;
		char mode[8];
		if (sscanf(line, "%lx-%lx %7s", &start, &end, mode) == 3 && mode[3] == 'p' && !strstr(line, "[v"))
			real_range(f, mem, pagemap, start, end, owner, by_hash);
	}
	if (maps)
		fclose(maps);
	close(mem);
	close(pagemap);
}

static inline int real_by_probe(const void *a, const void *b)
{
	const struct real_frame *x = a, *y = b;
	return (x->probe > y->probe) - (x->probe < y->probe);
}

static inline int real_by_content(const void *a, const void *b)
{
	const struct real_frame *x = a, *y = b;
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return (x->owner > y->owner) - (x->owner < y->owner);
}

static inline struct population_made real_population(char **pids, uint32_t count, bool by_hash)
{
	struct population_made p = { .name = by_hash ? "memory of processes" : "the same, by a probe of four lines",
				     .owners = count < 256 ? count : 256, .domains = 2, .probe_is_hash = by_hash };
	struct real_frames f = { .page_bytes = (size_t)sysconf(_SC_PAGESIZE) };

	for (uint32_t i = 0; i < p.owners; i++)
		real_process(&f, pids[i], i, by_hash);
	qsort(f.items, f.count, sizeof(*f.items), real_by_probe);
	for (size_t i = 0, group = 0; i < f.count; i++) {
		group += i && f.items[i].probe != f.items[i - 1].probe;
		f.items[i].group = (uint32_t)group;
	}
	qsort(f.items, f.count, sizeof(*f.items), real_by_content);
	for (size_t i = 0, content = 0; i < f.count; i++) {
		content += i && f.items[i].hash != f.items[i - 1].hash;
		population_hold(&p, (uint32_t)content, f.items[i].group, f.items[i].owner, 1);
	}
	free(f.items);
	population_count_truth(&p);
	return p;
}

#endif
