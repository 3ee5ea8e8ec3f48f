// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/names.h"

#include <stdlib.h>
#include <string.h>

#define GENEROUS 65536		/* bytes that are kept, however few are used */

/* FNV-1a. */
static uint32_t hash_of(const char *string)
{
	uint32_t hash = 2166136261u;
	for (; *string; string++)
		hash = (hash ^ (unsigned char)*string) * 16777619u;
	return hash;
}

/* The slot where `string` is, or the free one where it belongs. */
static uint32_t *find(uint32_t *slots, size_t count, const char *bytes, const char *string)
{
	size_t at = hash_of(string) & (count - 1);
	while (slots[at] && strcmp(bytes + slots[at], string))
		at = (at + 1) & (count - 1);
	return &slots[at];
}

static bool grow_slots(struct names *n)
{
	size_t count = n->slots_count ? n->slots_count * 2 : 64;
	uint32_t *slots = calloc(count, sizeof(*slots));
	if (!slots)
		return false;
	for (size_t i = 0; i < n->slots_count; i++)
		if (n->slots[i])
			*find(slots, count, n->bytes, n->bytes + n->slots[i]) = n->slots[i];
	free(n->slots);
	n->slots = slots;
	n->slots_count = count;
	return true;
}

static bool grow_bytes(struct names *n, size_t more)
{
	size_t capacity = n->capacity ? n->capacity : 1024;
	if (n->length + more > UINT32_MAX)
		return false;
	while (capacity < n->length + more + 1)
		capacity *= 2;
	char *bytes = realloc(n->bytes, capacity);
	if (!bytes)
		return false;
	n->bytes = bytes;
	n->capacity = capacity;
	return true;
}

uint32_t names_add(struct names *n, const char *string)
{
	size_t size = strlen(string) + 1;
	if (size == 1)
		return 0;
	if ((n->used + 1) * 2 > n->slots_count && !grow_slots(n))
		return 0;
	if (n->length + size + 1 > n->capacity && !grow_bytes(n, size + 1))
		return 0;
	if (!n->length)
		n->bytes[n->length++] = '\0';
	uint32_t *slot = find(n->slots, n->slots_count, n->bytes, string);
	if (*slot)
		return *slot;
	*slot = n->length;
	memcpy(n->bytes + n->length, string, size);
	n->length += size;
	n->used++;
	return *slot;
}

bool names_load(struct names *n, const char *bytes, size_t length)
{
	names_clear(n);
	if (!length)
		return true;
	if (bytes[0] || bytes[length - 1] || !grow_bytes(n, length))
		return false;
	memcpy(n->bytes, bytes, length);
	n->length = length;
	return true;
}

bool names_has(const struct names *n, uint32_t number)
{
	return number == 0 || (number < n->length && !n->bytes[number - 1]);
}

void names_clear(struct names *n)
{
	n->length = 0;
	n->used = 0;
	if (n->slots)
		memset(n->slots, 0, n->slots_count * sizeof(*n->slots));
}

void names_give_back(struct names *n)
{
	if (n->capacity > GENEROUS && n->length < n->capacity / 4)
		names_free(n);
}

void names_free(struct names *n)
{
	free(n->bytes);
	free(n->slots);
	*n = (struct names){ 0 };
}
