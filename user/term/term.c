// SPDX-License-Identifier: GPL-2.0-or-later
#define NCURSES_WIDECHAR 1
#include "term/term.h"

#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "screen/press.h"

struct look {
	attr_t attributes;
	short pair;
};

struct term {
	SCREEN *curses;
	bool unicode;
	struct look looks[ROLES];
	struct canvas shown;		/* what the terminal shows; no cells: nothing is known of it */
};

/* ---- colours ---- */

struct colours {
	attr_t attributes;
	short front, back;		/* -1: the terminal's own */
};

/* Where there are 256 colours. The meaning is never in the colour alone: signs and words carry it too. */
static const struct colours many[ROLES] = {
	[ROLE_PLAIN] = { A_NORMAL, -1, -1 },
	[ROLE_DIM] = { A_NORMAL, 244, -1 },
	[ROLE_LABEL] = { A_NORMAL, 73, -1 },
	[ROLE_STRONG] = { A_NORMAL, -1, -1 },
	[ROLE_GOOD] = { A_NORMAL, 71, -1 },
	[ROLE_WARN] = { A_NORMAL, 179, -1 },
	[ROLE_BAD] = { A_BOLD, 167, -1 },
	[ROLE_TITLE] = { A_BOLD, 255, 24 },
	[ROLE_HEAD] = { A_NORMAL, 252, 238 },
	[ROLE_SORTED] = { A_BOLD, 255, 24 },
	[ROLE_GROUP] = { A_BOLD, -1, -1 },
	[ROLE_SELECTED] = { A_NORMAL, 255, 24 },
	[ROLE_FOUND] = { A_UNDERLINE, -1, -1 },
	[ROLE_KEY] = { A_BOLD, 73, -1 },
	[ROLE_SPARK] = { A_NORMAL, 67, -1 },
};

static const struct colours eight[ROLES] = {
	[ROLE_PLAIN] = { A_NORMAL, -1, -1 },
	[ROLE_DIM] = { A_DIM, -1, -1 },
	[ROLE_LABEL] = { A_NORMAL, COLOR_CYAN, -1 },
	[ROLE_STRONG] = { A_NORMAL, -1, -1 },
	[ROLE_GOOD] = { A_NORMAL, COLOR_GREEN, -1 },
	[ROLE_WARN] = { A_NORMAL, COLOR_YELLOW, -1 },
	[ROLE_BAD] = { A_BOLD, COLOR_RED, -1 },
	[ROLE_TITLE] = { A_REVERSE, -1, -1 },
	[ROLE_HEAD] = { A_REVERSE, -1, -1 },
	[ROLE_SORTED] = { A_REVERSE | A_BOLD, COLOR_CYAN, -1 },
	[ROLE_GROUP] = { A_BOLD, -1, -1 },
	[ROLE_SELECTED] = { A_REVERSE, COLOR_CYAN, -1 },
	[ROLE_FOUND] = { A_UNDERLINE, -1, -1 },
	[ROLE_KEY] = { A_BOLD, COLOR_CYAN, -1 },
	[ROLE_SPARK] = { A_NORMAL, COLOR_BLUE, -1 },
};

static const attr_t none[ROLES] = {
	[ROLE_STRONG] = A_BOLD,
	[ROLE_WARN] = A_BOLD,
	[ROLE_BAD] = A_BOLD | A_UNDERLINE,
	[ROLE_TITLE] = A_REVERSE,
	[ROLE_HEAD] = A_REVERSE,
	[ROLE_SORTED] = A_REVERSE | A_BOLD | A_UNDERLINE,
	[ROLE_GROUP] = A_BOLD,
	[ROLE_SELECTED] = A_REVERSE,
	[ROLE_FOUND] = A_UNDERLINE,
	[ROLE_KEY] = A_BOLD,
};

static void make_looks(struct term *t, bool color)
{
	bool coloured = color && has_colors() && start_color() == OK && use_default_colors() == OK;
	const struct colours *colours = COLORS >= 256 ? many : eight;

	for (int role = 0; role < ROLES; role++) {
		t->looks[role].attributes = coloured ? colours[role].attributes : none[role];
		if (coloured && init_pair(role + 1, colours[role].front, colours[role].back) == OK)
			t->looks[role].pair = role + 1;
	}
}

/* ---- life ---- */

bool term_possible(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

int term_open(struct term **ret, bool color, struct error *err)
{
	struct term *t = calloc(1, sizeof(*t));
	const char *type = getenv("TERM");

	*ret = NULL;
	if (!t)
		return fail(err, EXIT_FAILED, "out of memory opening the terminal");
	/* characters only: numbers keep their decimal point */
	setlocale(LC_CTYPE, "");
	t->unicode = !strcmp(nl_langinfo(CODESET), "UTF-8");
	t->curses = newterm(NULL, stdout, stdin);
	if (!t->curses) {
		free(t);
		return fail(err, EXIT_FAILED, "the terminal \"%s\" can't be drawn on; -b writes without one",
			    type ? type : "");
	}
	set_escdelay(25);
	cbreak();
	noecho();
	nonl();
	intrflush(stdscr, FALSE);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	make_looks(t, color);
	*ret = t;
	return 0;
}

void term_close(struct term *t)
{
	if (!t)
		return;
	endwin();
	delscreen(t->curses);
	canvas_free(&t->shown);
	free(t);
}

void term_size(const struct term *t, int *ret_width, int *ret_height)
{
	(void)t;
	getmaxyx(stdscr, *ret_height, *ret_width);
}

bool term_unicode(const struct term *t)
{
	return t->unicode;
}

/* ---- showing ---- */

static void show_cell(const struct term *t, int x, int y, struct cell cell)
{
	wchar_t text[2] = { (wchar_t)cell.glyph, 0 };
	cchar_t shown;

	if (!cell.glyph)
		return;
	setcchar(&shown, text, t->looks[cell.role].attributes, t->looks[cell.role].pair, NULL);
	mvadd_wch(y, x, &shown);
}

static bool remember(struct term *t, const struct canvas *s)
{
	if (t->shown.cells && t->shown.width == s->width && t->shown.height == s->height)
		return true;
	canvas_free(&t->shown);
	erase();
	return canvas_init(&t->shown, s->width, s->height, s->ascii);
}

void term_show(struct term *t, const struct canvas *s)
{
	bool known = remember(t, s);
	for (int i = 0; i < s->width * s->height; i++) {
		struct cell cell = s->cells[i];
		if (known && t->shown.cells[i].glyph == cell.glyph && t->shown.cells[i].role == cell.role)
			continue;
		show_cell(t, i % s->width, i / s->width, cell);
		if (known)
			t->shown.cells[i] = cell;
	}
	refresh();
}

void term_forget(struct term *t)
{
	canvas_free(&t->shown);
	clear();
}

/* ---- keys ---- */

static uint32_t press_of_key(wint_t key)
{
	static const struct {
		int key;
		uint32_t press;
	} table[] = {
		{ KEY_UP, PRESS_UP }, { KEY_DOWN, PRESS_DOWN }, { KEY_LEFT, PRESS_LEFT }, { KEY_RIGHT, PRESS_RIGHT },
		{ KEY_PPAGE, PRESS_PAGE_UP }, { KEY_NPAGE, PRESS_PAGE_DOWN }, { KEY_HOME, PRESS_HOME },
		{ KEY_END, PRESS_END }, { KEY_ENTER, PRESS_ENTER }, { KEY_BACKSPACE, PRESS_BACKSPACE } };

	if (key >= KEY_F(1) && key <= KEY_F(12))
		return PRESS_F1 + (key - KEY_F(1));
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if ((wint_t)table[i].key == key)
			return table[i].press;
	return PRESS_NONE;
}

uint32_t term_key(struct term *t, bool *ret_resized)
{
	wint_t key;
	int kind;

	(void)t;
	*ret_resized = false;
	while ((kind = get_wch(&key)) == KEY_CODE_YES && key == KEY_RESIZE)
		*ret_resized = true;
	if (kind == ERR)
		return PRESS_NONE;
	return kind == KEY_CODE_YES ? press_of_key(key) : key == '\r' ? PRESS_ENTER : key;
}
