// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/take_back.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "act/remote.h"

/*
 * Unmerging takes about 150 ns for each page of address space, mapped or not,
 * and some microseconds for each merged one (measured on 6.18): so many pages
 * are one stop of at most some tenths of a second.
 */
#define PAGES_PER_STOP 65536
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

/* What is to be unmerged: all that is mergeable, or our ranges as far as they still are. */
static bool still_mergeable(const struct taking *t, const struct process *process, bool whole, struct ranges *ret)
{
	struct ranges part;
	if (whole)
		return process_mergeable(process, 0, UINT64_MAX, ret);
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

static int unmerge(struct injection *in, uint64_t start, uint64_t end, struct error *err)
{
	int64_t value;
	int rc = remote_madvise(in, start, end, MADV_UNMERGEABLE, &value, err);
	/* ENOMEM: a part was unmapped meanwhile; the rest has been done */
	if (!rc && value < 0 && value != -ENOMEM)
		rc = fail_call("madvise(MADV_UNMERGEABLE)", value, err);
	return rc;
}

int unmerge_ranges(const struct task *task, const struct ranges *ranges, uint64_t page_bytes, struct error *err)
{
	struct injection *in = NULL;
	uint64_t left = 0;
	int rc = 0;
	for (size_t i = 0; !rc && i < ranges->count; i++) {
		for (uint64_t at = ranges->items[i].start, stop; !rc && at < ranges->items[i].end; at = stop) {
			stop = ranges->items[i].end;
			if (!left) {
				injection_end(in);
				rc = injection_begin(&in, task->pid, task->start_ticks, err);
				left = PAGES_PER_STOP;
			}
			if (stop - at > left * page_bytes)
				stop = at + left * page_bytes;
			if (!rc)
				rc = unmerge(in, at, stop, err);
			left -= (stop - at) / page_bytes;
		}
	}
	injection_end(in);
	return rc;
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

/* After the mappings have been unmerged in parts, so that little is left to do in this one call. */
static int switch_off(const struct taking *t, const struct task *task, struct error *err)
{
	struct injection *in;
	int64_t value;
	int rc = injection_begin(&in, task->pid, task->start_ticks, err);
	if (rc)
		return rc;
	rc = remote_prctl(in, REMOTE_SET_MEMORY_MERGE, false, &value, err);
	if (!rc && value < 0)
		rc = fail_call("prctl(PR_SET_MEMORY_MERGE)", value, err);
	if (!rc)
		rc = merge_found(t, in, err);
	injection_end(in);
	return rc;
}

/* Is the process opted in as a whole? ksm_stat says so since 6.18, before the process has to be asked. */
static int is_whole(const struct task *task, bool *ret, struct error *err)
{
	struct injection *in;
	int64_t value = value_or(task->ksm.merge_any, 0);
	int rc = 0;
	if (!is_known(task->ksm.merge_any)) {
		rc = injection_begin(&in, task->pid, task->start_ticks, err);
		if (rc)
			return rc;
		rc = remote_prctl(in, REMOTE_GET_MEMORY_MERGE, false, &value, err);
		injection_end(in);
	}
	*ret = value > 0;
	return rc;
}

/* ---- one process ---- */

static int unmerge_process(const struct taking *t, const struct process *process, bool whole,
			   const struct ranges *ranges, struct error *err)
{
	int rc = process_can_unmerge(process, t->root, err);
	if (!rc)
		rc = unmerge_ranges(&process->task, ranges, process->sample.machine.page_bytes, err);
	if (!rc && whole)
		rc = switch_off(t, &process->task, err);
	return rc;
}

/* 0 with a result, or an error. */
static int take_back_process(const struct taking *t, const struct process *process, struct change_result *ret,
			     struct error *err)
{
	struct ranges ranges = { 0 };
	bool whole = false;
	int rc = t->prctl ? is_whole(&process->task, &whole, err) : 0;
	if (!t->prctl && value_or(process->task.ksm.merge_any, 0)) {
		result_set(ret, CHANGE_FOREIGN, "the whole process was opted in since: left alone");
		return 0;
	}
	if (!rc && !still_mergeable(t, process, whole, &ranges))
		rc = fail(err, EXIT_FAILED, "out of memory for its mappings");
	if (!rc && !whole && !ranges.count)
		result_set(ret, CHANGE_RESTORED, "was not mergeable any more");
	else if (!rc && !(rc = unmerge_process(t, process, whole, &ranges, err)))
		result_set(ret, CHANGE_RESTORED, "unmerged");
	ranges_free(&ranges);
	return rc;
}

static void take_back_one(const struct taking *t, pid_t pid, uint64_t start_ticks, struct change_result *ret)
{
	struct process process;
	struct error err;
	if (!t->root->live) {
		result_set(ret, CHANGE_STUCK, "it is a process of a captured system");
		return;
	}
	enum known known = process_look(&process, t->root, pid, start_ticks);
	if (known != KNOWN) {
		result_set(ret, known == GONE ? CHANGE_GONE : CHANGE_STUCK, known == GONE ? "the process has ended"
			   : "its mappings may not be read");
		return;
	}
	if (take_back_process(t, &process, ret, &err)) {
		bool ended = process_ended(t->root, pid, start_ticks);
		result_set(ret, ended ? CHANGE_GONE : CHANGE_STUCK, "%s", ended ? "the process has ended" : err.text);
	}
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
