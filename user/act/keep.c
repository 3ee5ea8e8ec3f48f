// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/keep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "act/guardian.h"
#include "act/undo.h"

struct keeper {
	const struct sysroot *root;
	struct state_dir state;
	char *path, *owner;
	struct guardian guardian;
	bool lost;
};

static void keeper_free(struct keeper *k)
{
	guardian_end(&k->guardian);
	state_close(&k->state);
	free(k->path);
	free(k->owner);
	free(k);
}

int keeper_open(struct keeper **ret, const struct sysroot *root, const char *state_dir, const char *owner,
		double hang_seconds, struct undo_report *ret_left, struct error *err)
{
	struct keeper *k = calloc(1, sizeof(*k));

	*ret = NULL;
	*ret_left = (struct undo_report){ 0 };
	if (!k)
		return fail(err, EXIT_FAILED, "out of memory");
	*k = (struct keeper){ .root = root, .state = { .dir = -1, .lock = -1 }, .path = strdup(state_dir),
			      .owner = strdup(owner), .guardian.socket = -1 };
	int rc = k->path && k->owner ? 0 : fail(err, EXIT_FAILED, "out of memory");
	if (!rc)
		rc = state_open(&k->state, k->path, UNDO_GUARDIAN_SECONDS, err);
	if (!rc)
		rc = undo_journals(root, &k->state, NULL, k->owner, ret_left, err);
	if (!rc && ret_left->failed)
		rc = fail(err, EXIT_FAILED, "an earlier run left changes that can't be put back: %s",
			  ret_left->count ? ret_left->lines[ret_left->count - 1].text : "out of memory");
	if (!rc)
		rc = check_left_overs(root, &k->state, err);
	k->state.owner = k->owner;
	if (!rc)
		rc = guardian_start(&k->guardian, root, &k->state, NULL, hang_seconds, err);
	if (rc)
		keeper_free(k);
	else
		*ret = k;
	return rc;
}

/* The guardian was killed: do its work. */
static int restore_ourselves(struct keeper *k, bool keep_opt_ins, struct error *err)
{
	const struct restore_filter filter = { .opt_ins = !keep_opt_ins };
	struct restore_tally tally = { 0 };
	struct journal journal;
	struct error why;

	guardian_end(&k->guardian);
	int rc = journal_load(&journal, &k->state, k->guardian.journal, &why);
	if (rc)
		return why.os == ENOENT ? 0 : fail(err, -rc, "%s", why.text);	/* it had put everything back */
	restore_journal(k->root, &journal, &filter, restore_count, &tally);
	journal_close_settled(&journal);
	return restore_outcome(&tally, err);
}

static int lost(struct keeper *k, struct error *err)
{
	struct error why;
	int rc = restore_ourselves(k, false, &why);

	k->lost = true;
	if (rc)
		return fail(err, EXIT_FAILED, "the guardian is gone, and not everything could be put back: %.300s", why.text);
	return fail(err, EXIT_FAILED, "the guardian is gone (killed, or it took us for dead); everything was put back");
}

int keeper_carry_out(struct keeper *k, const struct plan *plan, struct change_result *results, struct error *err)
{
	bool is_lost = k->lost;
	int rc = 0;

	if (!is_lost)
		rc = guardian_plan(&k->guardian, plan, &is_lost, err);
	for (size_t i = 0, end; !rc && !is_lost && i < plan->count; i = end) {
		end = plan_step_end(plan, i);
		rc = guardian_carry_out(&k->guardian, i, end, results, &is_lost, err);
	}
	return is_lost ? lost(k, err) : rc;
}

int keeper_close(struct keeper *k, bool keep_opt_ins, struct error *err)
{
	bool is_lost = true;
	int rc = 0;

	if (!k)
		return 0;
	if (!k->lost) {
		rc = guardian_finish(&k->guardian, keep_opt_ins, NULL, &is_lost, err);
		if (is_lost)
			rc = restore_ourselves(k, keep_opt_ins, err);
	}
	keeper_free(k);
	return rc;
}

int keeper_restore(const struct sysroot *root, const char *state_dir, const char *owner, struct undo_report *ret,
		   struct error *err)
{
	return undo_as(root, state_dir, NULL, 0, owner, ret, err);
}
