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

/*
 * The value in another unit, and two values together. A result that is no
 * number of 64 bits is absent: no kernel says such a thing, a damaged capture
 * may.
 */
static inline struct value value_times(struct value v, int64_t factor)
{
	if (is_known(v) && __builtin_mul_overflow(v.number, factor, &v.number))
		return (struct value){ .known = ABSENT };
	return v;
}

static inline struct value value_plus(struct value a, struct value b)
{
	if (!is_known(a) || !is_known(b))
		return is_known(a) ? b : a;
	if (__builtin_add_overflow(a.number, b.number, &a.number))
		return (struct value){ .known = ABSENT };
	return a;
}

/* "absent", "denied", "gone", "known", "not read"; static storage. */
static inline const char *known_name(enum known known)
{
	static const char *const names[] = { "not read", "known", "absent", "denied", "gone" };
	return names[known];
}

#endif
