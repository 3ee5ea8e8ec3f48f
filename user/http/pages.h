/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One sample's pages, ready to be sent: each format as it is and compressed,
 * in memory that nobody can change any more. The collector makes them and
 * hands over a file descriptor; the HTTP side sends from it.
 */
#ifndef KSMSCOPE_HTTP_PAGES_H
#define KSMSCOPE_HTTP_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "out/prometheus.h"

enum page_encoding {
	ENCODING_IDENTITY,
	ENCODING_GZIP,
	PAGE_ENCODINGS
};

/* Where a page is in the memory. */
struct page_place {
	uint64_t offset, length;
};

struct pages_head {
	uint64_t magic;
	int64_t clock_ns;		/* CLOCK_BOOTTIME when the sample was handed over, less its age then */
	struct page_place page[METRIC_FORMATS][PAGE_ENCODINGS];
};

/* The file descriptor of sealed memory, or -1. */
int pages_make(const struct text pages[METRIC_FORMATS], int64_t clock_ns);

/* Read and check the head of what was handed over. False where it is none. */
bool pages_head(int fd, struct pages_head *ret);

/* Hand over a file descriptor without waiting; false where the other side is too busy. */
bool pages_send(int channel, int fd);
/* Take one over: its file descriptor; -1: there is none; -2: the other side is gone. */
int pages_receive(int channel);

#endif
