// SPDX-License-Identifier: GPL-2.0-or-later
/* Texts that operators and other hosts hand us: domains, patterns, sketches, keys. */
#include <inttypes.h>

#include "core/fleet/fleet_key.h"
#include "core/fleet/portable.h"
#include "core/fleet/siphash.h"
#include "core/names.h"
#include "core/trust/domain.h"
#include "core/trust/glob.h"
#include "tests/fuzz/target.h"

/* ---- trust domains: configuration files, then processes "vm|cgroup|executable|uid" ---- */

static void check_domain(struct domains *domains, char *text)
{
	char *words[4] = { NULL };
	for (size_t i = 0; i < 4 && text; i++)
		words[i] = strsep(&text, "|");
	struct domain_subject subject = {
		.pid = 7, .vm = words[0], .cgroup = words[1], .executable = words[2],
		.uid = words[3] ? (uid_t)strtoul(words[3], NULL, 10) : 0,
	};
	uint32_t domain = domain_of(domains, &subject);
	REQUIRE(domain < domains_count(domains));
	REQUIRE(domain_name(domains, domain));
	REQUIRE(domain_of(domains, &subject) == domain);
}

void fuzz_domains(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct domain_rules rules = { 0 };
	struct domains domains;
	struct error err = { 0 };
	const uint8_t *part;
	size_t length, files = fuzz_byte(&in) % 3 + 1;
	int rc = 0;

	for (size_t i = 0; i < files && !rc && fuzz_part(&in, &part, &length); i++) {
		char *text = fuzz_string(part, length);
		rc = domain_rules_add(&rules, i ? "b.conf" : "a.conf", text, length, &err);
		REQUIRE(!rc || (rc == -EXIT_USAGE && *err.text));
		free(text);
	}
	domains_init(&domains, &rules);
	while (!rc && fuzz_part(&in, &part, &length)) {
		char *text = fuzz_string(part, length);
		check_domain(&domains, text);
		free(text);
	}
	domains_free(&domains);
	domain_rules_free(&rules);
}

/* ---- patterns: two of them and a name; what matches both is an overlap ---- */

void fuzz_globs(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	char *word[3] = { NULL };
	const uint8_t *part;
	size_t length, count = 0;

	while (count < 3 && fuzz_part(&in, &part, &length))
		word[count++] = fuzz_string(part, length);
	if (count == 3) {
		if (glob_name_matches(word[0], word[2]) && glob_name_matches(word[1], word[2]))
			REQUIRE(glob_names_overlap(word[0], word[1]));
		REQUIRE(glob_names_overlap(word[0], word[1]) == glob_names_overlap(word[1], word[0]));
	}
	for (int below = 0; below < 2 && count == 3 && *word[0] == '/' && *word[1] == '/' && *word[2] == '/'; below++) {
		if (glob_path_matches(word[0], word[2], below) && glob_path_matches(word[1], word[2], below))
			REQUIRE(glob_paths_overlap(word[0], word[1], below));
		REQUIRE(glob_paths_overlap(word[0], word[1], below) == glob_paths_overlap(word[1], word[0], below));
	}
	for (size_t i = 0; i < count; i++)
		free(word[i]);
}

/* ---- sketches: the fuzzer can't guess a checksum, so it is put right before the second reading ---- */

/* What was read and written again reads the same; numbers may have had zeros before them. */
static void check_same(const struct portable *first, const struct text *again)
{
	struct portable second;

	REQUIRE(!portable_read(&second, "again", again->bytes, again->length, NULL));
	REQUIRE(first->count == second.count && first->frames == second.frames && first->key_id == second.key_id);
	REQUIRE(!strcmp(first->label, second.label) && !strcmp(first->domain, second.domain));
	for (uint32_t i = 0; i < first->count; i++)
		REQUIRE(first->contents[i].hash == second.contents[i].hash &&
			first->contents[i].frames == second.contents[i].frames);
	portable_free(&second);
}

static void check_sketch(const char *bytes, size_t length)
{
	struct portable read;
	struct error err = { 0 };
	scoped_text struct text again = { 0 };

	int rc = portable_read(&read, "a file", bytes, length, &err);
	REQUIRE(rc ? *err.text && (rc == -EXIT_USAGE || rc == -EXIT_FAILED) : read.threshold > 0);
	if (rc)
		return;
	portable_write(&again, &read);
	check_same(&read, &again);

	const struct portable *sets[] = { &read, &read };
	struct comparison comparison;
	REQUIRE(portable_compare(&comparison, sets, 2, &err) <= 0);
	portable_free(&read);
}

void fuzz_sketches(const uint8_t *data, size_t size)
{
	static const uint64_t no_key[2];
	scoped_text struct text mended = { 0 };
	char *bytes = fuzz_string(data, size);

	check_sketch(bytes, size);
	char *end = memmem(bytes, size, "\nchecksum ", 10);
	if (end) {
		text_add(&mended, bytes, (size_t)(end + 1 - bytes));
		text_printf(&mended, "checksum %016" PRIx64 "\n", siphash(no_key, mended.bytes, mended.length));
		check_sketch(mended.bytes, mended.length);
	}
	free(bytes);
}

void fuzz_fleet_keys(const uint8_t *data, size_t size)
{
	struct fleet_key key;
	struct error err = { 0 };
	char *text = fuzz_string(data, size);

	int rc = fleet_key_parse(&key, "a file", text, size, &err);
	REQUIRE(rc ? rc == -EXIT_USAGE && *err.text : key.words[0] != key.words[1]);
	free(text);
}

/* ---- tables of names, as a recording brings them ---- */

void fuzz_names(const uint8_t *data, size_t size)
{
	struct names names = { 0 };
	char *bytes = fuzz_string(data, size);

	if (names_load(&names, bytes, size))
		for (uint32_t number = 0; number <= size; number++)
			REQUIRE(!names_has(&names, number) || strlen(names_string(&names, number)) <= size);
	names_free(&names);
	for (const char *at = bytes; at <= bytes + size; at += strlen(at) + 1) {
		uint32_t number = names_add(&names, at);
		REQUIRE(!strcmp(names_string(&names, number), at) && names_add(&names, at) == number);
	}
	names_free(&names);
	free(bytes);
}
