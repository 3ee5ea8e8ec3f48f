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
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/search.h"
#include "core/estimate/sampled.h"
#include "core/frame_set.h"
#include "core/mix.h"
#include "gather/place.h"
#include "gather/scouting.h"
#include "gather/walk.h"

/* Frequent contents are followed as long as they are at most this share of all pages: each costs a whole hash. */
#define FOLLOWED_SHARE 0.25

/* A mapping from so many pages on is told apart; smaller ones of a process are told together. */
#define AREA_PAGES 64

struct sampling {
	struct walk walk;
	struct gather_options options;	/* of a look, with the memory that is left to the sketch */
	struct sampled *sampled;
	struct sketch *sketch;
	struct sampling_past past;
	uint32_t per_task;		/* owners that a task has in the sketch */
	bool by_area;			/* large mappings are owners, too */
	struct sampled_area *area;	/* the one that is walked, where it is an owner; else NULL */
	struct frame_set met, again;
	uint64_t zero_hash;
	uint64_t unlike;		/* for what could not be read: a number of its own */
	uint64_t frequent[SKETCH_HEAVY_MAX];
	uint32_t frequent_count;
	struct places places;
	struct ages own_ages;		/* of a look with a second one; slots NULL: none */

	/* of the chunk */
	struct page_ref refs[CHUNK_PAGES];
	uint64_t probes[CHUNK_PAGES];	/* where the walk has them already */
	uint32_t owner[CHUNK_PAGES];
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
static void add_unread(struct sampling *l, uint32_t owner)
{
	uint64_t own = random64(&l->unlike);
	sketch_add(l->sketch, own, own, owner, 1);
	l->sampled->unread++;
}

static uint32_t owner_of(const struct sampling *l, const struct area *area, size_t i)
{
	const struct chunk *c = &l->walk.chunk;
	bool exclusive = c->entries[i] & PAGEMAP_EXCLUSIVE;
	if (l->per_task > 1)
		return sampling_owner(area->task, exclusive);
	return l->area ? (uint32_t)(l->sampled->tasks_count + (l->area - l->sampled->areas)) : area->task;
}

/* Where memory is out, it is told together with the small ones. */
static void begin_area(void *context, struct area *area)
{
	struct sampling *l = context;
	const struct sample *s = l->walk.sample;
	bool large = (area->end - area->start) / s->machine.page_bytes >= AREA_PAGES || (area->flags & AREA_SECRET);

	l->area = NULL;
	if (l->by_area && large && area->class == AREA_CANDIDATE &&
	    !sampled_add_area(l->sampled, area - s->areas, area->task))
		l->area = &l->sampled->areas[l->sampled->areas_count - 1];
}

static void end_area(void *context, struct area *area)
{
	struct sampling *l = context;

	(void)area;
	if (l->area && !l->area->candidate)
		l->sampled->areas_count--;
	l->area = NULL;
}

static void count_candidate(struct sampling *l, struct sampled_task *task, bool huge)
{
	l->sampled->candidate++;
	l->sampled->huge += huge;
	task->candidate++;
	task->huge += huge;
	if (l->area) {
		l->area->candidate++;
		l->area->huge += huge;
	}
}

static int take_page(struct sampling *l, const struct area *area, size_t i, struct error *err)
{
	const struct chunk *c = &l->walk.chunk;
	struct sampled_task *task = &l->sampled->tasks[area->task];
	bool new;
	int rc = meet(l, i, &new, err);

	if (rc || !new)
		return rc;
	count_candidate(l, task, chunk_huge(c, i));
	l->sampled->merged += !!(c->kflags[i] & KPAGE_KSM);
	if (chunk_unreadable(c, i)) {
		add_unread(l, owner_of(l, area, i));
		return 0;
	}
	l->owner[l->pending] = owner_of(l, area, i);
	l->huge[l->pending] = chunk_huge(c, i);
	l->probes[l->pending] = c->probes[i];
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
	if (l->area)
		l->area->zero++;
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

static bool among(uint64_t place, const uint64_t *list, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (list[i] == place)
			return true;
	return false;
}

/* A content that became frequent, or is so no longer, was followed by another rule before: its ages say nothing. */
static bool changed_stratum(const struct sampling *l, uint64_t place, bool heavy)
{
	return heavy != among(place, l->past.frequent_before, l->past.frequent_before_count);
}

/* How old is the page with what it holds? Young ones are told to the sketch. */
static void follow_page(struct sampling *l, const struct task *task, const struct place *place, size_t i)
{
	uint64_t page = l->refs[i].address / l->walk.sample->machine.page_bytes;
	uint64_t at = sketch_place(l->sketch, place->place);
	enum sketch_stratum stratum = sketch_is_heavy(l->sketch, place->place) ? SKETCH_HEAVY : SKETCH_LIGHT;

	if (stratum == SKETCH_LIGHT && at > l->sketch->last[SKETCH_LIGHT])
		return;
	uint32_t id = l->sampled->tasks[task - l->walk.sample->tasks].id;
	uint32_t age = ages_meet(l->past.ages, page, id, place->hash, stratum, at >> 32);
	if (!l->past.told || age == AGE_NOT_FOLLOWED || age >= l->past.settle ||
	    (age == 0 && changed_stratum(l, place->place, stratum == SKETCH_HEAVY)))
		return;
	sketch_keep_young(l->sketch, place->hash, l->owner[i],
			  stratum == SKETCH_HEAVY ? (uint32_t)lround(1 / ages_share(l->past.ages, SKETCH_HEAVY)) : 1);
}

/* What was chosen by its place gets the whole hash; a page that changed in between is as good as unread. */
static int keep_chosen(struct sampling *l, const struct task *task, size_t n, struct error *err)
{
	int rc = places_hash(&l->places, task->pid, l->refs, l->wanted, n, err);

	for (size_t i = 0; !rc && i < n; i++) {
		const struct place *place = &l->places.of[i];
		if (!l->wanted[i])
			continue;
		if (!place->hashed) {
			sketch_unsee(l->sketch, place->place, l->owner[i], 1);
			add_unread(l, l->owner[i]);
			continue;
		}
		sketch_keep(l->sketch, place->place, place->hash, l->owner[i], 1);
		if (l->past.ages)
			follow_page(l, task, place, i);
	}
	return rc ? rc : sketch_state(l->sketch, err);
}

static void see_page(struct sampling *l, const struct task *task, size_t i)
{
	const struct place *place = &l->places.of[i];

	l->wanted[i] = false;
	if (!place->read) {
		add_unread(l, l->owner[i]);
		return;
	}
	if (place->hashed && place->hash == l->zero_hash) {
		count_zero(l, task - l->walk.sample->tasks, l->huge[i]);
		if (l->places.fleet)
			return;
	}
	if (l->past.scout)
		scout_see(l->past.scout, place->place);
	l->wanted[i] = sketch_see(l->sketch, place->place, l->owner[i], 1);
}

static int read_chunk(void *context, const struct task *task, struct error *err)
{
	struct sampling *l = context;
	size_t n = l->pending;

	l->pending = 0;
	const uint64_t *probes = l->walk.chunk.probed ? l->probes : NULL;
	int rc = n ? places_read(&l->places, task->pid, l->refs, probes, n, err) : 0;
	for (size_t i = 0; !rc && i < n; i++)
		see_page(l, task, i);
	if (!rc)
		rc = keep_chosen(l, task, n, err);
	l->walk.read_bytes = l->places.read_bytes;
	return rc ? rc : walk_step(&l->walk, n, err);
}

/* Zeros first, then what some thousand pages at random say is frequent, or the pass before. */
static int follow_frequent(struct sampling *l, struct error *err)
{
	int rc = 0;

	l->frequent_count = l->past.frequent_count;
	if (l->past.scouted)
		memcpy(l->frequent, l->past.frequent, l->frequent_count * sizeof(*l->frequent));
	else
		rc = scouting_frequent(&l->walk, &l->places, FOLLOWED_SHARE, l->frequent, SKETCH_HEAVY_MAX - 1,
				       &l->frequent_count, err);
	if (rc)
		return rc;
	sketch_set_heavy(l->sketch, &l->zero_hash, 1);
	sketch_set_heavy(l->sketch, l->frequent, l->frequent_count);
	l->sampled->followed = l->sketch->heavy_count;
	return 0;
}

static int prepare(struct sampling *l, struct content *content, const struct gather_options *o, struct error *err)
{
	struct sketch_options options = { .bytes = o->memory_bytes, .theta = o->theta > 0 ? o->theta : LOOK_THETA,
					  .run = l->past.run, .phase = l->past.phase,
					  .probe_is_hash = o->fleet || content_reader(content) != READER_DIRECT_MAP };
	int rc = content_random(&l->unlike, err);

	if (!rc)
		rc = sampled_new(&l->sampled, l->walk.sample->tasks_count, &options, err);
	if (rc)
		return rc;
	l->walk.sample->sampled = l->sampled;
	l->sketch = &l->sampled->sketch;
	l->zero_hash = o->fleet ? fleet_hash(o->fleet, content_zero_hash(content)) : content_zero_hash(content);
	places_begin(&l->places, content, l->walk.sample->machine.page_bytes, o->fleet);
	l->walk.scans = !l->places.by_hash && content_scans(content);
	/* what one host follows others would have to follow, too */
	return o->fleet ? 0 : follow_frequent(l, err);
}

int sampling_begin(struct sampling **ret, struct sample *s, const struct sysroot *root, struct content *content,
		   const struct gather_options *options, const struct sampling_past *past, struct error *err)
{
	struct sampling *l = *ret = calloc(1, sizeof(*l));

	if (!l)
		return walk_out_of_memory(err);
	l->past = *past;
	l->per_task = SAMPLING_OWNERS;
	walk_begin(&l->walk, s, root, content, options);
	l->walk.only_candidates = true;
	return prepare(l, content, options, err);
}

int sampling_walk(struct sampling *l, size_t first_task, struct error *err)
{
	static const struct walk_sink sink = { .pages = take_pages, .chunk_end = read_chunk,
					       .area_begin = begin_area, .area_end = end_area };

	if (sampled_grow(l->sampled, l->walk.sample->tasks_count))
		return walk_out_of_memory(err);
	int rc = walk_tasks(&l->walk, first_task, &sink, l, err);
	l->sampled->hashed = l->places.hashed;
	l->walk.sample->frames_read = l->places.hashed;
	return rc;
}

const uint64_t *sampling_frequent(const struct sampling *l, uint32_t *ret_count)
{
	*ret_count = l->frequent_count;
	return l->frequent;
}

uint64_t sampling_bytes(const struct sampling *l)
{
	return l->places.read_bytes;
}

void sampling_end(struct sampling *l)
{
	if (!l)
		return;
	walk_end(&l->walk);
	frame_set_free(&l->met);
	frame_set_free(&l->again);
	ages_free(&l->own_ages);
	free(l);
}

/* ---- a look, and another ---- */

/* Memory for remembering pages, of that for the sample. */
#define AGES_SHARE 0.375

static int make_ages(struct sampling *l, struct gather_options *o, struct error *err)
{
	uint64_t bytes = o->memory_bytes ? o->memory_bytes : SKETCH_DEFAULT_BYTES, salt;
	int rc = content_random(&salt, err);

	o->memory_bytes = fmax(bytes * (1 - AGES_SHARE), SKETCH_MIN_BYTES);
	if (!rc && ages_init(&l->own_ages, bytes > o->memory_bytes ? bytes - o->memory_bytes : 0, salt))
		rc = walk_out_of_memory(err);
	l->past.ages = &l->own_ages;
	if (!rc)
		ages_begin(&l->own_ages, 1);
	return rc;
}

int sampling_look(struct sampling **ret, struct sample *s, const struct sysroot *root, struct content *content,
		  const struct gather_options *options, struct error *err)
{
	struct sampling *l = *ret = calloc(1, sizeof(*l));
	int rc = l ? content_random(&l->past.run, err) : walk_out_of_memory(err);

	if (!l)
		return rc;
	l->options = *options;
	if (!rc && !options->fleet)		/* a fleet's hosts choose by the same places */
		rc = content_random(&l->past.phase, err);
	if (!rc && options->settle_seconds > 0)
		rc = make_ages(l, &l->options, err);
	l->per_task = 1;
	l->by_area = !options->fleet;
	walk_begin(&l->walk, s, root, content, &l->options);
	if (!rc)
		rc = prepare(l, content, &l->options, err);
	for (size_t i = 0; !rc && i < s->tasks_count; i++)
		l->sampled->tasks[i].id = i;
	return rc ? rc : sampling_walk(l, 0, err);
}

/* Followed pages of one task that lie near each other: order[0 … count). */
struct batch {
	const struct task *task;
	const uint32_t *order;
	size_t count;
};

/* Those that still hold what they held are met. */
static int hash_again(struct sampling *l, const struct batch *b, struct error *err)
{
	struct ages *a = l->past.ages;
	size_t n = l->pending;
	uint64_t *hashes = l->walk.chunk.pfns;		/* the walk is over */

	l->pending = 0;
	int rc = n ? content_hash(l->walk.content, b->task->pid, l->refs, n, hashes, l->wanted, err) : 0;
	for (size_t i = 0; !rc && i < n; i++) {
		const struct age age = a->slots[l->owner[i]];
		if (l->wanted[i] && hashes[i] == age.hash)
			ages_meet(a, age_page(&age), age.owner, age.hash, age_stratum(&age), age.place);
	}
	l->places.hashed += n;
	l->places.read_bytes += n * l->places.page_bytes;
	l->walk.read_bytes = l->places.read_bytes;
	return rc ? rc : walk_step(&l->walk, 0, err);
}

static int look_at_batch(struct sampling *l, const struct pagemap *map, const struct batch *b, struct error *err)
{
	const struct age *slots = l->past.ages->slots;
	uint64_t first = age_page(&slots[b->order[0]]), last = age_page(&slots[b->order[b->count - 1]]);
	uint64_t *entries = l->walk.chunk.entries;
	size_t got = pagemap_read(map, first * map->page_bytes, entries, last - first + 1);

	for (size_t i = 0; i < b->count; i++) {
		uint64_t at = age_page(&slots[b->order[i]]) - first;
		if (at >= got || !(entries[at] & PAGEMAP_PRESENT) || (entries[at] & PAGEMAP_FILE))
			continue;
		l->owner[l->pending] = b->order[i];
		l->refs[l->pending++] = (struct page_ref){ .address = (first + at) * map->page_bytes,
							   .pfn = entries[at] & PAGEMAP_PFN_MASK };
	}
	return hash_again(l, b, err);
}

/* Entries of pagemap that are not asked for cost less than a call. */
#define NEAR_PAGES 64

/* *ret_gone: it ended, and all its pages have changed. */
static int look_at_task(struct sampling *l, const struct task *task, const uint32_t *order, size_t count,
			bool *ret_gone, struct error *err)
{
	const struct age *slots = l->past.ages->slots;
	struct pagemap map;
	int rc = 0;

	*ret_gone = pagemap_open(&map, l->walk.root, task->pid, l->walk.sample->machine.page_bytes) != KNOWN;
	if (*ret_gone)
		return 0;
	for (size_t i = 0, next; !rc && i < count; i = next) {
		uint64_t first = age_page(&slots[order[i]]);
		for (next = i + 1; next < count && age_page(&slots[order[next]]) - first < CHUNK_PAGES &&
				   age_page(&slots[order[next]]) - age_page(&slots[order[next - 1]]) < NEAR_PAGES; next++)
			;
		const struct batch b = { task, order + i, next - i };
		rc = look_at_batch(l, &map, &b, err);
	}
	pagemap_close(&map);
	return rc;
}

/* Whose a page of a task is: its mapping's, or the task's. */
static uint32_t owner_at(const struct sampling *l, uint32_t task, uint64_t address)
{
	const struct sampled *of = l->sampled;
	const struct area *areas = l->walk.sample->areas;
	size_t at = partition_point(of->areas_count, i, of->areas[i].task < task ||
				    (of->areas[i].task == task && areas[of->areas[i].area].end <= address));
	bool inside = at < of->areas_count && of->areas[at].task == task && areas[of->areas[at].area].start <= address;

	return inside ? (uint32_t)(of->tasks_count + at) : task;
}

/* What was not met again is young. */
static void tell_young(struct sampling *l)
{
	uint64_t page_bytes = l->walk.sample->machine.page_bytes;
	const struct ages *a = l->past.ages;
	uint32_t each = (uint32_t)lround(1 / ages_share(a, SKETCH_HEAVY));

	if (a->last[SKETCH_LIGHT] != UINT32_MAX)
		sketch_lower(l->sketch, SKETCH_LIGHT, (uint64_t)a->last[SKETCH_LIGHT] << 32 | UINT32_MAX);
	for (uint32_t i = 0; i < a->slots_count; i++)
		if (a->slots[i].page && !age_met(&a->slots[i]))
			sketch_keep_young(l->sketch, a->slots[i].hash,
					  owner_at(l, a->slots[i].owner, age_page(&a->slots[i]) * page_bytes),
					  age_stratum(&a->slots[i]) == SKETCH_HEAVY ? each : 1);
	l->sampled->told = true;
}

/* How many stayed, by process. It takes the pages that were not met out of `ages`: the last question to it. */
static int tell_survival(struct sampling *l, const bool *gone, struct error *err)
{
	size_t tasks = l->walk.sample->tasks_count;
	struct survival *sums = calloc(tasks + 1, sizeof(*sums));
	int rc = sums ? ages_end(l->past.ages, gone, sums, tasks) : -ENOMEM;

	for (size_t i = 0; !rc && i < tasks; i++)
		l->sampled->tasks[i].stays = sums[i];
	free(sums);
	return rc ? walk_out_of_memory(err) : 0;
}

int sampling_look_again(struct sampling *l, struct error *err)
{
	struct ages *a = l->past.ages;
	uint32_t count;

	if (!a)
		return 0;
	ages_begin(a, 2);
	uint32_t *order = ages_list(a, &count);
	bool *gone = calloc(l->walk.sample->tasks_count + 1, sizeof(*gone));
	int rc = order && gone ? 0 : walk_out_of_memory(err);
	for (size_t i = 0, next; !rc && i < count; i = next) {
		uint32_t task = a->slots[order[i]].owner;
		for (next = i + 1; next < count && a->slots[order[next]].owner == task; next++)
			;
		rc = look_at_task(l, &l->walk.sample->tasks[task], order + i, next - i, &gone[task], err);
	}
	free(order);
	if (!rc) {
		tell_young(l);
		rc = tell_survival(l, gone, err);
	}
	free(gone);
	l->sampled->hashed = l->places.hashed;
	l->walk.sample->frames_read = l->places.hashed;
	return rc;
}
