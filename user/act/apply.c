// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/apply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "act/apply_private.h"
#include "act/restore.h"
#include "act/undo.h"

/* ---- begin ---- */

static bool has_open_knobs(const struct journal *journal)
{
	for (size_t i = 0; i < journal->count; i++)
		if (record_of_machine(&journal->records[i]) && record_open(&journal->records[i]))
			return true;
	return false;
}

/*
 * A journal with knobs in it, while nobody holds the lock: a run that ended
 * without restoring them. What it found before is the truth to go back to,
 * not what we would find now. Journals with nothing left to undo are removed.
 */
static int check_left_over(const struct sysroot *root, const struct state_dir *state, const char *name,
			   struct error *err)
{
	struct restore_tally tally = { 0 };
	struct journal journal;
	int rc = journal_load(&journal, state, name, err);
	if (rc)
		return rc;
	restore_forget_gone(root, &journal, restore_count, &tally);
	bool left = has_open_knobs(&journal);
	journal_close_settled(&journal);
	if (left)
		return fail(err, EXIT_FAILED, "an earlier run ended before it could restore the engine (%s/%s): "
			    "undo it first", state->path, name);
	return 0;
}

int check_left_overs(const struct sysroot *root, const struct state_dir *state, struct error *err)
{
	char (*names)[JOURNAL_NAME_BYTES];
	size_t count;
	int rc = state_journals(state, &names, &count, err);
	for (size_t i = 0; !rc && i < count; i++)
		rc = check_left_over(root, state, names[i], err);
	free(names);
	return rc;
}

int act_begin(struct act **ret, const struct sysroot *root, const char *state_dir, const struct plan *plan,
	      struct error *err)
{
	struct act *act = calloc(1, sizeof(*act));
	*ret = NULL;
	if (!act)
		return fail(err, EXIT_FAILED, "out of memory");
	act->root = root;
	act->plan = plan;
	act->state = (struct state_dir){ .dir = -1, .lock = -1 };
	act->guardian.socket = -1;
	act->finished = true;		/* nothing to take back yet */
	act->results = calloc(plan->count ? plan->count : 1, sizeof(*act->results));
	act->state_path = strdup(state_dir);
	int rc = act->results && act->state_path ? 0 : fail(err, EXIT_FAILED, "out of memory");
	if (!rc)
		rc = state_open(&act->state, act->state_path, 0, err);
	if (!rc)
		rc = check_left_overs(root, &act->state, err);
	if (!rc)
		rc = guardian_start(&act->guardian, root, &act->state, plan, 0, err);
	if (rc) {
		act_free(act);
		return rc;
	}
	engine_start(&act->start, root);
	act->finished = false;
	*ret = act;
	return 0;
}

/* ---- carry out ---- */

int act_carry_out(struct act *act, const volatile sig_atomic_t *stop, struct error *err)
{
	int rc = 0;
	for (size_t i = 0, end; !rc && i < act->plan->count && !(stop && *stop); i = end) {
		end = plan_step_end(act->plan, i);
		rc = guardian_carry_out(&act->guardian, i, end, act->results, &act->guardian_lost, err);
	}
	return rc;
}

/* ---- finish ---- */

static bool is_of_change(const struct record *r, const struct change *c)
{
	if (r->kind == RECORD_KNOB)
		return c->kind == CHANGE_KNOB && c->knob == r->knob && c->after == r->after;
	if (r->kind == RECORD_DAMON)
		return c->kind == CHANGE_DAMON;
	if (c->pid != r->pid || c->start_ticks != r->start_ticks)
		return false;
	if (r->kind == RECORD_PRCTL)
		return c->kind == CHANGE_PRCTL;
	static const enum change_kind kinds[] = {
		[RECORD_MADVISE] = CHANGE_MADVISE, [RECORD_BREAK] = CHANGE_BREAK, [RECORD_REBUILD] = CHANGE_REBUILD,
		[RECORD_OPT_OUT] = CHANGE_OPT_OUT,
	};
	return r->kind != RECORD_FOUND && c->kind == kinds[r->kind] && c->start <= r->start && r->end <= c->end;
}

/* A journal from the file does not know the plan. */
static void assign_changes(struct journal *journal, const struct plan *plan)
{
	for (size_t i = 0; i < journal->count; i++)
		for (size_t k = 0; k < plan->count && journal->records[i].change == SIZE_MAX; k++)
			if (is_of_change(&journal->records[i], &plan->changes[k]))
				journal->records[i].change = k;
}

/* The guardian was killed: do its work. It has done it itself where it was only not heard any more. */
static int restore_ourselves(struct act *act, bool keep_opt_ins, struct error *err)
{
	const struct restore_filter filter = { .opt_ins = !keep_opt_ins };
	struct restore_tally tally = { .results = act->results };
	struct journal journal;
	struct error refused = { 0 };

	guardian_end(&act->guardian);
	int rc = journal_load(&journal, &act->state, act->guardian.journal, &refused);
	if (rc && refused.os == ENOENT)
		return fail(err, EXIT_FAILED, "the guardian was not heard any more; it has put back what was changed");
	if (rc) {
		if (err)
			*err = refused;
		return rc;
	}
	assign_changes(&journal, act->plan);
	restore_journal(act->root, &journal, &filter, restore_count, &tally);
	journal_close_settled(&journal);
	return restore_outcome(&tally, err);
}

int act_finish(struct act *act, bool keep_opt_ins, struct error *err)
{
	int rc = 0;
	if (act->finished)
		return 0;
	if (!act->guardian_lost)
		rc = guardian_finish(&act->guardian, keep_opt_ins, act->results, &act->guardian_lost, err);
	if (act->guardian_lost)
		rc = restore_ourselves(act, keep_opt_ins, err);
	guardian_end(&act->guardian);
	act->finished = true;
	return rc;
}

const struct change_result *act_results(const struct act *act)
{
	return act->results;
}

void act_free(struct act *act)
{
	if (!act)
		return;
	if (!act->finished)
		act_finish(act, false, NULL);
	guardian_end(&act->guardian);
	state_close(&act->state);
	free(act->state_path);
	free(act->results);
	free(act);
}
