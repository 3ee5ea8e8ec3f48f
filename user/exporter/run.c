// SPDX-License-Identifier: GPL-2.0-or-later
#include "exporter/run.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "cli/life.h"
#include "exporter/collector.h"
#include "exporter/textfile.h"
#include "http/confine.h"

struct running {
	const struct exporter_settings *settings;
	struct collector *collector;
	struct http_server *server;	/* NULL: a textfile */
	const volatile sig_atomic_t *stop;
	bool published;			/* the first sample did */
	int64_t given_back_ns;		/* memory was, last */
};

static int64_t clock_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* Until then, a signal, or the end of the HTTP side; what has to be done in between is done. */
static int wait_until(struct running *r, int64_t when, struct error *err)
{
	struct pollfd ended = { .fd = r->server ? http_fd(r->server) : -1, .events = POLLIN };

	for (int64_t now = clock_now_ns(); !*r->stop && now < when; now = clock_now_ns()) {
		int64_t wake;
		collector_tick(r->collector, &wake);
		if (wake > when)
			wake = when;
		now = clock_now_ns();
		int64_t left = wake > now ? wake - now : 0;
		struct timespec timeout = { left / 1000000000, left % 1000000000 };
		if (ppoll(&ended, 1, &timeout, NULL) > 0)
			return http_ended(r->server, err);
	}
	return 0;
}

static int write_textfile(struct running *r, struct error *err)
{
	scoped_text struct text page = { 0 };
	collector_write(r->collector, METRICS_TEXT, NULL, &page);
	return textfile_write(r->settings->textfile, &page, err);
}

static int publish(struct running *r, struct error *err)
{
	struct text pages[METRIC_FORMATS] = { 0 };
	struct http_use use = http_use(r->server);
	bool failed = false;

	for (enum metric_format format = 0; format < METRIC_FORMATS; format++) {
		collector_write(r->collector, format, &use, &pages[format]);
		failed |= pages[format].failed;
	}
	if (!failed)
		collector_note(r->collector, !http_publish(r->server, pages, collector_time_ns(r->collector)));
	for (enum metric_format format = 0; format < METRIC_FORMATS; format++)
		text_free(&pages[format]);
	return failed ? fail(err, EXIT_FAILED, "out of memory writing metrics") : 0;
}

/* A sample that fails is said and counted; the next may do. The first has to do. */
static int sample(struct running *r, struct error *err)
{
	int rc = collector_sample(r->collector, err);

	if (rc && r->published) {
		error_print(EXPORTER_PROGRAM, err);
		return 0;
	}
	if (!rc)
		rc = r->server ? publish(r, err) : write_textfile(r, err);
	r->published |= !rc;
	return rc;
}

static int loop(struct running *r, struct error *err)
{
	int64_t step = (int64_t)(r->settings->interval_seconds * 1e9), due = clock_now_ns();
	int rc = 0;

	while (!rc && !*r->stop) {
		rc = sample(r, err);
		if (r->settings->once || r->settings->replay)
			break;
		/* a step that was missed is not made up for */
		for (due += step; due < clock_now_ns(); due += step)
			;
		life_give_back(clock_now_ns(), &r->given_back_ns);
		if (!rc)
			rc = wait_until(r, due, err);
	}
	return rc;
}

static int list_metrics(struct error *err)
{
	scoped_text struct text list = { 0 };
	metrics_document(&list);
	return text_write(&list, stdout, err);
}

int exporter_run(const struct exporter_settings *settings, const volatile sig_atomic_t *stop, struct error *err)
{
	struct running r = { .settings = settings, .stop = stop };
	int rc = 0;

	if (settings->list_metrics)
		return list_metrics(err);
	/* first of all: the HTTP side is to inherit nothing of what the collector learns */
	if (!settings->textfile)
		rc = http_start(&r.server, &settings->http, EXPORTER_ADDRESS, err);
	if (!rc)
		rc = collector_open(&r.collector, settings, err);
	if (!rc)
		rc = confine_collector(err);
	if (!rc)
		rc = loop(&r, err);
	collector_close(r.collector);
	http_stop(r.server);
	return rc;
}
