// SPDX-License-Identifier: GPL-2.0-or-later
#include "top/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/life.h"
#include "core/live/top_pack.h"
#include "gather/top_replay.h"
#include "top/run.h"
#include "top/select.h"

/* For the sparklines of processes; with 2,000 of them four minutes, with 5,000 less. */
#define HISTORY_BYTES (8u << 20)
/* Samples that are read again to fill the history after a jump. */
#define HISTORY_REPLAYED 60

struct session {
	const struct top_settings *settings;
	struct sysroot root;
	struct top_source *source;		/* NULL: a recording */
	struct recorder *recorder;		/* NULL: not recorded */
	struct text packed;
	struct top_replay replay;
	size_t next;				/* sample of the recording */

	struct top_sample samples[2];
	unsigned int now;			/* which of them is the later one */
	size_t count;				/* samples since the beginning or the last jump */
	struct top_model model;
	struct top_track track;
	struct history *history;
	int64_t given_back_ns;			/* memory was, last */
	char message[256];
};

/* ---- life ---- */

static int open_recording(struct session *s, struct error *err)
{
	int rc = top_replay_open(&s->replay, s->settings->replay, err);

	if (!rc && *recording_defect(s->replay.recording))
		snprintf(s->message, sizeof(s->message), "%s: %.150s", s->settings->replay,
			 recording_defect(s->replay.recording));
	return rc;
}

static int open_system(struct session *s, struct error *err)
{
	struct top_options options = { .precise = s->settings->precise, .probes = !s->settings->no_bpf,
				       .potential = s->settings->potential, .calibration = s->settings->calibration, .domains = &s->settings->rules };
	scoped_text struct text preamble = { 0 };

	int rc = sysroot_open(&s->root, s->settings->sysroot, err);
	if (!rc)
		rc = top_source_open(&s->source, &s->root, &options, err);
	if (rc || !s->settings->record)
		return rc;
	top_pack_preamble(&preamble);
	return recorder_open(&s->recorder, s->settings->record, TOP_RECORDING, &preamble, err);
}

int session_open(struct session **ret, const struct top_settings *settings, struct error *err)
{
	struct session *s = calloc(1, sizeof(*s));
	*ret = NULL;
	if (!s || !(s->history = history_new(HISTORY_BYTES))) {
		free(s);
		return fail(err, EXIT_FAILED, "out of memory");
	}
	s->settings = settings;
	s->root.dir = -1;
	int rc = settings->replay ? open_recording(s, err) : open_system(s, err);
	if (rc)
		session_close(s, NULL);
	else
		*ret = s;
	return rc;
}

int session_close(struct session *s, struct error *err)
{
	if (!s)
		return 0;
	int rc = recorder_close(s->recorder, err);
	top_replay_close(&s->replay);
	top_source_close(s->source);
	if (s->root.dir >= 0)
		sysroot_close(&s->root);
	for (int i = 0; i < 2; i++)
		top_sample_free(&s->samples[i]);
	top_model_free(&s->model);
	history_free(s->history);
	text_free(&s->packed);
	free(s);
	return rc;
}

void session_ask_potential(struct session *s)
{
	if (s->source)
		top_source_ask_potential(s->source);
}

/* ---- samples ---- */

static int record(struct session *s, const struct top_sample *sample, struct error *err)
{
	if (!s->recorder)
		return 0;
	s->packed.length = 0;
	top_pack(&s->packed, sample);
	return recorder_add(s->recorder, sample->time_ns, &s->packed, err);
}

/* The next good one; *ret_end where there is none. */
static int replay(struct session *s, struct top_sample *ret, bool *ret_end, struct error *err)
{
	while (s->next < recording_count(s->replay.recording)) {
		struct error damage;
		if (!top_replay_read(&s->replay, s->next++, ret, &damage))
			return 0;
		snprintf(s->message, sizeof(s->message), "left out: %.240s", damage.text);
	}
	(void)err;
	*ret_end = true;
	return 0;
}

/* The sample in `now` is there: what follows from it. */
static int follow(struct session *s, struct error *err)
{
	const struct top_sample *before = s->count ? &s->samples[!s->now] : NULL;

	top_select(&s->samples[s->now], s->settings);
	if (top_model_build(&s->model, before, &s->samples[s->now], &s->track))
		return fail(err, EXIT_FAILED, "out of memory");
	history_add(s->history, &s->model);
	s->count++;
	return 0;
}

int session_next(struct session *s, enum session_state *ret, struct error *err)
{
	struct top_sample *sample = &s->samples[!s->now];
	bool end = false;
	int rc;

	*ret = SESSION_SAMPLE;
	if (s->replay.recording) {
		rc = replay(s, sample, &end, err);
	} else {
		rc = top_source_take(s->source, sample, err);
		if (!rc)
			rc = record(s, sample, err);
	}
	if (rc)
		return rc;
	if (end) {
		*ret = SESSION_END;
		return 0;
	}
	s->now = !s->now;
	return follow(s, err);
}

static int start_over(struct session *s, struct error *err)
{
	history_free(s->history);
	s->history = history_new(HISTORY_BYTES);
	s->track = (struct top_track){ 0 };
	s->count = 0;
	s->message[0] = '\0';
	return s->history ? 0 : fail(err, EXIT_FAILED, "out of memory");
}

int session_seek(struct session *s, size_t number, struct error *err)
{
	enum session_state state = SESSION_SAMPLE;
	int rc = start_over(s, err);

	s->next = number > HISTORY_REPLAYED ? number - HISTORY_REPLAYED : 0;
	while (!rc && state == SESSION_SAMPLE && s->next <= number)
		rc = session_next(s, &state, err);
	return rc;
}

void session_tick(struct session *s, int64_t *ret_next_ns)
{
	*ret_next_ns = INT64_MAX;
	life_give_back(clock_now_ns(), &s->given_back_ns);
	if (s->source)
		top_source_tick(s->source, ret_next_ns);
}

const struct top_model *session_model(const struct session *s)
{
	return &s->model;
}

const struct history *session_history(const struct session *s)
{
	return s->history;
}

size_t session_at(const struct session *s, size_t *ret_count)
{
	*ret_count = s->replay.recording ? recording_count(s->replay.recording) : 0;
	return s->next ? s->next - 1 : 0;
}

const char *session_message(const struct session *s)
{
	return s->message;
}

const struct sysroot *session_root(const struct session *s)
{
	return s->source ? &s->root : NULL;
}
