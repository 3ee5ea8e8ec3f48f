// SPDX-License-Identifier: GPL-2.0-or-later
#include "gather/calibration.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/host.h"
#include "sys/proc.h"
#include "sys/whole_file.h"

#define SCHEMA "ksmscope-calibration/1"
#define MOST_BYTES 65536

/* ---- one document ---- */

static bool parse_text(const json_t *object, const char *key, char *ret, size_t size)
{
	const char *text = json_string_value(json_object_get(object, key));
	if (!text || strlen(text) >= size)
		return false;
	strcpy(ret, text);
	return true;
}

static bool parse_number(const json_t *object, const char *key, double *ret)
{
	const json_t *value = json_object_get(object, key);
	*ret = json_number_value(value);
	return json_is_number(value) && isfinite(*ret);
}

static bool parse_count(const json_t *object, const char *key, uint64_t *ret)
{
	const json_t *value = json_object_get(object, key);
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret = json_integer_value(value);
	return true;
}

/* What was not measured has a state and a reason instead of numbers. */
static bool parse_unknown(const json_t *object, struct measured *ret)
{
	const char *state = json_string_value(json_object_get(object, "state"));
	enum known known = NOT_READ;
	while (state && known <= GONE && (known == KNOWN || strcmp(state, known_name(known))))
		known++;
	ret->known = known;
	return state && known <= GONE && parse_text(object, "why", ret->why, sizeof(ret->why));
}

static bool parse_figure(const json_t *parent, const char *key, struct measured *ret)
{
	const json_t *object = json_object_get(parent, key);
	uint64_t count;

	*ret = (struct measured){ .known = NOT_READ };
	if (!json_is_object(object) || json_object_get(object, "state"))
		return parse_unknown(object, ret);
	if (!parse_number(object, "median", &ret->median) || !parse_number(object, "low", &ret->low) ||
	    !parse_number(object, "high", &ret->high) || !parse_count(object, "count", &count))
		return false;
	ret->count = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
	ret->known = KNOWN;
	return ret->count && ret->low <= ret->median && ret->median <= ret->high;
}

static bool parse_head(const json_t *top, struct calibration *c)
{
	double time;
	if (!parse_text(top, "version", c->version, sizeof(c->version)) ||
	    !parse_text(top, "cpu", c->cpu, sizeof(c->cpu)) ||
	    !parse_text(top, "kernel", c->release, sizeof(c->release)) ||
	    !parse_text(top, "left_out", c->left_out, sizeof(c->left_out)) ||
	    !parse_number(top, "time", &time) || time < 0 || time > 9e9 || !parse_number(top, "seconds", &c->seconds))
		return false;
	c->time_ns = llround(time * 1e3) * 1000000;	/* it is written in milliseconds */
	return parse_count(top, "page_bytes", &c->page_bytes) && parse_count(top, "huge_page_bytes", &c->pmd_bytes);
}

static bool parse_costs(const json_t *top, struct calibration *c)
{
	const json_t *object = json_object_get(top, "cost_ns");
	for (enum cost cost = 0; cost < COST_COUNT; cost++)
		if (!parse_figure(object, cost_names[cost], &c->cost[cost]))
			return false;
	return true;
}

static bool parse_accesses(const json_t *top, struct calibration *c)
{
	const json_t *array = json_object_get(top, "access");
	if (!json_is_array(array) || json_array_size(array) > CALIBRATION_POINTS)
		return false;
	for (; c->accesses < json_array_size(array); c->accesses++) {
		const json_t *object = json_array_get(array, c->accesses);
		struct access_point *p = &c->access[c->accesses];
		if (!parse_count(object, "bytes", &p->bytes) || !parse_figure(object, "extra_ns", &p->extra_ns) ||
		    !parse_figure(object, "huge_ns", &p->huge_ns) ||
		    !parse_figure(object, "walk_share", &p->walk_share) ||
		    p->bytes <= (c->accesses ? p[-1].bytes : 0))
			return false;
	}
	return true;
}

static bool parse_scans(const json_t *top, struct calibration *c)
{
	const json_t *array = json_object_get(top, "ksmd");
	if (!json_is_array(array) || json_array_size(array) > CALIBRATION_POINTS)
		return false;
	for (; c->scans < json_array_size(array); c->scans++) {
		const json_t *object = json_array_get(array, c->scans);
		struct scan_point *p = &c->scan[c->scans];
		if (!parse_count(object, "pages", &p->pages) || !parse_figure(object, "visit_ns", &p->visit_ns) ||
		    !parse_figure(object, "merge_ns", &p->merge_ns) || p->pages <= (c->scans ? p[-1].pages : 0))
			return false;
	}
	return true;
}

int calibration_parse(struct calibration *ret, const char *bytes, size_t length, struct error *err)
{
	json_error_t where;
	json_t *top = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &where);
	const char *schema = json_string_value(json_object_get(top, "schema"));
	int rc = 0;

	*ret = (struct calibration){ 0 };
	if (!top)
		rc = fail(err, EXIT_FAILED, "line %d: %s", where.line, where.text);
	else if (!schema || strcmp(schema, SCHEMA))
		rc = fail(err, EXIT_FAILED, "it is no " SCHEMA);
	else if (!parse_head(top, ret) || !parse_costs(top, ret) || !parse_accesses(top, ret) || !parse_scans(top, ret))
		rc = fail(err, EXIT_FAILED, "a figure in it is missing or makes no sense");
	json_decref(top);
	return rc;
}

/* ---- the file ---- */

static enum known refuse(char why[256], enum known known, const char *path, const char *reason)
{
	snprintf(why, 256, "%.100s: %.150s", path, reason);
	return known;
}

static enum known read_file(const char *path, char *bytes, ssize_t *ret_length, char why[256])
{
	scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return refuse(why, ABSENT, path, "this machine is not calibrated (ksm-advise --calibrate)");
	if (fd < 0)
		return refuse(why, known_of_errno(errno), path, strerror(errno));
	*ret_length = read_fully(fd, bytes, MOST_BYTES);
	if (*ret_length < 0)
		return refuse(why, ABSENT, path, strerror(errno));
	return *ret_length < MOST_BYTES ? KNOWN : refuse(why, ABSENT, path, "it is too large for a calibration");
}

/* May it be used here and now? */
static const char *refused_here(const struct calibration *c, const struct sysroot *root, char why[256])
{
	struct machine machine = { 0 };
	struct timespec now;
	char cpu[sizeof(c->cpu)];

	proc_machine(root, &machine);
	host_cpu_name(root, cpu, sizeof(cpu));
	clock_gettime(CLOCK_REALTIME, &now);
	const struct calibration_facts facts = {
		.cpu = cpu, .release = machine.release, .time_ns = now.tv_sec * 1000000000ll + now.tv_nsec,
		.page_bytes = machine.page_bytes, .pmd_bytes = machine.pmd_bytes,
	};
	return calibration_refused(c, &facts, why);
}

enum known calibration_read(struct calibration *ret, const struct sysroot *root, const char *path, char why[256])
{
	scoped_free char *bytes = malloc(MOST_BYTES);
	char reason[256];
	ssize_t length = 0;
	struct error err;

	why[0] = '\0';
	if (!bytes)
		return refuse(why, ABSENT, path, "out of memory");
	enum known known = read_file(path, bytes, &length, why);
	if (known != KNOWN)
		return known;
	if (calibration_parse(ret, bytes, length, &err))
		return refuse(why, ABSENT, path, err.text);
	const char *refused = refused_here(ret, root, reason);
	return refused ? refuse(why, ABSENT, path, refused) : KNOWN;
}
