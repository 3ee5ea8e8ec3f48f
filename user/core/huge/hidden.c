// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/huge/hidden.h"

#include <errno.h>
#include <stdlib.h>

#include "base/search.h"
#include "core/sort.h"

int hidden_begin(struct sample *s)
{
	s->hidden = calloc(1, sizeof(*s->hidden));
	if (!s->hidden)
		return -ENOMEM;
	s->hidden->hashes.item_bytes = sizeof(uint64_t);
	return 0;
}

void hidden_add(struct sample *s, uint64_t hash, bool read, bool is_zero)
{
	if (!s->hidden)
		return;
	uint64_t *entry = read ? column_add(&s->hidden->hashes) : NULL;
	if (!entry) {
		s->hidden->incomplete = true;
		return;
	}
	*entry = hash;
	if (is_zero) {
		s->hidden->zero++;
		s->hidden->zero_hash = hash;
	}
}

/* Each content once, with how many frames of it are hidden and among the candidates. */
struct contents {
	uint64_t *hash;
	uint32_t *hidden, *candidates;
	size_t count;
};

static int contents_make(struct contents *ret, const struct hidden *h)
{
	uint64_t *hashes = h->hashes.items;
	size_t n = h->hashes.count;

	*ret = (struct contents){ hashes, calloc(n + 1, sizeof(uint32_t)), calloc(n + 1, sizeof(uint32_t)), 0 };
	if (!ret->hidden || !ret->candidates)
		return -ENOMEM;
	sort_u64(hashes, n);
	for (size_t i = 0; i < n; i++) {
		if (!i || hashes[i] != ret->hash[ret->count - 1])
			ret->hash[ret->count++] = hashes[i];
		ret->hidden[ret->count - 1]++;
	}
	return 0;
}

static void contents_free(struct contents *c)
{
	free(c->hidden);
	free(c->candidates);
}

static void meet_candidate(const struct contents *c, uint64_t hash)
{
	size_t at = partition_point(c->count, i, c->hash[i] < hash);

	if (at < c->count && c->hash[at] == hash)
		c->candidates[at]++;
}

static uint64_t freed_of(uint64_t n, uint64_t cap)
{
	return cap ? n - (n + cap - 1) / cap : n ? n - 1 : 0;
}

int hidden_count(struct sample *s)
{
	struct contents c;
	struct hidden *h = s->hidden;
	uint64_t cap = value_or(s->engine.knob[KNOB_MAX_PAGE_SHARING], 0);
	const uint8_t *flags = frame_flags_of(&s->frames);

	if (!h)
		return 0;
	int rc = contents_make(&c, h);
	for (uint32_t i = 0; !rc && i < frame_count(&s->frames); i++)
		if (!(flags[i] & (FRAME_VOLATILE | FRAME_UNREAD)))
			meet_candidate(&c, frame_hashes(&s->frames)[i]);
	for (size_t i = 0; !rc && i < c.count; i++) {
		uint64_t frees = freed_of((uint64_t)c.candidates[i] + c.hidden[i], cap) - freed_of(c.candidates[i], cap);
		h->frees += frees;
		h->frees_zero += h->zero && c.hash[i] == h->zero_hash ? frees : 0;
	}
	if (h->incomplete)
		sample_lacks(s, "hidden", GONE, "not every page of hugetlb and of shared huge pages could be read");
	contents_free(&c);
	column_free(&h->hashes);
	return rc;
}

void hidden_result(const struct sample *s, struct value *ret_frames, struct value *ret_zero)
{
	const struct hidden *h = s->hidden;
	*ret_frames = h ? value_of(h->frees) : (struct value){ .known = NOT_READ };
	*ret_zero = h ? value_of(h->frees_zero) : (struct value){ .known = NOT_READ };
}

void hidden_free(struct hidden *h)
{
	if (!h)
		return;
	column_free(&h->hashes);
	free(h);
}
