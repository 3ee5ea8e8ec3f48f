/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Passwords against bcrypt hashes. A check takes tens of milliseconds by
 * design: a thread of its own makes them, a bounded number may wait, and one
 * that was good is remembered (as a keyed hash), so that guessing does not keep
 * others waiting.
 */
#ifndef KSMSCOPE_HTTP_LOGIN_H
#define KSMSCOPE_HTTP_LOGIN_H

#include "http/config.h"
#include "http/request.h"

enum login_state {
	LOGIN_GOOD,
	LOGIN_BAD,
	LOGIN_PENDING,			/* logins_done() has it when it is known */
	LOGIN_BUSY,			/* too many wait */
};

/* A check; while it is pending it has to stay where it is. */
struct login_check {
	struct login login;
	enum login_state state;
	void *context;			/* the caller's */
	struct login_check *next;	/* of those that are done */
};

struct logins;

/* `users` have to stay. Starts the thread. NULL when that fails. */
struct logins *logins_new(const struct web_pairs *users);

/* Begin a check; the answer is also in check->state. */
enum login_state logins_check(struct logins *logins, struct login_check *check);

/* Readable when pending checks are done; logins_done() has one after the other, then NULL. */
int logins_fd(const struct logins *logins);
struct login_check *logins_done(struct logins *logins);

#endif
