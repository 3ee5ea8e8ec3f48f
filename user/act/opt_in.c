// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/opt_in.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "act/remote.h"
#include "act/process.h"

/* One process while it is opted in. Its records are those of the journal from `first_record` on. */
struct opting {
	const struct sysroot *root;
	struct journal *journal;
	const struct plan *plan;
	size_t first, end;
	struct change_result *results;
	size_t first_record;
};

static pid_t pid_of(const struct opting *o)
{
	return o->plan->changes[o->first].pid;
}

static uint64_t start_of(const struct opting *o)
{
	return o->plan->changes[o->first].start_ticks;
}

static void set_all(struct opting *o, enum change_outcome outcome, const char *why)
{
	for (size_t i = o->first; i < o->end; i++)
		if (o->results[i].outcome == CHANGE_PENDING)
			result_set(&o->results[i], outcome, "%s", why);
}

/* Part of a change was refused; others of its parts may hold. */
static void refuse_record(struct opting *o, size_t record, const char *why)
{
	struct change_result *result = &o->results[o->journal->records[record].change];
	journal_note(o->journal, record, RECORD_REFUSED);
	result_set(result, result->outcome == CHANGE_DONE ? CHANGE_DONE : CHANGE_REFUSED, "%s", why);
}

static void accept_record(struct opting *o, size_t record)
{
	journal_note(o->journal, record, RECORD_DONE);
	o->results[o->journal->records[record].change].outcome = CHANGE_DONE;
}

/* ---- what is to be done ---- */

static const char too_sparse[] = "it reserves far more address space than it uses: ksmd would go through all of it, "
	"and so would taking it back, for minutes";

static int add_ranges(struct opting *o, struct record record, const struct ranges *ranges, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < ranges->count; i++) {
		record.start = ranges->items[i].start;
		record.end = ranges->items[i].end;
		rc = journal_add(o->journal, &record, err);
	}
	return rc;
}

static int intend_madvise(struct opting *o, const struct process *p, struct record record, struct error *err)
{
	const struct change *change = &o->plan->changes[record.change];
	struct change_result *result = &o->results[record.change];
	struct ranges ranges;
	const char *wrong = process_not_mergeable(p, change->start, change->end, &ranges);
	int rc = 0;

	record.kind = RECORD_MADVISE;
	if (wrong && process_ended(o->root, record.pid, record.start_ticks))
		result_set(result, CHANGE_GONE, "the process has ended");
	else if (wrong)
		result_set(result, CHANGE_REFUSED, "%s", wrong);
	else if (!ranges.count)
		result_set(result, CHANGE_DONE, "was mergeable already");
	else if (process_too_sparse(p, change->start, change->end))
		result_set(result, CHANGE_REFUSED, "%s", too_sparse);
	else
		rc = add_ranges(o, record, &ranges, err);
	ranges_free(&ranges);
	return rc;
}

static int intend_prctl(struct opting *o, const struct process *p, struct record record, struct error *err)
{
	struct ranges found;
	if (value_or(p->task.ksm.merge_any, 0)) {
		result_set(&o->results[record.change], CHANGE_DONE, "was opted in already");
		return 0;
	}
	if (process_too_sparse(p, 0, UINT64_MAX)) {
		result_set(&o->results[record.change], CHANGE_REFUSED, "%s", too_sparse);
		return 0;
	}
	if (!process_mergeable(p, 0, UINT64_MAX, &found))
		return fail(err, EXIT_FAILED, "out of memory for the mappings of %d", record.pid);
	record.kind = RECORD_FOUND;
	int rc = add_ranges(o, record, &found, err);
	ranges_free(&found);
	record.kind = RECORD_PRCTL;
	return rc ? rc : journal_add(o->journal, &record, err);
}

/* Journal all changes of the process, before it is stopped: syncing takes longer than the calls. */
static int intend(struct opting *o, struct error *err)
{
	struct process process;
	enum known known = process_look(&process, o->root, pid_of(o), start_of(o));
	if (known != KNOWN) {
		set_all(o, known == GONE ? CHANGE_GONE : CHANGE_REFUSED,
			known == GONE ? "the process has ended" : "its mappings may not be read");
		return 0;
	}
	int rc = 0;
	for (size_t i = o->first; !rc && i < o->end; i++) {
		struct record record = { .pid = pid_of(o), .start_ticks = start_of(o), .since_ticks = ticks_now(),
					 .change = i };
		rc = o->plan->changes[i].kind == CHANGE_PRCTL ? intend_prctl(o, &process, record, err)
							      : intend_madvise(o, &process, record, err);
	}
	process_free(&process);
	if (!rc && o->journal->count > o->first_record)
		rc = journal_sync(o->journal, err);
	return rc;
}

/* ---- within the process ---- */

static int call_madvise(struct opting *o, struct injection *in, size_t record, struct error *err)
{
	const struct record *r = &o->journal->records[record];
	int64_t value, ignored;
	char why[160];
	int rc = remote_madvise(in, r->start, r->end, MADV_MERGEABLE, &value, err);
	if (rc || value >= 0)
		return rc;
	/* it stops at the first mapping that refuses: those before it have been changed */
	rc = remote_madvise(in, r->start, r->end, MADV_UNMERGEABLE, &ignored, err);
	snprintf(why, sizeof(why), "madvise of 0x%" PRIx64 "-0x%" PRIx64 ": %s", r->start, r->end,
		 value == -ENOMEM ? "it is not all mapped any more" : strerror((int)-value));
	refuse_record(o, record, why);
	return rc;
}

static int call_prctl(struct opting *o, struct injection *in, size_t record, struct error *err)
{
	struct change_result *result = &o->results[o->journal->records[record].change];
	int64_t value;
	int rc = remote_prctl(in, REMOTE_GET_MEMORY_MERGE, false, &value, err);
	if (rc)
		return rc;
	if (value == 1) {
		journal_note(o->journal, record, RECORD_REFUSED);
		result_set(result, CHANGE_DONE, "was opted in already");
		return 0;
	}
	if (value >= 0)
		rc = remote_prctl(in, REMOTE_SET_MEMORY_MERGE, true, &value, err);
	if (rc)
		return rc;
	if (value == -EINVAL)
		refuse_record(o, record, "this kernel can't opt in a whole process (since 6.4): opt in its mappings");
	else if (value < 0)
		refuse_record(o, record, strerror((int)-value));
	else
		accept_record(o, record);
	return 0;
}

static int call_all(struct opting *o, struct injection *in, struct error *err)
{
	int rc = 0;
	for (size_t i = o->first_record; !rc && i < o->journal->count; i++) {
		if (o->journal->records[i].kind == RECORD_MADVISE)
			rc = call_madvise(o, in, i, err);
		else if (o->journal->records[i].kind == RECORD_PRCTL)
			rc = call_prctl(o, in, i, err);
	}
	return rc;
}

/* ---- what came of it ---- */

static void verify_madvise(struct opting *o, const struct process *p, size_t record)
{
	const struct record *r = &o->journal->records[record];
	struct ranges mergeable;
	if (!process_mergeable(p, r->start, r->end, &mergeable))
		return;		/* out of memory: the record stays open, to be taken back */
	if (mergeable.count)
		accept_record(o, record);
	else
		refuse_record(o, record, "the kernel accepted it without effect: KSM does not take this mapping");
	ranges_free(&mergeable);
}

static void verify(struct opting *o)
{
	struct process process;
	enum known known = process_look(&process, o->root, pid_of(o), start_of(o));
	if (known != KNOWN) {
		set_all(o, CHANGE_GONE, "the process ended meanwhile");
		return;
	}
	for (size_t i = o->first_record; i < o->journal->count; i++) {
		const struct record *r = &o->journal->records[i];
		if (r->kind == RECORD_MADVISE && r->state == RECORD_INTENDED)
			verify_madvise(o, &process, i);
	}
	process_free(&process);
}

/* The process could not be stopped, so nothing of it was changed. */
static void refuse_all(struct opting *o, const char *why)
{
	bool ended = process_ended(o->root, pid_of(o), start_of(o));
	for (size_t i = o->first_record; i < o->journal->count; i++)
		if (record_open(&o->journal->records[i]))
			journal_note(o->journal, i, ended ? RECORD_GONE : RECORD_REFUSED);
	set_all(o, ended ? CHANGE_GONE : CHANGE_REFUSED, ended ? "the process has ended" : why);
}

int opt_in(const struct sysroot *root, struct journal *journal, const struct plan *plan, size_t first, size_t end,
	   struct change_result *results, struct error *err)
{
	struct opting o = { root, journal, plan, first, end, results, journal->count };
	struct injection *in;
	struct error why;

	if (!root->live) {
		set_all(&o, CHANGE_REFUSED, "it is a process of a captured system");
		return 0;
	}
	int rc = intend(&o, err);
	if (rc || journal->count == o.first_record)
		return rc;
	if (injection_begin(&in, pid_of(&o), start_of(&o), &why)) {
		refuse_all(&o, why.text);
		return 0;
	}
	int called = call_all(&o, in, &why);
	injection_end(in);
	verify(&o);
	/* what was not reached, or broke off: perhaps changed, so its record stays open and undo looks again */
	set_all(&o, CHANGE_REFUSED, called ? why.text : "not carried out");
	return 0;
}
