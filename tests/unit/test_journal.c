// SPDX-License-Identifier: GPL-2.0-or-later
/* The journal: what is written is read again, a torn end is survived, and rubbish is refused where it stands. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "act/journal.h"

#define BYTES 8192

struct fixture {
	char path[64];
	struct state_dir state;
};

static int set_up(void **context)
{
	struct fixture *f = calloc(1, sizeof(*f));
	strcpy(f->path, "/tmp/journal.XXXXXX");
	*context = f;
	return !mkdtemp(f->path) || state_open(&f->state, f->path, 0, NULL);
}

static int tear_down(void **context)
{
	struct fixture *f = *context;
	char (*names)[JOURNAL_NAME_BYTES];
	size_t count;
	state_journals(&f->state, &names, &count, NULL);
	for (size_t i = 0; i < count; i++)
		unlinkat(f->state.dir, names[i], 0);
	free(names);
	unlinkat(f->state.dir, "lock", 0);
	state_close(&f->state);
	rmdir(f->path);
	free(f);
	return 0;
}

static const struct record examples[] = {
	{ .kind = RECORD_KNOB, .knob = KNOB_ADVISOR_MODE, .before = 1, .after = 0 },
	{ .kind = RECORD_KNOB, .knob = KNOB_PAGES_TO_SCAN, .before = 1009, .after = JOURNAL_ANY },
	{ .kind = RECORD_FOUND, .pid = 23, .start_ticks = 7919, .start = 0x7f0000001000, .end = 0x7f0000002000 },
	{ .kind = RECORD_PRCTL, .pid = 23, .start_ticks = 7919, .since_ticks = 8000 },
	{ .kind = RECORD_MADVISE, .pid = 4194303, .start_ticks = UINT64_MAX, .since_ticks = 1, .start = 0x1000,
	  .end = 0x7ffffffff000 },
	{ .kind = RECORD_KNOB, .knob = KNOB_RUN, .before = 0, .after = 1 },
};
#define EXAMPLES (sizeof(examples) / sizeof(examples[0]))

static void write_examples(struct journal *j, const struct fixture *f)
{
	assert_int_equal(journal_create(j, &f->state, "1234-abcd", NULL), 0);
	for (size_t i = 0; i < EXAMPLES; i++)
		assert_int_equal(journal_add(j, &examples[i], NULL), 0);
	journal_note(j, 0, RECORD_DONE);
	journal_note(j, 4, RECORD_REFUSED);
	journal_note(j, 0, RECORD_RESTORED);
	assert_int_equal(journal_sync(j, NULL), 0);
}

static void check_examples(const struct journal *j)
{
	assert_int_equal(j->count, EXAMPLES);
	assert_string_equal(j->boot, "1234-abcd");
	for (size_t i = 0; i < EXAMPLES; i++) {
		const struct record *a = &j->records[i], *b = &examples[i];
		assert_int_equal(a->kind, b->kind);
		assert_int_equal(a->knob, b->knob);
		assert_int_equal(a->before, b->before);
		assert_int_equal(a->after, b->after);
		assert_int_equal(a->pid, b->pid);
		assert_int_equal(a->start_ticks, b->start_ticks);
		assert_int_equal(a->since_ticks, b->since_ticks);
		assert_int_equal(a->start, b->start);
		assert_int_equal(a->end, b->end);
	}
	assert_int_equal(j->records[0].state, RECORD_RESTORED);
	assert_int_equal(j->records[4].state, RECORD_REFUSED);
	assert_int_equal(j->records[5].state, RECORD_INTENDED);
	assert_int_equal(journal_open_records(j), 3);		/* pages_to_scan, prctl, run */
}

/* The bytes of a journal with the examples in it; the file is left behind under *name. */
static size_t example_bytes(const struct fixture *f, char *bytes, char name[JOURNAL_NAME_BYTES])
{
	struct journal j;
	write_examples(&j, f);
	strcpy(name, j.name);
	ssize_t n = pread(j.fd, bytes, BYTES, 0);
	assert_true(n > 0 && n < BYTES);
	assert_int_equal(n, j.length);
	journal_close(&j);
	return n;
}

static void what_is_written_is_read(void **context)
{
	const struct fixture *f = *context;
	struct journal j;
	struct stat st;
	char name[JOURNAL_NAME_BYTES];
	write_examples(&j, f);
	check_examples(&j);
	assert_int_equal(fstat(j.fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	strcpy(name, j.name);
	journal_close(&j);

	assert_int_equal(journal_load(&j, &f->state, name, NULL), 0);
	check_examples(&j);
	assert_false(j.torn);
	journal_note(&j, 5, RECORD_RESTORED);
	journal_close(&j);
	assert_int_equal(journal_load(&j, &f->state, name, NULL), 0);
	assert_int_equal(journal_open_records(&j), 2);
	journal_close(&j);
}

/* Cut after every byte: what stands before the cut is read, and writing goes on after it. */
static void a_torn_end_is_survived(void **context)
{
	const struct fixture *f = *context;
	struct journal j;
	char bytes[BYTES], name[JOURNAL_NAME_BYTES];
	size_t length = example_bytes(f, bytes, name);
	unsigned int lines = 0;
	for (size_t cut = 0; cut <= length; cut++) {
		lines += cut && bytes[cut - 1] == '\n';
		bool whole = !cut || bytes[cut - 1] == '\n';
		int fd = openat(f->state.dir, name, O_WRONLY | O_TRUNC);
		assert_int_equal(write(fd, bytes, cut), cut);
		close(fd);
		assert_int_equal(journal_load(&j, &f->state, name, NULL), 0);
		assert_int_equal(j.lines, lines);
		assert_int_equal(j.torn, !whole);
		if (lines) {
			assert_int_equal(journal_add(&j, &examples[5], NULL), 0);
			journal_close(&j);
			assert_int_equal(journal_load(&j, &f->state, name, NULL), 0);
			assert_int_equal(j.lines, lines + 1);
			assert_false(j.torn);
		}
		journal_close(&j);
	}
}

/* Every bit counts: any single one that is wrong is noticed, on its line or by the line that is missing. */
static void every_flipped_bit_is_noticed(void **context)
{
	const struct fixture *f = *context;
	char bytes[BYTES], name[JOURNAL_NAME_BYTES];
	size_t length = example_bytes(f, bytes, name);
	/* without the last newline: that is a torn line */
	for (size_t bit = 0; bit < (length - 1) * 8; bit++) {
		struct error err = { 0 };
		struct journal j;
		bytes[bit / 8] ^= 1 << bit % 8;
		assert_int_equal(journal_parse(&j, bytes, length, "J", &err), -EXIT_FAILED);
		bytes[bit / 8] ^= 1 << bit % 8;
	}
}

static void lines_taken_out_or_moved_are_noticed(void **context)
{
	const struct fixture *f = *context;
	char bytes[BYTES], without[BYTES], name[JOURNAL_NAME_BYTES];
	size_t length = example_bytes(f, bytes, name);
	unsigned int line = 0;
	for (size_t at = 0; at < length; ) {
		size_t next = (char *)memchr(bytes + at, '\n', length - at) - bytes + 1;
		struct error err;
		struct journal j;
		char where[16];
		memcpy(without, bytes, at);
		memcpy(without + at, bytes + next, length - next);
		line++;
		snprintf(where, sizeof(where), "J:%u:", line);
		if (next < length) {
			assert_int_equal(journal_parse(&j, without, length - (next - at), "J", &err), -EXIT_FAILED);
			assert_non_null(strstr(err.text, where));
		}
		at = next;
	}
}

/* Well-formed lines with a right checksum that say nonsense. */
static void nonsense_is_refused(void **context)
{
	static const char *const nonsense[] = {
		"", "hello", "begin ksmscope-journal/1 1234", "knob", "knob run 0", "knob run 0 1 2", "knob nosuch 0 1",
		"knob pages_sharing 0 1", "knob run x 1", "knob run 0 1x", "knob run  0 1",
		"knob run 0 -9223372036854775808", "knob run 0 9223372036854775808", "prctl 0 1 1", "prctl -1 1 1",
		"prctl 2147483648 1 1", "prctl 1 1",
		"madvise 1 1 1 0x2000 0x1000", "madvise 1 1 1 0x1000 0x1000", "madvise 1 1 1 0x1000 0x2000 ",
		"madvise 1 1 0x1000 0x2000",
		"found 1 1 0x1000", "found 1 1 0x1000 0xg", "state 1 done", "state 2 intended", "state 2 nothing",
		"state 3 done",
		"state 2", "state x done", "restored 2", "knob run 0 1 2 3 4 5 6 7 8",
	};
	(void)context;
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		const char *const lines[] = { "begin ksmscope-journal/1 1234", "knob run 0 1", nonsense[i] };
		char bytes[1024];
		size_t length = 0;
		for (unsigned int k = 0; k < 3; k++) {
			char text[512];
			snprintf(text, sizeof(text), "%u %s", k + 1, lines[k]);
			unsigned long crc = crc32(0, (const Bytef *)text, strlen(text));
			length += snprintf(bytes + length, sizeof(bytes) - length, "%08lx %s\n", crc, text);
		}
		struct error err;
		struct journal j;
		int rc = journal_parse(&j, bytes, length, "J", &err);
		if (!rc)
			print_message("accepted: %s\n", nonsense[i]);
		assert_int_equal(rc, -EXIT_FAILED);
		assert_non_null(strstr(err.text, "J:3:"));
	}
}

static void a_journal_begins_with_its_format(void **context)
{
	static const char *const firsts[] = { "knob run 0 1", "begin ksmscope-journal/2 1234",
					      "begin ksmscope-journal/1",
					      "begin ksmscope-journal/1 0123456789012345678901234567890123456789" };
	(void)context;
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		char text[256], bytes[512];
		struct error err;
		struct journal j;
		snprintf(text, sizeof(text), "1 %s", firsts[i]);
		int length = snprintf(bytes, sizeof(bytes), "%08lx %s\n", crc32(0, (const Bytef *)text, strlen(text)),
				      text);
		assert_int_equal(journal_parse(&j, bytes, length, "J", &err), -EXIT_FAILED);
		assert_non_null(strstr(err.text, "J:1:"));
	}
}

static void what_is_settled_is_removed(void **context)
{
	const struct fixture *f = *context;
	char (*names)[JOURNAL_NAME_BYTES];
	struct journal j;
	size_t count;
	write_examples(&j, f);
	journal_close_settled(&j);
	assert_int_equal(state_journals(&f->state, &names, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(journal_load(&j, &f->state, names[0], NULL), 0);
	free(names);
	for (size_t i = 0; i < j.count; i++)
		if (record_open(&j.records[i]))
			journal_note(&j, i, RECORD_GONE);
	journal_close_settled(&j);
	assert_int_equal(state_journals(&f->state, &names, &count, NULL), 0);
	assert_int_equal(count, 0);
	free(names);
}

/* A full disk: the line is not there, later ones are whole, and the caller knows. */
static void a_full_disk_is_an_error(void **context)
{
	struct error err;
	struct record record = examples[5];
	struct journal j = { .fd = open("/dev/full", O_WRONLY), .dir = -1, .name = "full" };
	(void)context;
	assert_int_equal(journal_add(&j, &record, &err), -EXIT_FAILED);
	assert_int_equal(j.count, 0);
	assert_int_equal(j.lines, 0);
	journal_close(&j);
}

static void a_directory_of_others_is_refused(void **context)
{
	const struct fixture *f = *context;
	struct state_dir other;
	struct error err;
	char path[80];
	snprintf(path, sizeof(path), "%s/open", f->path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, 0770), 0);
	assert_int_equal(state_open(&other, path, 0, &err), -EXIT_NOT_PERMITTED);
	rmdir(path);
	assert_int_equal(symlink("/tmp", path), 0);
	assert_true(state_open(&other, path, 0, &err) < 0);
	unlink(path);
	assert_int_equal(state_open(&other, f->path, 0, &err), -EXIT_FAILED);	/* the fixture holds its lock */
}

/* Held by a process that is putting things back for longer than any other holder is waited for. */
static void who_is_restoring_is_waited_for(void **context)
{
	struct fixture *f = *context;
	struct state_dir other;
	int status;
	state_restoring(&f->state);
	pid_t holder = fork();		/* it shares the lock */
	if (holder == 0) {
		usleep(1500000);
		_exit(0);
	}
	state_close(&f->state);
	assert_int_equal(state_open(&other, f->path, 0, NULL), -EXIT_FAILED);
	assert_int_equal(state_open(&f->state, f->path, 30, NULL), 0);
	waitpid(holder, &status, 0);
	assert_int_equal(state_open(&other, f->path, 1.5, NULL), -EXIT_FAILED);	/* the word went with its holder */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_written_is_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_torn_end_is_survived, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_flipped_bit_is_noticed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lines_taken_out_or_moved_are_noticed, set_up, tear_down),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(a_journal_begins_with_its_format),
		cmocka_unit_test_setup_teardown(what_is_settled_is_removed, set_up, tear_down),
		cmocka_unit_test(a_full_disk_is_an_error),
		cmocka_unit_test_setup_teardown(a_directory_of_others_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_is_restoring_is_waited_for, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
