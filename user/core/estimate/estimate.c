// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sample is sorted so that contents of one group, in it a content, in it a
 * domain, in it a class stand together; then it is walked twice, once for the
 * sums and once for the residuals.
 */
#include "core/estimate/estimate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A regression with its group in progress: contents of one group come one after the other. */
struct gathered {
	struct regression regression;
	uint64_t group;			/* number of the group in progress; 0: none */
	double x;
	double y[REGRESSION_MEASURES];
};

struct class_work {
	struct gathered gathered;
	uint64_t frames[SKETCH_STRATA];
	struct part parts[CLASS_MEASURES];
};

typedef void (*take_group)(struct regression *regression, double x, const double *y, unsigned int measures);

struct walk {
	const struct sketch_order *order;
	uint32_t max_page_sharing;
	bool settled;
	bool classes_only;
	take_group take;		/* what this walk does with a group */
	uint64_t group;			/* in progress */
	struct gathered total;
	uint64_t total_frames[SKETCH_STRATA];
	struct part total_parts[TOTAL_MEASURES];
	struct class_work *classes;	/* one more than there are: the last is for owners of no class */
	uint32_t classes_count;
};

/* ---- one group after the other ---- */

static void gathered_end(struct gathered *g, take_group take, unsigned int measures)
{
	if (!g->group)
		return;
	take(&g->regression, g->x, g->y, measures);
	g->group = 0;
	g->x = 0;
	memset(g->y, 0, sizeof(g->y));
}

static void gathered_add(struct gathered *g, const struct walk *w, double x, const double *y, unsigned int measures)
{
	if (g->group != w->group)
		gathered_end(g, w->take, measures);
	g->group = w->group;
	g->x += x;
	for (unsigned int m = 0; m < measures; m++)
		g->y[m] += y[m];
}

/* Frames that merging `copies` of a content frees, when `max_page_sharing` may share one. */
static double freed(uint64_t copies, uint32_t max_page_sharing)
{
	if (!copies)
		return 0;
	uint64_t stay = max_page_sharing > 1 ? (copies + max_page_sharing - 1) / max_page_sharing : 1;
	return (double)(copies - stay);
}

struct domain_run {
	uint32_t begin, end;		/* in the order */
	uint64_t copies;		/* frames */
	uint64_t merge;			/* of them, those that may be merged: all, or the settled ones */
	uint32_t classes;		/* that hold such frames of the content in this domain */
};

/* Frames of a slot that may be merged. */
static uint64_t may_merge(const struct walk *w, const struct sketch_slot *slot)
{
	return w->settled ? slot->frames - slot->young : slot->frames;
}

/* The slots of one class within a run: from `i` on. */
struct class_run {
	uint32_t class, end;
	uint64_t held, merge, young;
};

static struct class_run class_run_at(const struct walk *w, uint32_t i, uint32_t run_end)
{
	struct class_run run = { .class = sketch_order_class(w->order, i) };

	for (run.end = i; run.end < run_end && sketch_order_class(w->order, run.end) == run.class; run.end++) {
		const struct sketch_slot *slot = sketch_order_slot(w->order, run.end);
		run.held += slot->frames;
		run.merge += may_merge(w, slot);
		run.young += slot->young;
	}
	return run;
}

/* The slots of one content, from i, that lie in one domain. */
static struct domain_run domain_run_at(const struct walk *w, uint32_t i, uint32_t content_end)
{
	const struct sketch_order *o = w->order;
	struct domain_run run = { .begin = i, .end = i };
	uint32_t domain = sketch_order_domain(o, i), domain_end = i;

	while (domain_end < content_end && sketch_order_domain(o, domain_end) == domain)
		domain_end++;
	while (run.end < domain_end) {
		struct class_run class = class_run_at(w, run.end, domain_end);
		run.copies += class.held;
		run.merge += class.merge;
		run.classes += class.merge > 0;
		run.end = class.end;
	}
	return run;
}

static double less_one(uint64_t count)
{
	return count ? (double)count - 1 : 0;
}

static void walk_domain_run(struct walk *w, const struct domain_run *run)
{
	double share_freed = run->merge ? less_one(run->merge) / (double)run->merge : 0;
	double share_capped = run->merge ? freed(run->merge, w->max_page_sharing) / (double)run->merge : 0;
	struct class_run class;

	for (uint32_t i = run->begin; i < run->end; i = class.end) {
		class = class_run_at(w, i, run->end);
		double merge = (double)class.merge;
		double y[CLASS_MEASURES] = {
			[CLASS_SELF] = less_one(class.merge),
			[CLASS_BETWEEN] = class.merge && run->classes > 1,
			[CLASS_ATTRIBUTED] = merge * share_freed,
			[CLASS_MARGINAL] = run->classes > 1 ? merge : less_one(class.merge),
			[CLASS_CAPPED] = merge * share_capped,
			[CLASS_YOUNG] = (double)class.young,
		};
		gathered_add(&w->classes[class.class].gathered, w, (double)class.held, y, CLASS_MEASURES);
	}
}

static double young_in(const struct walk *w, const struct content_run *content)
{
	double young = 0;
	for (uint32_t i = content->begin; i < content->end; i++)
		young += sketch_order_slot(w->order, i)->young;
	return young;
}

static void walk_content(struct walk *w, const struct content_run *content)
{
	double y[TOTAL_MEASURES] = { 0 };
	uint64_t copies = 0, merge = 0, domains = 0;
	struct domain_run run;

	w->group = content->group;
	for (uint32_t i = content->begin; i < content->end; i = run.end) {
		run = domain_run_at(w, i, content->end);
		walk_domain_run(w, &run);
		if (w->classes_only)
			continue;
		copies += run.copies;
		merge += run.merge;
		domains += run.merge > 0;
		y[TOTAL_POLICY] += less_one(run.merge);
		y[TOTAL_BETWEEN] += less_one(run.classes);
		y[TOTAL_WITHIN] += (double)run.merge - run.classes;
		y[TOTAL_CAPPED] += freed(run.merge, w->max_page_sharing);
	}
	if (w->classes_only)
		return;
	y[TOTAL_UNION] = less_one(merge);
	y[TOTAL_CROSSING] = less_one(domains);
	y[TOTAL_YOUNG] = young_in(w, content);
	gathered_add(&w->total, w, (double)copies, y, TOTAL_MEASURES);
}

static void walk_all(struct walk *w, enum sketch_stratum stratum, take_group take)
{
	struct content_run run = { 0 };

	w->take = take;
	/* strata stand one after the other, so that each is walked alone */
	if (stratum != SKETCH_LIGHT)
		run = sketch_order_before(w->order, stratum);
	while (sketch_order_next(w->order, &run)) {
		if (sketch_order_slot(w->order, run.begin)->stratum != stratum)
			break;
		walk_content(w, &run);
	}
	gathered_end(&w->total, take, TOTAL_MEASURES);
	for (uint32_t class = 0; class <= w->classes_count; class++)
		gathered_end(&w->classes[class].gathered, take, CLASS_MEASURES);
}

/* ---- strata ---- */

/* The first copy of a content frees nothing; but all of a class's copies may be free beside those of others. */
#define TOTAL_NEVER_WHOLE ((1u << TOTAL_YOUNG) - 1)
#define CLASS_NEVER_WHOLE (1u << CLASS_SELF)

static struct population class_population(const struct walk *w, uint32_t class, enum sketch_stratum stratum)
{
	return (struct population){
		.theta = sketch_theta(w->order->sketch, stratum),
		.frames = (double)w->classes[class].frames[stratum],
		.groups_variance = INFINITY,
		.never_whole = CLASS_NEVER_WHOLE,
	};
}

static struct population total_population(const struct walk *w, enum sketch_stratum stratum)
{
	struct population of = {
		.theta = sketch_theta(w->order->sketch, stratum),
		.frames = (double)w->total_frames[stratum],
		.groups_variance = INFINITY,
		.never_whole = TOTAL_NEVER_WHOLE,
		.all_but_first = 1u << TOTAL_UNION,
		.groups_are_contents = w->order->sketch->probe_is_hash && !w->settled,
	};
	if (stratum == SKETCH_LIGHT && w->order->sketch->counts_distinct) {
		const struct sketch *s = w->order->sketch;
		struct distinct_count probes = distinct_estimate(&s->probes);
		of.groups = fmax(probes.count - s->probes_gone, 0);
		of.groups_variance = probes.variance + s->probes_gone_variance;
	}
	return of;
}

static void estimate_stratum(struct walk *w, enum sketch_stratum stratum)
{
	struct population total = total_population(w, stratum);

	memset(&w->total, 0, sizeof(w->total));
	for (uint32_t i = 0; i <= w->classes_count; i++)
		memset(&w->classes[i].gathered, 0, sizeof(w->classes[i].gathered));
	walk_all(w, stratum, regression_sum);
	regression_fit(&w->total.regression, &total, TOTAL_MEASURES);
	for (uint32_t i = 0; i < w->classes_count; i++) {
		struct population of = class_population(w, i, stratum);
		regression_fit(&w->classes[i].gathered.regression, &of, CLASS_MEASURES);
	}
	walk_all(w, stratum, regression_residual);
	for (unsigned int m = 0; m < TOTAL_MEASURES; m++)
		w->total_parts[m] = part_add(w->total_parts[m],
					     regression_part(&w->total.regression, m, &total));
	for (uint32_t i = 0; i < w->classes_count; i++) {
		struct class_work *class = &w->classes[i];
		struct population of = class_population(w, i, stratum);
		for (unsigned int m = 0; m < CLASS_MEASURES; m++)
			class->parts[m] = part_add(class->parts[m],
						   regression_part(&class->gathered.regression, m, &of));
	}
}

/* ---- the answer ---- */

static double share(uint64_t part, uint64_t whole)
{
	return part < whole ? (double)part / (double)whole : 1;
}

static bool walk_init(struct walk *w, const struct estimate_options *options)
{
	const struct sketch *s = w->order->sketch;

	w->max_page_sharing = options->max_page_sharing;
	w->settled = options->settled;
	w->classes_only = options->classes_only;
	w->classes_count = w->order->classes_count;
	w->classes = calloc((size_t)w->classes_count + 1, sizeof(*w->classes));
	if (!w->classes)
		return false;
	for (unsigned int m = 0; m < TOTAL_MEASURES; m++)
		w->total_parts[m] = part_nothing();
	for (uint32_t i = 0; i < w->classes_count; i++)
		for (unsigned int m = 0; m < CLASS_MEASURES; m++)
			w->classes[i].parts[m] = part_nothing();
	for (uint32_t owner = 0; owner < s->owners; owner++)
		for (unsigned int stratum = 0; stratum < SKETCH_STRATA; stratum++) {
			uint64_t frames = s->owner_frames[owner][stratum];
			w->total_frames[stratum] += frames;
			w->classes[sketch_order_class_of(w->order, owner)].frames[stratum] += frames;
		}
	return true;
}

/* Without `settled` nothing is told of young frames. */
static const struct estimate nobody_looked = { .exact = true };

static void answer_class(struct class_estimate *ret, const struct class_work *work, const uint64_t *candidates,
			 bool settled)
{
	ret->frames = work->frames[SKETCH_LIGHT] + work->frames[SKETCH_HEAVY];
	ret->coverage = candidates ? share(ret->frames, *candidates) : 1;
	for (unsigned int m = 0; m < CLASS_MEASURES; m++)
		ret->of[m] = part_estimate(&work->parts[m]);
	if (!settled)
		ret->of[CLASS_YOUNG] = nobody_looked;
}

static void answer_all(struct estimates *ret, const struct walk *w)
{
	for (unsigned int m = 0; m < TOTAL_MEASURES; m++)
		ret->of[m] = part_estimate(&w->total_parts[m]);
	if (!w->settled)
		ret->of[TOTAL_YOUNG] = nobody_looked;
	struct estimate *duplicates = &ret->of[TOTAL_UNION];
	double frames = (double)ret->frames;
	ret->distinct = (struct estimate){ .value = frames - duplicates->value, .low = frames - duplicates->high,
					   .high = frames - duplicates->low, .exact = duplicates->exact };
}

static void answer(struct estimates *ret, const struct walk *w, const struct estimate_options *options)
{
	ret->frames = w->total_frames[SKETCH_LIGHT] + w->total_frames[SKETCH_HEAVY];
	ret->coverage = share(ret->frames, options->total_candidates);
	ret->theta = sketch_theta(w->order->sketch, SKETCH_LIGHT);
	ret->theta_heavy = sketch_theta(w->order->sketch, SKETCH_HEAVY);
	if (!w->classes_only)
		answer_all(ret, w);
	for (uint32_t i = 0; i < ret->classes_count; i++)
		answer_class(&ret->classes[i], &w->classes[i],
			     options->candidates ? &options->candidates[i] : NULL, w->settled);
}

static int no_memory(struct error *err)
{
	return fail(err, EXIT_FAILED, "no memory for an estimate");
}

static int sketch_is_whole(const struct sketch *s, struct error *err)
{
	if (s->failed)
		return fail(err, EXIT_FAILED, "the sample is not whole: its table ran out of %s",
			    s->failed == -ENOSPC ? "room; give it more memory" : "memory");
	return 0;
}

int estimate_ordered(struct estimates *ret, struct sketch_order *order, const struct estimate_options *options,
		     struct error *err)
{
	struct walk w = { .order = order };
	int status = sketch_is_whole(order->sketch, err);

	*ret = (struct estimates){ 0 };
	if (status)
		return status;
	sketch_order_group(order, options->class_of, options->classes_count, options->domain_of);
	bool ready = walk_init(&w, options);
	ret->classes_count = w.classes_count;
	ret->classes = ready ? calloc((size_t)w.classes_count + 1, sizeof(*ret->classes)) : NULL;
	for (unsigned int stratum = 0; ret->classes && stratum < SKETCH_STRATA; stratum++) {
		estimate_stratum(&w, stratum);
		for (uint32_t i = 0; i < w.classes_count; i++)
			ret->classes[i].groups += w.classes[i].gathered.regression.groups;
	}
	if (ret->classes)
		answer(ret, &w, options);
	free(w.classes);
	return ret->classes ? 0 : no_memory(err);
}

int estimate_make(struct estimates *ret, const struct sketch *sketch, const struct estimate_options *options,
		  struct error *err)
{
	struct sketch_order order;

	*ret = (struct estimates){ 0 };
	int status = sketch_order_init(&order, sketch) ? estimate_ordered(ret, &order, options, err) : no_memory(err);
	sketch_order_free(&order);
	return status;
}

void estimates_free(struct estimates *e)
{
	free(e->classes);
	*e = (struct estimates){ 0 };
}

/* ---- the matrix ---- */

struct pair {
	uint64_t group;			/* in progress */
	double here;			/* contents of that group that both hold */
	double sum, squares, cubes;
};

struct matrix {
	const struct sketch_order *order;
	uint32_t classes_count;
	struct pair *pairs;
	uint64_t frames[ESTIMATE_MATRIX_MAX][SKETCH_STRATA];
	struct part *parts;
};

static void pair_end(struct pair *p)
{
	p->sum += p->here;
	p->squares += p->here * p->here;
	p->cubes += p->here * p->here * p->here;
	p->here = 0;
}

/* Every two classes that hold the content get one more. */
static void matrix_content(struct matrix *m, const struct content_run *run)
{
	uint32_t classes[ESTIMATE_MATRIX_MAX], count = 0;

	for (uint32_t i = run->begin; i < run->end; i++) {
		uint32_t class = sketch_order_class(m->order, i);
		if (class < m->classes_count && (count == 0 || classes[count - 1] != class))
			classes[count++] = class;
	}
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t j = 0; j < i; j++) {
			struct pair *p = &m->pairs[classes[j] * m->classes_count + classes[i]];
			if (p->group != run->group)
				pair_end(p);
			p->group = run->group;
			p->here++;
		}
}

static void matrix_stratum(struct matrix *m, enum sketch_stratum stratum)
{
	size_t count = m->classes_count;
	double theta = sketch_theta(m->order->sketch, stratum);
	struct content_run run = { 0 };

	memset(m->pairs, 0, count * count * sizeof(*m->pairs));
	while (sketch_order_next(m->order, &run))
		if (sketch_order_slot(m->order, run.begin)->stratum == stratum)
			matrix_content(m, &run);
	for (size_t a = 0; a < count; a++)
		for (size_t b = a + 1; b < count; b++) {
			struct pair *p = &m->pairs[a * count + b];
			double most = fmin((double)m->frames[a][stratum], (double)m->frames[b][stratum]);
			pair_end(p);
			m->parts[a * count + b] = part_add(m->parts[a * count + b],
				counted_part(p->sum, p->squares, p->cubes, theta, most));
		}
}

static void matrix_make(struct estimate *ret, struct matrix *m)
{
	const struct sketch *s = m->order->sketch;
	size_t count = m->classes_count;

	for (uint32_t owner = 0; owner < s->owners; owner++) {
		uint32_t class = sketch_order_class_of(m->order, owner);
		for (unsigned int stratum = 0; stratum < SKETCH_STRATA && class < count; stratum++)
			m->frames[class][stratum] += s->owner_frames[owner][stratum];
	}
	for (size_t i = 0; i < count * count; i++)
		m->parts[i] = part_nothing();
	for (unsigned int stratum = 0; stratum < SKETCH_STRATA; stratum++)
		matrix_stratum(m, stratum);
	for (size_t a = 0; a < count; a++)
		for (size_t b = a; b < count; b++)
			ret[a * count + b] = ret[b * count + a] = part_estimate(&m->parts[a * count + b]);
}

int estimate_matrix(struct estimate *ret, struct sketch_order *order, const uint32_t *class_of, uint32_t count,
		    struct error *err)
{
	int status = sketch_is_whole(order->sketch, err);

	if (status)
		return status;
	if (count > ESTIMATE_MATRIX_MAX)
		return fail(err, EXIT_FAILED, "a matrix of %u classes is too large: at most %d", count,
			    ESTIMATE_MATRIX_MAX);
	struct matrix m = {
		.order = order,
		.classes_count = count,
		.pairs = calloc((size_t)count * count + 1, sizeof(*m.pairs)),
		.parts = calloc((size_t)count * count + 1, sizeof(*m.parts)),
	};
	bool ready = m.pairs && m.parts;
	if (ready) {
		sketch_order_group(order, class_of, count, NULL);
		matrix_make(ret, &m);
	}
	free(m.pairs);
	free(m.parts);
	return ready ? 0 : no_memory(err);
}
