// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/reshape.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "act/regions.h"
#include "base/units.h"
#include "sys/proc.h"
#include "sys/process_advice.h"

#define MARGIN_PART 50			/* of the machine's memory stays free when huge pages are rebuilt */
#define REBUILD_TRIES 5			/* a page that is just being used is free a moment later */

/* One process while its huge pages are broken or made. Its records are those of the journal from `first_record` on. */
struct reshaping {
	struct regions regions;
	struct journal *journal;
	const struct plan *plan;
	struct change_result *results;
	size_t first, end, first_record;
};

static void set_all(struct reshaping *s, enum change_outcome outcome, const char *why)
{
	for (size_t i = s->first; i < s->end; i++)
		if (s->results[i].outcome == CHANGE_PENDING)
			result_set(&s->results[i], outcome, "%s", why);
}

/* What became of the regions of a record, or of several. */
struct tally {
	unsigned int done, already, left;
	const char *why;		/* the last that was left; static storage */
	int os;				/* the last refusal */
};

static void leave(struct tally *t, const char *why)
{
	t->left++;
	t->why = why;
}

/* ---- both ways ---- */

/* Debugfs where the ordinary way refuses the mapping, as mlocked memory. */
static int break_range(struct regions *r, uint64_t start, uint64_t end)
{
	int rc = process_break_huge(r->handle, start, end, r->page_bytes, r->pmd_bytes);
	if (rc == -EINVAL && !debugfs_break_huge(r->root, r->process.task.pid, start, end))
		rc = 0;
	return rc;
}

/* All that is huge in the range; counted by looking again. */
static void break_all(struct regions *r, uint64_t start, uint64_t end, struct tally *t)
{
	for (uint64_t at = start, run; at < end; at = run + r->pmd_bytes) {
		for (run = at; run < end && regions_is_huge(r, run); run += r->pmd_bytes)
			;
		t->already += run < end;
		if (run == at)
			continue;
		int rc = break_range(r, at, run);
		t->os = rc ? -rc : t->os;
		for (; at < run; at += r->pmd_bytes) {
			if (!regions_is_huge(r, at))
				t->done++;
			else
				leave(t, rc ? strerror(-rc) : "other processes map it too, or it is pinned");
		}
	}
}

static int rebuild_one(struct regions *r, uint64_t address)
{
	static const struct timespec nap = { .tv_nsec = 2000000 };
	int rc = -EAGAIN;
	for (unsigned int i = 0; i < REBUILD_TRIES && rc == -EAGAIN; i++) {
		if (i)
			nanosleep(&nap, NULL);
		rc = process_rebuild_huge(r->handle, address, r->pmd_bytes);
	}
	return rc;
}

/* All that is not huge and is fit to be; `*ret_merged` counts what is left because it is merged. */
static void rebuild_all(struct regions *r, uint64_t start, uint64_t end, struct tally *t, unsigned int *ret_merged)
{
	for (uint64_t at = start; at < end; at += r->pmd_bytes) {
		bool merged = false;
		if (regions_is_huge(r, at)) {
			t->already++;
			continue;
		}
		const char *unfit = regions_unfit(r, at, &merged);
		int rc = unfit ? 0 : rebuild_one(r, at);
		*ret_merged += merged;
		if (unfit)
			leave(t, unfit);
		else if (regions_is_huge(r, at))
			t->done++;
		else
			leave(t, rc == -ENOMEM ? "no huge page is to be had" : rc ? strerror(-rc) : "it did not last");
		t->os = rc ? -rc : t->os;
	}
}

/* A huge page's worth for each region that is to be rebuilt: what merging and freeing gave back is not known. */
static const char *cannot_afford(const struct regions *r, uint64_t regions, char why[200])
{
	struct machine machine = { 0 };
	proc_machine(r->root, &machine);
	if (!is_known(machine.available_bytes) || !is_known(machine.total_bytes))
		return "how much memory there is can't be read";
	uint64_t need = regions * r->pmd_bytes, margin = machine.total_bytes.number / MARGIN_PART;
	if (need + margin <= (uint64_t)machine.available_bytes.number)
		return NULL;
	snprintf(why, 200, "it may need %s and keep %s free, and %s are available", show_bytes(need).text,
		 show_bytes(margin).text, show_bytes(machine.available_bytes.number).text);
	return why;
}

/* ---- there ---- */

static bool wants(struct reshaping *s, enum change_kind kind, uint64_t at)
{
	bool merged, huge = regions_is_huge(&s->regions, at);
	return kind == CHANGE_BREAK ? huge : !huge && !regions_unfit(&s->regions, at, &merged);
}

/* Journal what is to be changed; adjoining regions as one. */
static int intend(struct reshaping *s, size_t index, struct error *err)
{
	const struct change *c = &s->plan->changes[index];
	uint64_t first = regions_first(&s->regions, c->start), last = regions_last(&s->regions, c->end);
	size_t before = s->journal->count;
	int rc = 0;
	for (uint64_t at = first, run; !rc && at < last; at = run + s->regions.pmd_bytes) {
		for (run = at; run < last && wants(s, c->kind, run); run += s->regions.pmd_bytes)
			;
		const struct record record = { .kind = c->kind == CHANGE_BREAK ? RECORD_BREAK : RECORD_REBUILD,
					       .pid = c->pid, .start_ticks = c->start_ticks, .since_ticks = ticks_now(),
					       .start = at, .end = run, .change = index };
		if (run > at)
			rc = journal_add(s->journal, &record, err);
	}
	if (!rc && s->journal->count == before)
		result_set(&s->results[index], CHANGE_DONE, c->kind == CHANGE_BREAK ? "there is no huge page any more"
			   : "there is nothing that could be made a huge page");
	return rc;
}

/* What a change came to; of several records the sum. */
static void conclude(struct reshaping *s, size_t index, const struct tally *t)
{
	struct change_result *result = &s->results[index];
	const char *what = s->plan->changes[index].kind == CHANGE_BREAK ? "broken" : "rebuilt";
	unsigned int all = t->done + t->already + t->left;
	if (t->left)
		result_set(result, t->done + t->already ? CHANGE_DONE : CHANGE_REFUSED, "%u of %u %s; left: %s",
			   t->done + t->already, all, what, t->why);
	else
		result_set(result, CHANGE_DONE, "%u %s", all, what);
}

static void carry_out(struct reshaping *s, size_t index)
{
	struct tally sum = { 0 };
	bool any = false;
	for (size_t i = s->first_record; i < s->journal->count; i++) {
		const struct record *r = &s->journal->records[i];
		struct tally one = sum;
		unsigned int merged = 0;
		if (r->change != index)
			continue;
		any = true;
		if (r->kind == RECORD_BREAK)
			break_all(&s->regions, r->start, r->end, &sum);
		else
			rebuild_all(&s->regions, r->start, r->end, &sum, &merged);
		/* where nothing of it was changed, nothing is to be taken back */
		journal_note(s->journal, i, sum.done > one.done || sum.already > one.already ? RECORD_DONE
											      : RECORD_REFUSED);
	}
	if (any)
		conclude(s, index, &sum);
}

static int intend_all(struct reshaping *s, struct error *err)
{
	char why[200];
	uint64_t wanted = 0;
	int rc = 0;
	for (size_t i = s->first; !rc && i < s->end; i++)
		rc = intend(s, i, err);
	for (size_t i = s->first_record; i < s->journal->count; i++)
		if (s->journal->records[i].kind == RECORD_REBUILD)
			wanted += (s->journal->records[i].end - s->journal->records[i].start) / s->regions.pmd_bytes;
	const char *dear = wanted ? cannot_afford(&s->regions, wanted, why) : NULL;
	for (size_t i = s->first_record; dear && i < s->journal->count; i++)
		journal_note(s->journal, i, RECORD_REFUSED);
	if (dear)
		set_all(s, CHANGE_REFUSED, dear);
	if (!rc && s->journal->count > s->first_record)
		rc = journal_sync(s->journal, err);
	return rc;
}

static int reshape_open(struct reshaping *s, struct error *err)
{
	int rc = intend_all(s, err);
	for (size_t i = s->first; !rc && i < s->end; i++)
		if (s->results[i].outcome == CHANGE_PENDING)
			carry_out(s, i);
	if (!rc && process_ended(s->regions.root, s->regions.process.task.pid, s->regions.process.task.start_ticks))
		for (size_t i = s->first; i < s->end; i++)
			result_set(&s->results[i], CHANGE_GONE, "the process ended meanwhile");
	return rc;
}

static const char *const not_open[] = {
	[NOT_READ] = "not looked at", [KNOWN] = "", [GONE] = "the process has ended",
	[ABSENT] = "this kernel has no huge pages, or can't give advice to others (5.10)",
	[DENIED] = "its memory may not be looked at",
};

int reshape(const struct sysroot *root, struct journal *journal, const struct plan *plan, size_t first, size_t end,
	    struct change_result *results, struct error *err)
{
	struct reshaping s = { .journal = journal, .plan = plan, .results = results, .first = first, .end = end,
			       .first_record = journal->count };
	const struct change *c = &plan->changes[first];

	if (!root->live) {
		set_all(&s, CHANGE_REFUSED, "it is a process of a captured system");
		return 0;
	}
	enum known known = regions_open(&s.regions, root, c->pid, c->start_ticks);
	if (known != KNOWN) {
		set_all(&s, known == GONE ? CHANGE_GONE : CHANGE_REFUSED, not_open[known]);
		return 0;
	}
	int rc = reshape_open(&s, err);
	regions_close(&s.regions);
	return rc;
}

/* ---- and back ---- */

/* An opt-in of ours in the same process that could not be taken back: its merged pages are in the way. */
static bool has_open_opt_in(const struct journal *journal, const struct record *of)
{
	for (size_t i = 0; i < journal->count; i++) {
		const struct record *r = &journal->records[i];
		if (r->pid == of->pid && r->start_ticks == of->start_ticks && record_open(r) &&
		    record_lever(r) == LEVER_OPT_IN)
			return true;
	}
	return false;
}

static uint64_t count_broken(struct regions *r, const struct journal *journal, const size_t *records, size_t count)
{
	uint64_t broken = 0;
	for (size_t i = 0; i < count; i++) {
		const struct record *one = &journal->records[records[i]];
		for (uint64_t at = one->start; one->kind == RECORD_BREAK && at < one->end; at += r->pmd_bytes)
			broken += !regions_is_huge(r, at);
	}
	return broken;
}

static void back_all(struct regions *r, const struct journal *journal, const size_t *records, size_t count,
		     struct change_result *ret)
{
	struct tally t = { 0 };
	unsigned int merged = 0;
	for (size_t i = 0; i < count; i++) {
		const struct record *one = &journal->records[records[i]];
		if (one->kind == RECORD_BREAK)
			rebuild_all(r, one->start, one->end, &t, &merged);
		else
			break_all(r, one->start, one->end, &t);
	}
	if (t.left && (t.os == ENOMEM || t.os == EAGAIN || t.os == EPERM ||
		       (merged && has_open_opt_in(journal, &journal->records[records[0]]))))
		result_set(ret, CHANGE_STUCK, "%u huge pages as they were, %u not: %s", t.done + t.already, t.left, t.why);
	else if (t.left)
		result_set(ret, t.done + t.already ? CHANGE_RESTORED : CHANGE_FOREIGN,
			   "%u huge pages as they were, %u left alone: %s", t.done + t.already, t.left, t.why);
	else
		result_set(ret, CHANGE_RESTORED, "%u huge pages as they were", t.done + t.already);
}

static void back_open(struct regions *r, const struct journal *journal, const size_t *records, size_t count,
		      struct change_result *ret)
{
	char why[200];
	const struct record *first = &journal->records[records[0]];
	uint64_t broken = count_broken(r, journal, records, count);
	const char *dear = broken ? cannot_afford(r, broken, why) : NULL;
	if (dear)
		result_set(ret, CHANGE_STUCK, "huge pages not rebuilt: %s; free memory and undo again", dear);
	else
		back_all(r, journal, records, count, ret);
	if (ret->outcome != CHANGE_RESTORED && process_ended(r->root, first->pid, first->start_ticks))
		result_set(ret, CHANGE_GONE, "the process has ended");
}

void reshape_back(const struct sysroot *root, struct journal *journal, const size_t *records, size_t count,
		  struct change_result *ret)
{
	static const enum record_state noted[] = {
		[CHANGE_RESTORED] = RECORD_RESTORED, [CHANGE_FOREIGN] = RECORD_FOREIGN, [CHANGE_GONE] = RECORD_GONE,
	};
	const struct record *first = &journal->records[records[0]];
	struct regions regions;
	enum known known = root->live ? regions_open(&regions, root, first->pid, first->start_ticks) : ABSENT;

	if (known == KNOWN) {
		back_open(&regions, journal, records, count, ret);
		regions_close(&regions);
	} else {
		result_set(ret, known == GONE ? CHANGE_GONE : CHANGE_STUCK, "%s", root->live ? not_open[known]
			   : "it is a process of a captured system");
	}
	for (size_t i = 0; ret->outcome != CHANGE_STUCK && i < count; i++)
		journal_note(journal, records[i], noted[ret->outcome]);
}
