// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/take_back.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "act/remote.h"

#define ERESTARTSYS 512			/* include/linux/errno.h: a signal came before the call was through */

struct taking {
	const struct sysroot *root;
	const struct journal *journal;
	const size_t *records;
	size_t count;
	pid_t pid;			/* of the records; a child is taken back by its parent's */
	uint64_t start_ticks;
	bool prctl;			/* one of the records is */
};

static const struct record *record_of(const struct taking *t, size_t i)
{
	return &t->journal->records[t->records[i]];
}

/* Our ranges, as far as they are mergeable now. */
static bool still_mergeable(const struct taking *t, const struct process *process, struct ranges *ret)
{
	struct ranges part;
	*ret = (struct ranges){ 0 };
	for (size_t i = 0; i < t->count; i++) {
		const struct record *r = record_of(t, i);
		if (r->kind != RECORD_MADVISE)
			continue;
		bool fits = process_mergeable(process, r->start, r->end, &part);
		for (size_t k = 0; fits && k < part.count; k++)
			fits = ranges_add(ret, part.items[k].start, part.items[k].end);
		ranges_free(&part);
		if (!fits)
			return false;
	}
	return true;
}

/* ---- within the process ---- */

static int fail_call(const char *what, int64_t value, struct error *err)
{
	const char *why = value == -ERESTARTSYS || value == -EINTR ? "a signal interrupted it" : strerror((int)-value);
	return fail(err, EXIT_FAILED, "%s: %s: undo again", what, why);
}

static int unmerge_ranges(struct injection *in, const struct ranges *ranges, struct error *err)
{
	int64_t value;
	for (size_t i = 0; i < ranges->count; i++) {
		const struct range *r = &ranges->items[i];
		int rc = remote_madvise(in, r->start, r->end, MADV_UNMERGEABLE, &value, err);
		if (rc)
			return rc;
		/* ENOMEM: a part was unmapped meanwhile; the rest has been done */
		if (value < 0 && value != -ENOMEM)
			return fail_call("madvise(MADV_UNMERGEABLE)", value, err);
	}
	return 0;
}

/* Make mergeable again what was so before our prctl. What is not mapped any more answers ENOMEM: nothing is lost. */
static int merge_found(const struct taking *t, struct injection *in, struct error *err)
{
	int64_t value;
	int rc = 0;
	for (size_t i = 0; !rc && i < t->journal->count; i++) {
		const struct record *r = &t->journal->records[i];
		if (r->kind == RECORD_FOUND && r->pid == t->pid && r->start_ticks == t->start_ticks)
			rc = remote_madvise(in, r->start, r->end, MADV_MERGEABLE, &value, err);
	}
	return rc;
}

static int switch_off(const struct taking *t, struct injection *in, struct error *err)
{
	int64_t value;
	int rc = remote_prctl(in, REMOTE_GET_MEMORY_MERGE, false, &value, err);
	if (rc || value <= 0)		/* off already, by its own doing */
		return rc;
	rc = remote_prctl(in, REMOTE_SET_MEMORY_MERGE, false, &value, err);
	if (rc)
		return rc;
	if (value < 0)
		return fail_call("prctl(PR_SET_MEMORY_MERGE)", value, err);
	return merge_found(t, in, err);
}

/* ---- one process ---- */

static int inject_all(const struct taking *t, const struct task *task, bool prctl, const struct ranges *ranges,
		      struct error *err)
{
	struct injection *in;
	int rc = injection_begin(&in, task->pid, task->start_ticks, err);
	if (rc)
		return rc;
	if (prctl)
		rc = switch_off(t, in, err);
	if (!rc)
		rc = unmerge_ranges(in, ranges, err);
	injection_end(in);
	return rc;
}

static void take_back_ranges(const struct taking *t, const struct process *process, const struct ranges *ranges,
			     struct change_result *ret)
{
	bool prctl = t->prctl && value_or(process->task.ksm.merge_any, 1);
	struct error err;

	if (!t->prctl && value_or(process->task.ksm.merge_any, 0)) {
		result_set(ret, CHANGE_FOREIGN, "the whole process was opted in since: left alone");
		return;
	}
	if (!prctl && !ranges->count) {
		result_set(ret, CHANGE_RESTORED, "was not mergeable any more");
		return;
	}
	if (!process_can_unmerge(process, t->root, &err) &&
	    !inject_all(t, &process->task, prctl, ranges, &err)) {
		result_set(ret, CHANGE_RESTORED, "unmerged");
		return;
	}
	if (process_ended(t->root, process->task.pid, process->task.start_ticks))
		result_set(ret, CHANGE_GONE, "the process has ended");
	else
		result_set(ret, CHANGE_STUCK, "%s", err.text);
}

static void take_back_one(const struct taking *t, pid_t pid, uint64_t start_ticks, struct change_result *ret)
{
	struct process process;
	struct ranges ranges;
	if (!t->root->live) {
		result_set(ret, CHANGE_STUCK, "it is a process of a captured system");
		return;
	}
	enum known known = process_look(&process, t->root, pid, start_ticks);
	if (known == GONE) {
		result_set(ret, CHANGE_GONE, "the process has ended");
		return;
	}
	if (known != KNOWN) {
		result_set(ret, CHANGE_STUCK, "its mappings may not be read");
		return;
	}
	if (still_mergeable(t, &process, &ranges))
		take_back_ranges(t, &process, &ranges, ret);
	else
		result_set(ret, CHANGE_STUCK, "out of memory for its mappings");
	ranges_free(&ranges);
	process_free(&process);
}

static uint64_t oldest_change(const struct taking *t)
{
	uint64_t oldest = UINT64_MAX;
	for (size_t i = 0; i < t->count; i++)
		if (record_of(t, i)->since_ticks < oldest)
			oldest = record_of(t, i)->since_ticks;
	return oldest;
}

static void take_back_children(const struct taking *t, const struct family *family, struct change_result *ret)
{
	uint64_t since = oldest_change(t);
	unsigned int children = 0;
	for (size_t i = 0; i < family->count; i++) {
		const struct task *child = &family->members[i];
		struct change_result one;
		if (!family_descends(family, child, t->pid, since))
			continue;
		take_back_one(t, child->pid, child->start_ticks, &one);
		if (one.outcome == CHANGE_STUCK) {
			result_set(ret, CHANGE_STUCK, "its child %d inherited it: %s", child->pid, one.text);
			return;
		}
		children += one.outcome == CHANGE_RESTORED;
	}
	if (children) {
		size_t used = strlen(ret->text);
		snprintf(ret->text + used, sizeof(ret->text) - used, ", with %u forked since", children);
	}
}

void take_back(const struct sysroot *root, const struct family *family, struct journal *journal,
	       const size_t *records, size_t count, struct change_result *ret)
{
	static const enum record_state noted[] = {
		[CHANGE_RESTORED] = RECORD_RESTORED,
		[CHANGE_FOREIGN] = RECORD_FOREIGN,
		[CHANGE_GONE] = RECORD_GONE,
	};
	const struct record *first = &journal->records[records[0]];
	struct taking t = { .root = root, .journal = journal, .records = records, .count = count,
			    .pid = first->pid, .start_ticks = first->start_ticks };
	for (size_t i = 0; i < count; i++)
		t.prctl |= record_of(&t, i)->kind == RECORD_PRCTL;
	take_back_one(&t, t.pid, t.start_ticks, ret);
	if (ret->outcome == CHANGE_RESTORED)
		take_back_children(&t, family, ret);
	if (ret->outcome == CHANGE_STUCK)
		return;
	for (size_t i = 0; i < count; i++)
		journal_note(journal, records[i], noted[ret->outcome]);
}
