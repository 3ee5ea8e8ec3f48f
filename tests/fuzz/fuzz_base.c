// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers, units and names as people write and read them. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "base/number.h"
#include "base/text.h"
#include "base/units.h"
#include "tests/fuzz/target.h"

/* The C library's reading of the same number: what is accepted has to be that. */
static void check_integers(const char *text)
{
	uint64_t u, hex;
	int64_t i;
	char back[32];

	if (parse_u64(text, &u)) {
		errno = 0;
		REQUIRE(u == strtoull(text, NULL, 10) && !errno && strchr("0123456789", *text));
	}
	if (parse_i64(text, &i)) {
		errno = 0;
		REQUIRE(i == strtoll(text, NULL, 10) && !errno);
		snprintf(back, sizeof(back), "%" PRId64, i);
		REQUIRE(parse_i64(back, &i));
	}
	if (parse_hex64(text, &hex)) {
		errno = 0;
		REQUIRE(hex == strtoull(text, NULL, 16) && !errno);
	}
}

void fuzz_numbers(const uint8_t *data, size_t size)
{
	char *text = fuzz_string(data, size);
	double number;
	uint64_t bytes;

	check_integers(text);
	if (parse_decimal(text, &number))
		REQUIRE(isfinite(number) && number >= 0);
	if (parse_ratio(text, &number))
		REQUIRE(number >= 0 && number <= 1);
	if (parse_bytes(text, &bytes))
		REQUIRE(strchr("0123456789.", *text));
	free(text);
}

static void check_printable(const char *name, size_t room)
{
	char *shown = malloc(room);
	REQUIRE(shown);
	printable(shown, room, name);
	REQUIRE(strlen(shown) < room);
	for (const unsigned char *at = (const unsigned char *)shown; *at; at += utf8_length(at))
		REQUIRE(utf8_length(at) && *at >= 0x20 && *at != 0x7f);
	free(shown);
}

/* The first bytes are numbers, the rest a name. */
void fuzz_shown(const uint8_t *data, size_t size)
{
	struct { int64_t bytes; uint64_t count; double seconds, part, whole; } in = { 0 };
	if (size < sizeof(in))
		return;
	memcpy(&in, data, sizeof(in));
	REQUIRE(*show_bytes(in.bytes).text);
	REQUIRE(*show_count(in.count).text);
	REQUIRE(*show_seconds(in.seconds).text);
	REQUIRE(*show_share(in.part, in.whole).text);

	char *name = fuzz_string(data + sizeof(in), size - sizeof(in));
	check_printable(name, size + 1);
	check_printable(name, 1 + in.count % 16);
	free(name);
}
