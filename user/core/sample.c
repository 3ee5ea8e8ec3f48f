// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/sample.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/estimate/sampled.h"
#include "core/huge/heat.h"
#include "core/huge/hidden.h"

const char *area_class_name(enum area_class class)
{
	static const char *const names[AREA_CLASSES] = { "candidate", "shared", "hugetlb", "dax", "device", "special" };
	return names[class];
}

void sample_init(struct sample *s)
{
	memset(s, 0, sizeof(*s));
	frame_table_init(&s->frames);
}

void sample_free(struct sample *s)
{
	free(s->tasks);
	free(s->areas);
	free(s->names);
	free(s->missing);
	free(s->kept);
	frame_table_free(&s->frames);
	sampled_free(s->sampled);
	free(s->calibration);
	heat_facts_free(s->heat);
	hidden_free(s->hidden);
	memset(s, 0, sizeof(*s));
}

/*
 * Grow an array of `count` items for one more, doubling at powers of two: the
 * capacity follows from the count, so nothing else has to be remembered.
 */
static void *add_item(void **items, size_t *count, size_t item_bytes)
{
	if ((*count & (*count - 1)) == 0) {
		void *more = realloc(*items, (*count ? *count * 2 : 1) * item_bytes);
		if (!more)
			return NULL;
		*items = more;
	}
	void *item = (char *)*items + item_bytes * (*count)++;
	memset(item, 0, item_bytes);
	return item;
}

struct task *sample_add_task(struct sample *s)
{
	return add_item((void **)&s->tasks, &s->tasks_count, sizeof(*s->tasks));
}

struct area *sample_add_area(struct sample *s)
{
	return add_item((void **)&s->areas, &s->areas_count, sizeof(*s->areas));
}

uint32_t sample_name(struct sample *s, const char *name)
{
	size_t need = strlen(name) + 1;
	if (need == 1)
		return 0;
	size_t used = s->names_length ? s->names_length : 1;
	/* the same name as the last one: neighbouring mappings share it */
	if (s->names_length >= need + 1 && !strcmp(s->names + s->names_length - need, name) &&
	    s->names[s->names_length - need - 1] == '\0')
		return s->names_length - need;
	if (used + need > UINT32_MAX)
		return 0;
	char *names = s->names;
	size_t blocks = (s->names_length + 65535) / 65536, wanted = (used + need + 65535) / 65536;
	if (wanted > blocks) {
		names = realloc(s->names, wanted * 65536);
		if (!names)
			return 0;
		s->names = names;
		names[0] = '\0';
	}
	memcpy(names + used, name, need);
	s->names_length = used + need;
	return used;
}

__attribute__((format(printf, 5, 0)))
static void add_missing(struct sample *s, const char *what, enum known state, bool harmless, const char *why,
			va_list args)
{
	for (size_t i = 0; i < s->missing_count; i++)
		if (!strcmp(s->missing[i].what, what))
			return;
	struct missing *m = add_item((void **)&s->missing, &s->missing_count, sizeof(*m));
	if (!m)
		return;
	snprintf(m->what, sizeof(m->what), "%s", what);
	m->state = state;
	m->harmless = harmless;
	vsnprintf(m->why, sizeof(m->why), why, args);
}

void sample_missing(struct sample *s, const char *what, enum known state, const char *why, ...)
{
	va_list args;
	va_start(args, why);
	add_missing(s, what, state, false, why, args);
	va_end(args);
}

void sample_lacks(struct sample *s, const char *what, enum known state, const char *why, ...)
{
	va_list args;
	va_start(args, why);
	add_missing(s, what, state, true, why, args);
	va_end(args);
}

bool sample_complete(const struct sample *s)
{
	for (size_t i = 0; i < s->missing_count; i++)
		if (!s->missing[i].harmless)
			return false;
	return true;
}
