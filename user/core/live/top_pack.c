// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/live/top_pack.h"

#include <string.h>

#include "core/live/pack.h"

/* ---- the preamble ---- */

static const char *task_fact_name(unsigned int fact)
{
	return task_facts[fact].name;
}

static const char *host_fact_name(unsigned int fact)
{
	return top_fact_name(fact);
}

static const char *fault_kind_name(unsigned int kind)
{
	return fault_kind_names[kind];
}

static void pack_names(struct text *out, unsigned int count, const char *(*name)(unsigned int))
{
	pack_u64(out, count);
	for (unsigned int i = 0; i < count; i++)
		pack_string(out, name(i));
}

/* Our number for each name that was written; `count` for those that we don't have. */
static size_t unpack_names(struct unpack *in, uint16_t *ret, unsigned int count, const char *(*name)(unsigned int))
{
	size_t written = unpack_below(in, 2 * count);
	for (size_t i = 0; i < written; i++) {
		char text[64];
		unpack_string(in, text, sizeof(text));
		for (ret[i] = 0; ret[i] < count && strcmp(name(ret[i]), text); ret[i]++)
			;
	}
	return written;
}

void top_pack_preamble(struct text *out)
{
	pack_names(out, TOP_FACTS, host_fact_name);
	pack_names(out, TASK_FACTS, task_fact_name);
	pack_names(out, FAULT_KINDS, fault_kind_name);
}

int top_unpack_preamble(struct top_order *ret, const void *bytes, size_t length, struct error *err)
{
	struct unpack in = { bytes, (const unsigned char *)bytes + length, false };

	ret->facts = unpack_names(&in, ret->fact, TOP_FACTS, host_fact_name);
	ret->task_count = unpack_names(&in, ret->task, TASK_FACTS, task_fact_name);
	ret->kinds = unpack_names(&in, ret->kind, FAULT_KINDS, fault_kind_name);
	if (in.failed)
		return fail(err, EXIT_FAILED, "the recording does not say which facts it holds");
	return 0;
}

/* ---- packing ---- */

static void pack_task(struct text *out, const struct top_task *t, pid_t before)
{
	pack_u64(out, t->pid - before);
	pack_u64(out, t->parent);
	pack_u64(out, t->start_ticks);
	pack_u64(out, t->uid);
	pack_u64(out, t->cgroup);
	pack_u64(out, t->user);
	pack_u64(out, t->vm);
	pack_string(out, t->comm);
	for (unsigned int f = 0; f < TASK_FACTS; f++)
		pack_value(out, task_value(t, f));
}

static void pack_doubles(struct text *out, const double *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		pack_double(out, parts[i]);
}

static void pack_windows(struct text *out, const struct duty_total *w)
{
	const double parts[] = { w->seconds, w->machine, w->t, w->tt, w->m, w->mm, w->mt };
	pack_u64(out, w->windows);
	pack_u64(out, w->machine_active);
	pack_doubles(out, parts, sizeof(parts) / sizeof(parts[0]));
}

static void pack_sums(struct text *out, const struct duty_process *p)
{
	const double parts[] = { p->all, p->x, p->xx, p->xt };
	pack_u64(out, p->active);
	pack_doubles(out, parts, 4);
	for (int i = 0; i < FAULT_KINDS; i++) {
		const struct duty_kind *k = &p->kind[i];
		const double of_kind[] = { k->y, k->yy, k->yx, k->yt, k->ym };
		pack_doubles(out, of_kind, 5);
	}
}

static void pack_watch(struct text *out, const struct top_watch *w)
{
	pack_u64(out, w->pid);
	pack_sums(out, &w->now);
	pack_sums(out, &w->horizon);
	pack_u64(out, w->arrivals.hashed);
	pack_u64(out, w->arrivals.zero);
	pack_u64(out, w->arrivals.duplicate);
}

static void pack_missing(struct text *out, const struct missing *m)
{
	pack_string(out, m->what);
	pack_u64(out, m->state);
	pack_string(out, m->why);
}

static void pack_outcome(struct text *out, const struct outcome *o)
{
	pack_u64(out, o->pid);
	pack_string(out, o->of);
	pack_string(out, o->what);
	pack_u64(out, o->count);
}

static void pack_share(struct text *out, const struct top_share *s)
{
	pack_u64(out, s->kind);
	pack_u64(out, s->uid);
	pack_u64(out, s->name);
	pack_i64(out, s->potential);
	pack_i64(out, s->low);
	pack_i64(out, s->high);
	pack_i64(out, s->marginal);
}

/* Trust domains came later than the rest: they stand behind it, and older recordings end before them. */
static void pack_domains(struct text *out, const struct top_sample *s)
{
	for (size_t i = 0; i < s->tasks_count; i++)
		pack_u64(out, s->tasks[i].domain);
	pack_u64(out, s->crossings_count);
	for (size_t i = 0; i < s->crossings_count; i++) {
		pack_u64(out, s->crossings[i].a);
		pack_u64(out, s->crossings[i].b);
		pack_i64(out, s->crossings[i].bytes);
		pack_i64(out, s->crossings[i].low);
		pack_i64(out, s->crossings[i].high);
	}
}

static void pack_loss(struct text *out, const struct loss *l)
{
	pack_string(out, l->path);
	pack_u64(out, l->produced);
	pack_u64(out, l->consumed);
	pack_u64(out, l->lost);
}

static void pack_program(struct text *out, const struct program_use *p)
{
	pack_string(out, p->name);
	pack_u64(out, p->runs);
	pack_u64(out, p->nanoseconds);
	pack_double(out, p->measured_share);
}

static void pack_lists(struct text *out, const struct top_sample *s)
{
	pack_u64(out, s->watched);
	pack_windows(out, &s->windows);
	pack_windows(out, &s->horizon);
	pack_watch(out, &s->machine);
	pack_u64(out, s->watches_count);
	for (size_t i = 0; i < s->watches_count; i++)
		pack_watch(out, &s->watches[i]);
	pack_u64(out, s->lifetimes_unseen);
	for (size_t i = 0; i < TOP_LIFETIMES; i++)
		pack_u64(out, s->lifetimes[i]);
	pack_u64(out, s->losses_count);
	for (size_t i = 0; i < s->losses_count; i++)
		pack_loss(out, &s->losses[i]);
	pack_u64(out, s->programs_count);
	for (size_t i = 0; i < s->programs_count; i++)
		pack_program(out, &s->programs[i]);
	pack_u64(out, s->missing_count);
	for (size_t i = 0; i < s->missing_count; i++)
		pack_missing(out, &s->missing[i]);
	pack_u64(out, s->outcomes_count);
	for (size_t i = 0; i < s->outcomes_count; i++)
		pack_outcome(out, &s->outcomes[i]);
	pack_u64(out, s->shares_count);
	for (size_t i = 0; i < s->shares_count; i++)
		pack_share(out, &s->shares[i]);
	pack_domains(out, s);
}

void top_pack(struct text *out, const struct top_sample *s)
{
	pid_t before = 0;

	pack_i64(out, s->time_ns);
	pack_i64(out, s->clock_ns);
	pack_string(out, s->host);
	pack_string(out, s->release);
	pack_u64(out, s->page_bytes);
	pack_u64(out, s->cpus);
	for (unsigned int f = 0; f < TOP_FACTS; f++)
		pack_value(out, s->fact[f]);
	pack_bytes(out, s->names.bytes, s->names.length);
	pack_u64(out, s->tasks_count);
	for (size_t i = 0; i < s->tasks_count; i++) {
		pack_task(out, &s->tasks[i], before);
		before = s->tasks[i].pid;
	}
	pack_lists(out, s);
}

/* ---- taking apart ---- */

struct reading {
	struct unpack in;
	const struct top_order *order;
	struct top_sample *sample;
	bool no_memory;
};

static uint32_t unpack_name(struct reading *r)
{
	uint64_t number = unpack_below(&r->in, UINT32_MAX);
	if (!names_has(&r->sample->names, number)) {
		r->in.failed = true;
		return 0;
	}
	return number;
}

/* False when it can't go on. */
static bool unpack_task(struct reading *r, pid_t *before)
{
	struct top_task *t = top_sample_add_task(r->sample);
	if (!t) {
		r->no_memory = true;
		return false;
	}
	uint64_t step = unpack_below(&r->in, INT32_MAX - *before);
	t->pid = *before += step;
	t->parent = unpack_below(&r->in, INT32_MAX);
	t->start_ticks = unpack_u64(&r->in);
	t->uid = unpack_below(&r->in, UINT32_MAX);
	t->cgroup = unpack_name(r);
	t->user = unpack_name(r);
	t->vm = unpack_name(r);
	unpack_string(&r->in, t->comm, sizeof(t->comm));
	for (size_t i = 0; i < r->order->task_count; i++) {
		struct value v = unpack_value(&r->in);
		if (r->order->task[i] < TASK_FACTS)
			task_set(t, r->order->task[i], v);
	}
	return step && !r->in.failed;
}

static void unpack_windows(struct unpack *in, struct duty_total *w)
{
	double *const parts[] = { &w->seconds, &w->machine, &w->t, &w->tt, &w->m, &w->mm, &w->mt };
	w->windows = unpack_below(in, UINT32_MAX);
	w->machine_active = unpack_below(in, UINT32_MAX);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		*parts[i] = unpack_double(in);
}

static void unpack_sums(struct reading *r, struct duty_process *p)
{
	struct duty_kind unknown_here;
	double *const parts[] = { &p->all, &p->x, &p->xx, &p->xt };

	p->active = unpack_below(&r->in, UINT32_MAX);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		*parts[i] = unpack_double(&r->in);
	for (size_t i = 0; i < r->order->kinds; i++) {
		uint16_t kind = r->order->kind[i];
		struct duty_kind *k = kind < FAULT_KINDS ? &p->kind[kind] : &unknown_here;
		double *const of_kind[] = { &k->y, &k->yy, &k->yx, &k->yt, &k->ym };
		for (size_t j = 0; j < sizeof(of_kind) / sizeof(of_kind[0]); j++)
			*of_kind[j] = unpack_double(&r->in);
	}
}

static void unpack_watched(struct reading *r, struct top_watch *w)
{
	w->pid = unpack_below(&r->in, INT32_MAX);
	unpack_sums(r, &w->now);
	unpack_sums(r, &w->horizon);
	w->arrivals.hashed = unpack_u64(&r->in);
	w->arrivals.zero = unpack_u64(&r->in);
	w->arrivals.duplicate = unpack_u64(&r->in);
}

static bool unpack_watch(struct reading *r)
{
	pid_t before = r->sample->watches_count ? r->sample->watches[r->sample->watches_count - 1].pid : 0;
	struct top_watch *w = top_sample_add_watch(r->sample);
	if (!w)
		return !(r->no_memory = true);
	unpack_watched(r, w);
	return w->pid > before && !r->in.failed;
}

static bool unpack_loss(struct reading *r)
{
	struct loss *l = top_sample_add_loss(r->sample);
	if (!l)
		return !(r->no_memory = true);
	unpack_string(&r->in, l->path, sizeof(l->path));
	l->produced = unpack_u64(&r->in);
	l->consumed = unpack_u64(&r->in);
	l->lost = unpack_u64(&r->in);
	return !r->in.failed;
}

static bool unpack_outcome(struct reading *r)
{
	struct outcome *o = top_sample_add_outcome(r->sample);
	if (!o)
		return !(r->no_memory = true);
	o->pid = unpack_below(&r->in, INT32_MAX);
	unpack_string(&r->in, o->of, sizeof(o->of));
	unpack_string(&r->in, o->what, sizeof(o->what));
	o->count = unpack_u64(&r->in);
	return !r->in.failed;
}

static bool unpack_share(struct reading *r)
{
	struct top_share *s = top_sample_add_share(r->sample);
	if (!s)
		return !(r->no_memory = true);
	s->kind = unpack_below(&r->in, SHARE_KINDS - 1);
	s->uid = unpack_below(&r->in, UINT32_MAX);
	s->name = unpack_name(r);
	s->potential = unpack_i64(&r->in);
	s->low = unpack_i64(&r->in);
	s->high = unpack_i64(&r->in);
	s->marginal = unpack_i64(&r->in);
	return !r->in.failed;
}

static bool unpack_crossing(struct reading *r)
{
	struct top_crossing *c = top_sample_add_crossing(r->sample);
	if (!c)
		return !(r->no_memory = true);
	c->a = unpack_name(r);
	c->b = unpack_name(r);
	c->bytes = unpack_i64(&r->in);
	c->low = unpack_i64(&r->in);
	c->high = unpack_i64(&r->in);
	return !r->in.failed;
}

static bool unpack_program(struct reading *r)
{
	struct program_use *p = top_sample_add_program(r->sample);
	if (!p)
		return !(r->no_memory = true);
	unpack_string(&r->in, p->name, sizeof(p->name));
	p->runs = unpack_u64(&r->in);
	p->nanoseconds = unpack_u64(&r->in);
	p->measured_share = unpack_double(&r->in);
	return !r->in.failed;
}

static bool unpack_missing(struct reading *r)
{
	struct missing m;
	unpack_string(&r->in, m.what, sizeof(m.what));
	m.state = unpack_below(&r->in, GONE);
	unpack_string(&r->in, m.why, sizeof(m.why));
	if (!r->in.failed)
		top_sample_missing(r->sample, m.what, m.state, "%s", m.why);
	return !r->in.failed;
}

static bool unpack_list(struct reading *r, bool (*one)(struct reading *))
{
	uint64_t count = unpack_u64(&r->in);
	for (uint64_t i = 0; i < count; i++)
		if (r->in.failed || !one(r))
			return false;
	return !r->in.failed;
}

static bool unpack_machine(struct reading *r)
{
	struct top_sample *s = r->sample;
	size_t length;

	s->time_ns = unpack_i64(&r->in);
	s->clock_ns = unpack_i64(&r->in);
	unpack_string(&r->in, s->host, sizeof(s->host));
	unpack_string(&r->in, s->release, sizeof(s->release));
	s->page_bytes = unpack_below(&r->in, 1u << 30);
	s->cpus = unpack_below(&r->in, UINT32_MAX);
	for (size_t i = 0; i < r->order->facts; i++) {
		struct value v = unpack_value(&r->in);
		if (r->order->fact[i] < TOP_FACTS)
			s->fact[r->order->fact[i]] = v;
	}
	const char *names = unpack_bytes(&r->in, &length);
	return !r->in.failed && s->page_bytes && names_load(&s->names, names, length);
}

static bool unpack_all(struct reading *r)
{
	struct top_sample *s = r->sample;
	pid_t before = 0;

	if (!unpack_machine(r))
		return false;
	uint64_t tasks = unpack_u64(&r->in);
	for (uint64_t i = 0; i < tasks; i++)
		if (!unpack_task(r, &before))
			return false;
	s->watched = unpack_below(&r->in, GONE);
	unpack_windows(&r->in, &s->windows);
	unpack_windows(&r->in, &s->horizon);
	unpack_watched(r, &s->machine);
	if (!unpack_list(r, unpack_watch))
		return false;
	s->lifetimes_unseen = unpack_u64(&r->in);
	for (size_t i = 0; i < TOP_LIFETIMES; i++)
		s->lifetimes[i] = unpack_u64(&r->in);
	if (!unpack_list(r, unpack_loss) || !unpack_list(r, unpack_program) || !unpack_list(r, unpack_missing))
		return false;
	if (!unpack_list(r, unpack_outcome) || !unpack_list(r, unpack_share))
		return false;
	top_sample_sort_outcomes(s);
	top_sample_sort_shares(s);
	if (r->in.at == r->in.end)
		return true;
	for (size_t i = 0; i < s->tasks_count; i++)
		s->tasks[i].domain = unpack_name(r);
	return unpack_list(r, unpack_crossing) && r->in.at == r->in.end;
}

int top_unpack(struct top_sample *ret, const struct top_order *order, const void *bytes, size_t length,
	       struct error *err)
{
	struct reading r = { { bytes, (const unsigned char *)bytes + length, false }, order, ret, false };

	top_sample_clear(ret);
	if (unpack_all(&r))
		return 0;
	top_sample_clear(ret);
	return fail(err, EXIT_FAILED, r.no_memory ? "out of memory reading a recording"
						  : "the recording holds something that is no sample");
}
