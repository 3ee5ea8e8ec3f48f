/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Absent, denied and zero are three different things. A value that was read
 * from a system carries what is known about it; its zero initialiser says
 * "nobody looked", so a forgotten field can't pass for a measured nought.
 */
#ifndef KSMSCOPE_CORE_KNOWN_H
#define KSMSCOPE_CORE_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

enum known {
	NOT_READ = 0,		/* nobody looked */
	KNOWN,			/* read; the value holds, zero included */
	ABSENT,			/* this kernel or system does not have it */
	DENIED,			/* it is there, we may not read it */
	GONE,			/* it was there and ended while we looked */
};

struct value {
	int64_t number;
	enum known known;
};

static inline struct value value_of(int64_t number)
{
	return (struct value){ .number = number, .known = KNOWN };
}

static inline bool is_known(struct value v)
{
	return v.known == KNOWN;
}

/* The number, or `otherwise` where it is not known. */
static inline int64_t value_or(struct value v, int64_t otherwise)
{
	return v.known == KNOWN ? v.number : otherwise;
}

/* "absent", "denied", "gone", "known", "not read"; static storage. */
static inline const char *known_name(enum known known)
{
	static const char *const names[] = { "not read", "known", "absent", "denied", "gone" };
	return names[known];
}

#endif
