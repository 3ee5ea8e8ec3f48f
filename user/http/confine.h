/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rights given up for good. The HTTP side keeps what answering needs: its
 * sockets, memory, time. The collector keeps what looking needs, and loses the
 * network. Neither can gain anything back: no_new_privs is set on both.
 *
 * It does not limit CPU time or memory: that is the service manager's.
 */
#ifndef KSMSCOPE_HTTP_CONFINE_H
#define KSMSCOPE_HTTP_CONFINE_H

#include <sys/types.h>

#include "base/error.h"

/* Whose rights the HTTP side has. */
struct confine_user {
	uid_t uid;
	gid_t gid;
};

/* A user of /etc/passwd. NULL: ksm-exporter, else nobody. */
int confine_find_user(const char *name, struct confine_user *ret, struct error *err);

/* No capabilities, another uid where we may change it, no new privileges. Before threads are made. */
int confine_drop(const struct confine_user *user, struct error *err);

/* All threads of this process: system calls that answering on open sockets needs, and no others. */
int confine_http_calls(struct error *err);

/* This process and its children: no socket but of AF_UNIX; the capabilities that looking needs. */
int confine_collector(struct error *err);

#endif
