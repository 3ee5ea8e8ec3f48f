// SPDX-License-Identifier: GPL-2.0-or-later
#include "exporter/collector.h"

#include <stdlib.h>
#include <time.h>

#include "gather/top.h"
#include "gather/top_replay.h"
#include "sys/sysroot.h"

struct collector {
	const struct exporter_settings *settings;
	struct sysroot root;
	struct top_source *source;
	struct top_sample samples[2];
	unsigned int now;		/* which of them is the later one */
	size_t count;
	struct top_model model;
	struct top_track track;
	struct series series;
	struct metrics_own own;
};

static double seconds_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* The sample that is not in `now` is there: what follows from it. */
static int follow(struct collector *c, struct error *err)
{
	const struct top_sample *before = c->count ? &c->samples[c->now] : NULL;

	c->now = !c->now;
	c->count++;
	if (top_model_build(&c->model, before, &c->samples[c->now], &c->track) || series_update(&c->series, &c->model))
		return fail(err, EXIT_FAILED, "out of memory");
	return 0;
}

/* All recorded moments, one after the other: counters of groups add up over them. A damaged one is told, and left out. */
static int take_recorded(struct collector *c, const char *path, struct error *err)
{
	struct top_replay replay;
	struct error damage;
	int rc = top_replay_open(&replay, path, err);

	for (size_t i = 0; !rc && i < recording_count(replay.recording); i++) {
		if (top_replay_read(&replay, i, &c->samples[!c->now], &damage))
			error_print(EXPORTER_PROGRAM, &damage);
		else
			rc = follow(c, err);
	}
	if (!rc && !c->count)
		rc = fail(err, EXIT_FAILED, "%s: none of its moments can be read", path);
	top_replay_close(&replay);
	return rc;
}

static int open_source(struct collector *c, const struct exporter_settings *settings, struct error *err)
{
	struct top_options options = { .precise = settings->precise, .probes = !settings->no_bpf,
				       .potential = !settings->no_potential, .knee_seconds = settings->knee_seconds,
				       .knee_bytes = settings->knee_bytes, .domains = &settings->rules };

	if (settings->replay)
		return take_recorded(c, settings->replay, err);
	int rc = sysroot_open(&c->root, settings->sysroot, err);
	return rc ? rc : top_source_open(&c->source, &c->root, &options, err);
}

int collector_open(struct collector **ret, const struct exporter_settings *settings, struct error *err)
{
	struct collector *c = calloc(1, sizeof(*c));

	*ret = NULL;
	if (!c)
		return fail(err, EXIT_FAILED, "out of memory");
	c->settings = settings;
	c->series.most = settings->top;
	c->series.rules = &settings->rules;
	c->own = (struct metrics_own){ .program = EXPORTER_PROGRAM, .interval_seconds = settings->interval_seconds,
				       .taken_seconds = -1, .pages_unsent = settings->textfile ? -1 : 0 };
	c->root.dir = -1;
	int rc = open_source(c, settings, err);
	if (rc)
		collector_close(c);
	else
		*ret = c;
	return rc;
}

void collector_close(struct collector *c)
{
	if (!c)
		return;
	top_source_close(c->source);
	if (c->root.dir >= 0)
		sysroot_close(&c->root);
	for (int i = 0; i < 2; i++)
		top_sample_free(&c->samples[i]);
	top_model_free(&c->model);
	series_free(&c->series);
	free(c);
}

static int take(struct collector *c, struct error *err)
{
	if (c->settings->replay)
		return 0;
	int rc = top_source_take(c->source, &c->samples[!c->now], err);
	return rc ? rc : follow(c, err);
}

int collector_sample(struct collector *c, struct error *err)
{
	double begin = seconds_now();
	int rc = take(c, err);

	c->own.samples += !rc;
	c->own.failures += rc != 0;
	c->own.taken_seconds = seconds_now() - begin;
	return rc;
}

static void put_http(struct metrics_own *own, const struct http_use *use)
{
	own->requests = use ? (double)use->requests : -1;
	own->refused = use ? (double)use->refused : -1;
	own->failed_logins = use ? (double)use->failed_logins : -1;
	own->connections = use ? (double)use->connections : -1;
	own->http_cpu_seconds = use ? use->cpu_ns / 1e9 : -1;
	own->http_resident_bytes = use ? (double)use->resident_bytes : -1;
}

void collector_write(struct collector *c, enum metric_format format, const struct http_use *use, struct text *ret)
{
	struct metrics_input input = { .model = &c->model, .series = &c->series, .own = &c->own,
				       .node = c->settings->compat == COMPAT_NODE };
	put_http(&c->own, use);
	metrics_write(ret, format, &input);
}

void collector_note(struct collector *c, bool unsent)
{
	c->own.pages_unsent += unsent;
}

int64_t collector_time_ns(const struct collector *c)
{
	return c->count ? c->samples[c->now].time_ns : 0;
}

void collector_tick(struct collector *c, int64_t *ret_next_ns)
{
	top_source_tick(c->source, ret_next_ns);
}
