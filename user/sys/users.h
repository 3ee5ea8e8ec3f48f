/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of users, from etc/passwd alone: what other sources (LDAP, systemd)
 * know would take their libraries into this process.
 */
#ifndef KSMSCOPE_SYS_USERS_H
#define KSMSCOPE_SYS_USERS_H

#include <stddef.h>
#include <sys/types.h>

#include "sys/sysroot.h"

struct user {
	uid_t uid;
	char name[33];
};

struct users {
	struct user *list;		/* ascending uid */
	size_t count;
};

/* What there is; nothing where the file can't be read. */
void users_read(struct users *ret, const struct sysroot *root);
void users_free(struct users *users);

/* NULL for a uid without a name. */
const char *users_name(const struct users *users, uid_t uid);

#endif
