// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/knob_change.h"

#include <inttypes.h>

#include "sys/ksm_read.h"
#include "sys/ksm_write.h"

static int fail_read(enum knob knob, enum known known, struct error *err)
{
	enum exit_status status = known == DENIED ? EXIT_NOT_PERMITTED : EXIT_KERNEL_CANNOT;
	return fail(err, status, "can't read /" KSM_DIRECTORY "/%s (%s): what can't be put back is not written",
		    knobs[knob].name, known_name(known));
}

static int add_knob(struct journal *journal, enum knob knob, int64_t before, int64_t after, size_t index,
		    struct error *err)
{
	struct record record = { .kind = RECORD_KNOB, .knob = knob, .before = before, .after = after, .change = index };
	return journal_add(journal, &record, err);
}

/* Switching the advisor on overwrites pages_to_scan. */
static int add_side_effect(const struct sysroot *root, struct journal *journal, const struct change *change,
			   struct error *err)
{
	if (change->knob != KNOB_ADVISOR_MODE || change->after == ADVISOR_NONE)
		return 0;
	struct value now = ksm_knob_read(root, KNOB_PAGES_TO_SCAN);
	if (!is_known(now))
		return fail_read(KNOB_PAGES_TO_SCAN, now.known, err);
	return add_knob(journal, KNOB_PAGES_TO_SCAN, now.number, JOURNAL_ANY, SIZE_MAX, err);
}

static int journal_then_write(const struct sysroot *root, struct journal *journal, const struct change *change,
			      size_t index, int64_t found, struct error *err)
{
	int rc = add_side_effect(root, journal, change, err);
	if (!rc)
		rc = add_knob(journal, change->knob, found, change->after, index, err);
	if (!rc)
		rc = journal_sync(journal, err);
	/* a write that failed leaves its record open: restoring looks at what is there, not at what was meant */
	if (!rc)
		rc = ksm_knob_write(root, change->knob, change->after, err);
	if (!rc)
		journal_note(journal, journal->count - 1, RECORD_DONE);
	return rc;
}

int knob_change(const struct sysroot *root, struct journal *journal, const struct change *change, size_t index,
		struct change_result *ret, struct error *err)
{
	struct value found = ksm_knob_read(root, change->knob);
	int rc = is_known(found) ? 0 : fail_read(change->knob, found.known, err);
	if (!rc && found.number == change->after) {
		result_set(ret, CHANGE_DONE, "was %" PRId64 " already", found.number);
		return 0;
	}
	if (!rc)
		rc = journal_then_write(root, journal, change, index, found.number, err);
	if (rc) {
		result_set(ret, CHANGE_REFUSED, "%s", err->text);
		return rc;
	}
	ret->outcome = CHANGE_DONE;
	if (found.number != change->before)
		result_set(ret, CHANGE_DONE, "was %" PRId64 " when it was written, not %" PRId64, found.number,
			   change->before);
	return 0;
}

/* The open record of our last write of this knob; journal->count where there is none. */
static size_t last_write(const struct journal *journal, enum knob knob)
{
	for (size_t i = journal->count; i-- > 0; ) {
		const struct record *r = &journal->records[i];
		if (r->kind == RECORD_KNOB && r->knob == knob && record_open(r) && r->after != JOURNAL_ANY)
			return i;
	}
	return journal->count;
}

/*
 * A new record with the old way back, then the write, then the old record is
 * closed: where we are killed between any two of these, one of both fits what
 * is there, and the other one is seen not to.
 */
void knob_rewrite(const struct sysroot *root, struct journal *journal, const struct change *change, size_t index,
		  struct change_result *ret)
{
	struct value found = ksm_knob_read(root, change->knob);
	size_t last = last_write(journal, change->knob), before = journal->count;
	bool ours = last < before && journal->records[last].after == found.number;
	int64_t way_back = ours ? journal->records[last].before : found.number;
	struct error err;
	int rc = is_known(found) ? 0 : fail_read(change->knob, found.known, &err);

	if (!rc && found.number != change->before) {
		result_set(ret, CHANGE_FOREIGN, "is %" PRId64 ", not %" PRId64 " as a moment ago: left alone", found.number,
			   change->before);
		return;
	}
	if (!rc)
		rc = journal_then_write(root, journal, change, index, way_back, &err);
	if (rc)
		result_set(ret, CHANGE_REFUSED, "%s", err.text);
	else
		ret->outcome = CHANGE_DONE;
	if (!rc && last < before)
		journal_note(journal, last, ours ? RECORD_REPLACED : RECORD_FOREIGN);
}

static bool advisor_is_on(const struct sysroot *root)
{
	return value_or(ksm_knob_read(root, KNOB_ADVISOR_MODE), ADVISOR_NONE) != ADVISOR_NONE;
}

static void write_back(const struct sysroot *root, const struct record *r, int64_t target, struct change_result *ret)
{
	struct error err;
	if (ksm_knob_write(root, r->knob, target, &err))
		result_set(ret, CHANGE_STUCK, "%s", err.text);
	else if (target != r->before)
		result_set(ret, CHANGE_RESTORED, "put back to %" PRId64 "; it was %" PRId64 ", which would unmerge "
			   "everything and is never written", target, r->before);
	else
		result_set(ret, CHANGE_RESTORED, "put back to %" PRId64, target);
}

void knob_restore(const struct sysroot *root, struct journal *journal, size_t record, struct change_result *ret)
{
	const struct record *r = &journal->records[record];
	int64_t target = r->knob == KNOB_RUN && r->before == 2 ? 0 : r->before;
	struct value now = ksm_knob_read(root, r->knob);

	if (!is_known(now))
		result_set(ret, CHANGE_STUCK, "can't be read any more (%s)", known_name(now.known));
	else if (now.number == target)
		result_set(ret, CHANGE_RESTORED, "is %" PRId64 ", as it was", target);
	else if (r->knob == KNOB_PAGES_TO_SCAN && advisor_is_on(root))
		result_set(ret, CHANGE_FOREIGN, "the kernel's advisor sets it now: left to it");
	else if (r->after != JOURNAL_ANY && now.number != r->after)
		result_set(ret, CHANGE_FOREIGN, "somebody set it to %" PRId64 " since (it was %" PRId64 ", we wrote %"
			   PRId64 "): left alone", now.number, r->before, r->after);
	else
		write_back(root, r, target, ret);
	if (ret->outcome != CHANGE_STUCK)
		journal_note(journal, record, ret->outcome == CHANGE_FOREIGN ? RECORD_FOREIGN : RECORD_RESTORED);
}
