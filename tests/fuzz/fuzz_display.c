// SPDX-License-Identifier: GPL-2.0-or-later
/* ksmtop: its command line, and keys on a display of any size. */
#include "screen/draw.h"
#include "screen/keys.h"
#include "tests/fuzz/target.h"
#include "top/options.h"

void fuzz_top_options(const uint8_t *data, size_t size)
{
	struct top_settings settings;
	struct error err = { 0 };
	struct fuzz_words words;
	enum parsed parsed;

	fuzz_words(&words, data, size);
	int rc = top_settings_parse(&settings, words.argc, words.argv, &parsed, &err);
	/* a file of domains may be none, or not to be read: that is no wrong usage */
	REQUIRE(!rc || (*err.text && (rc == -EXIT_USAGE || settings.domains)));
	REQUIRE(settings.view.columns_count <= PROC_FIELDS);
	top_settings_free(&settings);
	fuzz_words_free(&words);
}

/* ---- the display: three bytes of size and kind, then keys ---- */

static void make_sample(struct top_sample *s, int which)
{
	static const char *const cgroups[] = { "/", "/system.slice/a.service", "/system.slice", "/user.slice/b" };

	s->time_ns = (1700000000 + which) * 1000000000ll;
	s->clock_ns = (100 + which) * 1000000000ll;
	s->page_bytes = 4096;
	for (enum top_fact f = 0; f < TOP_FACTS; f++)
		s->fact[f] = value_of(1000000 * (which + 1) + f * 12345);
	for (int i = 0; i < 12; i++) {
		struct top_task *t = top_sample_add_task(s);
		REQUIRE(t);
		t->pid = 10 + 7 * i;
		t->start_ticks = 100 + i;
		snprintf(t->comm, sizeof(t->comm), i % 3 ? "qemu-system-x86" : "\xe6\xbc\xa2\x1b[2J%d", i);
		t->cgroup = names_add(&s->names, cgroups[i % 4]);
		t->user = names_add(&s->names, i % 2 ? "root" : "");
		t->vm = names_add(&s->names, i % 3 ? "guest-1" : "");
		for (enum task_fact f = 0; f < TASK_FACTS; f++)
			task_set(t, f, (struct value){ (i + 1ll) * 7654321 * (f + which), i % 5 ? KNOWN : DENIED });
	}
}

struct made {
	struct top_sample before, now;
	struct top_model model;
	struct top_track track;
	struct history *history;
};

/* The same for all inputs, made once. */
static const struct made *made_moment(void)
{
	static struct made m;
	if (m.history)
		return &m;
	make_sample(&m.before, 0);
	make_sample(&m.now, 1);
	top_sample_missing(&m.now, "fault probe", DENIED, "permission denied");
	m.history = history_new(1 << 16);
	REQUIRE(m.history && !top_model_build(&m.model, &m.before, &m.now, &m.track));
	history_add(m.history, &m.model);
	return &m;
}

static void show(struct view *view, const struct made *m, int width, int height, bool ascii)
{
	struct rows rows;
	struct canvas canvas;

	REQUIRE(!rows_build(&rows, &m->model, view));
	REQUIRE(canvas_init(&canvas, width, height, ascii));
	struct display display = { .model = &m->model, .rows = &rows, .history = m->history, .interval_seconds = 1,
				   .message = "" };
	draw(&canvas, view, &display);
	for (int i = 0; i < width * height; i++)
		REQUIRE(canvas.cells[i].glyph < 0x110000 && (!ascii || canvas.cells[i].glyph < 0x7f));
	canvas_free(&canvas);
	rows_free(&rows);
}

static void press(struct view *view, const struct made *m, uint8_t byte)
{
	static const uint32_t high[] = { PRESS_UP, PRESS_DOWN, PRESS_LEFT, PRESS_RIGHT, PRESS_PAGE_UP, PRESS_PAGE_DOWN,
					 PRESS_HOME, PRESS_END, 0x6f22, 0x301, 0x10ffff, 0xe9 };
	uint32_t key = byte < 0x80 ? byte : byte < 0x80 + 12 ? high[byte - 0x80] : PRESS_F(1 + byte % 12);
	struct rows rows;

	REQUIRE(!rows_build(&rows, &m->model, view));
	view_press(view, key, &rows);
	REQUIRE(view->page < VIEW_PAGES && view->columns_count <= PROC_FIELDS && view->folded_count <= VIEW_FOLDED);
	REQUIRE(memchr(view->filter, '\0', VIEW_TEXT) && memchr(view->search, '\0', VIEW_TEXT));
	rows_free(&rows);
}

void fuzz_display(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	const struct made *m = made_moment();
	int width = fuzz_byte(&in) + 1, height = fuzz_byte(&in) % 64 + 1;
	bool ascii = fuzz_byte(&in) & 1;
	struct view view;

	view_init(&view);
	while (in.at < in.end) {
		press(&view, m, fuzz_byte(&in));
		if ((in.end - in.at) % 16 == 0)
			show(&view, m, width, height, ascii);
	}
	show(&view, m, width, height, ascii);
}
