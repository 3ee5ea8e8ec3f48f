// SPDX-License-Identifier: GPL-2.0-or-later
/* Recordings: whole, torn at every byte, damaged at every byte, and what is none. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gather/recording.h"
#include "tests/unit/unit.h"

#define KIND "test/1"
#define SAMPLES 9

static char path[] = "/tmp/ksmscope-recording-XXXXXX";

static int make_path(void **state)
{
	(void)state;
	int fd = mkstemp(path);
	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static int remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

/* Sample `number`: the first is empty, the others are longer and longer and hardly compress. */
static void fill(struct text *ret, size_t number)
{
	ret->length = 0;
	srand((unsigned int)number);
	text_puts(ret, "");
	for (size_t i = 0; i < number * 100; i++)
		text_add(ret, (const char[]){ (char)rand() }, 1);
}

static void record(size_t count, bool close_it)
{
	struct text preamble = { 0 }, payload = { 0 };
	struct recorder *r;
	struct error err;
	text_puts(&preamble, "how to read it");
	assert_int_equal(recorder_open(&r, path, KIND, &preamble, &err), 0);
	for (size_t i = 0; i < count; i++) {
		fill(&payload, i);
		assert_int_equal(recorder_add(r, 1000 + (int64_t)i, &payload, &err), 0);
	}
	if (close_it) {
		assert_int_equal(recorder_close(r, &err), 0);
	} else {
		/* as if it had been killed: the index is cut off again */
		struct stat before, after;
		assert_int_equal(stat(path, &before), 0);
		assert_int_equal(recorder_close(r, &err), 0);
		assert_int_equal(stat(path, &after), 0);
		assert_true(after.st_size > before.st_size);
		assert_int_equal(truncate(path, before.st_size), 0);
	}
	text_free(&preamble);
	text_free(&payload);
}

static struct recording *open_it(void)
{
	struct recording *r;
	struct error err;
	if (recording_open(&r, path, KIND, &err))
		printf("%s\n", err.text);
	assert_non_null(r);
	return r;
}

/* Is sample `at` of the recording the one that was made as `number`? */
static bool is_sample(struct recording *r, size_t at, size_t number)
{
	struct text expected = { 0 };
	const void *bytes;
	size_t length;
	struct error err;
	fill(&expected, number);
	bool same = !recording_read(r, at, &bytes, &length, &err) && length == expected.length &&
		    !memcmp(bytes, expected.bytes, length);
	text_free(&expected);
	return same;
}

static char *read_file(size_t *ret_size)
{
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	*ret_size = ftell(f);
	rewind(f);
	char *bytes = malloc(*ret_size);
	assert_int_equal(fread(bytes, 1, *ret_size, f), *ret_size);
	fclose(f);
	return bytes;
}

static void write_file(const char *bytes, size_t size)
{
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, size, f), size);
	fclose(f);
}

/* ---- */

static void test_whole(void **state)
{
	size_t length;
	(void)state;
	record(SAMPLES, true);
	struct recording *r = open_it();
	assert_int_equal(recording_count(r), SAMPLES);
	assert_string_equal(recording_defect(r), "");
	assert_memory_equal(recording_preamble(r, &length), "how to read it", 14);
	assert_int_equal(length, 14);
	for (size_t i = SAMPLES; i-- > 0; ) {
		assert_true(is_sample(r, i, i));
		assert_int_equal(recording_time(r, i), 1000 + (int64_t)i);
	}
	recording_close(r);
}

static void test_private(void **state)
{
	struct stat s;
	(void)state;
	unlink(path);
	mode_t mask = umask(0);
	record(1, true);
	umask(mask);
	assert_int_equal(stat(path, &s), 0);
	assert_int_equal(s.st_mode & 077, 0);
}

/* Cut at every byte: the samples that are whole are there, in order, and the file says that it is torn. */
static void test_torn_anywhere(void **state)
{
	size_t size, most = 0;
	(void)state;
	record(SAMPLES, true);
	char *bytes = read_file(&size);
	for (size_t cut = 0; cut < size; cut++) {
		struct recording *r;
		struct error err;
		write_file(bytes, cut);
		if (recording_open(&r, path, KIND, &err)) {
			assert_true(cut < 64);
			assert_true(*err.text);
			continue;
		}
		size_t count = recording_count(r);
		assert_true(count >= most && count <= SAMPLES);
		most = count;
		assert_true(*recording_defect(r));
		for (size_t i = 0; i < count; i++)
			assert_true(is_sample(r, i, i));
		recording_close(r);
	}
	assert_int_equal(most, SAMPLES);
	free(bytes);
}

static void test_not_closed(void **state)
{
	(void)state;
	record(SAMPLES, false);
	struct recording *r = open_it();
	assert_int_equal(recording_count(r), SAMPLES);
	assert_non_null(strstr(recording_defect(r), "was not closed"));
	assert_true(is_sample(r, SAMPLES - 1, SAMPLES - 1));
	recording_close(r);
}

/* How many samples of the file as it is can be read and are right; none may be read and wrong. */
static size_t count_right(void)
{
	struct recording *r;
	struct error err;
	size_t right = 0;
	if (recording_open(&r, path, KIND, &err))
		return 0;
	for (size_t i = 0; i < recording_count(r); i++) {
		const void *bytes;
		size_t length, number = (size_t)(recording_time(r, i) - 1000);
		if (recording_read(r, i, &bytes, &length, &err)) {
			assert_non_null(strstr(err.text, "at byte"));
			continue;
		}
		assert_true(is_sample(r, i, number));
		right++;
	}
	recording_close(r);
	return right;
}

/* One byte changed, anywhere: at most one sample is lost, unless it is the beginning; with the index and without. */
static void test_damaged_anywhere(void **state)
{
	(void)state;
	for (int closed = 0; closed < 2; closed++) {
		size_t size;
		record(SAMPLES, closed);
		char *bytes = read_file(&size);
		for (size_t at = 0; at < size; at += at < 300 ? 1 : 3) {
			bytes[at] ^= 0x55;
			write_file(bytes, size);
			assert_true(count_right() >= (at < 64 ? 0 : SAMPLES - 1));
			bytes[at] ^= 0x55;
		}
		write_file(bytes, size);
		assert_int_equal(count_right(), SAMPLES);
		free(bytes);
	}
}

/* A hole in the middle: what is before and behind it is there, and the place is named. */
static void test_hole(void **state)
{
	size_t size;
	(void)state;
	record(SAMPLES, false);
	char *bytes = read_file(&size);
	memset(bytes + size / 3, 0, size / 4);
	write_file(bytes, size);
	struct recording *r = open_it();
	assert_non_null(strstr(recording_defect(r), "damaged at byte "));
	size_t count = recording_count(r);
	assert_true(count >= 3 && count < SAMPLES);
	assert_int_equal(recording_time(r, count - 1), 1000 + SAMPLES - 1);
	assert_true(is_sample(r, count - 1, SAMPLES - 1));
	recording_close(r);
	free(bytes);
}

static void test_empty(void **state)
{
	(void)state;
	record(0, true);
	struct recording *r = open_it();
	assert_int_equal(recording_count(r), 0);
	assert_string_equal(recording_defect(r), "");
	recording_close(r);
}

static void assert_refused(const char *kind, const char *why)
{
	struct recording *r;
	struct error err;
	assert_true(recording_open(&r, path, kind, &err) < 0);
	assert_null(r);
	assert_non_null(strstr(err.text, why));
}

static void test_what_is_none(void **state)
{
	size_t size;
	(void)state;
	write_file("", 0);
	assert_refused(KIND, "is no recording");
	write_file("some text that is longer than the beginning of a recording", 58);
	assert_refused(KIND, "is no recording");
	write_file("", 0);
	record(1, true);
	assert_refused("other/1", "is a recording of test/1");
	char *bytes = read_file(&size);
	bytes[8] = 9;
	write_file(bytes, size);
	assert_refused(KIND, "version 9");
	free(bytes);
}

/* A file that is no recording is not overwritten; one that is, or is empty, is. */
static void test_overwriting(void **state)
{
	static const char text[] = "the only copy of something";
	struct text preamble = { 0 };
	struct recorder *r;
	struct error err;
	size_t size;
	(void)state;
	write_file(text, sizeof(text));
	assert_true(recorder_open(&r, path, KIND, &preamble, &err) < 0);
	assert_non_null(strstr(err.text, "left alone"));
	char *bytes = read_file(&size);
	assert_int_equal(size, sizeof(text));
	assert_memory_equal(bytes, text, size);
	free(bytes);
	write_file("", 0);
	record(5, true);
	record(2, true);
	struct recording *again = open_it();
	assert_int_equal(recording_count(again), 2);
	recording_close(again);
	assert_true(recorder_open(&r, "/", KIND, &preamble, &err) < 0);
	assert_true(recorder_open(&r, "/dev/null", KIND, &preamble, &err) < 0);
	assert_true(recorder_open(&r, "/nowhere/x", KIND, &preamble, &err) < 0);
}

/* Writing fails in the middle: the error says so, nothing more is written, and what was whole can be read. */
static void test_no_room_to_write(void **state)
{
	struct text preamble = { 0 }, payload = { 0 };
	struct rlimit before, small = { 3000, RLIM_INFINITY };
	struct recorder *r;
	struct error err;
	size_t written = 0;
	int rc = 0;
	(void)state;
	unlink(path);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	assert_int_equal(recorder_open(&r, path, KIND, &preamble, &err), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	while (!rc && written < 100) {
		fill(&payload, written);
		rc = recorder_add(r, 1000 + (int64_t)written, &payload, &err);
		written += !rc;
	}
	assert_true(written > 3 && written < 100);
	assert_non_null(strstr(err.text, "the recording ends here"));
	assert_true(recorder_add(r, 1, &payload, &err) < 0);
	assert_non_null(strstr(err.text, "broke off"));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(recorder_close(r, &err), 0);
	assert_int_equal(count_right(), written);
	text_free(&payload);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_private),
		cmocka_unit_test(test_torn_anywhere),
		cmocka_unit_test(test_not_closed),
		cmocka_unit_test(test_damaged_anywhere),
		cmocka_unit_test(test_hole),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_overwriting),
		cmocka_unit_test(test_no_room_to_write),
	};
	return cmocka_run_group_tests(tests, make_path, remove_path);
}
