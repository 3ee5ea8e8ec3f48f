// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/record/codec.h"

void code_refuse(struct codec *c)
{
	if (!c->out) {
		c->in.failed = true;
		c->in.at = c->in.end;
	}
}

uint64_t code_u64(struct codec *c, uint64_t number)
{
	if (!c->out)
		return unpack_u64(&c->in);
	pack_u64(c->out, number);
	return number;
}

int64_t code_i64(struct codec *c, int64_t number)
{
	if (!c->out)
		return unpack_i64(&c->in);
	pack_i64(c->out, number);
	return number;
}

uint64_t code_below(struct codec *c, uint64_t number, uint64_t most)
{
	if (!c->out)
		return unpack_below(&c->in, most);
	pack_u64(c->out, number);
	return number;
}

bool code_bool(struct codec *c, bool value)
{
	return code_below(c, value, 1);
}

double code_double(struct codec *c, double number)
{
	if (!c->out)
		return unpack_double(&c->in);
	pack_double(c->out, number);
	return number;
}

struct value code_value(struct codec *c, struct value value)
{
	if (!c->out)
		return unpack_value(&c->in);
	pack_value(c->out, value);
	return value;
}

void code_string(struct codec *c, char *string, size_t size)
{
	if (!c->out)
		unpack_string(&c->in, string, size);
	else
		pack_string(c->out, string);
}

size_t code_count(struct codec *c, size_t count)
{
	return code_below(c, count, c->out ? count : (size_t)(c->in.end - c->in.at));
}
