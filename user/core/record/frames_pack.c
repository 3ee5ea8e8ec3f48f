// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The frames of a sample, and those that KSM can't take but huge pages hide. A frame's content is written as how many numbers it
 * lies behind the next new one: 0 for a content that was not met before, which
 * is most, so that zstd makes little of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/huge/hidden.h"
#include "core/mix.h"
#include "core/record/parts.h"

#define FLAGS_MOST UINT8_MAX

/* In place of each rank the number of its first frame; `contents` of them are different. */
static int number_by_first(uint64_t *ranks, size_t count, size_t contents)
{
	uint32_t *number = calloc(contents + 1, sizeof(*number)), next = 0;

	if (!number)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (!number[ranks[i]])
			number[ranks[i]] = ++next;
		ranks[i] = number[ranks[i]] - 1;
	}
	free(number);
	return 0;
}

/* Hashes of frames, of what is hidden, and of a hidden page of zeros: they are held against each other. */
static uint64_t *all_hashes(const struct sample *s, size_t *ret_count)
{
	size_t frames = frame_count(&s->frames), hidden = s->hidden ? s->hidden->hashes.count : 0;
	uint64_t *all = malloc((frames + hidden + 1) * sizeof(*all));

	if (all && frames)
		memcpy(all, frame_hashes(&s->frames), frames * sizeof(*all));
	if (all && hidden)
		memcpy(all + frames, s->hidden->hashes.items, hidden * sizeof(*all));
	if (all && s->hidden)
		all[frames + hidden] = s->hidden->zero_hash;
	*ret_count = frames + hidden + !!s->hidden;
	return all;
}

static int write_contents(struct codec *c, const struct sample *s)
{
	size_t count, contents = 0;
	uint64_t *number = all_hashes(s, &count), next = 0;
	int rc = number ? ranks_of(number, count, &contents) : -ENOMEM;

	if (!rc)
		rc = number_by_first(number, count, contents);
	for (size_t i = 0; !rc && i < count; i++) {
		code_u64(c, next - number[i]);
		next += number[i] == next;
	}
	free(number);
	return rc;
}

/* Numbers spread over all 64 bits, as hashes are: the count sorts by their highest. */
static uint64_t read_content(struct codec *c, uint64_t *next)
{
	uint64_t behind = code_below(c, 0, *next), number = *next - behind;
	*next += behind == 0;
	return mix64(number);
}

static int read_contents(struct codec *c, struct sample *s, size_t frames, size_t hidden)
{
	uint64_t next = 0;

	for (size_t i = 0; i < frames + hidden && !code_failed(c); i++) {
		uint64_t *hash = column_add(i < frames ? &s->frames.hash : &s->hidden->hashes);
		if (!hash)
			return -ENOMEM;
		*hash = read_content(c, &next);
	}
	if (s->hidden)
		s->hidden->zero_hash = read_content(c, &next);
	return 0;
}

static int code_hidden(struct codec *c, struct sample *s, size_t *ret_count)
{
	*ret_count = 0;
	if (!code_bool(c, s->hidden))
		return 0;
	if (code_reads(c) && hidden_begin(s))
		return -ENOMEM;
	*ret_count = code_count(c, s->hidden->hashes.count);
	s->hidden->zero = code_u64(c, s->hidden->zero);
	s->hidden->incomplete = code_bool(c, s->hidden->incomplete);
	return 0;
}

static int code_flags(struct codec *c, struct frame_table *t, size_t count)
{
	for (size_t i = 0; i < count && !code_failed(c); i++) {
		uint8_t *flags = code_reads(c) ? column_add(&t->flags) : &frame_flags_of(t)[i];
		if (!flags)
			return -ENOMEM;
		*flags = code_below(c, *flags, FLAGS_MOST);
	}
	return 0;
}

/* Frames that an extent maps are there, and one that is met again was met before. */
static bool extent_is_good(const struct extent *e, uint64_t frames)
{
	uint64_t mapped = e->kind == EXTENT_SAME ? 1 : e->pages;
	return e->kind <= EXTENT_SAME && e->pages && e->first_frame + mapped <= frames &&
	       (uint64_t)e->first_page + e->pages <= UINT32_MAX;
}

static int code_extents(struct codec *c, struct frame_table *t)
{
	size_t count = code_count(c, t->extents.count);
	uint64_t page = 0, frame = 0;		/* behind the last extent: most begin there */

	for (size_t i = 0; i < count && !code_failed(c); i++) {
		struct extent *e = code_reads(c) ? column_add(&t->extents) : &frame_extents(t)[i];
		if (!e)
			return -ENOMEM;
		e->kind = code_below(c, e->kind, EXTENT_SAME);
		e->first_page = (uint32_t)((uint64_t)code_i64(c, (int64_t)(e->first_page - page)) + page);
		e->pages = code_below(c, e->pages, (1u << 30) - 1);
		e->first_frame = (uint32_t)((uint64_t)code_i64(c, (int64_t)(e->first_frame - frame)) + frame);
		if (!extent_is_good(e, frame_count(t)))
			code_refuse(c);
		page = (uint64_t)e->first_page + e->pages;
		frame = (uint64_t)e->first_frame + (e->kind == EXTENT_SAME ? 0 : e->pages);
	}
	return 0;
}

int code_frames(struct codec *c, struct sample *s)
{
	size_t count = code_count(c, frame_count(&s->frames)), hidden;
	int rc = count < FRAME_NONE ? code_flags(c, &s->frames, count) : -ENOMEM;

	if (!rc)
		rc = code_hidden(c, s, &hidden);
	if (!rc)
		rc = code_reads(c) ? read_contents(c, s, count, hidden) : write_contents(c, s);
	return rc ? rc : code_extents(c, &s->frames);
}
