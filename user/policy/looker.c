// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/looker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/huge/frontier.h"
#include "core/judge/build.h"
#include "gather/gather.h"

#define SETTLE_SECONDS 1

/*
 * Who belongs to the domain was decided by rules; the model knows uids and
 * guests only, and must not part what the operator put together.
 */
static void make_one_domain(struct sample *s)
{
	for (size_t i = 0; i < s->tasks_count; i++) {
		s->tasks[i].uid = 0;
		s->tasks[i].vm = 0;
	}
}

static bool work(void *context, struct errand_voice *voice)
{
	const struct looker *l = context;
	const struct gather_options options = { .target = { .pids = l->pids, .pids_count = l->count },
						.settle_seconds = SETTLE_SECONDS, .mode = LOOK_EXACT,
						.heat_seconds = SETTLE_SECONDS };
	const struct frontier_options frontier = { 0 };
	struct policy_look look;
	struct sample s;
	struct model m;
	bool named_missing;

	if (gather_sample(&s, l->root, &options, &named_missing, NULL))
		return false;
	make_one_domain(&s);
	if (model_build(&m, &s) || huge_build(&m.huge, &s, &frontier) || policy_look_take(&look, &s, &m, l->worth))
		return false;
	text_add(&voice->text, (const char *)look.ranges, look.count * sizeof(*look.ranges));
	return true;
}

bool looker_begin(struct looker *l, const struct policy_config *config, const struct policy_facts *f)
{
	if (l->errand.child)
		return true;
	free(l->pids);
	l->worth = config->worth;
	l->count = 0;
	l->pids = calloc(f->tasks_count ? f->tasks_count : 1, sizeof(*l->pids));
	if (!l->pids)
		return false;
	for (size_t i = 0; i < f->tasks_count; i++)
		if (f->tasks[i].allowed && f->tasks[i].inject && f->tasks[i].domain == f->chosen)
			l->pids[l->count++] = f->tasks[i].pid;
	snprintf(l->domain, sizeof(l->domain), "%s", domain_name(&f->domains, f->chosen));
	return errand_begin(&l->errand, ERRAND_NICE_SOON, work, l);
}

enum errand_state looker_take(struct looker *l, struct policy_look *ret)
{
	*ret = (struct policy_look){ 0 };
	enum errand_state state = errand_look(&l->errand, &ret->cpu_seconds);

	if (state != ERRAND_DONE)
		return state;
	memcpy(ret->domain, l->domain, sizeof(ret->domain));
	ret->count = l->errand.result.length / sizeof(*ret->ranges);
	ret->ranges = calloc(ret->count ? ret->count : 1, sizeof(*ret->ranges));
	if (!ret->ranges)
		return ERRAND_FAILED;
	if (ret->count)
		memcpy(ret->ranges, l->errand.result.bytes, ret->count * sizeof(*ret->ranges));
	return state;
}

void looker_end(struct looker *l)
{
	errand_end(&l->errand);
	free(l->pids);
	l->pids = NULL;
}
