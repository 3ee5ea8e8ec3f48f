// SPDX-License-Identifier: GPL-2.0-or-later
#include "gather/sweep.h"

#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/estimate/ages.h"
#include "core/estimate/sampled.h"
#include "core/estimate/scout.h"
#include "core/judge/doctor.h"
#include "core/mix.h"
#include "core/trust/assign.h"
#include "gather/sampling.h"
#include "gather/targets.h"
#include "sys/ksm_read.h"
#include "sys/pagemap.h"
#include "sys/proc.h"

/* Of the memory for tables, what remembers pages; the rest is the sketch's. A page takes about as much as a content. */
#define AGES_SHARE 0.375
/* A sample of this many contents errs by less than a point whatever the host: more is not kept of a small one. */
#define ENOUGH_CONTENTS 65536
/* Where a table holds so little of what it could, the host has shrunk: keep more again. */
#define EMPTY_SHARE (1.0 / 16)
/* Frequent contents are followed as long as they are at most this share of all pages: each costs a whole hash. */
#define FOLLOWED_SHARE 0.25
/* Who begins while those are looked at that began during the pass waits for the next one after so many rounds. */
#define ROUNDS_MAX 3
/* A page that stays longer than this before it counts would never be told of: ksmd may be as slow as it likes. */
#define SETTLE_MAX_SECONDS 3600
#define TENTHS 10			/* of a second: how finely ages are kept */

/* By what ages.h knows a process from pass to pass. */
struct known_process {
	pid_t pid;
	uint64_t start_ticks;
	uint32_t id;
};

struct sweep {
	const struct sysroot *root;
	struct sweep_options options;
	struct content *content;
	struct pace pace;
	struct ages ages;
	struct scout scout;
	uint64_t run, phase, scout_seed;
	double theta;			/* to begin the next pass with; 0: not chosen yet */
	bool told;			/* the ages know a pass with this θ */
	uint64_t frequent[SKETCH_HEAVY_MAX], frequent_before[SKETCH_HEAVY_MAX];
	uint32_t frequent_count, frequent_before_count;
	bool scouted;
	struct known_process *known;	/* ascending pid */
	size_t known_count;
	uint32_t passes;
	uint32_t clock;			/* of the ages: tenths of seconds, one more each pass at least */
	double first_began, pass_began;	/* since when ages are known; the last pass; CLOCK_MONOTONIC */
	uint64_t read_bytes;

	/* of the last pass */
	struct sample sample;
	struct holders holders;
};

/* What one pass works with. */
struct pass {
	struct sweep *sweep;
	struct sample *sample;
	struct sampling *sampling;
	struct gather_options gather;
	double began, cpu_began, interval;	/* seconds; since the last pass began */
	double settle_seconds;
	bool *alive;			/* per task */
	uint32_t *heir;			/* per task that ended: who has its frames that others mapped too; CLASS_NONE */
	uint32_t ids;			/* one more than the largest in use */
	size_t tasks_begun_with;
	uint32_t ended;
};

static double seconds_of(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

static int no_memory(struct error *err)
{
	return fail(err, EXIT_FAILED, "out of memory for a pass over the host");
}

/* ---- life ---- */

static int prepare(struct sweep *s, struct error *err)
{
	uint64_t bytes = s->options.memory_bytes ? s->options.memory_bytes : SKETCH_DEFAULT_BYTES, salt;
	struct machine machine;

	if (bytes * (1 - AGES_SHARE) < SKETCH_MIN_BYTES)
		return fail(err, EXIT_USAGE, "the tables of a sweep need at least %zu KiB",
			    (size_t)(SKETCH_MIN_BYTES / (1 - AGES_SHARE)) >> 10);
	proc_machine(s->root, &machine);
	if (!pagemap_shows_frames(s->root, machine.page_bytes))
		return fail(err, EXIT_NOT_PERMITTED, "read /proc/self/pagemap: frame numbers are hidden: run as root, or with CAP_SYS_ADMIN");
	int rc = content_open(&s->content, s->options.reader, NULL, err);
	if (!rc)
		content_prepare_scan(s->content, s->root);
	if (!rc)
		rc = content_random(&s->run, err);
	if (!rc)
		rc = content_random(&s->phase, err);
	if (!rc)
		rc = content_random(&s->scout_seed, err);
	if (!rc)
		rc = content_random(&salt, err);
	if (!rc && ages_init(&s->ages, bytes * AGES_SHARE, salt))
		rc = no_memory(err);
	s->options.memory_bytes = bytes * (1 - AGES_SHARE);
	return rc;
}

int sweep_open(struct sweep **ret, const struct sysroot *root, const struct sweep_options *options, struct error *err)
{
	struct sweep *s = *ret = calloc(1, sizeof(*s));

	if (!s)
		return no_memory(err);
	s->root = root;
	s->options = *options;
	s->pace = pace_begin(options->budget);
	if (options->budget.cpu > 0)
		s->pace.began -= options->burst_seconds / options->budget.cpu;
	sample_init(&s->sample);
	int rc = prepare(s, err);
	if (rc) {
		sweep_close(s);
		*ret = NULL;
	}
	return rc;
}

void sweep_close(struct sweep *s)
{
	if (!s)
		return;
	content_close(s->content);
	ages_free(&s->ages);
	holders_free(&s->holders);
	sample_free(&s->sample);
	free(s->known);
	free(s);
}

/* ---- who is there ---- */

static int by_pid(const void *a, const void *b)
{
	pid_t x = ((const struct known_process *)a)->pid, y = ((const struct known_process *)b)->pid;
	return x < y ? -1 : x > y;
}

static const struct known_process *known_before(const struct sweep *s, const struct task *t)
{
	struct known_process key = { .pid = t->pid };
	const struct known_process *found = s->known_count ? bsearch(&key, s->known, s->known_count, sizeof(key), by_pid)
							    : NULL;
	return found && found->start_ticks == t->start_ticks ? found : NULL;
}

/* One more than the largest number that the last pass left. Those of a crowd that has gone are larger than any count. */
static size_t numbers_known(const struct sweep *s)
{
	size_t most = 0;

	for (size_t i = 0; i < s->known_count; i++)
		most = s->known[i].id >= most ? (size_t)s->known[i].id + 1 : most;
	return most;
}

/*
 * Processes keep their number from pass to pass; new ones get the smallest that
 * nobody had in the last pass, so that numbers stay dense.
 */
static int number_tasks(struct pass *p, size_t first_task, struct error *err)
{
	const struct sweep *s = p->sweep;
	size_t tasks = p->sample->tasks_count, before = numbers_known(s), room = before + tasks + 1;
	bool *taken = calloc(room, sizeof(*taken));
	uint32_t next = 0;

	if (!taken)
		return no_memory(err);
	struct sampled_task *sampled = p->sample->sampled->tasks;
	for (size_t i = 0; i < s->known_count; i++)
		taken[s->known[i].id] = true;
	for (size_t i = 0; i < first_task; i++)
		taken[sampled[i].id] = true;
	for (size_t i = first_task; i < tasks; i++) {
		const struct known_process *known = known_before(s, &p->sample->tasks[i]);
		while (!known && taken[next])
			next++;
		sampled[i].id = known ? known->id : next++;
	}
	p->ids = before > p->ids ? (uint32_t)before : p->ids;
	for (size_t i = first_task; i < tasks; i++)
		p->ids = sampled[i].id >= p->ids ? sampled[i].id + 1 : p->ids;
	free(taken);
	return 0;
}

static int task_by_pid(const void *a, const void *b)
{
	pid_t x = ((const struct task *)a)->pid, y = ((const struct task *)b)->pid;
	return x < y ? -1 : x > y;
}

static bool is_there(const struct sample *now, const struct task *task)
{
	const struct task *found = now->tasks_count ? bsearch(task, now->tasks, now->tasks_count, sizeof(*task),
							       task_by_pid) : NULL;
	return found && found->start_ticks == task->start_ticks;
}

static int list_now(const struct sweep *s, struct sample *ret, struct error *err)
{
	struct target target = s->options.target;
	bool named_missing;

	target.maybe_none = true;
	sample_init(ret);
	return targets_find(ret, s->root, &target, &named_missing, err);
}

static int copy_task(struct sample *to, const struct sample *from, const struct task *task, struct error *err)
{
	struct task *added = sample_add_task(to);

	if (!added)
		return no_memory(err);
	*added = *task;
	added->cgroup = sample_name(to, sample_string(from, task->cgroup));
	added->vm = sample_name(to, sample_string(from, task->vm));
	added->executable = sample_name(to, sample_string(from, task->executable));
	return 0;
}

/* Processes that are there now and were not when the pass began. */
static int add_new(struct pass *p, const struct sample *now, struct error *err)
{
	size_t before = p->sample->tasks_count, at = 0;
	int rc = 0;

	for (size_t i = 0; !rc && i < now->tasks_count; i++) {
		/* both ascend as long as nobody was added */
		while (at < p->tasks_begun_with && p->sample->tasks[at].pid < now->tasks[i].pid)
			at++;
		bool there = at < p->tasks_begun_with && p->sample->tasks[at].pid == now->tasks[i].pid &&
			     p->sample->tasks[at].start_ticks == now->tasks[i].start_ticks;
		for (size_t k = p->tasks_begun_with; !there && k < before; k++)
			there = p->sample->tasks[k].pid == now->tasks[i].pid &&
				p->sample->tasks[k].start_ticks == now->tasks[i].start_ticks;
		if (!there)
			rc = copy_task(p->sample, now, &now->tasks[i], err);
	}
	return rc;
}

static void note_alive(struct pass *p, const struct sample *now)
{
	for (size_t i = 0; i < p->sample->tasks_count; i++) {
		p->alive[i] = is_there(now, &p->sample->tasks[i]);
		p->ended += !p->alive[i];
	}
}

/* Is `b` a relative of the process `a` that ended, by fork? Nearer ones have smaller numbers; 0: none. */
static unsigned int kinship(const struct task *a, const struct task *b)
{
	if (b->parent == a->pid)
		return 1;
	if (b->pid == a->parent)
		return 2;
	return b->parent == a->parent && a->parent > 1 ? 3 : 0;
}

/* Frames that others mapped too outlive the process: the nearest relative that is left has them now. */
static void find_heirs(struct pass *p)
{
	const struct task *tasks = p->sample->tasks;

	for (size_t i = 0; i < p->sample->tasks_count; i++) {
		unsigned int nearest = UINT32_MAX;
		p->heir[i] = CLASS_NONE;
		if (p->alive[i] || !(sketch_owner_frames(&p->sample->sampled->sketch, sampling_owner(i, false), SKETCH_LIGHT) +
				     sketch_owner_frames(&p->sample->sampled->sketch, sampling_owner(i, false), SKETCH_HEAVY)))
			continue;
		for (size_t k = 0; k < p->sample->tasks_count; k++) {
			unsigned int kin = p->alive[k] ? kinship(&tasks[i], &tasks[k]) : 0;
			if (kin && kin < nearest) {
				nearest = kin;
				p->heir[i] = k;
			}
		}
	}
}

/* Keep who is there, for the next pass. */
static int remember_tasks(struct pass *p, struct error *err)
{
	struct sweep *s = p->sweep;
	struct known_process *known = calloc(p->sample->tasks_count + 1, sizeof(*known));
	size_t count = 0;

	if (!known)
		return no_memory(err);
	for (size_t i = 0; i < p->sample->tasks_count; i++)
		if (p->alive[i])
			known[count++] = (struct known_process){ p->sample->tasks[i].pid, p->sample->tasks[i].start_ticks,
								 p->sample->sampled->tasks[i].id };
	qsort(known, count, sizeof(*known), by_pid);
	free(s->known);
	s->known = known;
	s->known_count = count;
	return 0;
}

/* ---- what a pass begins with ---- */

/* What ksmd needs to come round: a page must be unchanged for that long to be merged. */
static double settle_seconds(const struct sweep *s, const struct sample *sample, uint64_t frames)
{
	double scan = doctor_scan_seconds(&sample->engine, sample->calibration, frames);

	if (s->options.settle_seconds > 0)
		return s->options.settle_seconds;
	if (value_or(sample->engine.knob[KNOB_RUN], 0) != 1 || scan < 0)
		return 0;
	return fmin(scan, SETTLE_MAX_SECONDS);
}

/* As much as the table holds at three quarters of what it may, at most 1/16 of a large host's contents. */
static double choose_theta(const struct sweep *s, uint64_t expected)
{
	double most = s->options.theta > 0 ? s->options.theta : LOOK_THETA;
	double holds = 0.75 * fmin(s->ages.used_max, (double)s->options.memory_bytes / sizeof(struct sketch_slot) / 2);
	double theta = 1;

	if (!s->options.theta)
		most = fmin(1, fmax(most, (double)ENOUGH_CONTENTS / (double)(expected + 1)));
	while (theta * (double)expected > holds || theta > most)
		theta /= 2;
	return theta;
}

static uint64_t count_expected(const struct sweep *s, const struct sample *sample)
{
	uint64_t pages = 0;
	for (size_t i = 0; i < sample->tasks_count; i++)
		pages += proc_anon_pages(s->root, sample->tasks[i].pid, sample->machine.page_bytes);
	return pages;
}

static void begin_counting(struct pass *p)
{
	struct sweep *s = p->sweep;
	uint64_t expected = count_expected(s, p->sample);

	if (!(s->theta > 0)) {
		s->theta = choose_theta(s, expected);
		s->told = false;
	}
	/* nobody knows more of a page than that it has not changed since the first pass */
	p->settle_seconds = fmin(settle_seconds(s, p->sample, expected), p->began - s->first_began);
	p->gather = (struct gather_options){
		.theta = s->theta, .memory_bytes = s->options.memory_bytes, .budget = s->options.budget,
		.progress = s->options.progress, .context = s->options.context, .stop = s->options.stop,
		.paced_by = &s->pace, .paced_bytes = s->read_bytes,
	};
	scout_init(&s->scout, random64(&s->scout_seed));
	uint32_t clock = (uint32_t)(p->began * TENTHS);
	s->clock = clock > s->clock ? clock : s->clock + 1;
	ages_begin(&s->ages, s->clock);
}

static int begin(struct pass *p, struct error *err)
{
	struct sweep *s = p->sweep;

	ksm_read(s->root, &p->sample->engine);
	begin_counting(p);
	const struct sampling_past past = {
		.run = s->run, .phase = s->phase, .ages = &s->ages, .told = s->told,
		.settle = (uint32_t)fmax(p->settle_seconds * TENTHS, 1), .scout = &s->scout,
		.frequent = s->frequent, .frequent_count = s->frequent_count, .scouted = s->scouted,
		.frequent_before = s->frequent_before, .frequent_before_count = s->frequent_before_count,
	};
	int rc = sampling_begin(&p->sampling, p->sample, s->root, s->content, &p->gather, &past, err);
	return rc ? rc : number_tasks(p, 0, err);
}

/* ---- its end ---- */

static int forget_ended(struct pass *p, struct survival *sums, struct error *err)
{
	struct sketch *sketch = &p->sample->sampled->sketch;
	bool *gone = calloc((size_t)sketch->owners + 1, sizeof(*gone)), *gone_id = NULL;
	int rc = -ENOMEM;

	/* a number whose process is in no list any more is as gone as one whose process ended */
	gone_id = malloc((size_t)p->ids + 1);
	if (gone && gone_id) {
		memset(gone_id, true, (size_t)p->ids + 1);
		for (size_t i = 0; i < p->sample->tasks_count; i++)
			if (p->alive[i])
				gone_id[p->sample->sampled->tasks[i].id] = false;
		for (uint32_t owner = 0; owner < sketch->owners; owner++) {
			uint32_t task = sampling_task(owner);
			gone[owner] = !p->alive[task] && (owner == sampling_owner(task, true) ||
							  p->heir[task] == CLASS_NONE);
		}
		rc = sketch_forget_many(sketch, gone);
		if (!rc)
			rc = ages_end(&p->sweep->ages, gone_id, sums, p->ids);
	}
	free(gone);
	free(gone_id);
	return rc ? no_memory(err) : 0;
}

/* Contents whose pages were not all followed can't be told settled from young: leave them out of the sample. */
static void match_thresholds(struct pass *p)
{
	struct sketch *sketch = &p->sample->sampled->sketch;
	uint32_t last = p->sweep->ages.last[SKETCH_LIGHT];

	if (last != UINT32_MAX)
		sketch_lower(sketch, SKETCH_LIGHT, (uint64_t)last << 32 | UINT32_MAX);
}

static uint32_t *owners_tasks(const struct pass *p)
{
	const struct sketch *sketch = &p->sample->sampled->sketch;
	uint32_t *task_of = calloc((size_t)sketch->owners + 1, sizeof(*task_of));

	for (uint32_t owner = 0; task_of && owner < sketch->owners; owner++) {
		uint32_t task = sampling_task(owner);
		task_of[owner] = p->alive[task] ? task : p->heir[task];
	}
	return task_of;
}

static int add_up(struct pass *p, const struct survival *sums, struct error *err)
{
	struct sweep *s = p->sweep;
	uint32_t *task_of = owners_tasks(p);
	struct survival *of_task = calloc(p->sample->tasks_count + 1, sizeof(*of_task));
	int rc = -ENOMEM;

	if (task_of && of_task && !trust_assign(p->sample, s->options.domains)) {
		for (size_t i = 0; i < p->sample->tasks_count; i++)
			of_task[i] = sums[p->sample->sampled->tasks[i].id];
		const struct holders_input input = {
			.sample = p->sample, .sketch = &p->sample->sampled->sketch, .task_of = task_of,
			.survival = s->told ? of_task : NULL, .seconds = p->interval, .settled = s->told,
			.max_page_sharing = value_or(p->sample->engine.knob[KNOB_MAX_PAGE_SHARING], 0),
		};
		rc = holders_build(&s->holders, &input);
	}
	free(task_of);
	free(of_task);
	if (rc == -EINVAL)
		return fail(err, EXIT_FAILED, "the sample does not fit into its memory: give the sweep more");
	return rc ? no_memory(err) : 0;
}

/* What the next pass begins with. */
static void look_ahead(struct pass *p)
{
	struct sweep *s = p->sweep;
	const struct sketch *sketch = &p->sample->sampled->sketch;
	double used = (double)sketch->used[SKETCH_LIGHT] / sketch->used_max;
	double chosen = choose_theta(s, p->sample->sampled->candidate);

	s->theta = sketch_theta(sketch, SKETCH_LIGHT);
	s->told = true;
	if (used < EMPTY_SHARE && chosen > 4 * s->theta) {
		ages_clear(&s->ages);
		s->theta = chosen;
		s->told = false;
	}
	const uint64_t *followed = sampling_frequent(p->sampling, &s->frequent_before_count);
	memcpy(s->frequent_before, followed, s->frequent_before_count * sizeof(*followed));
	s->frequent_count = scout_frequent(&s->scout, s->frequent, SKETCH_HEAVY_MAX - 1, FOLLOWED_SHARE);
	s->scouted = true;
}

/* ---- a pass ---- */

/* Everyone who was there when it began, then those who came since. Ends with who is alive. */
static int walk_all(struct pass *p, struct error *err)
{
	size_t walked = 0;
	int rc = 0;

	for (unsigned int round = 0; !rc && round <= ROUNDS_MAX; round++) {
		struct sample now;
		rc = sampling_walk(p->sampling, walked, err);
		walked = p->sample->tasks_count;
		if (!rc)
			rc = list_now(p->sweep, &now, err);
		else
			sample_init(&now);
		if (!rc && round < ROUNDS_MAX)
			rc = add_new(p, &now, err);
		bool last = !rc && p->sample->tasks_count == walked;
		if (last) {
			p->alive = calloc(walked + 1, sizeof(*p->alive));
			p->heir = calloc(walked + 1, sizeof(*p->heir));
			rc = p->alive && p->heir ? 0 : no_memory(err);
		}
		if (last && !rc)
			note_alive(p, &now);
		sample_free(&now);
		if (last || rc)
			break;
		if (sampled_grow(p->sample->sampled, p->sample->tasks_count))
			rc = no_memory(err);
		if (!rc)
			rc = number_tasks(p, walked, err);
	}
	return rc;
}

static int finish(struct pass *p, struct error *err)
{
	struct survival *sums;
	int rc;

	find_heirs(p);
	sums = calloc((size_t)p->ids + 1, sizeof(*sums));
	rc = sums ? forget_ended(p, sums, err) : no_memory(err);
	if (!rc) {
		match_thresholds(p);
		rc = add_up(p, sums, err);
	}
	free(sums);
	if (!rc)
		rc = remember_tasks(p, err);
	if (!rc)
		look_ahead(p);
	return rc;
}

static void answer(const struct pass *p, struct sweep_pass *ret)
{
	const struct sampled *sampled = p->sample->sampled;

	*ret = (struct sweep_pass){
		.sample = p->sample, .holders = &p->sweep->holders, .passes = p->sweep->passes,
		.seconds = seconds_of(CLOCK_MONOTONIC) - p->began,
		.cpu_seconds = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - p->cpu_began,
		.frames = sketch_frames(&sampled->sketch), .hashed = sampled->hashed,
		.began = p->sample->tasks_count - p->tasks_begun_with, .ended = p->ended,
		.settle_seconds = p->settle_seconds,
	};
}

int sweep_pass(struct sweep *s, struct sweep_pass *ret, struct error *err)
{
	struct pass p = { .sweep = s, .sample = &s->sample, .began = seconds_of(CLOCK_MONOTONIC),
			  .cpu_began = seconds_of(CLOCK_PROCESS_CPUTIME_ID) };

	p.interval = s->passes ? p.began - s->pass_began : 0;
	if (!s->told)
		s->first_began = p.began;
	sample_free(&s->sample);
	holders_free(&s->holders);
	int rc = list_now(s, &s->sample, err);
	proc_machine(s->root, &s->sample.machine);
	p.tasks_begun_with = s->sample.tasks_count;
	if (!rc)
		rc = begin(&p, err);
	if (!rc)
		rc = walk_all(&p, err);
	if (!rc)
		rc = finish(&p, err);
	if (p.sampling)
		s->read_bytes += sampling_bytes(p.sampling);
	sampling_end(p.sampling);
	free(p.alive);
	free(p.heir);
	malloc_trim(0);		/* the tables of a pass lie where there was room: they aren't to be kept in each place */
	if (rc) {
		s->told = false;	/* half a pass says nothing about what is old */
		ages_clear(&s->ages);
		return rc;
	}
	s->passes++;
	s->pass_began = p.began;
	pace_wait(&s->pace, s->read_bytes, s->options.stop);	/* what was estimated is paid for before it is told */
	answer(&p, ret);
	return 0;
}
