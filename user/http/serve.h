/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP side: answers on open sockets from the last pages that it was
 * handed. It opens nothing, waits for nobody, and bounds what anybody can make
 * it hold: connections, memory of each, time of each answer.
 */
#ifndef KSMSCOPE_HTTP_SERVE_H
#define KSMSCOPE_HTTP_SERVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "http/config.h"
#include "http/listen.h"

/* What it counts, in memory that it shares with the collector. */
struct serve_counts {
	_Atomic uint64_t requests, refused, failed_logins, connections;
	_Atomic uint64_t taken;		/* pages taken over */
};

struct serve_options {
	struct listeners *listeners;
	int channel;			/* where pages come from (pages.h) */
	const struct web_config *config;
	const char *program, *telemetry_path;
	double stale_seconds;
	struct serve_counts *counts;
};

struct serving;

/* Everything that needs more rights than answering: memory, the thread for logins, TLS. */
int serve_prepare(struct serving **ret, const struct serve_options *options, struct error *err);

/* Until the collector is gone. */
void serve_run(struct serving *serving);

/* One step of it: wait at most so long (milliseconds) and do what there is to do. False when the collector is gone. */
bool serve_step(struct serving *serving, int most_ms);

/* Take over a connection that was accepted, which is not blocking. False where there is no room: it is closed. */
bool serve_connection(struct serving *serving, int fd, const struct sockaddr *address, socklen_t size);

void serve_free(struct serving *serving);

#endif
