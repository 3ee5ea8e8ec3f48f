// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The look that keeps a sample: every frame is counted and probed, few are
 * hashed, and none is remembered but by a bit.
 *
 * A frame counts once. Those that pagemap calls exclusive need no bit; of huge
 * pages its word is not taken (look.c says why). A frame that is freed and taken
 * by another target during the look may be missed or count twice.
 */
#include "gather/sampling.h"

#include <errno.h>
#include <stdlib.h>

#include "core/estimate/sampled.h"
#include "core/frame_set.h"
#include "core/mix.h"
#include "gather/place.h"
#include "gather/scouting.h"
#include "gather/walk.h"

/* Frequent contents are followed as long as they are at most this share of all pages: each costs a whole hash. */
#define FOLLOWED_SHARE 0.25

struct sampling {
	struct walk walk;
	struct sampled *sampled;
	struct sketch *sketch;
	struct frame_set met, again;
	uint64_t zero_hash;
	uint64_t unlike;		/* for what could not be read: a number of its own */
	struct places places;

	/* of the chunk */
	struct page_ref refs[CHUNK_PAGES];
	bool huge[CHUNK_PAGES], wanted[CHUNK_PAGES];
	size_t pending;
};

static int set_failed(int rc, struct error *err)
{
	return rc == -ERANGE ? fail(err, EXIT_KERNEL_CANNOT, "a frame number beyond all physical memory was read")
			     : walk_out_of_memory(err);
}

/* Is the frame new? Also counts those that are met a second time, each once. */
static int meet(struct sampling *l, size_t i, bool *ret_new, struct error *err)
{
	const struct chunk *c = &l->walk.chunk;
	bool first_again = false;
	int rc = 0;

	*ret_new = true;
	if (!chunk_exclusive(c, i))
		rc = frame_set_add(&l->met, c->pfns[i], ret_new);
	if (!rc && !*ret_new)
		rc = frame_set_add(&l->again, c->pfns[i], &first_again);
	l->sampled->multi += first_again && !(c->kflags[i] & KPAGE_KSM);
	return rc ? set_failed(rc, err) : 0;
}

/* A content that nobody else has. */
static void add_unread(struct sampling *l, uint32_t task)
{
	uint64_t own = random64(&l->unlike);
	sketch_add(l->sketch, own, own, task, 1);
	l->sampled->unread++;
}

static int take_page(struct sampling *l, const struct area *area, size_t i, struct error *err)
{
	const struct chunk *c = &l->walk.chunk;
	struct sampled_task *task = &l->sampled->tasks[area->task];
	bool new;
	int rc = meet(l, i, &new, err);

	if (rc || !new)
		return rc;
	l->sampled->candidate++;
	task->candidate++;
	l->sampled->merged += !!(c->kflags[i] & KPAGE_KSM);
	l->sampled->huge += chunk_huge(c, i);
	task->huge += chunk_huge(c, i);
	if (chunk_unreadable(c, i)) {
		add_unread(l, area->task);
		return 0;
	}
	l->huge[l->pending] = chunk_huge(c, i);
	l->refs[l->pending++] = (struct page_ref){ .address = chunk_address(&l->walk, i), .pfn = c->pfns[i] };
	return 0;
}

static int take_pages(void *context, struct area *area, size_t i, size_t count, struct error *err)
{
	int rc = 0;
	for (size_t k = i; !rc && k < i + count; k++)
		rc = take_page(context, area, k, err);
	return rc;
}

static void count_zero(struct sampling *l, uint32_t task, bool huge)
{
	l->sampled->zero++;
	l->sampled->zero_in_huge += huge;
	l->sampled->tasks[task].zero++;
}

static int sketch_state(const struct sketch *s, struct error *err)
{
	if (!s->failed)
		return 0;
	return s->failed == -ENOMEM ? walk_out_of_memory(err)
				    : fail(err, EXIT_FAILED, "the sample does not fit into its memory: raise --memory");
}

/* What was chosen by its place gets the whole hash; a page that changed in between is as good as unread. */
static int keep_chosen(struct sampling *l, const struct task *task, size_t n, struct error *err)
{
	uint32_t owner = task - l->walk.sample->tasks;
	int rc = places_hash(&l->places, task->pid, l->refs, l->wanted, n, err);

	for (size_t i = 0; !rc && i < n; i++) {
		const struct place *place = &l->places.of[i];
		if (!l->wanted[i])
			continue;
		if (place->hashed) {
			sketch_keep(l->sketch, place->place, place->hash, owner, 1);
		} else {
			sketch_unsee(l->sketch, place->place, owner, 1);
			add_unread(l, owner);
		}
	}
	return rc ? rc : sketch_state(l->sketch, err);
}

static int read_chunk(void *context, const struct task *task, struct error *err)
{
	struct sampling *l = context;
	uint32_t owner = task - l->walk.sample->tasks;
	size_t n = l->pending;

	l->pending = 0;
	int rc = n ? places_read(&l->places, task->pid, l->refs, n, err) : 0;
	for (size_t i = 0; !rc && i < n; i++) {
		const struct place *place = &l->places.of[i];
		l->wanted[i] = false;
		if (!place->read) {
			add_unread(l, owner);
			continue;
		}
		if (place->hashed && place->hash == l->zero_hash)
			count_zero(l, owner, l->huge[i]);
		l->wanted[i] = sketch_see(l->sketch, place->place, owner, 1);
	}
	if (!rc)
		rc = keep_chosen(l, task, n, err);
	l->walk.read_bytes = l->places.read_bytes;
	return rc ? rc : walk_step(&l->walk, n, err);
}

/* Zeros first, then what some thousand pages at random say is frequent. */
static int follow_frequent(struct sampling *l, struct error *err)
{
	uint64_t frequent[SKETCH_HEAVY_MAX];
	uint32_t count = 0;
	int rc = scouting_frequent(&l->walk, &l->places, FOLLOWED_SHARE, frequent, SKETCH_HEAVY_MAX - 1, &count, err);

	if (rc)
		return rc;
	sketch_set_heavy(l->sketch, &l->zero_hash, 1);
	sketch_set_heavy(l->sketch, frequent, count);
	l->sampled->followed = l->sketch->heavy_count;
	return 0;
}

static int prepare(struct sampling *l, struct content *content, const struct gather_options *o, struct error *err)
{
	struct sketch_options options = { .bytes = o->memory_bytes, .theta = o->theta > 0 ? o->theta : LOOK_THETA,
					  .probe_is_hash = content_reader(content) != READER_DIRECT_MAP };
	int rc = content_random(&options.run, err);

	if (!rc)
		rc = content_random(&options.phase, err);
	if (!rc)
		rc = content_random(&l->unlike, err);
	if (rc)
		return rc;
	rc = sampled_new(&l->sampled, l->walk.sample->tasks_count, &options, err);
	if (rc)
		return rc;
	l->walk.sample->sampled = l->sampled;
	l->sketch = &l->sampled->sketch;
	l->zero_hash = content_zero_hash(content);
	places_begin(&l->places, content, l->walk.sample->machine.page_bytes);
	return follow_frequent(l, err);
}

int sampling_look(struct sample *s, const struct sysroot *root, struct content *content,
		  const struct gather_options *options, struct error *err)
{
	static const struct walk_sink sink = { .pages = take_pages, .chunk_end = read_chunk };
	struct sampling *l = calloc(1, sizeof(*l));

	if (!l)
		return walk_out_of_memory(err);
	walk_begin(&l->walk, s, root, content, options);
	int rc = prepare(l, content, options, err);
	if (!rc)
		rc = walk_tasks(&l->walk, &sink, l, err);
	if (l->sampled)
		l->sampled->hashed = l->places.hashed;
	s->frames_read = l->places.hashed;
	walk_end(&l->walk);
	frame_set_free(&l->met);
	frame_set_free(&l->again);
	free(l);
	return rc;
}
