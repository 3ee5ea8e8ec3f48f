// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Recordings. The fuzzer can't guess checksums, nor make zstd frames: a first
 * byte says whether the file is taken as it is, or with its checksums put
 * right; what is inside a frame has targets of its own.
 */
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "core/judge/build.h"
#include "core/live/history.h"
#include "core/live/top_model.h"
#include "core/live/top_pack.h"
#include "core/record/sample_pack.h"
#include "gather/recording.h"
#include "gather/recording_format.h"
#include "out/advise.h"
#include "out/top.h"
#include "screen/draw.h"
#include "tests/fuzz/target.h"

/* ---- the file ---- */

static void mend_start(char *bytes, size_t size)
{
	struct recording_start start;
	if (size < sizeof(start))
		return;
	memcpy(&start, bytes, sizeof(start));
	uint64_t length = le32toh(start.length);
	if (length <= size - sizeof(start))
		start.checksum = recording_checksum(bytes + sizeof(start), length);
	memcpy(bytes, &start, sizeof(start));
}

/* The frame at an offset, and what follows it. */
static void mend_frame(char *bytes, size_t size)
{
	struct recording_frame frame;
	memcpy(&frame, bytes, sizeof(frame));
	size_t stored = le32toh(frame.stored_bytes);
	if (stored <= size - sizeof(frame))
		frame.checksum = recording_checksum(bytes + sizeof(frame), stored);
	frame.header_checksum = recording_checksum(&frame, offsetof(struct recording_frame, header_checksum));
	memcpy(bytes, &frame, sizeof(frame));
}

static void mend(char *bytes, size_t size)
{
	static const uint32_t magic = 0x4652534bu;
	struct recording_end end;

	mend_start(bytes, size);
	for (char *at = bytes; (at = memmem(at, (size_t)(bytes + size - at), &magic, sizeof(magic))); at++)
		if ((size_t)(bytes + size - at) >= sizeof(struct recording_frame))
			mend_frame(at, (size_t)(bytes + size - at));
	if (size < sizeof(end))
		return;
	memcpy(&end, bytes + size - sizeof(end), sizeof(end));
	end.checksum = recording_checksum(&end, offsetof(struct recording_end, checksum));
	memcpy(bytes + size - sizeof(end), &end, sizeof(end));
}

static void write_file(const char *path, const void *bytes, size_t size)
{
	scoped_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	REQUIRE(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
}

static void read_samples(struct recording *recording)
{
	const void *sample;
	size_t length;
	struct error err = { 0 };

	REQUIRE(recording_preamble(recording, &length) || !length);
	REQUIRE(strlen(recording_defect(recording)) < 256);
	for (size_t i = 0; i < recording_count(recording) && i < 64; i++) {
		recording_time(recording, i);
		if (!recording_read(recording, i, &sample, &length, &err))
			REQUIRE(length == 0 || ((const volatile char *)sample)[length - 1] <= CHAR_MAX);
		else
			REQUIRE(*err.text);
	}
}

void fuzz_recordings(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	bool mended = fuzz_byte(&in) & 1;
	struct recording *recording;
	struct error err = { 0 };
	char path[256], *bytes = fuzz_string(in.at, (size_t)(in.end - in.at));

	size = (size_t)(in.end - in.at);
	snprintf(path, sizeof(path), "%s/ksmscope-fuzz-recording-%d", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp",
		 (int)getpid());
	if (mended)
		mend(bytes, size);
	write_file(path, bytes, size);
	if (!recording_open(&recording, path, TOP_RECORDING, &err)) {
		read_samples(recording);
		recording_close(recording);
	} else {
		REQUIRE(*err.text);
	}
	free(bytes);
}

/* ---- a moment in it ---- */

static void usual_order(struct top_order *ret)
{
	scoped_text struct text preamble = { 0 };
	struct error err;
	top_pack_preamble(&preamble);
	REQUIRE(!top_unpack_preamble(ret, preamble.bytes, preamble.length, &err));
}

/* What was read can be written again and is the same then. */
static void check_again(const struct top_sample *sample, const struct top_order *order)
{
	scoped_text struct text once = { 0 }, twice = { 0 };
	struct top_sample again = { 0 };
	struct error err = { 0 };

	top_pack(&once, sample);
	REQUIRE(!top_unpack(&again, order, once.bytes, once.length, &err));
	top_pack(&twice, &again);
	REQUIRE(once.length == twice.length && !memcmp(once.bytes, twice.bytes, once.length));
	top_sample_free(&again);
}

/* Two bytes of length and so many bytes; false where there are not as many. */
static bool take_counted(struct fuzz_input *in, const uint8_t **ret, size_t *ret_length)
{
	size_t length = fuzz_byte(in);
	length |= (size_t)fuzz_byte(in) << 8;
	if (length > (size_t)(in->end - in->at))
		return false;
	*ret = in->at;
	*ret_length = length;
	in->at += length;
	return true;
}

/* The preamble that an input begins with: facts come and go, and an input stays what it was. Length 0: the usual one. */
static bool take_order(struct fuzz_input *in, struct top_order *ret)
{
	const uint8_t *preamble;
	size_t length;

	if (!take_counted(in, &preamble, &length))
		return false;
	if (length)
		return !top_unpack_preamble(ret, preamble, length, NULL);
	usual_order(ret);
	return true;
}

/* A preamble and a moment. */
void fuzz_moments(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct top_order order, usual;
	struct top_sample sample = { 0 };
	struct error err = { 0 };

	usual_order(&usual);
	if (!take_order(&in, &order))
		return;
	if (!top_unpack(&sample, &order, in.at, (size_t)(in.end - in.at), &err))
		check_again(&sample, &usual);
	else
		REQUIRE(*err.text && !sample.tasks_count);
	top_sample_free(&sample);
}

/* ---- and what is made of two of them ---- */

static void check_json(const struct text *out)
{
	json_error_t why;
	REQUIRE(!out->failed && out->length && out->bytes[out->length - 1] == '\n');
	REQUIRE(memchr(out->bytes, '\n', out->length) == out->bytes + out->length - 1);
	json_t *json = json_loadb(out->bytes, out->length, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &why);
	if (!json)
		fprintf(stderr, "%s\n%.*s", why.text, (int)out->length, out->bytes);
	REQUIRE(json);
	json_decref(json);
}

static void check_lines(const struct top_model *model, enum group_kind kind)
{
	scoped_text struct text json = { 0 }, csv = { 0 };
	const struct top_row *rows[64];
	enum field columns[PROC_FIELDS];
	struct top_groups groups;
	size_t count = model->count < 64 ? model->count : 64;

	for (size_t i = 0; i < count; i++)
		rows[i] = &model->rows[i];
	for (size_t i = 0; i < PROC_FIELDS; i++)
		columns[i] = HOST_FIELDS + i;
	REQUIRE(!top_groups_build(&groups, model, kind, true));
	struct top_shown shown = { .model = model, .rows = rows, .count = count, .groups = kind ? &groups : NULL,
				   .columns = columns, .columns_count = PROC_FIELDS };
	top_json(&json, &shown);
	check_json(&json);
	top_csv_head(&csv, &shown);
	top_csv(&csv, &shown);
	top_groups_free(&groups);
}

static void check_screens(const struct top_model *model, const struct history *history)
{
	struct view view;
	struct rows rows;
	struct canvas canvas;

	view_init(&view);
	for (view.page = 0; view.page < VIEW_PAGES; view.page++) {
		REQUIRE(!rows_build(&rows, model, &view));
		struct display display = { .model = model, .rows = &rows, .history = history, .interval_seconds = 1,
					   .message = "" };
		REQUIRE(canvas_init(&canvas, 100, 30, false));
		draw(&canvas, &view, &display);
		canvas_free(&canvas);
		rows_free(&rows);
		view.tree = (view.tree + 1) % GROUP_KINDS;
	}
}

/* A preamble, and two moments. */
void fuzz_replay(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct top_sample before = { 0 }, now = { 0 };
	struct top_model model = { 0 };
	struct top_track track = { 0 };
	struct top_order order;
	const uint8_t *first;
	size_t length;

	if (!take_order(&in, &order) || !take_counted(&in, &first, &length))
		return;
	if (!top_unpack(&before, &order, first, length, NULL) &&
	    !top_unpack(&now, &order, in.at, (size_t)(in.end - in.at), NULL)) {
		struct history *history = history_new(1 << 16);
		REQUIRE(history && !top_model_build(&model, &before, &now, &track));
		history_add(history, &model);
		for (enum group_kind kind = 0; kind < GROUP_KINDS; kind++)
			check_lines(&model, kind);
		check_screens(&model, history);
		history_free(history);
	}
	top_model_free(&model);
	top_sample_free(&before);
	top_sample_free(&now);
}

/* ---- a recorded look of ksm-advise, what is made of it, and what is said ---- */

static void check_answer(struct sample *sample)
{
	scoped_text struct text json = { 0 }, words = { 0 };
	const struct advise_style style = { .utf8 = true, .verbose = true };
	struct model model;

	if (model_build(&model, sample))
		return;		/* out of memory: more frames are claimed than there can be */
	const struct advice advice = { .sample = sample, .model = &model, .ledger = true };
	advise_json(&json, &advice);
	json_t *parsed = json_loadb(json.bytes, json.length, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
	REQUIRE(parsed);
	json_decref(parsed);
	advise_text(&words, &advice, &style);
	model_free(&model);
}

void fuzz_looks(const uint8_t *data, size_t size)
{
	scoped_text struct text once = { 0 }, twice = { 0 };
	struct sample sample, again;
	struct error err = { 0 };
	bool named, named_again;

	if (sample_unpack(&sample, &named, data, size, &err)) {
		REQUIRE(*err.text);
		return;
	}
	REQUIRE(!sample_pack(&once, &sample, named));
	REQUIRE(!sample_unpack(&again, &named_again, once.bytes, once.length, &err) && named == named_again);
	REQUIRE(!sample_pack(&twice, &again, named));
	REQUIRE(once.length == twice.length && !memcmp(once.bytes, twice.bytes, once.length));
	sample_free(&again);
	check_answer(&sample);
	sample_free(&sample);
}
