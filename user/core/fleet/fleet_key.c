// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/fleet/fleet_key.h"

#include <string.h>

#include "core/fleet/siphash.h"

#define KEY_DIGITS 32

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int fleet_key_parse(struct fleet_key *ret, const char *file, const char *text, size_t length, struct error *err)
{
	struct fleet_key key = { { 0, 0 } };

	if (length && text[length - 1] == '\n')
		length--;
	if (length != KEY_DIGITS)
		return fail(err, EXIT_USAGE, "%s: a fleet key is %d hexadecimal digits, this has %zu characters; "
			    "make one with: openssl rand -hex 16", file, KEY_DIGITS, length);
	for (size_t i = 0; i < length; i++) {
		int value = digit_value(text[i]);
		if (value < 0)
			return fail(err, EXIT_USAGE, "%s:1:%zu: not a hexadecimal digit", file, i + 1);
		key.words[i / 16] = key.words[i / 16] << 4 | (uint64_t)value;
	}
	if (key.words[0] == key.words[1])
		return fail(err, EXIT_USAGE, "%s: both halves of the key are the same: that is no random key", file);
	*ret = key;
	return 0;
}

/* SipHash of the purpose and a number: each purpose has numbers of its own. */
static uint64_t derive(const struct fleet_key *key, const char *purpose, uint64_t number)
{
	unsigned char message[64];
	size_t length = strnlen(purpose, sizeof(message) - 9);

	memcpy(message, purpose, length);
	message[length++] = '\0';
	for (unsigned int i = 0; i < 8; i++)
		message[length++] = (unsigned char)(number >> (8 * i));
	return siphash(key->words, message, length);
}

uint64_t fleet_key_id(const struct fleet_key *key)
{
	return derive(key, "name of the key", 0);
}

void fleet_key_expand(const struct fleet_key *key, const char *purpose, uint64_t *ret, size_t count)
{
	for (size_t i = 0; i < count; i++)
		ret[i] = derive(key, purpose, i);
}

uint64_t fleet_hash(const struct fleet_key *key, uint64_t page_hash)
{
	return derive(key, "content", page_hash);
}
