// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/decide.h"

#include <stdlib.h>

struct top_sample *deciding_next(struct deciding *d)
{
	return &d->samples[!d->now];
}

int deciding_observe(struct deciding *d, const struct configuration *c, policy_executable *executable, void *context,
		     struct error *err)
{
	const struct top_sample *before = d->memory.steps ? &d->samples[d->now] : NULL;

	d->now = !d->now;
	if (top_model_build(&d->model, before, &d->samples[d->now], &d->track) ||
	    policy_facts_take(&d->facts, &d->model, &c->policy, &c->domains, executable, context))
		return fail(err, EXIT_FAILED, "out of memory looking at the machine");
	return 0;
}

static bool has_opt_ins(const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->changes[i].kind == CHANGE_MADVISE || plan->changes[i].kind == CHANGE_PRCTL)
			return true;
	return false;
}

int deciding_decide(struct deciding *d, const struct policy_config *config, int64_t time_ns,
		    const struct policy_look *look, struct decided *ret, struct error *err)
{
	struct policy_decision decision;
	struct policy_done *done = NULL;

	hands_pretend(&d->hands, &d->facts);
	if (policy_step(config, &d->memory, &d->facts, look, &decision))
		return fail(err, EXIT_FAILED, "out of memory deciding");
	int rc = hands_carry_out(&d->hands, config, &d->memory, &decision.plan, &done, err);
	const struct policy_report report = { .time_ns = time_ns, .config = config, .memory = &d->memory,
					      .facts = &d->facts, .decision = &decision, .done = done };
	if (done)
		policy_log_decision(&d->log, &report);
	*ret = (struct decided){ .want_look = decision.want_look, .opts_in = has_opt_ins(&decision.plan) };
	free(done);
	policy_decision_free(&decision);
	return rc;
}

void deciding_free(struct deciding *d)
{
	for (int i = 0; i < 2; i++)
		top_sample_free(&d->samples[i]);
	top_model_free(&d->model);
	policy_facts_free(&d->facts);
	policy_memory_free(&d->memory);
	policy_log_close(&d->log);
}
