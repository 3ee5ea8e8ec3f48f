/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strings stored once: equal strings have equal numbers, so that names can be
 * compared and grouped without looking at them. Number 0 is "".
 */
#ifndef KSMSCOPE_CORE_NAMES_H
#define KSMSCOPE_CORE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct names {
	char *bytes;		/* NUL-terminated strings, one after the other; a number is an offset */
	size_t length, capacity;
	uint32_t *slots;	/* open addressing, 0: free; a power of two of them */
	size_t slots_count, used;
};

/* The number of a string, stored if it is new; 0 ("") when memory is out. */
uint32_t names_add(struct names *names, const char *string);

/*
 * Take over `length` bytes that were `bytes` of another table. False where
 * they are none, or memory is out; nothing can be added afterwards.
 */
bool names_load(struct names *names, const char *bytes, size_t length);

/* Is this the number of a string? */
bool names_has(const struct names *names, uint32_t number);

/* Before names_clear(): the memory, too, where three quarters and more of much of it are empty. */
void names_give_back(struct names *names);
/* Forget all strings, keep the memory. */
void names_clear(struct names *names);
void names_free(struct names *names);

/* NUL-terminated; valid until the next names_add(). */
static inline const char *names_string(const struct names *names, uint32_t number)
{
	return number < names->length ? names->bytes + number : "";
}

#endif
