// SPDX-License-Identifier: GPL-2.0-or-later
#include "out/calibration.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>


/* ---- JSON ---- */

static void figure(struct json *j, const char *key, const struct measured *m)
{
	json_object(j, key);
	if (m->known == KNOWN) {
		json_double(j, "median", m->median);
		json_double(j, "low", m->low);
		json_double(j, "high", m->high);
		json_u64(j, "count", m->count);
	} else {
		json_string(j, "state", known_name(m->known));
		json_string(j, "why", m->why);
	}
	json_end_object(j);
}

static void costs(struct json *j, const struct calibration *c)
{
	json_object(j, "cost_ns");
	for (enum cost cost = 0; cost < COST_COUNT; cost++)
		figure(j, cost_names[cost], &c->cost[cost]);
	json_end_object(j);
}

static void accesses(struct json *j, const struct calibration *c)
{
	json_array(j, "access");
	for (size_t i = 0; i < c->accesses; i++) {
		json_object(j, NULL);
		json_u64(j, "bytes", c->access[i].bytes);
		figure(j, "extra_ns", &c->access[i].extra_ns);
		figure(j, "huge_ns", &c->access[i].huge_ns);
		figure(j, "walk_share", &c->access[i].walk_share);
		json_end_object(j);
	}
	json_end_array(j);
}

static void scans(struct json *j, const struct calibration *c)
{
	json_array(j, "ksmd");
	for (size_t i = 0; i < c->scans; i++) {
		json_object(j, NULL);
		json_u64(j, "pages", c->scan[i].pages);
		figure(j, "visit_ns", &c->scan[i].visit_ns);
		figure(j, "merge_ns", &c->scan[i].merge_ns);
		json_end_object(j);
	}
	json_end_array(j);
}

void calibration_keys(struct json *j, const struct calibration *c)
{
	json_string(j, "version", c->version);
	json_time(j, "time", c->time_ns);
	json_double(j, "seconds", c->seconds);
	json_string(j, "cpu", c->cpu);
	json_string(j, "kernel", c->release);
	json_u64(j, "page_bytes", c->page_bytes);
	json_u64(j, "huge_page_bytes", c->pmd_bytes);
	costs(j, c);
	accesses(j, c);
	scans(j, c);
	json_string(j, "left_out", c->left_out);
}

void calibration_json(struct text *out, const struct calibration *c)
{
	struct json j = { .out = out, .indented = true };
	json_object(&j, NULL);
	json_string(&j, "schema", CALIBRATION_SCHEMA);
	calibration_keys(&j, c);
	json_end_object(&j);
	text_puts(out, "\n");
}

/* ---- text ---- */

struct time_unit {
	const char *name;
	double ns;
};

static const struct time_unit *unit_of(const struct measured *m)
{
	static const struct time_unit units[] = { { "ms", 1e6 }, { "µs", 1e3 }, { "ns", 1 } };
	const struct time_unit *u = units;
	while (u->ns > 1 && fabs(m->median) < u->ns)
		u++;
	return u;
}

struct shown measured_show(const struct measured *m)
{
	const struct time_unit *u = unit_of(m);
	struct shown ret;
	snprintf(ret.text, sizeof(ret.text), "%.3g ± %.2g %s", m->median / u->ns,
		 fmax(m->high - m->median, m->median - m->low) / u->ns, u->name);
	return ret;
}

/* "4.62 µs (4.58 to 4.70)", in the unit that fits the median. */
static void put_time(struct text *out, const struct measured *m)
{
	const struct time_unit *u = unit_of(m);
	if (m->known != KNOWN) {
		text_printf(out, "%s: %s", known_name(m->known), m->why);
		return;
	}
	text_printf(out, "%8.4g %s  (%.4g to %.4g, %u values)", m->median / u->ns, u->name, m->low / u->ns,
		    m->high / u->ns, m->count);
}

static void put_row(struct text *out, const char *name, const struct measured *m)
{
	text_printf(out, "  %-34s ", name);
	put_time(out, m);
	text_puts(out, "\n");
}

static void put_costs(struct text *out, const struct calibration *c)
{
	static const char *const names[COST_COUNT] = {
		[COST_SPLIT_FULL] = "breaking a full huge page",
		[COST_SPLIT_ZERO] = "breaking a nearly empty one",
		[COST_COLLAPSE] = "rebuilding it",
		[COST_COW_BREAK] = "writing to a merged page",
		[COST_WRITE_FAULT] = "first write to an ordinary page",
		[COST_COW_EXTRA] = "  the difference",
	};
	text_puts(out, "\nCosts, CPU time, median (95 % interval)\n");
	for (enum cost cost = 0; cost < COST_COUNT; cost++)
		put_row(out, names[cost], &c->cost[cost]);
}

static void put_accesses(struct text *out, const struct calibration *c)
{
	char name[64];
	if (c->accesses)
		text_puts(out, "\nExtra time of a dependent random access with base pages, by working set\n");
	for (size_t i = 0; i < c->accesses; i++) {
		const struct access_point *p = &c->access[i];
		snprintf(name, sizeof(name), "%s (huge: %.4g ns)", show_bytes(p->bytes).text, p->huge_ns.median);
		put_row(out, name, &p->extra_ns);
		if (p->walk_share.known == KNOWN)
			text_printf(out, "  %-34s %7.1f %% of its cycles\n", "  in page walks", 100 * p->walk_share.median);
	}
	if (c->accesses && c->access[0].walk_share.known != KNOWN)
		text_printf(out, "  cycles in page walks: %s: %s\n", known_name(c->access[0].walk_share.known),
			    c->access[0].walk_share.why);
}

static void put_scans(struct text *out, const struct calibration *c)
{
	char name[64];
	if (c->scans)
		text_puts(out, "\nksmd's work on a page, by pages tracked\n");
	for (size_t i = 0; i < c->scans; i++) {
		snprintf(name, sizeof(name), "%s, nothing new", show_count(c->scan[i].pages).text);
		put_row(out, name, &c->scan[i].visit_ns);
		snprintf(name, sizeof(name), "%s, merging", show_count(c->scan[i].pages).text);
		put_row(out, name, &c->scan[i].merge_ns);
	}
}

void calibration_text(struct text *out, const struct calibration *c, const char *path)
{
	text_printf(out, "%s, Linux %s; measured in %s\n", c->cpu, c->release, show_seconds(c->seconds).text);
	put_costs(out, c);
	put_accesses(out, c);
	put_scans(out, c);
	if (*c->left_out)
		text_printf(out, "\nNot measured: %s (--memory)\n", c->left_out);
	if (path)
		text_printf(out, "\nKept in %s for %d days.\n", path, CALIBRATION_DAYS);
}
