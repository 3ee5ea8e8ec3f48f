// SPDX-License-Identifier: GPL-2.0-or-later
/* Schemas ksm-sketch/1 and ksm-compare/1; the keys are described in docs/json.md. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "out/fleet.h"
#include "out/json.h"

static double theta_of(const struct portable *p)
{
	return p->threshold == PORTABLE_ALL ? 1 : ldexp((double)p->threshold, -63);
}

static void key_id(struct json *j, uint64_t id)
{
	char text[17];
	snprintf(text, sizeof(text), "%016" PRIx64, id);
	json_string(j, "key_id", text);
}

/* What a sketch says of itself. */
static void facts(struct json *j, const struct portable *p)
{
	json_string(j, "label", p->label);
	if (*p->domain)
		json_string(j, "domain", p->domain);
	else
		json_null(j, "domain");
	json_i64(j, "time", p->time_s);
	json_u64(j, "frames", p->frames);
	json_u64(j, "zero_frames", p->zero_frames);
	json_u64(j, "contents", p->count);
	json_double(j, "theta", theta_of(p));
}

void sketched_json(struct text *out, const struct sketched *sketched)
{
	const struct sample *s = sketched->sample;
	struct json j = { .out = out, .indented = true };

	json_object(&j, NULL);
	json_string(&j, "schema", "ksm-sketch/1");
	json_bool(&j, "complete", sample_complete(s));
	json_missing(&j, s->missing, s->missing_count);
	json_string(&j, "file", sketched->file);
	json_u64(&j, "page_bytes", sketched->portable->page_bytes);
	key_id(&j, sketched->portable->key_id);
	json_u64(&j, "processes", s->tasks_count);
	json_u64(&j, "domains", sketched->domains);
	facts(&j, sketched->portable);
	json_double(&j, "seconds", s->seconds);
	json_end_object(&j);
	text_puts(out, "\n");
}

/* Outwards, so that rounding never makes an interval narrower. */
static void figure(struct json *j, const char *key, const struct estimate *e)
{
	json_object(j, key);
	json_u64(j, "frames", e->value > 0 ? (uint64_t)llround(e->value) : 0);
	json_u64(j, "low", e->low > 0 ? (uint64_t)floor(e->low) : 0);
	json_u64(j, "high", e->high > 0 ? (uint64_t)ceil(e->high) : 0);
	json_bool(j, "exact", e->exact);
	json_end_object(j);
}

static void comparison(struct json *j, const struct comparison *c)
{
	json_double(j, "theta", c->theta);
	json_u64(j, "contents", c->contents);
	figure(j, "inside", &c->of[COMPARE_INSIDE]);
	figure(j, "crossing", &c->of[COMPARE_CROSSING]);
	figure(j, "shared", &c->of[COMPARE_SHARED]);
	figure(j, "apart", &c->of[COMPARE_APART]);
	figure(j, "together", &c->of[COMPARE_TOGETHER]);
}

void compared_json(struct text *out, const struct compared *compared)
{
	struct json j = { .out = out, .indented = true };

	json_object(&j, NULL);
	json_string(&j, "schema", "ksm-compare/1");
	json_u64(&j, "page_bytes", compared->sets[0]->page_bytes);
	key_id(&j, compared->sets[0]->key_id);
	json_array(&j, "sketches");
	for (size_t i = 0; i < compared->count; i++) {
		json_object(&j, NULL);
		facts(&j, compared->sets[i]);
		json_end_object(&j);
	}
	json_end_array(&j);
	json_object(&j, "total");
	comparison(&j, &compared->all);
	json_end_object(&j);
	json_array(&j, "pairs");
	for (size_t i = 0; i < compared->pairs_count; i++) {
		json_object(&j, NULL);
		json_string(&j, "a", compared->sets[compared->pairs[i].a]->label);
		json_string(&j, "b", compared->sets[compared->pairs[i].b]->label);
		comparison(&j, &compared->pairs[i].of);
		json_end_object(&j);
	}
	json_end_array(&j);
	json_end_object(&j);
	text_puts(out, "\n");
}
