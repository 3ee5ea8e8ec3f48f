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
	LOGIN_PENDING,			/* `done` is called when it is known */
	LOGIN_BUSY,			/* too many wait */
};

/* A check that is under way; it has to stay where it is until `done` was called, from another thread. */
struct login_check {
	struct login login;
	enum login_state state;
	void (*done)(struct login_check *check);
	void *context;
};

struct logins;

/* `users` have to stay. Starts the thread. NULL when that fails. */
struct logins *logins_new(const struct web_pairs *users);

/* Begin a check; the answer is also in check->state. */
enum login_state logins_check(struct logins *logins, struct login_check *check);

#endif
