// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/restore.h"

#include <stdlib.h>
#include <string.h>

#include "act/damon_change.h"
#include "act/knob_change.h"
#include "act/opt_out.h"
#include "act/reshape.h"
#include "act/take_back.h"
#include "base/cleanup.h"

static void restore_knobs(const struct sysroot *root, struct journal *journal, restore_report *report, void *context)
{
	for (size_t i = journal->count; i-- > 0; ) {
		struct record *record = &journal->records[i];
		struct change_result result;
		if (record->kind != RECORD_KNOB || !record_open(record))
			continue;
		knob_restore(root, journal, i, &result);
		report(context, record, &result);
	}
}

static void restore_damon(const struct sysroot *root, struct journal *journal, restore_report *report, void *context)
{
	for (size_t i = journal->count; i-- > 0; ) {
		struct change_result result;
		if (journal->records[i].kind != RECORD_DAMON || !record_open(&journal->records[i]))
			continue;
		damon_restore(root, journal, i, &result);
		report(context, &journal->records[i], &result);
	}
}

static bool is_wanted(const struct record *record, const struct restore_filter *filter)
{
	if (record_of_machine(record) || !record_open(record))
		return false;
	if (filter->end && (record->kind == RECORD_PRCTL || record->kind == RECORD_OPT_OUT || record->start >= filter->end || filter->start >= record->end))
		return false;
	for (size_t i = 0; i < filter->pids_count; i++)
		if (record->pid == filter->pids[i])
			return true;
	return filter->pids_count == 0;
}

/* Indices of the open changes of processes: processes together, levers together, latest first. */
struct open_opt_ins {
	size_t *records;
	size_t count;
};

/* For qsort_r(): by process, within it by lever, within that the latest first. */
static int by_process(const void *a, const void *b, void *context)
{
	const struct record *records = context;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	if (records[x].pid != records[y].pid)
		return records[x].pid > records[y].pid ? -1 : 1;
	if (records[x].start_ticks != records[y].start_ticks)
		return records[x].start_ticks > records[y].start_ticks ? -1 : 1;
	if (record_lever(&records[x]) != record_lever(&records[y]))
		return record_lever(&records[x]) < record_lever(&records[y]) ? -1 : 1;
	return x > y ? -1 : x < y;
}

static bool same_step(const struct record *a, const struct record *b)
{
	return a->pid == b->pid && a->start_ticks == b->start_ticks && record_lever(a) == record_lever(b);
}

static void take_back_step(const struct sysroot *root, const struct family *family, struct journal *journal,
			   const size_t *records, size_t count, struct change_result *ret)
{
	enum lever lever = record_lever(&journal->records[records[0]]);
	if (lever == LEVER_SHAPE)
		reshape_back(root, journal, records, count, ret);
	else if (lever == LEVER_OPT_OUT)
		opt_out_back(root, journal, records, count, ret);
	else
		take_back(root, family, journal, records, count, ret);
}

static void take_back_all(const struct sysroot *root, const struct family *family, struct journal *journal,
			  const struct open_opt_ins *open, restore_report *report, void *context)
{
	for (size_t first = 0, end; first < open->count; first = end) {
		const struct record *one = &journal->records[open->records[first]];
		struct change_result result = { 0 };
		for (end = first + 1; end < open->count; end++)
			if (!same_step(one, &journal->records[open->records[end]]))
				break;
		take_back_step(root, family, journal, open->records + first, end - first, &result);
		for (size_t i = first; i < end; i++)
			report(context, &journal->records[open->records[i]], &result);
	}
}

static void restore_opt_ins(const struct sysroot *root, struct journal *journal, const struct restore_filter *filter,
			    restore_report *report, void *context)
{
	scoped_free size_t *records = malloc((journal->count ? journal->count : 1) * sizeof(*records));
	struct open_opt_ins open = { .records = records };
	struct change_result stuck;
	struct family family;

	result_set(&stuck, CHANGE_STUCK, "out of memory");
	for (size_t i = 0; i < journal->count; i++) {
		if (!is_wanted(&journal->records[i], filter))
			continue;
		if (records)
			records[open.count++] = i;
		else
			report(context, &journal->records[i], &stuck);
	}
	if (!open.count)
		return;
	/* without it the family is empty: the processes themselves can be taken back all the same */
	family_look(&family, root, NULL);
	qsort_r(records, open.count, sizeof(*records), by_process, journal->records);
	take_back_all(root, &family, journal, &open, report, context);
	family_free(&family);
}

void restore_journal(const struct sysroot *root, struct journal *journal, const struct restore_filter *filter,
		     restore_report *report, void *context)
{
	if (!filter->keep_knobs) {
		restore_damon(root, journal, report, context);
		restore_knobs(root, journal, report, context);
	}
	if (filter->opt_ins)
		restore_opt_ins(root, journal, filter, report, context);
}

/* What is worse stays: a change that was never made does not become "restored". */
static void merge_result(struct change_result *result, const struct change_result *news)
{
	static const int weight[] = {
		[CHANGE_PENDING] = 0, [CHANGE_DONE] = 0, [CHANGE_RESTORED] = 1, [CHANGE_GONE] = 2,
		[CHANGE_REFUSED] = 3, [CHANGE_FOREIGN] = 4, [CHANGE_STUCK] = 5,
	};
	if (weight[news->outcome] > weight[result->outcome])
		*result = *news;
}

void restore_count(void *context, const struct record *record, const struct change_result *result)
{
	struct restore_tally *tally = context;
	switch (result->outcome) {
	case CHANGE_FOREIGN:
		tally->foreign++;
		break;
	case CHANGE_GONE:
		tally->gone++;
		break;
	case CHANGE_STUCK:
		if (!tally->stuck++)
			memcpy(tally->first_stuck, result->text, sizeof(result->text));
		break;
	default:
		tally->restored++;
	}
	if (tally->results && record->change != SIZE_MAX)
		merge_result(&tally->results[record->change], result);
}

int restore_outcome(const struct restore_tally *tally, struct error *err)
{
	if (!tally->stuck)
		return 0;
	return fail(err, EXIT_FAILED, "%u changes could not be put back; their journal is kept for --undo: %s",
		    tally->stuck, tally->first_stuck);
}

enum known boot_id(const struct sysroot *root, char ret[BOOT_ID_BYTES])
{
	enum known known = sysroot_read(root, ret, BOOT_ID_BYTES, "proc/sys/kernel/random/boot_id");
	if (known != KNOWN)
		strcpy(ret, "-");
	ret[strcspn(ret, " \n")] = '\0';
	if (!*ret)
		strcpy(ret, "-");
	return known;
}

void restore_forget_gone(const struct sysroot *root, struct journal *journal, restore_report *report, void *context)
{
	char boot[BOOT_ID_BYTES];
	struct change_result gone;
	/* not to be read, now or then, is no other boot: a process is told by its start, and a knob by its value */
	bool other_boot = boot_id(root, boot) != DENIED && strcmp(journal->boot, "-") && strcmp(boot, journal->boot);
	result_set(&gone, CHANGE_GONE, "%s", other_boot ? "the machine was started anew since"
							: "the process has ended");
	for (size_t i = 0; i < journal->count; i++) {
		struct record *record = &journal->records[i];
		if (!record_open(record))
			continue;
		if (!other_boot && (record_of_machine(record) ||
				    !process_ended(root, record->pid, record->start_ticks)))
			continue;
		journal_note(journal, i, RECORD_GONE);
		report(context, record, &gone);
	}
}
