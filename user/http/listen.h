/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where to listen: addresses as Prometheus' exporters take them, Unix sockets, sockets from systemd. */
#ifndef KSMSCOPE_HTTP_LISTEN_H
#define KSMSCOPE_HTTP_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define LISTEN_MOST 16

struct listener {
	int fd;
	char name[128];			/* for people: "127.0.0.1:9877", "unix:/run/x" */
	char path[108];			/* of a Unix socket that we made; "" else */
};

struct listeners {
	struct listener list[LISTEN_MOST];
	size_t count;
};

/* Host and port of "HOST:PORT", "[V6]:PORT", ":PORT" (*ret_host ""). False where it is none of these. */
bool listen_split(const char *address, char ret_host[256], char ret_port[8]);

/* Listen on one more address; a name may stand for several. A Unix socket whose program has ended is made anew. */
int listen_open(struct listeners *listeners, const char *address, struct error *err);

/* The sockets that systemd hands over (sd_listen_fds(3)); it is an error when there are none. */
int listen_inherit(struct listeners *listeners, struct error *err);

/* Close them. `forget`: remove Unix sockets from the file system, too. */
void listen_close(struct listeners *listeners, bool forget);

#endif
