// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/fault.skel.h"
#include "bpf/pagehash.h"
#include "probe/fault_table.h"
#include "probe/framewalk.h"
#include "probe/map.h"
#include "sys/pid_space.h"

/*
 * An eighth of the time: programs that make a fault some 10 % slower then cost
 * below 2 %. Attaching takes 0.15 ms, but 15 where the last detaching is less
 * than some 20 ms ago, since the kernel waits for its readers; the shortest
 * pause here is 75 ms.
 */
#define DEFAULT_WINDOW_NS 25000000
#define DEFAULT_PERIOD_NS 200000000
/* One arrival in so many costs each of them some 5 ns. */
#define DEFAULT_SAMPLE_EVERY 64
/* Of a long window, in windows. */
#define PIECE_WINDOWS 2
/* Half of the horizon. */
#define HALF_HORIZON_NS 10000000000

/* Page faults of a process, counted by others. */
struct known_process {
	pid_t pid;
	uint64_t start_ticks;
	uint64_t faults;
};

struct fault_probe {
	struct attachment attachment;
	struct fault_options options;
	struct walk_layout layout;
	struct error layout_error;
	struct attach_program *in_user, *in_kernel;
	int cpus;

	bool open;			/* a window is */
	int64_t begun_ns;		/* when it was opened */
	int64_t counted_ns;		/* up to when its events are in the table */
	int64_t next_ns;		/* when the next window opens, or this one closes */
	int64_t window_ns;		/* length of the next window */
	struct duty_patience patience;

	struct fault_table table;
	int64_t interval_ns;		/* when the interval began */
	int64_t moved_on_ns;		/* when the horizon moved on */
	struct known_process *known;	/* at the last reading, ascending */
	size_t known_count;
	struct value faults, cow_ksm;
	bool read_once;
};

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static uint64_t random64(void)
{
	uint64_t bits;
	/* where the pool is not ready yet, windows may as well begin at times that are less random */
	if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != sizeof(bits))
		bits = (uint64_t)now_ns() * 0x9e3779b97f4a7c15ull;
	return bits;
}

struct fault_options fault_defaults(void)
{
	return (struct fault_options){
		.plan = { .window_ns = DEFAULT_WINDOW_NS, .period_ns = DEFAULT_PERIOD_NS },
		.sample_every = DEFAULT_SAMPLE_EVERY,
		.merges = MERGE_RECORD_NONE,
	};
}

static uint64_t hash_of_zeros(const __u64 *key, uint32_t chunks)
{
	static const __u64 zeros[CONTENT_KEY_WORDS];
	uint64_t hash = 0;
	for (uint32_t i = 0; i < chunks; i++)
		hash = pagehash_chunk(hash, zeros, key);
	return hash;
}

/* False when there is no random key to be had: then no arrivals are looked at. */
static bool set_up_arrivals(struct fault_bpf *skeleton, const struct fault_options *options)
{
	uint64_t page_bytes = sysconf(_SC_PAGESIZE);

	skeleton->rodata->page_mask = ~(page_bytes - 1);
	skeleton->rodata->chunks = page_bytes / CONTENT_CHUNK_BYTES;
	if (!options->sample_every || skeleton->rodata->chunks > CONTENT_MAX_CHUNKS)
		return true;
	if (getentropy(skeleton->rodata->key, 256))
		return false;
	for (size_t done = 256; done < sizeof(skeleton->rodata->key); done += 256)
		if (getentropy((char *)skeleton->rodata->key + done, 256))
			return false;
	skeleton->rodata->zero_hash = hash_of_zeros((const __u64 *)skeleton->rodata->key, skeleton->rodata->chunks);
	/* on average `sample_every`; and where it can be, a choice waits until the one before has been looked at */
	skeleton->rodata->sample_least = options->sample_every > ARRIVAL_DELAY ? ARRIVAL_DELAY + 1 : 1;
	skeleton->rodata->sample_spread = 2 * (options->sample_every - skeleton->rodata->sample_least) + 1;
	return true;
}

/* The engine's record of merges instead of one of our own; without it the own one stays empty, and small. */
static bool set_up_merges(struct fault_bpf *skeleton, const struct merge_record *merges)
{
	skeleton->rodata->merges_shift = merges->shift;
	if (merges->fd >= 0)
		return !bpf_map__reuse_fd(skeleton->maps.merged_at, merges->fd);
	return !bpf_map__set_max_entries(skeleton->maps.merged_at, 1);
}

static void *open_fault(const void *context)
{
	const struct fault_probe *probe = context;
	struct fault_bpf *skeleton = fault_bpf__open();

	if (!skeleton)
		return NULL;
	memcpy((void *)&skeleton->rodata->layout, &probe->layout, sizeof(probe->layout));
	if (!set_up_arrivals(skeleton, &probe->options) || !set_up_merges(skeleton, &probe->options.merges)) {
		fault_bpf__destroy(skeleton);
		return NULL;
	}
	return skeleton;
}

static struct fault_bpf *skeleton_of(const struct fault_probe *probe)
{
	return probe->attachment.skeleton;
}

/* Tried once, to know now and not in the first window. System calls alone would tell too little. */
static int try_to_attach(struct fault_probe *probe, struct error *err)
{
	probe->in_user = attach_find(&probe->attachment, "fault_in_user");
	probe->in_kernel = attach_find(&probe->attachment, "fault_in_kernel");
	attach_start(probe->in_kernel);
	if (attach_start(probe->in_user) != KNOWN)
		return fail(err, probe->in_user->state == DENIED ? EXIT_NOT_PERMITTED : EXIT_KERNEL_CANNOT,
			    "watch page faults: %s", probe->in_user->why);
	attach_stop(probe->in_user);
	attach_stop(probe->in_kernel);
	return 0;
}

int fault_open(struct fault_probe **ret, const struct fault_options *options, const struct sysroot *root,
	       struct error *err)
{
	struct fault_probe *probe = calloc(1, sizeof(*probe));

	*ret = NULL;
	if (!probe)
		return fail(err, EXIT_FAILED, "out of memory opening the fault probe");
	probe->options = *options;
	if (!probe->options.plan.window_ns)
		probe->options.plan = fault_defaults().plan;
	probe->cpus = libbpf_num_possible_cpus();
	framewalk_learn(&probe->layout, root, &probe->layout_error);	/* without it, COW breaks are of one kind */
	int rc = pid_space_check_bpf(err);
	if (!rc)
		rc = attach_load(&probe->attachment, open_fault, probe, err);
	if (!rc)
		rc = try_to_attach(probe, err);
	if (rc) {
		fault_close(probe);
		return rc;
	}
	probe->interval_ns = probe->moved_on_ns = now_ns();
	probe->window_ns = probe->options.plan.window_ns;
	if (probe->options.merged)
		probe->window_ns = DUTY_LONG_NS;
	else
		probe->next_ns = duty_next(&probe->options.plan, probe->interval_ns - probe->options.plan.period_ns / 2,
					   random64());
	fault_table_begin(&probe->table);
	*ret = probe;
	return 0;
}

void fault_close(struct fault_probe *probe)
{
	if (!probe)
		return;
	attach_free(&probe->attachment);
	fault_table_free(&probe->table);
	free(probe->known);
	free(probe);
}

enum known fault_tells_merged(const struct fault_probe *probe, const char **ret_why)
{
	if (ret_why)
		*ret_why = probe->layout_error.text;
	return probe->layout.levels ? KNOWN : attach_known(&probe->layout_error);
}

struct collecting {
	struct fault_table *table;
	int cpus;
};

static bool collect_one(const void *key, const void *values, void *context)
{
	const struct collecting *c = context;
	const struct fault_counts *parts = values;
	struct fault_counts sum = {};

	for (int cpu = 0; cpu < c->cpus; cpu++) {
		for (int i = 0; i < FAULT_KINDS; i++)
			sum.kind[i] += parts[cpu].kind[i];
		sum.in_kernel += parts[cpu].in_kernel;
		sum.arrivals.hashed += parts[cpu].arrivals.hashed;
		sum.arrivals.zero += parts[cpu].arrivals.zero;
		sum.arrivals.duplicate += parts[cpu].arrivals.duplicate;
	}
	return fault_table_see(c->table, *(const pid_t *)key, &sum);
}

/* Enter what the window has counted until now. */
static int collect(struct fault_probe *probe, int64_t until_ns, struct error *err)
{
	struct collecting context = { .table = &probe->table, .cpus = probe->cpus };
	struct map_shape shape = {
		.fd = bpf_map__fd(skeleton_of(probe)->maps.by_process),
		.key_bytes = sizeof(__u32),
		.value_bytes = sizeof(struct fault_counts),
		.cpus = (unsigned int)probe->cpus,
	};
	int rc = map_each(&shape, collect_one, &context, err);

	if (rc)
		return rc;
	fault_table_close_window(&probe->table, (double)(until_ns - probe->counted_ns) / 1e9);
	probe->counted_ns = until_ns;
	return 0;
}

static void window_open(struct fault_probe *probe)
{
	attach_start(probe->in_user);
	attach_start(probe->in_kernel);
	skeleton_of(probe)->bss->counting = true;
	probe->begun_ns = probe->counted_ns = now_ns();
	probe->open = true;
	probe->next_ns = probe->options.precise ? INT64_MAX : probe->begun_ns + probe->window_ns;
	probe->window_ns = probe->options.plan.window_ns;
}

static int window_close(struct fault_probe *probe, struct error *err)
{
	int64_t closed_ns = now_ns();

	skeleton_of(probe)->bss->counting = false;
	attach_stop(probe->in_user);
	attach_stop(probe->in_kernel);
	probe->open = false;
	probe->next_ns = duty_next(&probe->options.plan, probe->begun_ns, random64());
	/* after a long window as after any other: half a period's pause at least */
	if (probe->next_ns < closed_ns + probe->options.plan.period_ns / 2)
		probe->next_ns = duty_next(&probe->options.plan, closed_ns, random64());
	return collect(probe, closed_ns, err);
}

/* A long window is entered in pieces, which show how much windows differ; a precise one is exact as it is. */
static int64_t piece_end(const struct fault_probe *probe)
{
	if (!probe->open || probe->options.precise)
		return INT64_MAX;
	return probe->counted_ns + PIECE_WINDOWS * probe->options.plan.window_ns;
}

int fault_tick(struct fault_probe *probe, int64_t *ret_next_ns, struct error *err)
{
	int64_t now = now_ns();
	int rc = 0;

	if (probe->open && now >= probe->next_ns)
		rc = window_close(probe, err);
	else if (!probe->open && (probe->options.precise || now >= probe->next_ns))
		window_open(probe);
	else if (now >= piece_end(probe))
		rc = collect(probe, now, err);
	*ret_next_ns = probe->next_ns < piece_end(probe) ? probe->next_ns : piece_end(probe);
	return rc;
}

static double increase(struct value before, struct value now)
{
	if (!is_known(before) || !is_known(now) || now.number < before.number)
		return -1;
	return (double)(now.number - before.number);
}

/* Faults of a process since the last reading. One that was not there then has had them all since. */
static double new_faults(const struct fault_probe *probe, const struct known_process *now, size_t *position)
{
	const struct known_process *before = probe->known;
	size_t i = *position;

	while (i < probe->known_count && before[i].pid < now->pid)
		i++;
	*position = i;
	if (i == probe->known_count || before[i].pid != now->pid || before[i].start_ticks != now->start_ticks)
		return (double)now->faults;
	return now->faults < before[i].faults ? -1 : (double)(now->faults - before[i].faults);
}

/* Compare what others counted with what they had counted at the last reading. False when memory is out. */
static bool know_processes(struct fault_probe *probe, const struct fault_known *known)
{
	struct known_process *now = calloc(known->count ? known->count : 1, sizeof(*now));
	size_t position = 0;
	bool ok = now;

	for (size_t i = 0; ok && i < known->count; i++) {
		const struct process_facts *facts = &known->processes[i];
		now[i] = (struct known_process){
			.pid = facts->pid,
			.start_ticks = facts->start_ticks,
			.faults = (uint64_t)(value_or(facts->minor_faults, 0) + value_or(facts->major_faults, 0)),
		};
		if (probe->known)
			ok = fault_table_know(&probe->table, facts->pid, facts->start_ticks,
					      new_faults(probe, &now[i], &position));
	}
	free(probe->known);
	probe->known = now;
	probe->known_count = now ? known->count : 0;
	return ok;
}

static void drop_process(pid_t pid, void *context)
{
	__u32 key = (__u32)pid;
	bpf_map_delete_elem(bpf_map__fd(skeleton_of(context)->maps.by_process), &key);
}

/* The windows missed what the machine's counter has: look for longer, at once. */
static void look_longer(struct fault_probe *probe, const struct duty_total *horizon, int64_t now)
{
	if (probe->options.precise || !duty_wants_long(&probe->patience, now, horizon))
		return;
	probe->window_ns = DUTY_LONG_NS;
	probe->next_ns = probe->open ? now + DUTY_LONG_NS : now;
}

static void next_interval(struct fault_probe *probe, const struct fault_known *known, int64_t now)
{
	if (known->processes && probe->read_once)
		fault_table_forget_ended(&probe->table, drop_process, probe);
	if (now - probe->moved_on_ns >= HALF_HORIZON_NS) {
		fault_table_move_on(&probe->table, drop_process, probe);
		probe->moved_on_ns = now;
	}
	fault_table_begin(&probe->table);
	probe->interval_ns = now;
	probe->faults = known->faults;
	probe->cow_ksm = known->cow_ksm;
	probe->read_once = true;
}

int fault_read(struct fault_probe *probe, const struct fault_known *known, struct fault_interval *ret,
	       struct error *err)
{
	int64_t now = now_ns();
	int rc = 0;

	memset(ret, 0, sizeof(*ret));
	if (probe->open)
		rc = collect(probe, now, err);	/* a window may go on over the end of an interval */
	if (rc)
		return rc;
	if (known->processes && !know_processes(probe, known))
		return fail(err, EXIT_FAILED, "out of memory reading page faults");
	/* the first interval has no totals; entered into the horizon it would spoil it */
	if (probe->read_once)
		fault_table_end(&probe->table, (double)(now - probe->interval_ns) / 1e9,
				increase(probe->faults, known->faults), increase(probe->cow_ksm, known->cow_ksm));
	if (!fault_table_copy(&probe->table, ret))
		return fail(err, EXIT_FAILED, "out of memory reading page faults");
	look_longer(probe, &ret->horizon, now);
	next_interval(probe, known, now);
	return 0;
}

void fault_interval_free(struct fault_interval *interval)
{
	free(interval->processes);
	memset(interval, 0, sizeof(*interval));
}

struct duty_estimate fault_estimate(const struct fault_interval *interval, const struct fault_process *process,
				    enum fault_kind kind)
{
	struct duty_case c = {
		.now = &process->now,
		.horizon = &process->horizon,
		.now_total = &interval->now,
		.horizon_total = &interval->horizon,
		.machine_kind = FAULT_COW_MERGED,
	};
	return duty_estimate(&c, kind);
}

struct duty_estimate fault_duplicates(const struct fault_interval *interval, const struct fault_process *process)
{
	static const enum fault_kind arrivals[] = {
		FAULT_FIRST_WRITE, FAULT_COW_MERGED, FAULT_COW_ZERO, FAULT_COW_OTHER, FAULT_COW_UNKNOWN,
	};
	struct duty_estimate share = duty_share((double)process->arrivals.duplicate, (double)process->arrivals.hashed);
	struct duty_estimate sum = {};

	for (size_t i = 0; i < sizeof(arrivals) / sizeof(*arrivals); i++) {
		struct duty_estimate e = fault_estimate(interval, process, arrivals[i]);
		sum.count += e.count;
		sum.low += e.low;
		sum.high += e.high;
		sum.basis = e.basis;
	}
	return (struct duty_estimate){
		.count = sum.count * share.count,
		.low = sum.low * share.low,
		.high = sum.high * share.high,
		.basis = process->arrivals.hashed ? sum.basis : DUTY_NOTHING,
	};
}

int fault_loss(const struct fault_probe *probe, struct fault_loss *ret, struct error *err)
{
	struct fault_cpu *cpus = calloc(probe->cpus, sizeof(*cpus));
	__u32 zero = 0;

	*ret = (struct fault_loss){ .consumed = probe->table.consumed, .hashed = probe->table.hashed };
	if (!cpus)
		return fail(err, EXIT_FAILED, "out of memory reading counters of page faults");
	if (bpf_map_lookup_elem(bpf_map__fd(skeleton_of(probe)->maps.by_cpu), &zero, cpus)) {
		free(cpus);
		return fail_errno(err, "read", "a BPF map", NULL);
	}
	for (int cpu = 0; cpu < probe->cpus; cpu++) {
		ret->totals.produced += cpus[cpu].totals.produced;
		ret->totals.lost += cpus[cpu].totals.lost;
		ret->totals.armed += cpus[cpu].totals.armed;
		ret->totals.unread += cpus[cpu].totals.unread;
		ret->totals.abandoned += cpus[cpu].totals.abandoned;
		for (int i = 0; i < ARRIVAL_SLOTS; i++)
			ret->waiting += cpus[cpu].slots[i].delay != 0;
	}
	free(cpus);
	return 0;
}

void fault_lifetimes(const struct fault_probe *probe, struct merge_lifetimes *ret)
{
	*ret = skeleton_of(probe)->bss->broken;
}

const struct attachment *fault_attachment(const struct fault_probe *probe)
{
	return &probe->attachment;
}
