// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/hands.h"

#include <stdlib.h>
#include <string.h>

#include "policy/options.h"

/* ---- life ---- */

int hands_open(struct hands *ret, const struct sysroot *root, const char *state_dir,
	       const struct policy_config *config, const struct policy_log *log, struct error *err)
{
	struct undo_report left = { 0 };

	*ret = (struct hands){ .root = root, .state_dir = state_dir };
	if (!config->apply)
		return 0;
	int rc = keeper_open(&ret->keeper, root, state_dir, POLICY_OWNER, (double)config->hang_ns / 1e9, &left, err);
	for (size_t i = 0; i < left.count; i++)
		policy_log_line(log, POLICY_WARNING, "left by an earlier run: %s", left.lines[i].text);
	undo_report_free(&left);
	return rc;
}

int hands_close(struct hands *h, bool keep_opt_ins, const struct policy_log *log, struct error *err)
{
	bool acted = h->keeper;
	int rc = keeper_close(h->keeper, keep_opt_ins, err);

	h->keeper = NULL;
	if (acted && !rc)
		policy_log_line(log, POLICY_NOTICE, "put everything back%s", keep_opt_ins ? " but what was opted in" : "");
	return rc;
}

int hands_begin_anew(struct hands *h, const struct policy_config *config, struct policy_memory *m,
		     const struct policy_log *log, struct error *err)
{
	uint64_t made = h->made, refused = h->refused;
	int rc = hands_close(h, false, log, err);

	for (enum knob k = 0; k < KNOB_COUNT; k++)
		m->knob[k].ours = false;
	for (size_t i = 0; i < m->own_count; i++)
		m->own[i].count = 0;
	if (!rc)
		rc = hands_open(h, h->root, h->state_dir, config, log, err);
	h->made = made;
	h->refused = refused;
	return rc;
}

bool hands_act(const struct hands *h)
{
	return h->keeper;
}

/* ---- dry run ---- */

void hands_pretend(struct hands *h, struct policy_facts *f)
{
	for (enum knob k = 0; !h->keeper && k < KNOB_COUNT; k++) {
		struct pretended *p = &h->knob[k];
		p->on = p->on && is_known(f->knob[k]) && f->knob[k].number == p->found;
		if (p->on)
			f->knob[k].number = p->value;
	}
}

static void pretend(struct hands *h, const struct change *c)
{
	struct pretended *p = &h->knob[c->knob];
	if (!p->on)
		p->found = c->before;
	p->on = true;
	p->value = c->after;
}

/* Of those that were not opted in nothing can be pretended: they are planned again after a rest. */
static int only_plan(struct hands *h, const struct policy_config *config, struct policy_memory *m,
		     const struct plan *plan, struct policy_done *done)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < plan->count; i++) {
		const struct change *c = &plan->changes[i];
		done[i].planned_only = true;
		if (c->kind == CHANGE_KNOB)
			pretend(h, c);
		rc = policy_note(config, m, c, c->kind == CHANGE_KNOB ? POLICY_MADE : POLICY_REFUSED);
	}
	return rc;
}

/* ---- for real ---- */

static enum policy_outcome outcome_of(const struct change_result *r)
{
	if (r->outcome == CHANGE_DONE)
		return POLICY_MADE;
	return r->outcome == CHANGE_FOREIGN ? POLICY_FOREIGN : POLICY_REFUSED;
}

static int take_results(struct hands *h, const struct policy_config *config, struct policy_memory *m,
			const struct plan *plan, const struct change_result *results, struct policy_done *done)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < plan->count; i++) {
		done[i].outcome = outcome_of(&results[i]);
		memcpy(done[i].text, results[i].text, sizeof(done[i].text));
		h->made += done[i].outcome == POLICY_MADE;
		h->refused += done[i].outcome != POLICY_MADE;
		rc = policy_note(config, m, &plan->changes[i], done[i].outcome);
	}
	return rc;
}

int hands_carry_out(struct hands *h, const struct policy_config *config, struct policy_memory *m,
		    const struct plan *plan, struct policy_done **ret_done, struct error *err)
{
	struct change_result *results = calloc(plan->count ? plan->count : 1, sizeof(*results));
	int rc = 0, noted = 0;

	*ret_done = calloc(plan->count ? plan->count : 1, sizeof(**ret_done));
	if (!results || !*ret_done)
		rc = fail(err, EXIT_FAILED, "out of memory carrying a decision out");
	else if (!h->keeper)
		noted = only_plan(h, config, m, plan, *ret_done);
	else if (!(rc = keeper_carry_out(h->keeper, plan, results, err)))
		noted = take_results(h, config, m, plan, results, *ret_done);
	if (noted)
		rc = fail(err, EXIT_FAILED, "out of memory remembering what was done");
	free(results);
	return rc;
}
