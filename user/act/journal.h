/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal of one run: what was found and what was about to be written, on
 * disk before it is written, so that the journal alone is enough to undo.
 *
 * A text file, one record per line:
 *
 *	<crc32, 8 hex digits> <line number> <record>
 *
 *	begin ksmscope-journal/1 <boot id>
 *	knob <name> <before> <after>		after "any": the kernel changes it behind our write
 *	madvise <pid> <start ticks> <since ticks> <start> <end>
 *	prctl <pid> <start ticks> <since ticks>
 *	break <pid> <start ticks> <since ticks> <start> <end>	huge pages in it were whole
 *	rebuild <pid> <start ticks> <since ticks> <start> <end>	there were none in it
 *	optout <pid> <start ticks> <since ticks> <start> <end>	was mergeable
 *	found <pid> <start ticks> <start> <end>	was mergeable before our prctl
 *	damon <mark>				there was none; ours is told by its mark
 *	state <line number of a record> done|refused|restored|foreign|gone|replaced
 *
 * The checksum covers what follows it on the line. A last line without its
 * newline was torn by a crash; it had not been synced, so nothing was written
 * for it: it is ignored and reported. Anything else that is not as above is
 * refused with file and line: what is written by it can't be trusted.
 *
 * Ticks are clock ticks since boot, as start_ticks of /proc/PID/stat; they
 * and PIDs mean something in the boot of <boot id> only.
 */
#ifndef KSMSCOPE_ACT_JOURNAL_H
#define KSMSCOPE_ACT_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "act/state.h"
#include "base/error.h"
#include "core/judge/plan.h"
#include "core/knobs.h"

#define BOOT_ID_BYTES 40
#define JOURNAL_ANY INT64_MIN		/* record.after: not our value, restore whatever is there */

enum record_kind {
	RECORD_KNOB, RECORD_MADVISE, RECORD_PRCTL, RECORD_FOUND,
	RECORD_BREAK, RECORD_REBUILD, RECORD_OPT_OUT, RECORD_DAMON,
};

enum record_state {
	RECORD_INTENDED,	/* about to be written; perhaps it was, perhaps not */
	RECORD_DONE,
	RECORD_REFUSED,		/* by the target: nothing to take back */
	RECORD_RESTORED,
	RECORD_FOREIGN,		/* somebody else changed it since: left alone */
	RECORD_GONE,		/* its process ended */
	RECORD_REPLACED,	/* a later record of the same knob has its way back */
};

struct record {
	enum record_kind kind;
	enum record_state state;
	unsigned int line;
	enum knob knob;			/* RECORD_KNOB */
	int64_t before, after;		/* RECORD_DAMON: after, the mark */
	pid_t pid;			/* the other kinds */
	uint64_t start_ticks;		/* when the process started */
	uint64_t since_ticks;		/* when the change was made: children that are younger inherited it */
	uint64_t start, end;		/* all but RECORD_KNOB, RECORD_PRCTL and RECORD_DAMON */
	size_t change;			/* index into the plan; not in the file */
};

struct journal {
	int fd;				/* -1: parsed from memory */
	int dir;			/* the state directory, to remove it */
	char name[JOURNAL_NAME_BYTES];
	char boot[BOOT_ID_BYTES];
	struct record *records;
	size_t count;
	unsigned int lines;		/* complete ones */
	size_t length;			/* bytes of complete lines */
	bool torn;			/* a torn last line was ignored */
	bool broken;			/* half a line could not be cut off: nothing is appended any more */
};

/* A new, empty journal in the state directory. `boot`: the boot id, "-" where unknown. */
int journal_create(struct journal *ret, const struct state_dir *state, const char *boot, struct error *err);

/* Read one that is there, to be gone on with; a torn last line is cut off. */
int journal_load(struct journal *ret, const struct state_dir *state, const char *name, struct error *err);

/* The parser alone; `where` is the file's name for messages. */
int journal_parse(struct journal *ret, const char *bytes, size_t length, const char *where, struct error *err);

/*
 * Append a record (its `line` and state are set here), not yet safe:
 * journal_sync() makes all that was appended durable. Only then write.
 */
int journal_add(struct journal *journal, const struct record *record, struct error *err);
int journal_sync(struct journal *journal, struct error *err);

/* Note what became of a record. Not synced: losing it costs a repeated, harmless look at the next undo. */
void journal_note(struct journal *journal, size_t record, enum record_state state);

/* By which lever it was made, and is taken back. */
enum lever record_lever(const struct record *record);

/* Of the machine, not of a process. */
static inline bool record_of_machine(const struct record *record)
{
	return record->kind == RECORD_KNOB || record->kind == RECORD_DAMON;
}

/* Is there something to take back? */
static inline bool record_open(const struct record *record)
{
	return record->kind != RECORD_FOUND && record->state <= RECORD_DONE;
}

/*
 * Begin a new file with what is open still, and remove the old one: for who
 * writes for weeks. Afterwards ret->name is another. Where it fails, the old
 * one is gone on with. While both are there, undoing by both does no harm.
 */
int journal_renew(struct journal *journal, const struct state_dir *state, struct error *err);

size_t journal_open_records(const struct journal *journal);

/* Close; and remove the file where nothing is open any more. */
void journal_close(struct journal *journal);
void journal_close_settled(struct journal *journal);

#endif
