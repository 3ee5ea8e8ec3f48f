// SPDX-License-Identifier: GPL-2.0-or-later
#include "screen/keys.h"

#include <string.h>

/* ---- what is selected ---- */

static size_t last_row(const struct rows *rows)
{
	return rows->count ? rows->count - 1 : 0;
}

static void select_row(struct view *v, const struct rows *rows, size_t at)
{
	v->at = at < rows->count ? at : last_row(rows);
	v->selected = rows->count ? rows->items[v->at].id : (struct row_id){ 0 };
}

/* Nothing is selected until the user moves: then the topmost row is meant, whichever it is. */
static bool has_selection(const struct view *v)
{
	return v->selected.pid || v->selected.number;
}

void view_settle(struct view *v, const struct rows *rows, size_t page_rows)
{
	size_t most = rows->count > page_rows ? rows->count - page_rows : 0;

	v->page_rows = page_rows;
	if (!has_selection(v)) {
		v->at = 0;
	} else {
		size_t found = rows_find(rows, v->selected);
		select_row(v, rows, found < rows->count ? found : v->at);
	}
	if (v->at < v->first)
		v->first = v->at;
	if (page_rows && v->at >= v->first + page_rows)
		v->first = v->at - page_rows + 1;
	if (v->first > most)
		v->first = most;
}

/* ---- actions ---- */

struct at_key {
	struct view *view;
	const struct rows *rows;
};

/* Down (or up) by so many rows, or lines of a page that is not the table. */
static void move(const struct at_key *k, long by)
{
	struct view *v = k->view;
	size_t from = v->page == PAGE_TABLE ? v->at : v->line;
	size_t to = by < 0 && from < (size_t)-by ? 0 : from + by;

	if (v->page == PAGE_TABLE)
		select_row(v, k->rows, to);
	else
		v->line = to < v->lines ? to : v->lines ? v->lines - 1 : 0;
}

static long page(const struct at_key *k)
{
	return k->view->page_rows > 1 ? (long)k->view->page_rows - 1 : 1;
}

static enum view_request up(const struct at_key *k)
{
	move(k, -1);
	return REQUEST_NONE;
}

static enum view_request down(const struct at_key *k)
{
	move(k, 1);
	return REQUEST_NONE;
}

static enum view_request page_up(const struct at_key *k)
{
	move(k, -page(k));
	return REQUEST_NONE;
}

static enum view_request page_down(const struct at_key *k)
{
	move(k, page(k));
	return REQUEST_NONE;
}

static enum view_request to_top(const struct at_key *k)
{
	k->view->line = 0;
	if (k->view->page == PAGE_TABLE)
		k->view->selected = (struct row_id){ 0 };
	return REQUEST_NONE;
}

static enum view_request to_end(const struct at_key *k)
{
	move(k, 1L << 30);
	return REQUEST_NONE;
}

static enum view_request scroll_left(const struct at_key *k)
{
	if (k->view->first_column > 0)
		k->view->first_column--;
	return REQUEST_NONE;
}

static enum view_request scroll_right(const struct at_key *k)
{
	if (k->view->first_column < PROC_FIELDS - 1)
		k->view->first_column++;
	return REQUEST_NONE;
}

static enum view_request prompt_search(const struct at_key *k)
{
	k->view->prompt = PROMPT_SEARCH;
	k->view->search[0] = '\0';
	return REQUEST_NONE;
}

static enum view_request prompt_filter(const struct at_key *k)
{
	k->view->prompt = PROMPT_FILTER;
	return REQUEST_NONE;
}

/* To the next row that matches, counting from `from`; round and round. */
static void search_from(const struct at_key *k, size_t from, bool backwards)
{
	size_t count = k->rows->count;
	for (size_t i = 0; *k->view->search && i < count; i++) {
		size_t at = (backwards ? from + count - i : from + i) % count;
		if (row_matches(k->rows, &k->rows->items[at], k->view->search)) {
			select_row(k->view, k->rows, at);
			return;
		}
	}
}

static enum view_request search_next(const struct at_key *k)
{
	search_from(k, k->view->at + 1, false);
	return REQUEST_NONE;
}

static enum view_request search_back(const struct at_key *k)
{
	search_from(k, k->view->at + (k->rows->count ? k->rows->count - 1 : 0), true);
	return REQUEST_NONE;
}

static enum view_request open_page(const struct at_key *k, enum view_page which)
{
	k->view->page = which;
	k->view->line = k->view->first_line = 0;
	return REQUEST_NONE;
}

static enum view_request help(const struct at_key *k)
{
	return open_page(k, PAGE_HELP);
}

static enum view_request missing(const struct at_key *k)
{
	return open_page(k, PAGE_MISSING);
}

static enum view_request machine(const struct at_key *k)
{
	return open_page(k, PAGE_MACHINE);
}

static enum view_request choose_sort(const struct at_key *k)
{
	open_page(k, PAGE_SORT);
	k->view->line = k->view->sort - HOST_FIELDS;
	return REQUEST_NONE;
}

static enum view_request choose_columns(const struct at_key *k)
{
	if (!k->view->columns_count)
		k->view->columns_count = view_usual_columns(100, false, k->view->columns);
	return open_page(k, PAGE_COLUMNS);
}

static void sort_by(struct view *v, enum field f)
{
	v->sort = f;
	v->ascending = false;
}

static enum view_request sort_before(const struct at_key *k)
{
	struct view *v = k->view;
	sort_by(v, v->sort == HOST_FIELDS ? FIELD_COUNT - 1 : v->sort - 1);
	return REQUEST_NONE;
}

static enum view_request sort_after(const struct at_key *k)
{
	struct view *v = k->view;
	sort_by(v, v->sort == FIELD_COUNT - 1 ? HOST_FIELDS : v->sort + 1);
	return REQUEST_NONE;
}

static enum view_request invert(const struct at_key *k)
{
	k->view->ascending = !k->view->ascending;
	return REQUEST_NONE;
}

static enum view_request next_tree(const struct at_key *k)
{
	k->view->tree = (k->view->tree + 1) % GROUP_KINDS;
	return REQUEST_NONE;
}

static enum view_request ask_potential(const struct at_key *k)
{
	(void)k;
	return REQUEST_POTENTIAL;
}

static enum view_request pause_display(const struct at_key *k)
{
	k->view->paused = !k->view->paused;
	return REQUEST_NONE;
}

/* ---- folding ---- */

static void fold(struct view *v, struct row_id id)
{
	size_t at = view_find_folded(v, id);
	if (at < v->folded_count)
		v->folded[at] = v->folded[--v->folded_count];
	else if (v->folded_count < VIEW_FOLDED)
		v->folded[v->folded_count++] = id;
}

/* Into a process, or a group open and shut. */
static enum view_request enter(const struct at_key *k)
{
	const struct shown_row *row = k->view->at < k->rows->count ? &k->rows->items[k->view->at] : NULL;
	if (!row)
		return REQUEST_NONE;
	k->view->selected = row->id;
	if (row->process)
		return open_page(k, PAGE_DETAIL);
	fold(k->view, row->id);
	return REQUEST_NONE;
}

/* ---- replay ---- */

static enum view_request step(const struct at_key *k, enum view_request which)
{
	if (!k->view->replay)
		return REQUEST_NONE;
	k->view->paused = true;
	return which;
}

static enum view_request step_back(const struct at_key *k)
{
	return step(k, REQUEST_STEP_BACK);
}

static enum view_request step_on(const struct at_key *k)
{
	return step(k, REQUEST_STEP_ON);
}

static enum view_request to_first(const struct at_key *k)
{
	return step(k, REQUEST_FIRST);
}

static enum view_request to_last(const struct at_key *k)
{
	return step(k, REQUEST_LAST);
}

/* ---- leaving ---- */

static enum view_request quit(const struct at_key *k)
{
	if (k->view->page == PAGE_TABLE)
		return REQUEST_QUIT;
	return open_page(k, PAGE_TABLE);
}

static enum view_request quit_at_once(const struct at_key *k)
{
	(void)k;
	return REQUEST_QUIT;
}

/* Out of a page; in the table: the filter goes. */
static enum view_request escape(const struct at_key *k)
{
	if (k->view->page == PAGE_TABLE)
		k->view->filter[0] = '\0';
	return open_page(k, PAGE_TABLE);
}

static enum view_request redraw(const struct at_key *k)
{
	(void)k;
	return REQUEST_REDRAW;
}

/* ---- keys ---- */

struct binding {
	uint32_t keys[4];
	enum view_request (*act)(const struct at_key *k);
	bool everywhere;		/* on all pages, not in the table alone */
};

#define CONTROL(letter) ((letter) & 0x1f)

static const struct binding bindings[] = {
	{ { PRESS_UP, 'k' }, up, true },
	{ { PRESS_DOWN, 'j' }, down, true },
	{ { PRESS_PAGE_UP, CONTROL('B') }, page_up, true },
	{ { PRESS_PAGE_DOWN, CONTROL('F') }, page_down, true },
	{ { PRESS_HOME, 'g' }, to_top, true },
	{ { PRESS_END, 'G' }, to_end, true },
	{ { PRESS_LEFT, 'h' }, scroll_left, false },
	{ { PRESS_RIGHT, 'l' }, scroll_right, false },
	{ { PRESS_ENTER, '\r' }, enter, false },
	{ { '/', PRESS_F(3) }, prompt_search, false },
	{ { 'n' }, search_next, false },
	{ { 'N' }, search_back, false },
	{ { 'f', '\\', PRESS_F(4) }, prompt_filter, false },
	{ { PRESS_F(6), 's' }, choose_sort, false },
	{ { '<' }, sort_before, false },
	{ { '>' }, sort_after, false },
	{ { 'I' }, invert, false },
	{ { 't', PRESS_F(5) }, next_tree, false },
	{ { 'c', PRESS_F(2) }, choose_columns, false },
	{ { 'm' }, missing, false },
	{ { 'e' }, machine, false },
	{ { 'p' }, ask_potential, true },
	{ { ' ' }, pause_display, true },
	{ { '[', ',' }, step_back, true },
	{ { ']', '.' }, step_on, true },
	{ { '{' }, to_first, true },
	{ { '}' }, to_last, true },
	{ { CONTROL('L') }, redraw, true },
	{ { '?', PRESS_F(1) }, help, true },
	{ { 'q' }, quit, true },
	{ { PRESS_ESCAPE }, escape, true },
	{ { PRESS_F(10), CONTROL('C') }, quit_at_once, true },
};

const struct key_help view_keys[] = {
	{ "Up Down j k", "move; also PgUp PgDn Home End g G" },
	{ "Left Right h l", "more columns" },
	{ "Enter", "one process in detail; a group: open or shut it" },
	{ "/ F3   n N", "search; next and previous" },
	{ "f F4", "filter by name, user, guest, cgroup or PID" },
	{ "F6 s   < >", "choose what to sort by; the column before or after" },
	{ "I", "invert the order" },
	{ "t F5", "tree: none, cgroup, user, VM, domain" },
	{ "c F2", "choose the columns" },
	{ "m", "what is missing, and why; what was lost, what we cost" },
	{ "e", "every value about the engine and the machine, and how long merges lasted" },
	{ "p", "measure the potential: look at all contents now and then" },
	{ "Space", "pause" },
	{ "[ ]   { }", "replay: a sample back and on; the first and the last" },
	{ "? F1", "this help" },
	{ "q F10", "quit" },
	{ 0 },
};

/* ---- pages where something is chosen ---- */

static void toggle_column(struct view *v, enum field f)
{
	for (size_t i = 0; i < v->columns_count; i++) {
		if (v->columns[i] != f)
			continue;
		memmove(&v->columns[i], &v->columns[i + 1], (--v->columns_count - i) * sizeof(*v->columns));
		return;
	}
	if (v->columns_count < PROC_FIELDS)
		v->columns[v->columns_count++] = f;
}

/* True when the key was meant for a list of fields. */
static bool choose_field(const struct at_key *k, uint32_t key)
{
	struct view *v = k->view;
	enum field f = HOST_FIELDS + (v->line < PROC_FIELDS ? v->line : PROC_FIELDS - 1);
	bool chosen = key == PRESS_ENTER || key == '\r' || key == ' ';

	if (!chosen || (v->page != PAGE_SORT && v->page != PAGE_COLUMNS))
		return false;
	if (v->page == PAGE_SORT) {
		sort_by(v, f);
		v->page = PAGE_TABLE;
	} else {
		toggle_column(v, f);
	}
	return true;
}

/* ---- prompts ---- */

static void add_character(char *text, uint32_t key)
{
	size_t length = strlen(text);
	if (key >= ' ' && key < 0x7f && length + 1 < VIEW_TEXT) {
		text[length] = (char)key;
		text[length + 1] = '\0';
	}
}

static void press_in_prompt(const struct at_key *k, uint32_t key)
{
	struct view *v = k->view;
	char *text = v->prompt == PROMPT_SEARCH ? v->search : v->filter;
	size_t length = strlen(text);

	if (key == PRESS_ESCAPE)
		text[0] = '\0';
	if (key == PRESS_ESCAPE || key == PRESS_ENTER || key == '\r')
		v->prompt = PROMPT_NONE;
	else if ((key == PRESS_BACKSPACE || key == '\b') && length)
		text[length - 1] = '\0';
	else
		add_character(text, key);
	if (v->prompt == PROMPT_SEARCH)
		search_from(k, v->at, false);
}

enum view_request view_press(struct view *v, uint32_t key, const struct rows *rows)
{
	struct at_key k = { v, rows };

	if (v->prompt != PROMPT_NONE && key != CONTROL('C')) {
		press_in_prompt(&k, key);
		return REQUEST_NONE;
	}
	if (choose_field(&k, key))
		return REQUEST_NONE;
	for (size_t i = 0; i < sizeof(bindings) / sizeof(bindings[0]); i++) {
		if (v->page != PAGE_TABLE && !bindings[i].everywhere)
			continue;
		for (size_t j = 0; j < 4 && bindings[i].keys[j]; j++)
			if (bindings[i].keys[j] == key)
				return bindings[i].act(&k);
	}
	return REQUEST_NONE;
}
