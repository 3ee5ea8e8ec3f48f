/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finished pages over HTTP, by a process that can do nothing else.
 *
 * http_start() makes the sockets and forks the HTTP side: its own uid, no
 * capabilities, no new privileges, and a system-call filter that leaves it no
 * way to open a file, a socket or another process. The caller goes on as the
 * collector, without any of the sockets.
 *
 * http_publish() hands over the pages of one sample as sealed memory; it never
 * waits. What the HTTP side has not taken over when the next pages come, it
 * misses. It in turn never waits for us: it serves the last pages, says how old
 * they are, and from `stale_seconds` on answers 503 instead.
 *
 * Every address serves the same: the pages under `telemetry_path`, a landing
 * page at /, and /healthz.
 */
#ifndef KSMSCOPE_HTTP_SERVER_H
#define KSMSCOPE_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/options.h"
#include "out/prometheus.h"

struct http_settings {
	const char *program;		/* for the landing page */
	struct words_option listen;	/* HOST:PORT, :PORT, [V6]:PORT, unix:PATH; none: http_default_address */
	bool systemd_socket;		/* take the sockets of LISTEN_FDS instead */
	const char *telemetry_path;	/* "/metrics" */
	const char *config_file;	/* TLS and users as exporter-toolkit has them; NULL: none */
	const char *user;		/* of the HTTP side; NULL: ksm-exporter where there is one, else nobody */
	double stale_seconds;		/* how long pages may be served after they were made */
};

#define HTTP_DEFAULT_STALE_SECONDS 60.0

/* The options of every program that serves metrics: rows for its option table, with a heading. */
#define HTTP_OPTION_ROWS(settings, default_address) \
	{ .name = "Over HTTP" }, \
	{ .name = "web.listen-address", .argument = "ADDRESS", .words = &(settings)->listen, \
	  .help = "HOST:PORT or unix:PATH, may be repeated (" default_address ")" }, \
	{ .name = "web.systemd-socket", .flag = &(settings)->systemd_socket, \
	  .help = "take the sockets that systemd hands over" }, \
	{ .name = "web.telemetry-path", .argument = "PATH", .string = &(settings)->telemetry_path, \
	  .help = "where the metrics are (/metrics)" }, \
	{ .name = "web.config.file", .argument = "FILE", .string = &(settings)->config_file, \
	  .help = "TLS and users, as Prometheus' exporter-toolkit has them" }, \
	{ .name = "web.stale-after", .argument = "SECONDS", .seconds = &(settings)->stale_seconds, \
	  .help = "answer 503 when the last sample is older (60)" }, \
	{ .name = "web.user", .argument = "NAME", .string = &(settings)->user, \
	  .help = "whose rights the HTTP side has (ksm-exporter, or nobody)" }

struct http_server;

/* `default_address` is listened on where the settings have none. */
int http_start(struct http_server **ret, const struct http_settings *settings, const char *default_address,
	       struct error *err);

/* The pages of one sample, one per format, made at `time_ns` (CLOCK_REALTIME). False: it was too busy. */
bool http_publish(struct http_server *server, const struct text pages[METRIC_FORMATS], int64_t time_ns);

/* What the HTTP side tells of itself; numbers from a process that is not trusted. */
struct http_use {
	uint64_t requests, refused, failed_logins, connections;
	uint64_t cpu_ns, resident_bytes;
};

struct http_use http_use(const struct http_server *server);

/* Readable when the HTTP side has ended; http_ended() says how, as an error. */
int http_fd(const struct http_server *server);
int http_ended(struct http_server *server, struct error *err);

/* End the HTTP side. NULL is fine. */
void http_stop(struct http_server *server);

#endif
