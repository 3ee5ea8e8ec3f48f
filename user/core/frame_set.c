// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/frame_set.h"

#include <errno.h>
#include <sys/mman.h>

#define WORD_BITS 64
#define FIRST_WORDS 512

/* Twice as large until `word` fits: moving page tables, not bytes. */
static int grow(struct frame_set *s, uint64_t word)
{
	size_t count = s->words_count ? s->words_count : FIRST_WORDS;
	while (count <= word)
		count *= 2;
	void *words = s->words ? mremap(s->words, s->words_count * sizeof(*s->words), count * sizeof(*s->words),
					MREMAP_MAYMOVE)
			       : mmap(NULL, count * sizeof(*s->words), PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (words == MAP_FAILED)
		return -ENOMEM;
	s->words = words;
	s->words_count = count;
	return 0;
}

int frame_set_add(struct frame_set *s, uint64_t pfn, bool *ret_new)
{
	uint64_t word = pfn / WORD_BITS, bit = UINT64_C(1) << pfn % WORD_BITS;

	if (pfn >> FRAME_SET_BITS)
		return -ERANGE;
	if (word >= s->words_count) {
		int rc = grow(s, word);
		if (rc)
			return rc;
	}
	*ret_new = !(s->words[word] & bit);
	s->words[word] |= bit;
	return 0;
}

void frame_set_free(struct frame_set *s)
{
	if (s->words)
		munmap(s->words, s->words_count * sizeof(*s->words));
	*s = (struct frame_set){ 0 };
}
