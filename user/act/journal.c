// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/search.h"
#include "sys/whole_file.h"

#define FORMAT "ksmscope-journal/1"
#define LINE_BYTES 256
#define CHECKSUM_BYTES 9			/* eight digits and a blank */
#define MOST_WORDS 8
#define MOST_BYTES (256u << 20)

static const char *const state_names[] = {
	[RECORD_INTENDED] = "intended",
	[RECORD_DONE] = "done",
	[RECORD_REFUSED] = "refused",
	[RECORD_RESTORED] = "restored",
	[RECORD_FOREIGN] = "foreign",
	[RECORD_GONE] = "gone",
	[RECORD_REPLACED] = "replaced",
};

static uint32_t checksum(const char *bytes, size_t length)
{
	return (uint32_t)crc32(0, (const Bytef *)bytes, (uInt)length);
}

/* ---- reading ---- */

static struct record *add_record(struct journal *j, const struct record *record)
{
	/* room doubles at powers of two: it follows from the count */
	if ((j->count & (j->count - 1)) == 0) {
		struct record *more = realloc(j->records, (j->count ? j->count * 2 : 1) * sizeof(*more));
		if (!more)
			return NULL;
		j->records = more;
	}
	j->records[j->count] = *record;
	return &j->records[j->count++];
}

static bool parse_knob(struct record *r, char *const *words)
{
	for (r->knob = 0; r->knob < KNOB_COUNT; r->knob++)
		if (knob_writable(r->knob) && !strcmp(knobs[r->knob].name, words[0]))
			break;
	if (r->knob == KNOB_COUNT || !parse_i64(words[1], &r->before))
		return false;
	if (!strcmp(words[2], "any")) {
		r->after = JOURNAL_ANY;
		return true;
	}
	return parse_i64(words[2], &r->after) && r->after != JOURNAL_ANY;
}

static bool parse_process(struct record *r, char *const *words)
{
	uint64_t pid;
	if (!parse_u64(words[0], &pid) || !pid || pid > INT32_MAX || !parse_u64(words[1], &r->start_ticks))
		return false;
	r->pid = (pid_t)pid;
	return true;
}

static bool parse_range(struct record *r, char *const *words)
{
	return parse_hex64(words[0], &r->start) && parse_hex64(words[1], &r->end) && r->start < r->end;
}

static bool parse_madvise(struct record *r, char *const *words)
{
	return parse_process(r, words) && parse_u64(words[2], &r->since_ticks) && parse_range(r, words + 3);
}

static bool parse_prctl(struct record *r, char *const *words)
{
	return parse_process(r, words) && parse_u64(words[2], &r->since_ticks);
}

static bool parse_found(struct record *r, char *const *words)
{
	return parse_process(r, words) && parse_range(r, words + 2);
}

static bool parse_damon(struct record *r, char *const *words)
{
	return parse_i64(words[0], &r->after) && r->after > 0;
}

static const struct {
	const char *name;
	size_t words;
	bool (*parse)(struct record *record, char *const *words);
} kinds[] = {
	[RECORD_KNOB] = { "knob", 3, parse_knob },
	[RECORD_MADVISE] = { "madvise", 5, parse_madvise },
	[RECORD_PRCTL] = { "prctl", 3, parse_prctl },
	[RECORD_FOUND] = { "found", 4, parse_found },
	[RECORD_BREAK] = { "break", 5, parse_madvise },
	[RECORD_REBUILD] = { "rebuild", 5, parse_madvise },
	[RECORD_OPT_OUT] = { "optout", 5, parse_madvise },
	[RECORD_DAMON] = { "damon", 1, parse_damon },
};

static struct record *record_at_line(struct journal *j, uint64_t line)
{
	size_t at = partition_point(j->count, i, j->records[i].line < line);

	return at < j->count && j->records[at].line == line ? &j->records[at] : NULL;
}

static bool read_state(struct journal *j, char *const *words, size_t count)
{
	uint64_t line;
	if (count != 2 || !parse_u64(words[0], &line))
		return false;
	struct record *record = record_at_line(j, line);
	for (size_t state = RECORD_DONE; record && state <= RECORD_REPLACED; state++) {
		if (!strcmp(words[1], state_names[state])) {
			record->state = state;
			return true;
		}
	}
	return false;
}

static bool read_begin(struct journal *j, char *const *words, size_t count)
{
	if (count != 2 || strcmp(words[0], FORMAT) || strlen(words[1]) >= sizeof(j->boot))
		return false;
	strcpy(j->boot, words[1]);
	return true;
}

/* The words after the line's number. */
static const char *read_words(struct journal *j, char *const *words, size_t count)
{
	static const char malformed[] = "malformed record";
	if (!strcmp(words[0], "begin") != (j->lines == 0))
		return "a journal begins, once, with its format";
	if (!strcmp(words[0], "begin"))
		return read_begin(j, words + 1, count - 1) ? NULL : "not a " FORMAT;
	if (!strcmp(words[0], "state"))
		return read_state(j, words + 1, count - 1) ? NULL : malformed;
	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
		if (strcmp(words[0], kinds[kind].name))
			continue;
		struct record record = { .kind = kind, .line = j->lines + 1, .change = SIZE_MAX };
		if (count - 1 != kinds[kind].words || !kinds[kind].parse(&record, words + 1))
			return malformed;
		return add_record(j, &record) ? NULL : "out of memory";
	}
	return "unknown record";
}

/* One complete line, without its newline. NULL, or what is wrong with it. */
static const char *read_line(struct journal *j, const char *bytes, size_t length)
{
	char line[LINE_BYTES], expected[CHECKSUM_BYTES + 1], *words[MOST_WORDS], *at = line + CHECKSUM_BYTES;
	uint64_t number;
	size_t count = 0;

	if (length >= sizeof(line) || length <= CHECKSUM_BYTES || memchr(bytes, '\0', length))
		return "not a line of a journal";
	memcpy(line, bytes, length);
	line[length] = '\0';
	snprintf(expected, sizeof(expected), "%08" PRIx32 " ", checksum(at, length - CHECKSUM_BYTES));
	if (memcmp(line, expected, CHECKSUM_BYTES))
		return "wrong checksum";
	while (at && count < MOST_WORDS)
		words[count++] = strsep(&at, " ");
	if (at || count < 2 || !parse_u64(words[0], &number))
		return "malformed record";
	if (number != j->lines + 1)
		return "lines are missing";
	return read_words(j, words + 1, count - 1);
}

int journal_parse(struct journal *ret, const char *bytes, size_t length, const char *where, struct error *err)
{
	*ret = (struct journal){ .fd = -1, .dir = -1 };
	while (ret->length < length) {
		const char *line = bytes + ret->length, *newline = memchr(line, '\n', length - ret->length);
		if (!newline)
			break;
		const char *wrong = read_line(ret, line, newline - line);
		if (wrong) {
			int rc = fail(err, EXIT_FAILED, "%s:%u: %s: nothing is undone by a journal that can't be "
				      "trusted; look at it, and remove it by hand", where, ret->lines + 1, wrong);
			journal_close(ret);
			return rc;
		}
		ret->lines++;
		ret->length += newline - line + 1;
	}
	ret->torn = ret->length < length;
	return 0;
}

static int read_file(int fd, const char *where, char **ret, size_t *ret_length, struct error *err)
{
	struct stat st;
	if (fstat(fd, &st))
		return fail_errno(err, "stat", where, NULL);
	if (!S_ISREG(st.st_mode) || st.st_size > MOST_BYTES)
		return fail(err, EXIT_FAILED, "%s: not a journal", where);
	*ret = malloc(st.st_size + 1);
	if (!*ret)
		return fail(err, EXIT_FAILED, "%s: out of memory", where);
	/* all of it: what looks torn is cut off */
	ssize_t n = lseek(fd, 0, SEEK_SET) ? -1 : read_fully(fd, *ret, st.st_size);
	if (n < 0)
		return fail_errno(err, "read", where, NULL);
	*ret_length = n;
	return 0;
}

static int load_from(struct journal *ret, int fd, const char *where, struct error *err)
{
	scoped_free char *bytes = NULL;
	size_t length = 0;
	int rc = read_file(fd, where, &bytes, &length, err);
	if (!rc)
		rc = journal_parse(ret, bytes, length, where, err);
	if (!rc && ret->torn && ftruncate(fd, ret->length)) {
		rc = fail_errno(err, "cut the torn line of", where, NULL);
		journal_close(ret);
	}
	return rc;
}

int journal_load(struct journal *ret, const struct state_dir *state, const char *name, struct error *err)
{
	char where[512];
	*ret = (struct journal){ .fd = -1, .dir = -1 };
	snprintf(where, sizeof(where), "%s/%s", state->path, name);
	int fd = openat(state->dir, name, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(err, "open", where, NULL);
	int rc = load_from(ret, fd, where, err);
	if (rc) {
		close(fd);
		return rc;
	}
	ret->fd = fd;
	ret->dir = state->dir;
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	return 0;
}

/* ---- writing ---- */

__attribute__((format(printf, 3, 4)))
static int append(struct journal *j, struct error *err, const char *fmt, ...)
{
	char text[LINE_BYTES], line[LINE_BYTES + CHECKSUM_BYTES + 2];
	va_list args;
	if (j->broken)
		return fail(err, EXIT_FAILED, "the journal %s can't be written any more", j->name);
	int used = snprintf(text, sizeof(text), "%u ", j->lines + 1);
	va_start(args, fmt);
	used += vsnprintf(text + used, sizeof(text) - used, fmt, args);
	va_end(args);
	int length = snprintf(line, sizeof(line), "%08" PRIx32 " %s\n", checksum(text, used), text);

	if (write_fully(j->fd, line, length)) {
		int rc = fail_errno(err, "write the journal", j->name, "without it nothing is changed");
		/* half a line must not stand before a later, whole one */
		j->broken = ftruncate(j->fd, j->length) != 0;
		return rc;
	}
	j->lines++;
	j->length += length;
	return 0;
}

int journal_create(struct journal *ret, const struct state_dir *state, const char *boot, struct error *err)
{
	struct timespec now;
	*ret = (struct journal){ .fd = -1, .dir = state->dir };
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(ret->name, sizeof(ret->name), "%012lld.%09ld-%d%s%s.journal", (long long)now.tv_sec, now.tv_nsec,
		 (int)getpid(), state->owner ? "." : "", state->owner ? state->owner : "");
	snprintf(ret->boot, sizeof(ret->boot), "%s", boot);
	ret->fd = openat(state->dir, ret->name, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (ret->fd < 0)
		return fail_errno(err, "create a journal in", state->path, "without it nothing is changed");
	int rc = append(ret, err, "begin " FORMAT " %s", ret->boot);
	if (!rc && (fdatasync(ret->fd) || fsync(state->dir)))
		rc = fail_errno(err, "sync the journal", ret->name, "without it nothing is changed");
	if (rc)
		journal_close_settled(ret);
	return rc;
}

static int append_record(struct journal *j, const struct record *r, struct error *err)
{
	const char *kind = kinds[r->kind].name;
	switch (r->kind) {
	case RECORD_KNOB:
		if (r->after == JOURNAL_ANY)
			return append(j, err, "%s %s %" PRId64 " any", kind, knobs[r->knob].name, r->before);
		return append(j, err, "%s %s %" PRId64 " %" PRId64, kind, knobs[r->knob].name, r->before, r->after);
	case RECORD_MADVISE:
	case RECORD_BREAK:
	case RECORD_REBUILD:
	case RECORD_OPT_OUT:
		return append(j, err, "%s %d %" PRIu64 " %" PRIu64 " 0x%" PRIx64 " 0x%" PRIx64, kind, r->pid,
			      r->start_ticks, r->since_ticks, r->start, r->end);
	case RECORD_PRCTL:
		return append(j, err, "%s %d %" PRIu64 " %" PRIu64, kind, r->pid, r->start_ticks, r->since_ticks);
	case RECORD_DAMON:
		return append(j, err, "%s %" PRId64, kind, r->after);
	case RECORD_FOUND:
		return append(j, err, "%s %d %" PRIu64 " 0x%" PRIx64 " 0x%" PRIx64, kind, r->pid, r->start_ticks,
			      r->start, r->end);
	}
	return fail(err, EXIT_FAILED, "no such record");
}

int journal_add(struct journal *j, const struct record *record, struct error *err)
{
	struct record *added = add_record(j, record);
	if (!added)
		return fail(err, EXIT_FAILED, "out of memory for the journal");
	added->line = j->lines + 1;
	added->state = RECORD_INTENDED;
	int rc = append_record(j, added, err);
	if (rc)
		j->count--;
	return rc;
}

int journal_sync(struct journal *j, struct error *err)
{
	if (fdatasync(j->fd))
		return fail_errno(err, "sync the journal", j->name, "without it nothing is changed");
	return 0;
}

void journal_note(struct journal *j, size_t record, enum record_state state)
{
	j->records[record].state = state;
	append(j, NULL, "state %u %s", j->records[record].line, state_names[state]);
}

enum lever record_lever(const struct record *record)
{
	static const enum lever levers[] = {
		[RECORD_KNOB] = LEVER_KNOB, [RECORD_MADVISE] = LEVER_OPT_IN, [RECORD_PRCTL] = LEVER_OPT_IN,
		[RECORD_FOUND] = LEVER_OPT_IN, [RECORD_BREAK] = LEVER_SHAPE, [RECORD_REBUILD] = LEVER_SHAPE,
		[RECORD_OPT_OUT] = LEVER_OPT_OUT, [RECORD_DAMON] = LEVER_DAMON,
	};
	return levers[record->kind];
}

/* What was mergeable before is needed as long as the process is. */
static bool is_needed(const struct record *r)
{
	return record_open(r) || (r->kind == RECORD_FOUND && r->state == RECORD_INTENDED);
}

static int copy_open(struct journal *to, const struct journal *from, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < from->count; i++) {
		if (!is_needed(&from->records[i]))
			continue;
		rc = journal_add(to, &from->records[i], err);
		if (!rc && from->records[i].state != RECORD_INTENDED)
			journal_note(to, to->count - 1, from->records[i].state);
	}
	return rc ? rc : journal_sync(to, err);
}

int journal_renew(struct journal *j, const struct state_dir *state, struct error *err)
{
	struct journal fresh;
	int rc = journal_create(&fresh, state, j->boot, err);

	if (rc)
		return rc;
	rc = copy_open(&fresh, j, err);
	struct journal *old = rc ? &fresh : j;
	unlinkat(old->dir, old->name, 0);
	journal_close(old);
	if (!rc)
		*j = fresh;
	return rc;
}

size_t journal_open_records(const struct journal *j)
{
	size_t open = 0;
	for (size_t i = 0; i < j->count; i++)
		open += record_open(&j->records[i]);
	return open;
}

void journal_close(struct journal *j)
{
	if (j->fd >= 0)
		close(j->fd);
	free(j->records);
	*j = (struct journal){ .fd = -1, .dir = -1 };
}

void journal_close_settled(struct journal *j)
{
	if (j->fd >= 0 && !journal_open_records(j))
		unlinkat(j->dir, j->name, 0);
	journal_close(j);
}
