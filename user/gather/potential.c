// SPDX-License-Identifier: GPL-2.0-or-later
#include "gather/potential.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/estimate/sampled.h"
#include "gather/errand.h"
#include "gather/sweep.h"

/* After a failure, again so much later. */
#define RETRY_NS (60 * 1000000000ll)
/* Progress is told in steps of so many hundredths of a per cent. */
#define PROGRESS_STEP 50

/* What the child says. Each message is a struct message and what it announces. */
enum message_kind { MESSAGE_PROGRESS, MESSAGE_PASS, MESSAGE_FAILURE };

struct message {
	uint32_t kind, length;		/* of what follows */
};

/* MESSAGE_PASS: one of these, then so many holdings, each with its name behind it, then so many crossings. */
struct pass_told {
	uint32_t passes, holdings, crossings;
	int64_t nanoseconds, clock_ns;
	int64_t crossing[3];		/* bytes: value, low, high */
	int64_t zero, zero_in_huge;	/* bytes, exact */
	int64_t candidate_pages;	/* mappings */
	bool settled;
};

/* In bytes and milliseconds. */
struct holding {
	uint32_t kind;			/* enum holder_kind */
	uint32_t name_length;
	pid_t pid;
	uid_t uid;
	uint64_t start_ticks, name_at;	/* where its name is, once it has come */
	int64_t potential[3], young[3], half_life[3];	/* value, low, high */
	int64_t marginal;
	bool settled, stays;		/* are `young`, `half_life` known? */
};

/* Contents that two trust domains both hold, in bytes; their names behind it. */
struct crossing_told {
	int64_t bytes[3];		/* value, low, high */
	uint32_t a_length, b_length;
};

struct potential {
	const struct sysroot *root;
	struct potential_options options;
	struct errand errand;
	struct pass_told pass;		/* passes 0: none yet */
	char *holdings;			/* of it: holdings and names, as they came */
	size_t holdings_length;
	size_t crossings_at;		/* where behind them the crossings begin */
	struct holding *processes;	/* of it, ascending pid */
	size_t processes_count;
	int64_t share;			/* of the present pass, hundredths of a per cent */
	int64_t next_ns;		/* CLOCK_MONOTONIC: not before that is a child begun */
	char failure[160];		/* why the last child ended; "": it did not */
};

struct potential *potential_open_with(const struct sysroot *root, const struct potential_options *options)
{
	struct potential *p = calloc(1, sizeof(*p));
	if (p) {
		p->root = root;
		p->options = *options;
		if (!(p->options.budget.cpu > 0) && !(p->options.budget.bytes_per_second > 0))
			p->options.budget.cpu = SWEEP_CPU;
	}
	return p;
}

struct potential *potential_open(const struct sysroot *root, const struct domain_rules *domains)
{
	return potential_open_with(root, &(struct potential_options){ .domains = domains,
								      .burst_seconds = POTENTIAL_BURST_SECONDS });
}

/* ---- the child ---- */

struct teller {
	struct errand_voice *voice;
	int64_t told_share;
};

static void tell(const struct teller *t, enum message_kind kind, const void *bytes, size_t length)
{
	struct message head = { .kind = kind, .length = (uint32_t)length };

	text_add(&t->voice->text, (const char *)&head, sizeof(head));
	text_add(&t->voice->text, bytes, length);
	errand_hand_over(t->voice);
}

static void tell_progress(void *context, uint64_t done, uint64_t expected)
{
	struct teller *t = context;
	int64_t share = expected ? (int64_t)(10000.0 * (double)done / (double)expected) : 0;

	share = share < 10000 ? share : 9999;
	if (share >= t->told_share && share < t->told_share + PROGRESS_STEP)
		return;
	t->told_share = share;
	tell(t, MESSAGE_PROGRESS, &share, sizeof(share));
}

static int64_t whole(double value, double scale)
{
	double scaled = value * scale;
	return !(scaled < 9e18) ? INT64_MAX : llround(scaled);
}

static void whole_estimate(int64_t ret[3], double value, double low, double high, double scale)
{
	ret[0] = isinf(value) ? whole(low, scale) : whole(value, scale);
	ret[1] = whole(low, scale);
	ret[2] = whole(high, scale);
}

static void append_holding(struct text *out, const struct sweep_pass *pass, const struct holder *h)
{
	const struct sample *s = pass->sample;
	double page = (double)s->machine.page_bytes;
	size_t length;
	const char *name = holder_name(h, s, &length);
	struct holding told = { .kind = h->kind, .name_length = (uint32_t)length, .marginal = whole(h->marginal.value, page),
				.settled = pass->holders->settled, .stays = h->stays.known };

	if (h->kind == HOLDER_PROCESS) {
		told.pid = s->tasks[h->task].pid;
		told.start_ticks = s->tasks[h->task].start_ticks;
		name = sample_string(s, s->tasks[h->task].domain);	/* its command is known without us */
		told.name_length = (uint32_t)strlen(name);
	}
	if (h->kind == HOLDER_UID)
		told.uid = s->tasks[h->task].uid;
	whole_estimate(told.potential, h->potential.value, h->potential.low, h->potential.high, page);
	whole_estimate(told.young, h->young.value, h->young.low, h->young.high, page);
	whole_estimate(told.half_life, h->stays.half_life, h->stays.half_life_low, h->stays.half_life_high, 1e3);
	text_add(out, (const char *)&told, sizeof(told));
	text_add(out, name, told.name_length);
}

static void append_crossing(struct text *out, const struct sample *s, const struct sharing *pair)
{
	const char *a = sample_string(s, s->tasks[pair->a].domain), *b = sample_string(s, s->tasks[pair->b].domain);
	struct crossing_told told = { .a_length = (uint32_t)strlen(a), .b_length = (uint32_t)strlen(b) };

	whole_estimate(told.bytes, (double)pair->frames, (double)pair->low, (double)pair->high, (double)s->machine.page_bytes);
	text_add(out, (const char *)&told, sizeof(told));
	text_add(out, a, told.a_length);
	text_add(out, b, told.b_length);
}

/* Mappings of pages that the engine would have an item for, each of its own. */
static uint64_t candidate_pages(const struct sample *s)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < s->areas_count; i++)
		if (s->areas[i].class == AREA_CANDIDATE)
			pages += area_tracked_pages(&s->areas[i]);
	return pages;
}

static void tell_pass(struct teller *t, const struct sweep_pass *pass)
{
	struct text out = { 0 };
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	const struct sampled *sampled = pass->sample->sampled;
	const struct estimate *crossing = &pass->holders->crossing;
	double page = (double)pass->sample->machine.page_bytes;
	struct pass_told told = {
		.passes = pass->passes, .holdings = (uint32_t)pass->holders->count,
		.crossings = (uint32_t)pass->holders->pairs_count,
		.nanoseconds = whole(pass->seconds, 1e9), .clock_ns = now.tv_sec * 1000000000ll + now.tv_nsec,
		.settled = pass->holders->settled,
		.zero = whole((double)sampled->zero, page), .zero_in_huge = whole((double)sampled->zero_in_huge, page),
	};
	told.candidate_pages = (int64_t)candidate_pages(pass->sample);
	whole_estimate(told.crossing, crossing->value, crossing->low, crossing->high, page);
	text_add(&out, (const char *)&told, sizeof(told));
	for (size_t i = 0; i < pass->holders->count; i++)
		append_holding(&out, pass, &pass->holders->list[i]);
	for (size_t i = 0; i < pass->holders->pairs_count; i++)
		append_crossing(&out, pass->sample, &pass->holders->pairs[i]);
	if (!out.failed)
		tell(t, MESSAGE_PASS, out.bytes, out.length);
	text_free(&out);
	t->told_share = -PROGRESS_STEP;
}

static bool sweep_on(void *context, struct errand_voice *voice)
{
	const struct potential *p = context;
	struct teller teller = { .voice = voice, .told_share = -PROGRESS_STEP };
	const struct sweep_options options = {
		.target.all = true, .budget = p->options.budget, .memory_bytes = p->options.memory_bytes,
		.burst_seconds = p->options.burst_seconds, .domains = p->options.domains, .progress = tell_progress,
		.context = &teller,
	};
	struct sweep_pass pass;
	struct sweep *sweep;
	struct error err;
	int rc = sweep_open(&sweep, p->root, &options, &err);

	while (!rc) {
		rc = sweep_pass(sweep, &pass, &err);
		if (!rc)
			tell_pass(&teller, &pass);
	}
	tell(&teller, MESSAGE_FAILURE, err.text, strlen(err.text));
	return false;
}

/* ---- its parent ---- */

static void begin(struct potential *p)
{
	p->share = 0;
	if (!errand_begin(&p->errand, ERRAND_NICE_LAST, sweep_on, p))
		snprintf(p->failure, sizeof(p->failure), "no process can be begun to look at contents: %s", strerror(errno));
}

static int by_pid(const void *a, const void *b)
{
	pid_t x = ((const struct holding *)a)->pid, y = ((const struct holding *)b)->pid;
	return x < y ? -1 : x > y;
}

/* The holding at *at, and *at behind its name. The child is ours: what it says is whole. */
static struct holding next_holding(const char *bytes, size_t *at, const char **ret_name)
{
	struct holding h;

	memcpy(&h, bytes + *at, sizeof(h));
	*ret_name = bytes + *at + sizeof(h);
	*at += sizeof(h) + h.name_length;
	return h;
}

static void keep_pass(struct potential *p, const char *bytes, size_t length)
{
	struct pass_told pass;
	const char *name;

	memcpy(&pass, bytes, sizeof(pass));
	size_t rest = length - sizeof(pass), count = 0, at = 0;
	char *holdings = malloc(rest + 1);
	struct holding *processes = calloc((size_t)pass.holdings + 1, sizeof(*processes));
	if (!holdings || !processes) {
		free(holdings);
		free(processes);
		return;			/* the pass before is still an answer */
	}
	memcpy(holdings, bytes + sizeof(pass), rest);
	for (uint32_t i = 0; i < pass.holdings; i++) {
		struct holding h = next_holding(holdings, &at, &name);
		h.name_at = (size_t)(name - holdings);
		if (h.kind == HOLDER_PROCESS)
			processes[count++] = h;
	}
	qsort(processes, count, sizeof(*processes), by_pid);
	free(p->holdings);
	free(p->processes);
	p->pass = pass;
	p->holdings = holdings;
	p->holdings_length = rest;
	p->crossings_at = at;
	p->processes = processes;
	p->processes_count = count;
	p->share = 0;
	p->failure[0] = '\0';
}

static void heed(struct potential *p, const struct message *m, const char *bytes)
{
	switch (m->kind) {
	case MESSAGE_PROGRESS:
		memcpy(&p->share, bytes, sizeof(p->share));
		break;
	case MESSAGE_PASS:
		keep_pass(p, bytes, m->length);
		break;
	default:
		snprintf(p->failure, sizeof(p->failure), "%.*s", (int)m->length, bytes);
	}
}

static void heed_all(struct potential *p)
{
	const struct text *told = &p->errand.result;
	size_t at = 0;
	struct message m;

	while (told->length - at >= sizeof(m)) {
		memcpy(&m, told->bytes + at, sizeof(m));
		if (told->length - at - sizeof(m) < m.length)
			break;
		heed(p, &m, told->bytes + at + sizeof(m));
		at += sizeof(m) + m.length;
	}
	errand_used(&p->errand, at);
}

/* What the child says, and whether it has ended, which it does only where it failed. */
static void listen_to(struct potential *p, int64_t now_ns)
{
	double cpu_seconds;
	enum errand_state state = errand_look(&p->errand, &cpu_seconds);

	if (p->errand.result.failed)
		snprintf(p->failure, sizeof(p->failure), "out of memory for what the sweep found");
	else
		heed_all(p);
	if (state == ERRAND_UNDER_WAY && !p->errand.result.failed)
		return;
	errand_end(&p->errand);
	p->next_ns = now_ns + RETRY_NS;
	if (!p->failure[0])
		snprintf(p->failure, sizeof(p->failure), "the sweep was ended from outside; it begins again in a minute");
}

/* ---- the sample ---- */

static void set_estimate(struct top_task *t, enum task_fact fact, const int64_t v[3])
{
	for (unsigned int i = 0; i < 3; i++)
		task_set(t, fact + i, value_of(v[i]));
}

static uint32_t add_name(struct top_sample *s, const char *name, size_t length)
{
	char text[256];

	snprintf(text, sizeof(text), "%.*s", (int)length, name);
	return names_add(&s->names, text);
}

static void fill_tasks(const struct potential *p, struct top_sample *s)
{
	for (size_t i = 0; i < s->tasks_count; i++) {
		struct top_task *t = &s->tasks[i];
		struct holding key = { .pid = t->pid };
		const struct holding *h = p->processes_count ? bsearch(&key, p->processes, p->processes_count, sizeof(key),
								       by_pid) : NULL;
		if (!h || h->start_ticks != t->start_ticks)
			continue;
		t->domain = add_name(s, p->holdings + h->name_at, h->name_length);
		set_estimate(t, TASK_POTENTIAL_BYTES, h->potential);
		task_set(t, TASK_MARGINAL_BYTES, value_of(h->marginal));
		if (h->settled)
			set_estimate(t, TASK_VOLATILE_BYTES, h->young);
		if (h->stays)
			set_estimate(t, TASK_HALF_LIFE_MS, h->half_life);
	}
}

static void fill_host(const struct potential *p, struct top_sample *s, const struct holding *h)
{
	for (unsigned int i = 0; i < 3; i++) {
		s->fact[FACT_POTENTIAL_BYTES + i] = value_of(h->potential[i]);
		if (h->settled)
			s->fact[FACT_VOLATILE_BYTES + i] = value_of(h->young[i]);
	}
	for (unsigned int i = 0; i < 3; i++)
		s->fact[FACT_CROSSING_BYTES + i] = value_of(p->pass.crossing[i]);
	s->fact[FACT_ZERO_BYTES] = value_of(p->pass.zero);
	s->fact[FACT_ZERO_IN_HUGE_BYTES] = value_of(p->pass.zero_in_huge);
	s->fact[FACT_CANDIDATE_PAGES] = value_of(p->pass.candidate_pages);
	s->fact[FACT_SWEEPS] = value_of(p->pass.passes);
	s->fact[FACT_SWEEP_NS] = value_of(p->pass.nanoseconds);
	s->fact[FACT_SWEEP_TIME_NS] = value_of(p->pass.clock_ns);
}

static void add_share(struct top_sample *s, enum share_kind kind, const struct holding *h, const char *name)
{
	char text[4097];
	struct top_share *share = top_sample_add_share(s);

	if (!share)
		return;
	snprintf(text, sizeof(text), "%.*s", (int)h->name_length, name);
	*share = (struct top_share){ .kind = kind, .uid = h->uid, .name = names_add(&s->names, text),
				     .potential = h->potential[0], .low = h->potential[1], .high = h->potential[2],
				     .marginal = h->marginal };
}

static void fill_crossings(const struct potential *p, struct top_sample *s)
{
	size_t at = p->crossings_at;
	struct crossing_told told;

	for (uint32_t i = 0; i < p->pass.crossings; i++) {
		struct top_crossing *c = top_sample_add_crossing(s);
		if (!c)
			return;
		memcpy(&told, p->holdings + at, sizeof(told));
		at += sizeof(told);
		*c = (struct top_crossing){ .a = add_name(s, p->holdings + at, told.a_length),
					    .b = add_name(s, p->holdings + at + told.a_length, told.b_length),
					    .bytes = told.bytes[0], .low = told.bytes[1], .high = told.bytes[2] };
		at += told.a_length + told.b_length;
	}
}

static void fill(const struct potential *p, struct top_sample *s)
{
	static const enum share_kind kinds[HOLDER_KINDS] = {
		[HOLDER_UID] = SHARE_UID, [HOLDER_VM] = SHARE_VM, [HOLDER_CGROUP] = SHARE_CGROUP,
		[HOLDER_CGROUP_TREE] = SHARE_CGROUP_TREE, [HOLDER_DOMAIN] = SHARE_DOMAIN,
	};
	const char *name;

	for (size_t at = 0; at < p->crossings_at;) {
		struct holding h = next_holding(p->holdings, &at, &name);
		if (h.kind == HOLDER_HOST)
			fill_host(p, s, &h);
		else if (h.kind != HOLDER_PROCESS)
			add_share(s, kinds[h.kind], &h, name);
	}
	fill_crossings(p, s);
	top_sample_sort_shares(s);
	fill_tasks(p, s);
}

void potential_take(struct potential *p, struct top_sample *s)
{
	if (p->errand.child)
		listen_to(p, s->clock_ns);
	if (!p->errand.child && s->clock_ns >= p->next_ns)
		begin(p);
	if (p->errand.child)
		s->fact[FACT_SWEEP_SHARE] = value_of(p->share);
	if (p->pass.passes)
		fill(p, s);
	else if (p->failure[0])
		top_sample_missing(s, SOURCE_CONTENT, DENIED, "%s", p->failure);
	else
		top_sample_missing(s, SOURCE_CONTENT, NOT_READ, "the first look is under way: %lld %%",
				   (long long)p->share / 100);
}

void potential_close(struct potential *p)
{
	if (!p)
		return;
	errand_end(&p->errand);
	free(p->holdings);
	free(p->processes);
	free(p);
}
