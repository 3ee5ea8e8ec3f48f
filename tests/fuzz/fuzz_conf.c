// SPDX-License-Identifier: GPL-2.0-or-later
/* What operators write, and what calibrating has written: configurations, their values, calibration files. */
#include <math.h>

#include "core/conf/reader.h"
#include "core/conf/value.h"
#include "core/policy/config.h"
#include "gather/calibration.h"
#include "out/calibration.h"
#include "tests/fuzz/target.h"

/* ---- the reader: whatever it takes lies in the text, in order, without blanks around it ---- */

static void check_within(const struct conf_reader *r, struct conf_text text)
{
	REQUIRE(text.at >= r->text && text.at <= text.end && text.end <= r->text + r->length);
	REQUIRE(text.at == text.end || (!strchr(" \t", *text.at) && !strchr(" \t", text.end[-1])));
	REQUIRE(!memchr(text.at, '\n', (size_t)(text.end - text.at)));
}

static void check_item(const struct conf_reader *r, const struct conf_item *item)
{
	if (item->kind == CONF_SECTION) {
		REQUIRE(item->section < 2);
		check_within(r, item->name);
		REQUIRE((item->name.at < item->name.end) == (item->section == 1));
	} else if (item->kind == CONF_ENTRY) {
		check_within(r, item->key);
		check_within(r, item->value);
		REQUIRE(item->key.at < item->key.end && item->value.at < item->value.end);
		REQUIRE(item->key.end <= item->value.at);
	}
}

void fuzz_conf(const uint8_t *data, size_t size)
{
	static const struct conf_section sections[] = { { "plain", NULL }, { "named", "its name" }, { NULL, NULL } };
	char *text = fuzz_string(data, size);
	struct error err = { 0 };
	struct conf_reader reader = { .file = "a.conf", .text = text, .length = size, .sections = sections, .err = &err };
	struct conf_item item = { .kind = CONF_ENTRY };
	unsigned int line = 0;
	int rc = 0;

	while (!rc && item.kind != CONF_END) {
		rc = conf_next(&reader, &item);
		if (rc)
			break;
		REQUIRE(item.kind == CONF_END || item.line > line);
		line = item.line;
		check_item(&reader, &item);
	}
	REQUIRE(!rc || (rc == -EXIT_USAGE && !strncmp(err.text, "a.conf:", 7)));
	free(text);
}

/* ---- values: each is within its bounds, or refused with its place ---- */

/* "key = VALUE" as the reader takes it apart; false where it is no such line. */
static bool one_value(struct conf_reader *r, const char *line, struct conf_text *ret)
{
	static const struct conf_section none[] = { { NULL, NULL } };
	struct conf_item item;

	r->file = "a.conf";
	r->text = line;
	r->length = strlen(line);
	r->sections = none;
	if (conf_next(r, &item) || item.kind != CONF_ENTRY)
		return false;
	*ret = item.value;
	return true;
}

void fuzz_conf_values(const uint8_t *data, size_t size)
{
	static const char *const words[] = { "auto", "direct", "advisor", NULL };
	char *value = fuzz_string(data, size), *line = NULL;
	struct error err = { 0 };
	struct conf_reader r = { .err = &err };
	struct conf_text text;
	uint64_t count, bytes;
	int64_t duration;
	double share, decimal;
	bool yes;
	int choice;

	REQUIRE(asprintf(&line, "key = %s", value) >= 0);
	if (one_value(&r, line, &text)) {
		int rcs[] = { conf_bool(&r, text, &yes), conf_choice(&r, text, words, &choice),
			      conf_count(&r, text, 7, 7000, &count), conf_bytes(&r, text, 4096, 1ull << 50, &bytes),
			      conf_share(&r, text, 0.01, 2, &share), conf_decimal(&r, text, -5, 5, &decimal),
			      conf_duration(&r, text, 1000000, INT64_MAX / 2, &duration) };
		for (size_t i = 0; i < sizeof(rcs) / sizeof(rcs[0]); i++)
			REQUIRE(!rcs[i] || rcs[i] == -EXIT_USAGE);
		REQUIRE(rcs[1] || (choice >= 0 && choice < 3));
		REQUIRE(rcs[2] || (count >= 7 && count <= 7000));
		REQUIRE(rcs[3] || (bytes >= 4096 && bytes <= 1ull << 50));
		REQUIRE(rcs[4] || (share >= 0.01 && share <= 2));
		REQUIRE(rcs[5] || (decimal >= -5 && decimal <= 5));
		REQUIRE(rcs[6] || (duration >= 1000000 && duration <= INT64_MAX / 2));
	}
	free(line);
	free(value);
}

/* ---- ksm-policyd's configuration: files one on top of the other ---- */

static void check_policy(const struct policy_config *config)
{
	const struct domain_subject subject = { .pid = 7, .executable = "/usr/bin/x", .cgroup = "/a.slice", .uid = 7 };
	const struct allow_group *group = policy_allows(config, &subject);

	REQUIRE(config->interval_ns > 0 && config->hang_ns > 0 && config->hold_ns >= 0);
	REQUIRE(isfinite(config->watch_cpu) && isfinite(config->worth) && isfinite(config->least_share));
	REQUIRE(!group || (group >= config->groups && group < config->groups + config->groups_count));
}

void fuzz_policy_config(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct policy_config config;
	struct error err = { 0 };
	const uint8_t *part;
	size_t length;
	int rc = 0;

	policy_config_init(&config);
	for (int i = 0; i < 3 && !rc && fuzz_part(&in, &part, &length); i++) {
		char *text = fuzz_string(part, length);
		rc = policy_config_add(&config, i ? "b.conf" : "a.conf", text, length, &err);
		free(text);
	}
	if (!rc)
		rc = policy_config_check(&config, &err);
	REQUIRE(!rc || (rc == -EXIT_USAGE && *err.text));
	if (!rc)
		check_policy(&config);
	policy_config_free(&config);
}

/* ---- calibration files: what was read and written again reads the same ---- */

void fuzz_calibrations(const uint8_t *data, size_t size)
{
	char *bytes = fuzz_string(data, size);
	struct calibration first, second;
	struct error err = { 0 };
	scoped_text struct text once = { 0 }, twice = { 0 };

	int rc = calibration_parse(&first, bytes, size, &err);
	REQUIRE(!rc || (rc == -EXIT_FAILED && *err.text));
	if (!rc) {
		calibration_json(&once, &first);
		REQUIRE(!calibration_parse(&second, once.bytes, once.length, &err));
		calibration_json(&twice, &second);
		REQUIRE(once.length == twice.length && !memcmp(once.bytes, twice.bytes, once.length));
	}
	free(bytes);
}
