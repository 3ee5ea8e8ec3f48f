// SPDX-License-Identifier: GPL-2.0-or-later
/* The display as a pure function: properties at all sizes, keys and what they do. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "screen/draw.h"
#include "screen/format.h"
#include "screen/keys.h"
#include "screen/spark.h"
#include "tests/unit/unit.h"

/* ---- made moments ---- */

struct made {
	struct top_sample before, now;
	struct top_model model;
	struct top_track track;
	struct history *history;
	struct detail detail;
	struct rows rows;
	struct view view;
};

static void add_process(struct top_sample *s, int i)
{
	static const char *const names[] = { "qemu-system-x86", "python3", "\xe6\xbc\xa2\xe5\xad\x97\xe5\xad\x97",
					     "a\nb\x1b[31m", "e\xcc\x81\xe2\x80\xae" };
	struct top_task *t = top_sample_add_task(s);
	assert_non_null(t);
	t->pid = 10 + 7 * i;
	t->start_ticks = 100 + i;
	t->uid = i % 3 ? 0 : 1000;
	snprintf(t->comm, sizeof(t->comm), "%s", names[i % 5]);
	t->cgroup = names_add(&s->names, i % 2 ? "/system.slice/a.service" : i % 4 ? "/user.slice" : "/system.slice");
	t->user = names_add(&s->names, i % 3 ? "root" : "somebody-with-a-long-name");
	t->vm = names_add(&s->names, i % 5 ? "" : "guest-1");
	t->domain = names_add(&s->names, i % 2 ? "" : "shop");
	for (enum task_fact f = 0; f < TASK_FACTS; f++)
		task_set(t, f, (struct value){ (i + 1ll) * 1234567 * (f + 1) % 99999999, i % 11 ? KNOWN : DENIED });
	task_set(t, TASK_MERGE_ANY, value_of(i % 2));
	task_set(t, TASK_MERGEABLE, value_of(1));
	task_set(t, TASK_PROFIT_BYTES, value_of(i % 4 ? 1000000 * i : -5000));
}

static void made_begin(struct made *m, int processes)
{
	memset(m, 0, sizeof(*m));
	m->history = history_new(1 << 20);
	for (int which = 0; which < 2; which++) {
		struct top_sample *s = which ? &m->now : &m->before;
		s->time_ns = (1700000000 + which) * 1000000000ll;
		s->clock_ns = (100 + which) * 1000000000ll;
		s->page_bytes = 4096;
		snprintf(s->host, sizeof(s->host), "a-host-of-some-length");
		for (enum top_fact f = 0; f < TOP_FACTS; f++)
			s->fact[f] = value_of(1000000 * (which + 1) + f * 12345);
		s->fact[KNOB_RUN] = value_of(1);
		s->fact[KNOB_ADVISOR_MODE] = value_of(0);
		for (int i = 0; i < processes; i++)
			add_process(s, i);
	}
	top_sample_missing(&m->now, "fault probe", DENIED, "permission denied");
	m->now.watched = DENIED;
	assert_int_equal(top_model_build(&m->model, &m->before, &m->now, &m->track), 0);
	history_add(m->history, &m->model);
	view_init(&m->view);
	assert_int_equal(rows_build(&m->rows, &m->model, &m->view), 0);
}

static void made_end(struct made *m)
{
	rows_free(&m->rows);
	top_sample_free(&m->before);
	top_sample_free(&m->now);
	top_model_free(&m->model);
	history_free(m->history);
}

static void rebuild(struct made *m)
{
	rows_free(&m->rows);
	assert_int_equal(rows_build(&m->rows, &m->model, &m->view), 0);
}

static struct display display_of(struct made *m)
{
	return (struct display){ .model = &m->model, .rows = &m->rows, .history = m->history, .interval_seconds = 1,
				 .message = "" };
}

/* ---- a canvas with a fence around it ---- */

#define FENCE 64

struct fenced {
	struct canvas canvas;
	struct cell *all;
};

static void fenced_begin(struct fenced *f, int width, int height, bool ascii)
{
	size_t cells = (size_t)width * height;
	assert_true(canvas_init(&f->canvas, width, height, ascii));
	f->all = malloc((cells + 2 * FENCE) * sizeof(*f->all));
	assert_non_null(f->all);
	memset(f->all, 0xa5, (cells + 2 * FENCE) * sizeof(*f->all));
	memcpy(f->all + FENCE, f->canvas.cells, cells * sizeof(*f->all));
	free(f->canvas.cells);
	f->canvas.cells = f->all + FENCE;
}

static void fenced_end(struct fenced *f)
{
	const unsigned char *before = (const unsigned char *)f->all;
	const struct cell *end = f->canvas.cells + (size_t)f->canvas.width * f->canvas.height;
	const unsigned char *after = (const unsigned char *)end;
	for (size_t i = 0; i < FENCE * sizeof(struct cell); i++) {
		assert_int_equal(before[i], 0xa5);
		assert_int_equal(after[i], 0xa5);
	}
	free(f->all);
}

/* Line `y` as ASCII; what is none is '?'. */
static void line_of(const struct canvas *c, int y, char *ret, size_t size)
{
	int used = 0;
	for (int x = 0; x < c->width && used + 1 < (int)size; x++) {
		uint32_t glyph = c->cells[(size_t)y * c->width + x].glyph;
		ret[used++] = glyph >= ' ' && glyph < 0x7f ? (char)glyph : '?';
	}
	ret[used] = '\0';
}

static bool shows(const struct canvas *c, const char *text)
{
	char line[512];
	for (int y = 0; y < c->height; y++) {
		line_of(c, y, line, sizeof(line));
		if (strstr(line, text))
			return true;
	}
	return false;
}

/* Every cell holds something that can be shown; wide glyphs have both their halves. */
static void assert_sound(const struct canvas *c)
{
	for (int y = 0; y < c->height; y++) {
		for (int x = 0; x < c->width; x++) {
			struct cell cell = c->cells[(size_t)y * c->width + x];
			assert_true(cell.role < ROLES);
			assert_true(cell.glyph == 0 || cell.glyph >= ' ');
			assert_true(cell.glyph < 0x7f || cell.glyph > 0x9f);
			assert_true(cell.glyph != 0x202e && cell.glyph != 0x301);
			if (c->ascii)
				assert_true(cell.glyph < 0x7f);
			if (!cell.glyph)
				assert_true(x > 0 && c->cells[(size_t)y * c->width + x - 1].glyph >= 0x1100);
		}
	}
}

static void draw_at(struct made *m, int width, int height, bool ascii, void (*check)(const struct canvas *))
{
	struct display d = display_of(m);
	struct fenced f;
	fenced_begin(&f, width, height, ascii);
	draw(&f.canvas, &m->view, &d);
	assert_sound(&f.canvas);
	if (check)
		check(&f.canvas);
	fenced_end(&f);
}

/* ---- sizes ---- */

static void has_its_parts(const struct canvas *c)
{
	static const char *const meters[] = { " saved ", " profit ", " potential ", " pass ", " ksmd CPU ", " breaks ",
					      " huge ", " splits ", " pressure ", " exposure ", " available ",
					      " faults " };

	if (c->width >= 60 && c->height >= 3)
		assert_true(shows(c, "ksmtop  20"));
	if (c->width >= 40 && c->height >= 2)
		assert_true(shows(c, "PID") && shows(c, "COMMAND"));
	if (c->width >= 80 && c->height >= 24) {
		assert_true(shows(c, "KSM running"));
		for (size_t i = 0; i < sizeof(meters) / sizeof(meters[0]); i++)
			assert_true(shows(c, meters[i]));
		assert_true(shows(c, "own ") && shows(c, "events") == false);
		assert_true(shows(c, "? Help") && shows(c, "q Quit"));
	}
}

static void test_all_sizes(void **state)
{
	struct made m;
	(void)state;
	made_begin(&m, 40);
	for (int height = 1; height <= 100; height += height < 30 ? 1 : 7)
		for (int width = 1; width <= 300; width += width < 100 ? 1 : 13)
			draw_at(&m, width, height, (width + height) % 5 == 0, has_its_parts);
	made_end(&m);
}

static void test_all_pages_at_all_sizes(void **state)
{
	static const struct detail_mapping mapping = { .name = "/lib/x\x01.so", .count = 3, .bytes = 123456,
						       .merged_pages = { 1, KNOWN } };
	static const struct detail_partner partner = { .pid = 1, .comm = "other", .frames = 7, .crosses = true };
	static const struct reason reason = { .code = REASON_ENGINE_OFF, .text = "off", .remedy = "on" };
	struct made m;
	(void)state;
	made_begin(&m, 12);
	m.detail = (struct detail){ .pid = 10, .start_ticks = 100, .page_bytes = 4096, .mappings_known = KNOWN,
				    .partners_known = KNOWN, .mappings = (struct detail_mapping *)&mapping,
				    .mappings_count = 1, .partners = (struct detail_partner *)&partner,
				    .partners_count = 1, .reasons = (struct reason *)&reason, .reasons_count = 1 };
	m.view.selected = (struct row_id){ 10, 100 };
	for (enum view_page page = PAGE_TABLE; page < VIEW_PAGES; page++) {
		for (enum group_kind tree = GROUP_NONE; tree < GROUP_KINDS; tree++) {
			m.view.page = page;
			m.view.tree = tree;
			rebuild(&m);
			struct display d = display_of(&m);
			d.detail = &m.detail;
			for (int width = 1; width <= 210; width += 1 + width / 9) {
				for (int height = 1; height <= 70; height += 1 + height / 9) {
					struct fenced f;
					fenced_begin(&f, width, height, false);
					m.view.line = 5;
					draw(&f.canvas, &m.view, &d);
					assert_sound(&f.canvas);
					fenced_end(&f);
				}
			}
		}
	}
	made_end(&m);
}

static void test_nothing_to_show(void **state)
{
	struct made m;
	(void)state;
	made_begin(&m, 0);
	for (int height = 1; height < 30; height++)
		draw_at(&m, 80, height, false, NULL);
	for (int key = 0; key < 128; key++)
		view_press(&m.view, (uint32_t)key, &m.rows);
	made_end(&m);
}

/* Nothing is known of anything: the display stays, and shows no zero. */
static void test_unknown_is_not_zero(void **state)
{
	struct made m;
	char line[512];
	struct display d;
	struct fenced f;
	(void)state;
	made_begin(&m, 0);
	for (enum top_fact fact = 0; fact < TOP_FACTS; fact++)
		m.now.fact[fact] = (struct value){ .known = DENIED };
	m.track = (struct top_track){ 0 };
	assert_int_equal(top_model_build(&m.model, &m.before, &m.now, &m.track), 0);
	d = display_of(&m);
	fenced_begin(&f, 80, 24, false);
	draw(&f.canvas, &m.view, &d);
	assert_true(shows(&f.canvas, "KSM may not be read"));
	for (int y = 2; y < 9; y++) {
		line_of(&f.canvas, y, line, sizeof(line));
		assert_int_equal(line[11], '-');
		assert_null(strpbrk(line, "0123456789"));
	}
	fenced_end(&f);
	made_end(&m);
}

static void test_missing_says_why(void **state)
{
	struct made m;
	struct display d;
	struct fenced f;
	(void)state;
	made_begin(&m, 3);
	m.view.sort = PROC_COW;
	d = display_of(&m);
	fenced_begin(&f, 120, 24, false);
	draw(&f.canvas, &m.view, &d);
	assert_true(shows(&f.canvas, "COW/s: permission denied"));
	assert_true(shows(&f.canvas, "1 missing (m)"));
	fenced_end(&f);
	view_press(&m.view, 'm', &m.rows);
	fenced_begin(&f, 120, 24, false);
	draw(&f.canvas, &m.view, &d);
	assert_true(shows(&f.canvas, "fault probe") && shows(&f.canvas, "denied: permission denied"));
	fenced_end(&f);
	made_end(&m);
}

/* ---- rows ---- */

static bool is_sorted(const struct made *m)
{
	for (size_t i = 1; i < m->rows.count; i++) {
		struct quantity a = row_value(&m->rows.items[i - 1], m->view.sort);
		struct quantity b = row_value(&m->rows.items[i], m->view.sort);
		if (quantity_compare(a, b, !m->view.ascending) > 0)
			return false;
	}
	return true;
}

static void test_sorting(void **state)
{
	struct made m;
	(void)state;
	made_begin(&m, 100);
	for (enum field f = HOST_FIELDS; f < FIELD_COUNT; f++) {
		for (int ascending = 0; ascending < 2; ascending++) {
			m.view.sort = f;
			m.view.ascending = ascending;
			rebuild(&m);
			assert_int_equal(m.rows.count, 100);
			if (fields[f].unit != UNIT_TEXT && f != PROC_PID)
				assert_true(is_sorted(&m));
		}
	}
	m.view.sort = PROC_PID;
	m.view.ascending = false;
	rebuild(&m);
	for (size_t i = 1; i < m.rows.count; i++)
		assert_true(m.rows.items[i].id.pid > m.rows.items[i - 1].id.pid);
	m.view.sort = PROC_USER;
	rebuild(&m);
	for (size_t i = 1; i < m.rows.count; i++)
		assert_true(strcmp(top_name(&m.now, m.rows.items[i - 1].process->task->user),
				   top_name(&m.now, m.rows.items[i].process->task->user)) <= 0);
	made_end(&m);
}

static void test_filter(void **state)
{
	static const struct {
		const char *filter;
		size_t count;
	} cases[] = { { "", 100 }, { "PYTHON", 20 }, { "a.service", 50 }, { "guest", 20 }, { "somebody", 34 },
		      { "10", 3 }, { "no such", 0 } };
	struct made m;
	(void)state;
	made_begin(&m, 100);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(m.view.filter, sizeof(m.view.filter), "%s", cases[i].filter);
		rebuild(&m);
		assert_int_equal(m.rows.count, cases[i].count);
		for (size_t k = 0; k < m.rows.count; k++)
			assert_true(row_matches(&m.rows, &m.rows.items[k], cases[i].filter));
		draw_at(&m, 80, 24, false, NULL);
	}
	made_end(&m);
}

/* Every process once, behind its group, one deeper; groups before what is in them. */
static void test_trees(void **state)
{
	struct made m;
	(void)state;
	made_begin(&m, 60);
	for (enum group_kind tree = GROUP_CGROUP; tree < GROUP_KINDS; tree++) {
		bool seen[60] = { false };
		m.view.tree = tree;
		rebuild(&m);
		size_t processes = 0, groups = 0, under = 0;
		for (size_t i = 0; i < m.rows.count; i++) {
			const struct shown_row *row = &m.rows.items[i];
			if (row->group) {
				groups++;
				under = i;
				continue;
			}
			size_t index = row->process - m.model.rows;
			assert_false(seen[index]);
			seen[index] = true;
			processes++;
			assert_true(row->depth >= 1);
			assert_ptr_equal(&m.rows.groups.groups[m.rows.groups.of_row[index]],
					 row->depth == m.rows.items[under].depth + 1 ? m.rows.items[under].group
						: &m.rows.groups.groups[m.rows.groups.of_row[index]]);
		}
		assert_int_equal(processes, 60);
		assert_int_equal(groups, tree == GROUP_CGROUP ? 4 : 2);
		draw_at(&m, 80, 40, false, NULL);
	}
	made_end(&m);
}

static void test_folding(void **state)
{
	struct made m;
	(void)state;
	made_begin(&m, 60);
	view_press(&m.view, 't', &m.rows);
	rebuild(&m);
	size_t all = m.rows.count;
	assert_true(m.rows.items[0].group && !m.rows.items[0].folded);
	draw_at(&m, 80, 24, false, NULL);
	view_press(&m.view, PRESS_ENTER, &m.rows);
	rebuild(&m);
	assert_int_equal(m.rows.count, 1);
	assert_true(m.rows.items[0].folded);
	view_press(&m.view, PRESS_ENTER, &m.rows);
	rebuild(&m);
	assert_int_equal(m.rows.count, all);
	made_end(&m);
}

/* ---- keys ---- */

static void press_and_draw(struct made *m, uint32_t key)
{
	view_press(&m->view, key, &m->rows);
	rebuild(m);
	draw_at(m, 80, 24, false, NULL);
}

static void test_moving(void **state)
{
	struct made m;
	(void)state;
	made_begin(&m, 100);
	draw_at(&m, 80, 24, false, NULL);
	assert_int_equal(m.view.page_rows, 12);
	assert_int_equal(m.view.at, 0);
	press_and_draw(&m, PRESS_DOWN);
	press_and_draw(&m, 'j');
	press_and_draw(&m, 'k');
	assert_int_equal(m.view.at, 1);
	press_and_draw(&m, PRESS_PAGE_DOWN);
	assert_int_equal(m.view.at, 12);
	assert_int_equal(m.view.first, 1);
	press_and_draw(&m, 'G');
	assert_int_equal(m.view.at, 99);
	assert_int_equal(m.view.first, 88);
	press_and_draw(&m, PRESS_DOWN);
	assert_int_equal(m.view.at, 99);
	press_and_draw(&m, PRESS_PAGE_UP);
	assert_int_equal(m.view.at, 88);
	press_and_draw(&m, 'g');
	assert_int_equal(m.view.at, 0);
	press_and_draw(&m, PRESS_UP);
	assert_int_equal(m.view.at, 0);
	made_end(&m);
}

/* What is selected stays selected when the order changes; when it goes, its neighbour is. */
static void test_selection_follows(void **state)
{
	struct made m;
	(void)state;
	made_begin(&m, 30);
	draw_at(&m, 80, 24, false, NULL);
	for (int i = 0; i < 5; i++)
		press_and_draw(&m, PRESS_DOWN);
	struct row_id id = m.view.selected;
	assert_true(id.pid > 0);
	press_and_draw(&m, 'I');
	assert_true(row_id_equal(m.rows.items[m.view.at].id, id));
	assert_true(row_id_equal(m.view.selected, id));
	press_and_draw(&m, '>');
	assert_true(row_id_equal(m.view.selected, id));
	size_t at = m.view.at;
	for (size_t i = 0; i < m.now.tasks_count; i++)
		if (m.now.tasks[i].pid == id.pid)
			m.now.tasks[i].start_ticks++;
	rebuild(&m);
	draw_at(&m, 80, 24, false, NULL);
	assert_int_equal(m.view.at, at);
	made_end(&m);
}

static void test_searching(void **state)
{
	struct made m;
	(void)state;
	made_begin(&m, 30);
	m.view.sort = PROC_PID;
	rebuild(&m);
	press_and_draw(&m, '/');
	assert_int_equal(m.view.prompt, PROMPT_SEARCH);
	for (const char *c = "PYT"; *c; c++)
		press_and_draw(&m, (uint32_t)*c);
	assert_int_equal(m.view.at, 1);
	press_and_draw(&m, PRESS_ENTER);
	assert_int_equal(m.view.prompt, PROMPT_NONE);
	press_and_draw(&m, 'n');
	assert_int_equal(m.view.at, 6);
	press_and_draw(&m, 'n');
	assert_int_equal(m.view.at, 11);
	press_and_draw(&m, 'N');
	assert_int_equal(m.view.at, 6);
	/* keys are text while there is a prompt */
	press_and_draw(&m, '/');
	press_and_draw(&m, 'q');
	assert_string_equal(m.view.search, "q");
	press_and_draw(&m, PRESS_BACKSPACE);
	assert_string_equal(m.view.search, "");
	made_end(&m);
}

static void test_filter_prompt(void **state)
{
	struct made m;
	(void)state;
	made_begin(&m, 30);
	press_and_draw(&m, 'f');
	for (const char *c = "python"; *c; c++)
		press_and_draw(&m, (uint32_t)*c);
	assert_int_equal(m.rows.count, 6);
	press_and_draw(&m, PRESS_ENTER);
	assert_int_equal(m.rows.count, 6);
	press_and_draw(&m, PRESS_ESCAPE);
	assert_int_equal(m.rows.count, 30);
	/* no more than there is room for */
	press_and_draw(&m, PRESS_F(4));
	for (int i = 0; i < 3 * VIEW_TEXT; i++)
		press_and_draw(&m, 'x');
	assert_int_equal(strlen(m.view.filter), VIEW_TEXT - 1);
	press_and_draw(&m, PRESS_ESCAPE);
	assert_string_equal(m.view.filter, "");
	made_end(&m);
}

static void test_choosing(void **state)
{
	enum field columns[PROC_FIELDS];
	struct made m;
	(void)state;
	made_begin(&m, 30);
	press_and_draw(&m, 's');
	assert_int_equal(m.view.page, PAGE_SORT);
	assert_int_equal(m.view.line, PROC_MERGED - HOST_FIELDS);
	press_and_draw(&m, PRESS_HOME);
	press_and_draw(&m, PRESS_DOWN);
	press_and_draw(&m, PRESS_ENTER);
	assert_int_equal(m.view.page, PAGE_TABLE);
	assert_int_equal(m.view.sort, PROC_UID);

	/* take the first column away, and put it back at the end */
	press_and_draw(&m, 'c');
	size_t count = m.view.columns_count;
	assert_true(count > 3 && m.view.columns[0] == PROC_PID);
	press_and_draw(&m, ' ');
	assert_int_equal(m.view.columns_count, count - 1);
	assert_true(m.view.columns[0] != PROC_PID);
	press_and_draw(&m, ' ');
	assert_int_equal(m.view.columns_count, count);
	assert_int_equal(m.view.columns[count - 1], PROC_PID);
	assert_false(m.view.paused);
	press_and_draw(&m, 'q');
	assert_int_equal(m.view.page, PAGE_TABLE);
	assert_true(view_columns(&m.view, 300, columns) == count);
	made_end(&m);
}

static void test_leaving(void **state)
{
	struct made m;
	(void)state;
	made_begin(&m, 30);
	draw_at(&m, 80, 24, false, NULL);
	assert_int_equal(view_press(&m.view, PRESS_ENTER, &m.rows), REQUEST_NONE);
	assert_int_equal(m.view.page, PAGE_DETAIL);
	assert_int_equal(view_press(&m.view, 'q', &m.rows), REQUEST_NONE);
	assert_int_equal(m.view.page, PAGE_TABLE);
	assert_int_equal(view_press(&m.view, 'q', &m.rows), REQUEST_QUIT);
	assert_int_equal(view_press(&m.view, PRESS_F(10), &m.rows), REQUEST_QUIT);
	view_press(&m.view, '?', &m.rows);
	assert_int_equal(m.view.page, PAGE_HELP);
	assert_int_equal(view_press(&m.view, PRESS_F(10), &m.rows), REQUEST_QUIT);
	made_end(&m);
}

static void test_steps_of_a_replay(void **state)
{
	struct made m;
	(void)state;
	made_begin(&m, 3);
	assert_int_equal(view_press(&m.view, ']', &m.rows), REQUEST_NONE);
	m.view.replay = true;
	assert_int_equal(view_press(&m.view, ']', &m.rows), REQUEST_STEP_ON);
	assert_true(m.view.paused);
	assert_int_equal(view_press(&m.view, '[', &m.rows), REQUEST_STEP_BACK);
	assert_int_equal(view_press(&m.view, '{', &m.rows), REQUEST_FIRST);
	assert_int_equal(view_press(&m.view, '}', &m.rows), REQUEST_LAST);
	view_press(&m.view, ' ', &m.rows);
	assert_false(m.view.paused);
	made_end(&m);
}

/* Any keys in any order at any size. */
static void test_any_keys(void **state)
{
	struct made m;
	(void)state;
	made_begin(&m, 50);
	srand(1);
	m.view.replay = true;
	for (int i = 0; i < 4000; i++) {
		uint32_t key = rand() % 3 ? (uint32_t)(rand() % 128) : PRESS_UP + (uint32_t)(rand() % 20);
		view_press(&m.view, key, &m.rows);
		rebuild(&m);
		draw_at(&m, 1 + rand() % 120, 1 + rand() % 40, false, NULL);
		assert_true(m.rows.count == 0 || m.view.at < m.rows.count);
	}
	made_end(&m);
}

/* ---- columns ---- */

static void test_columns_fit(void **state)
{
	enum field columns[PROC_FIELDS];
	struct view v;
	size_t before = 0;
	(void)state;
	view_init(&v);
	for (int width = 1; width <= 400; width++) {
		size_t count = view_columns(&v, width, columns);
		int taken = 0;
		assert_true(count >= 1 && count <= PROC_FIELDS && count >= before);
		assert_int_equal(columns[count - 1], PROC_COMM);
		for (size_t i = 0; i + 1 < count; i++)
			taken += (int)fields[columns[i]].width + 1;
		assert_true(count == 1 || taken + (int)fields[PROC_COMM].width <= width);
		before = count;
	}
	for (int scroll = 0; scroll < 40; scroll++) {
		v.first_column = scroll;
		assert_true(view_columns(&v, 80, columns) >= 1);
	}
}

/* Whatever the value, it does not leave its column. */
static void test_values_fit_columns(void **state)
{
	static const double numbers[] = { 0, 0.001, 0.5, 1, 9.949, 9.95, 99.94, 99.95, 999.4, 999.5, 1023, 1024, 9999,
					  99999, 1e6, 1.5e9, 1e12, 9e15, 1e18 };
	(void)state;
	for (enum field f = HOST_FIELDS; f < FIELD_COUNT; f++) {
		if (fields[f].unit == UNIT_TEXT)
			continue;
		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
			for (int sign = -1; sign <= 1; sign += 2) {
				double n = fields[f].unit == UNIT_CHOICE ? (double)(i % 3) : numbers[i] * sign;
				if ((sign < 0 && f != PROC_PROFIT) || (n > 4194304 && (f == PROC_PID || f == PROC_UID)))
					continue;
				struct quantity q = { n, n, n, KNOWN, false };
				bool plus = f == PROC_PROFIT && n > 0;
				assert_true(strlen(brief_column(f, q).text) + plus <= fields[f].width);
				q.partial = fields[f].sums;
				assert_true(strlen(brief_column(f, q).text) + plus <= fields[f].width);
				if (fields[f].unit != UNIT_PER_SECOND)
					continue;
				q = (struct quantity){ n, n / 2, n * 2 + 1, KNOWN, false };
				assert_true(strlen(brief_column(f, q).text) <= fields[f].width);
				q.partial = true;
				assert_true(strlen(brief_column(f, q).text) <= fields[f].width);
			}
		}
	}
}

#define GIB 1073741824.0

static void test_texts(void **state)
{
	static const struct {
		enum field field;
		struct quantity q;
		const char *column, *meter;
	} cases[] = {
		{ PROC_ANON, { 1.5 * GIB, 1.5 * GIB, 1.5 * GIB, KNOWN, false }, "1.50G", "1.50 GiB" },
		{ PROC_ANON, { 4096, 4096, 4096, KNOWN, true }, "4.00K+", "4.00 KiB" },
		{ PROC_PROFIT, { -12345, -12345, -12345, KNOWN, false }, "-12.1K", "-12.1 KiB" },
		{ PROC_COW, { 997, 997, 997, KNOWN, false }, "997", "997/s" },
		{ PROC_COW, { 997, 900, 1200, KNOWN, false }, "~997", "997/s" },
		{ PROC_COW, { 997, 980, 1010, KNOWN, false }, "997", "997/s" },
		{ PROC_COW, { 0.4, 0.4, 0.4, KNOWN, false }, "0.4", "0.4/s" },
		{ PROC_COW, { 0.001, 0.001, 0.001, KNOWN, false }, "<0.1", "<0.1/s" },
		{ PROC_COW, { 0, 0, 20, KNOWN, false }, "0", "0/s" },
		{ PROC_MERGED, { 12345, 12345, 12345, KNOWN, false }, "12.3k", "12.3k" },
		{ PROC_PID, { 4194304, 4194304, 4194304, KNOWN, false }, "4194304", "4194304" },
		{ HOST_KSMD_CPU, { 0.0321, 0.0321, 0.0321, KNOWN, false }, "3.2%", "3.2 %" },
		{ HOST_SMART_SCAN, { 1, 1, 1, KNOWN, false }, "yes", "on" },
		{ PROC_OPTED, { 2, 2, 2, KNOWN, false }, "all", "all" },
		{ PROC_COW, { .known = DENIED }, "!", "-" },
		{ PROC_COW, { .known = ABSENT }, "-", "-" },
		{ PROC_COW, { .known = NOT_READ }, ".", "-" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(brief_column(cases[i].field, cases[i].q).text, cases[i].column);
		assert_string_equal(brief_meter(cases[i].field, cases[i].q).text, cases[i].meter);
	}
	struct quantity q = { 997, 985, 1009, KNOWN, false };
	assert_string_equal(brief_interval(PROC_COW, q).text, "985 to 1.01k");
	q.high = INFINITY;
	assert_string_equal(brief_interval(PROC_COW, q).text, "at least 985");
	q.low = q.high = q.value;
	assert_string_equal(brief_interval(PROC_COW, q).text, "");
}

/* ---- text and lines ---- */

static void test_put(void **state)
{
	struct fenced f;
	char line[64];
	(void)state;
	fenced_begin(&f, 10, 1, false);
	struct span span = span_at(&f.canvas, 2, 0, 5);
	assert_int_equal(put(span, ROLE_PLAIN, "abc"), 3);
	line_of(&f.canvas, 0, line, sizeof(line));
	assert_string_equal(line, "  abc     ");
	assert_int_equal(put(span, ROLE_PLAIN, "abcdefgh"), 5);
	line_of(&f.canvas, 0, line, sizeof(line));
	assert_string_equal(line, "  abcd?   ");
	assert_int_equal(f.canvas.cells[6].glyph, 0x2026);
	assert_int_equal(put_right(span, ROLE_PLAIN, "xy"), 2);
	line_of(&f.canvas, 0, line, sizeof(line));
	assert_string_equal(line, "  abcxy   ");
	/* wide glyphs: whole or not at all, and no half stays behind */
	put(span, ROLE_PLAIN, "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2");
	assert_int_equal(f.canvas.cells[2].glyph, 0x6f22);
	assert_int_equal(f.canvas.cells[3].glyph, 0);
	assert_int_equal(f.canvas.cells[6].glyph, 0x2026);
	put(span_at(&f.canvas, 3, 0, 1), ROLE_PLAIN, "z");
	assert_int_equal(f.canvas.cells[2].glyph, ' ');
	assert_int_equal(put(span_at(&f.canvas, 12, 0, 5), ROLE_PLAIN, "no"), 0);
	assert_int_equal(put(span_at(&f.canvas, 0, 3, 5), ROLE_PLAIN, "no"), 0);
	assert_int_equal(put(span_at(&f.canvas, -3, 0, 2), ROLE_PLAIN, "no"), 0);
	fenced_end(&f);
}

static void test_spark(void **state)
{
	float values[] = { NAN, 0, 3.5f, 7, INFINITY };
	struct fenced f;
	(void)state;
	fenced_begin(&f, 8, 1, false);
	put_spark(span_at(&f.canvas, 0, 0, 8), ROLE_SPARK, values, 5, false);
	assert_int_equal(f.canvas.cells[2].glyph, ' ');
	assert_int_equal(f.canvas.cells[3].glyph, ' ');
	assert_int_equal(f.canvas.cells[4].glyph, 0x2581);
	assert_int_equal(f.canvas.cells[6].glyph, 0x2587);
	assert_int_equal(f.canvas.cells[7].glyph, ' ');
	put_spark(span_at(&f.canvas, 0, 0, 8), ROLE_SPARK, values, 5, true);
	assert_int_equal(f.canvas.cells[4].glyph, 0x2581);
	assert_int_equal(f.canvas.cells[6].glyph, 0x2588);
	fenced_end(&f);
	fenced_begin(&f, 10, 1, false);
	put_bar(span_at(&f.canvas, 0, 0, 10), ROLE_SPARK, 0.31);
	assert_int_equal(f.canvas.cells[2].glyph, 0x25a0);
	assert_int_equal(f.canvas.cells[3].glyph, 0xb7);
	put_bar(span_at(&f.canvas, 0, 0, 10), ROLE_SPARK, 1e9);
	assert_int_equal(f.canvas.cells[9].glyph, 0x25a0);
	fenced_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_sizes),
		cmocka_unit_test(test_all_pages_at_all_sizes),
		cmocka_unit_test(test_nothing_to_show),
		cmocka_unit_test(test_unknown_is_not_zero),
		cmocka_unit_test(test_missing_says_why),
		cmocka_unit_test(test_sorting),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_folding),
		cmocka_unit_test(test_moving),
		cmocka_unit_test(test_selection_follows),
		cmocka_unit_test(test_searching),
		cmocka_unit_test(test_filter_prompt),
		cmocka_unit_test(test_choosing),
		cmocka_unit_test(test_leaving),
		cmocka_unit_test(test_steps_of_a_replay),
		cmocka_unit_test(test_any_keys),
		cmocka_unit_test(test_columns_fit),
		cmocka_unit_test(test_values_fit_columns),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_spark),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
