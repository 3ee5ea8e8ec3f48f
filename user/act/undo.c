// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/undo.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

static struct change_result *add_line(struct undo_report *report)
{
	struct change_result *more = realloc(report->lines, (report->count + 1) * sizeof(*more));
	if (!more)
		return NULL;
	report->lines = more;
	return &more[report->count++];
}

static void count_outcome(struct undo_report *report, enum change_outcome outcome)
{
	report->restored += outcome == CHANGE_RESTORED;
	report->foreign += outcome == CHANGE_FOREIGN;
	report->gone += outcome == CHANGE_GONE;
	report->failed += outcome == CHANGE_STUCK;
}

static void report_record(void *context, const struct record *record, const struct change_result *result)
{
	struct undo_report *report = context;
	struct change_result *line = add_line(report);
	count_outcome(report, result->outcome);
	if (!line)
		return;
	if (record->kind == RECORD_KNOB)
		result_set(line, result->outcome, "%s: %s", knobs[record->knob].name, result->text);
	else if (record->kind == RECORD_DAMON)
		result_set(line, result->outcome, "DAMON: %s", result->text);
	else if (record->kind == RECORD_PRCTL)
		result_set(line, result->outcome, "process %d: %s", record->pid, result->text);
	else
		result_set(line, result->outcome, "process %d, 0x%" PRIx64 "-0x%" PRIx64 ": %s", record->pid,
			   record->start, record->end, result->text);
}

static void undo_journal(const struct sysroot *root, const struct state_dir *state, const char *name,
			 const struct restore_filter *filter, struct undo_report *report)
{
	struct journal journal;
	struct error err;
	if (journal_load(&journal, state, name, &err)) {
		struct change_result *line = add_line(report);
		report->failed++;
		if (line)
			result_set(line, CHANGE_STUCK, "%s", err.text);
		return;
	}
	report->torn += journal.torn;
	restore_forget_gone(root, &journal, report_record, report);
	restore_journal(root, &journal, filter, report_record, report);
	journal_close_settled(&journal);
}

int undo_journals(const struct sysroot *root, const struct state_dir *state, const struct restore_filter *filter,
		  const char *owner, struct undo_report *report, struct error *err)
{
	const struct restore_filter everything = { .opt_ins = true };
	char (*names)[JOURNAL_NAME_BYTES];
	size_t journals;
	int rc = state_journals(state, &names, &journals, err);

	for (size_t i = 0; !rc && i < journals; i++)
		if (!owner || state_owns(owner, names[i]))
			undo_journal(root, state, names[i], filter ? filter : &everything, report);
	free(names);
	return rc;
}

int undo_as(const struct sysroot *root, const char *state_dir, const pid_t *pids, size_t count, const char *owner,
	    struct undo_report *ret, struct error *err)
{
	const struct restore_filter filter = { .opt_ins = true, .pids = pids, .pids_count = count };
	struct state_dir state;
	struct stat st;

	*ret = (struct undo_report){ 0 };
	if (stat(state_dir, &st) && errno == ENOENT)
		return 0;		/* nothing was ever carried out */
	int rc = state_open(&state, state_dir, UNDO_GUARDIAN_SECONDS, err);
	if (rc)
		return rc;
	rc = undo_journals(root, &state, &filter, owner, ret, err);
	state_close(&state);
	return rc;
}

int act_undo(const struct sysroot *root, const char *state_dir, const pid_t *pids, size_t count,
	     struct undo_report *ret, struct error *err)
{
	return undo_as(root, state_dir, pids, count, NULL, ret, err);
}

void undo_report_free(struct undo_report *report)
{
	free(report->lines);
	*report = (struct undo_report){ 0 };
}
