// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/opt_out.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "act/process.h"
#include "act/remote.h"
#include "act/take_back.h"

struct leaving {
	const struct sysroot *root;
	struct journal *journal;
	const struct plan *plan;
	struct change_result *results;
	size_t first, end, first_record;
};

static const struct change *change_of(const struct leaving *l)
{
	return &l->plan->changes[l->first];
}

static void set_all(struct leaving *l, enum change_outcome outcome, const char *why)
{
	for (size_t i = l->first; i < l->end; i++)
		if (l->results[i].outcome == CHANGE_PENDING)
			result_set(&l->results[i], outcome, "%s", why);
}

static void note_all(struct leaving *l, enum record_state state)
{
	for (size_t i = l->first_record; i < l->journal->count; i++)
		if (record_open(&l->journal->records[i]))
			journal_note(l->journal, i, state);
}

/* Journal the parts that are mergeable; `sum` is all of them together. */
static int intend(struct leaving *l, const struct process *p, size_t index, struct ranges *sum, struct error *err)
{
	const struct change *c = &l->plan->changes[index];
	struct ranges found;
	int rc = 0;
	if (!process_mergeable(p, c->start, c->end, &found))
		rc = fail(err, EXIT_FAILED, "out of memory for the mappings of %d", c->pid);
	else if (!found.count)
		result_set(&l->results[index], CHANGE_DONE, "was not mergeable");
	for (size_t i = 0; !rc && i < found.count; i++) {
		const struct record record = { .kind = RECORD_OPT_OUT, .pid = c->pid, .start_ticks = c->start_ticks,
					       .since_ticks = ticks_now(), .start = found.items[i].start,
					       .end = found.items[i].end, .change = index };
		rc = journal_add(l->journal, &record, err);
		if (!rc && !ranges_add(sum, record.start, record.end))
			rc = fail(err, EXIT_FAILED, "out of memory for the mappings of %d", c->pid);
	}
	ranges_free(&found);
	return rc;
}

/* A range that is no longer mergeable anywhere is done. */
static void verify(struct leaving *l)
{
	struct process process;
	if (process_look(&process, l->root, change_of(l)->pid, change_of(l)->start_ticks) != KNOWN) {
		set_all(l, CHANGE_GONE, "the process ended meanwhile");
		return;
	}
	for (size_t i = l->first_record; i < l->journal->count; i++) {
		const struct record *r = &l->journal->records[i];
		struct ranges left;
		if (!record_open(r) || !process_mergeable(&process, r->start, r->end, &left))
			continue;
		if (!left.count) {
			journal_note(l->journal, i, RECORD_DONE);
			l->results[r->change].outcome = CHANGE_DONE;
		}
		ranges_free(&left);
	}
	process_free(&process);
	set_all(l, CHANGE_REFUSED, "it is still mergeable");
}

static int carry_out(struct leaving *l, const struct process *p, struct ranges *sum, struct error *err)
{
	struct error why;
	int rc = 0;
	for (size_t i = l->first; !rc && i < l->end; i++)
		rc = intend(l, p, i, sum, err);
	if (!rc && sum->count)
		rc = journal_sync(l->journal, err);
	if (rc || !sum->count)
		return rc;
	if (process_can_unmerge(p, l->root, &why)) {
		note_all(l, RECORD_REFUSED);
		set_all(l, CHANGE_REFUSED, why.text);
		return 0;
	}
	/* what broke off has perhaps been made in part: its records stay open */
	bool broke_off = unmerge_ranges(&p->task, sum, p->sample.machine.page_bytes, &why) != 0;
	verify(l);
	for (size_t i = l->first; broke_off && i < l->end; i++)
		if (l->results[i].outcome == CHANGE_REFUSED)
			result_set(&l->results[i], CHANGE_REFUSED, "%s", why.text);
	return 0;
}

int opt_out(const struct sysroot *root, struct journal *journal, const struct plan *plan, size_t first, size_t end,
	    struct change_result *results, struct error *err)
{
	struct leaving l = { root, journal, plan, results, first, end, journal->count };
	struct ranges sum = { 0 };
	struct process process;

	if (!root->live) {
		set_all(&l, CHANGE_REFUSED, "it is a process of a captured system");
		return 0;
	}
	enum known known = process_look(&process, root, change_of(&l)->pid, change_of(&l)->start_ticks);
	if (known != KNOWN) {
		set_all(&l, known == GONE ? CHANGE_GONE : CHANGE_REFUSED,
			known == GONE ? "the process has ended" : "its mappings may not be read");
		return 0;
	}
	int rc = carry_out(&l, &process, &sum, err);
	ranges_free(&sum);
	process_free(&process);
	return rc;
}

/* ---- and back ---- */

/* What of our ranges is still mapped, and of a kind that KSM takes; what is mergeable again is so already. */
static bool parts_to_merge(const struct process *p, const struct record *r, struct ranges *ret)
{
	for (size_t i = 0; i < p->sample.areas_count; i++) {
		const struct area *a = &p->sample.areas[i];
		if (a->class != AREA_CANDIDATE || (a->flags & AREA_MERGEABLE) || a->end <= r->start || a->start >= r->end)
			continue;
		if (!ranges_add(ret, a->start > r->start ? a->start : r->start, a->end < r->end ? a->end : r->end))
			return false;
	}
	return true;
}

static int merge_ranges(const struct task *task, const struct ranges *ranges, struct error *err)
{
	struct injection *in;
	int64_t value = 0;
	int rc = ranges->count ? injection_begin(&in, task->pid, task->start_ticks, err) : 0;
	if (rc || !ranges->count)
		return rc;
	for (size_t i = 0; !rc && i < ranges->count; i++) {
		rc = remote_madvise(in, ranges->items[i].start, ranges->items[i].end, MADV_MERGEABLE, &value, err);
		if (!rc && value < 0 && value != -ENOMEM)	/* unmapped meanwhile: nothing is lost */
			rc = fail(err, EXIT_FAILED, "madvise(MADV_MERGEABLE): %s: undo again", strerror((int)-value));
	}
	injection_end(in);
	return rc;
}

static void back_open(const struct process *p, const struct journal *journal, const size_t *records, size_t count,
		      struct change_result *ret)
{
	struct ranges ranges = { 0 };
	struct error err;
	int rc = 0;
	for (size_t i = 0; !rc && i < count; i++)
		if (!parts_to_merge(p, &journal->records[records[i]], &ranges))
			rc = fail(&err, EXIT_FAILED, "out of memory for its mappings");
	if (!rc)
		rc = merge_ranges(&p->task, &ranges, &err);
	if (rc)
		result_set(ret, CHANGE_STUCK, "%s", err.text);
	else
		result_set(ret, CHANGE_RESTORED, "%s", ranges.count ? "mergeable again" : "was mergeable again");
	ranges_free(&ranges);
}

void opt_out_back(const struct sysroot *root, struct journal *journal, const size_t *records, size_t count,
		  struct change_result *ret)
{
	const struct record *first = &journal->records[records[0]];
	struct process process;
	enum known known = root->live ? process_look(&process, root, first->pid, first->start_ticks) : ABSENT;

	if (known == KNOWN) {
		back_open(&process, journal, records, count, ret);
		process_free(&process);
	} else {
		result_set(ret, known == GONE ? CHANGE_GONE : CHANGE_STUCK, "%s", known == GONE ? "the process has ended"
			   : "its mappings may not be read");
	}
	if (ret->outcome == CHANGE_STUCK && process_ended(root, first->pid, first->start_ticks))
		result_set(ret, CHANGE_GONE, "the process has ended");
	for (size_t i = 0; ret->outcome != CHANGE_STUCK && i < count; i++)
		journal_note(journal, records[i], ret->outcome == CHANGE_GONE ? RECORD_GONE : RECORD_RESTORED);
}
