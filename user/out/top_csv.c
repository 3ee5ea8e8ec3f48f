// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "out/top.h"

/* RFC 4180: quoted where it has to be. Control characters of names are made visible. */
static void put_text(struct text *out, const char *raw)
{
	char name[4096];

	printable(name, sizeof(name), raw);
	if (!strpbrk(name, ",\"")) {
		text_puts(out, name);
		return;
	}
	text_puts(out, "\"");
	for (const char *c = name; *c; c++)
		text_printf(out, *c == '"' ? "\"\"" : "%c", *c);
	text_puts(out, "\"");
}

static void put_quantity(struct text *out, enum field f, struct quantity q)
{
	if (q.known != KNOWN || !isfinite(q.value))
		return;
	switch (fields[f].unit) {
	case UNIT_CHOICE:
		text_puts(out, field_choice(f, q.value));
		break;
	case UNIT_PER_SECOND:
	case UNIT_RATIO:
	case UNIT_SECONDS:
		text_printf(out, "%.6g", q.value);
		break;
	default:
		text_printf(out, "%" PRId64, (int64_t)llrint(q.value));
	}
}

void top_csv_head(struct text *out, const struct top_shown *shown)
{
	text_puts(out, "time");
	for (size_t i = 0; i < shown->columns_count; i++)
		text_printf(out, ",%s", fields[shown->columns[i]].json);
	text_puts(out, "\n");
}

void top_csv(struct text *out, const struct top_shown *shown)
{
	const struct top_sample *s = shown->model->sample;
	char made[16];

	for (size_t i = 0; i < shown->count; i++) {
		text_printf(out, "%" PRId64 ".%03d", s->time_ns / 1000000000, (int)(s->time_ns / 1000000 % 1000));
		for (size_t c = 0; c < shown->columns_count; c++) {
			enum field f = shown->columns[c];
			text_puts(out, ",");
			if (fields[f].unit == UNIT_TEXT)
				put_text(out, field_text(s, shown->rows[i]->task, f, made));
			else
				put_quantity(out, f, top_row_value(shown->rows[i], f));
		}
		text_puts(out, "\n");
	}
}
