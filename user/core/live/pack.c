// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/live/pack.h"

#include <string.h>

void pack_u64(struct text *out, uint64_t number)
{
	char bytes[10];
	size_t n = 0;
	do {
		bytes[n] = number & 0x7f;
		number >>= 7;
		if (number)
			bytes[n] |= (char)0x80;
		n++;
	} while (number);
	text_add(out, bytes, n);
}

/* The sign goes into the lowest bit, so that small negative numbers stay short. */
void pack_i64(struct text *out, int64_t number)
{
	pack_u64(out, (uint64_t)number << 1 ^ (number < 0 ? UINT64_MAX : 0));
}

/* Most are whole numbers: zeros at their end, which turn into leading ones. */
void pack_double(struct text *out, double number)
{
	uint64_t bits;
	memcpy(&bits, &number, sizeof(bits));
	pack_u64(out, __builtin_bswap64(bits));
}

void pack_bytes(struct text *out, const void *bytes, size_t length)
{
	pack_u64(out, length);
	if (length)
		text_add(out, bytes, length);
}

void pack_string(struct text *out, const char *string)
{
	pack_bytes(out, string, strlen(string));
}

void pack_value(struct text *out, struct value value)
{
	pack_u64(out, value.known);
	if (value.known == KNOWN)
		pack_i64(out, value.number);
}

static uint64_t broken(struct unpack *in)
{
	in->failed = true;
	in->at = in->end;
	return 0;
}

uint64_t unpack_u64(struct unpack *in)
{
	uint64_t number = 0;
	for (unsigned int shift = 0; shift < 64; shift += 7) {
		if (in->at == in->end)
			return broken(in);
		uint64_t part = *in->at & 0x7f;
		if (shift == 63 && part > 1)
			return broken(in);
		number |= part << shift;
		if (!(*in->at++ & 0x80))
			return number;
	}
	return broken(in);
}

int64_t unpack_i64(struct unpack *in)
{
	uint64_t number = unpack_u64(in);
	return (int64_t)(number >> 1 ^ (number & 1 ? UINT64_MAX : 0));
}

double unpack_double(struct unpack *in)
{
	uint64_t bits = __builtin_bswap64(unpack_u64(in));
	double number;
	memcpy(&number, &bits, sizeof(number));
	return number;
}

uint64_t unpack_below(struct unpack *in, uint64_t most)
{
	uint64_t number = unpack_u64(in);
	return number <= most ? number : broken(in);
}

const void *unpack_bytes(struct unpack *in, size_t *ret_length)
{
	uint64_t length = unpack_u64(in);
	if (length > (size_t)(in->end - in->at))
		length = broken(in);
	const void *bytes = in->at;
	in->at += length;
	*ret_length = length;
	return bytes;
}

void unpack_string(struct unpack *in, char *ret, size_t size)
{
	size_t length;
	const char *bytes = unpack_bytes(in, &length);
	if (length >= size || memchr(bytes, '\0', length))
		length = broken(in);
	memcpy(ret, bytes, length);
	ret[length] = '\0';
}

struct value unpack_value(struct unpack *in)
{
	struct value v = { .known = unpack_below(in, GONE) };
	if (v.known == KNOWN)
		v.number = unpack_i64(in);
	return v;
}
