// SPDX-License-Identifier: GPL-2.0-or-later
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "gather/detail.h"
#include "screen/draw.h"
#include "screen/keys.h"
#include "term/guard.h"
#include "term/term.h"
#include "top/run.h"

/* The detail of a process is dear: it is read again after this time, or this many times as long as reading took. */
#define DETAIL_NS 3000000000ll
#define DETAIL_PAUSES 50

struct showing {
	const struct top_settings *settings;
	struct session *session;
	struct term *term;
	struct view view;
	struct rows rows;
	struct detail detail;
	bool has_detail;
	int64_t detail_due_ns;		/* when it is read again */
	int64_t due_ns;			/* when the next sample is */
	bool changed;			/* the terminal shows something else */
	bool over;			/* a recording has no more */
	bool quit;
};

/* ---- what is shown ---- */

static void refresh_rows(struct showing *s)
{
	rows_free(&s->rows);
	/* without memory the table is empty until there is some again */
	rows_build(&s->rows, session_model(s->session), &s->view);
	s->changed = true;
}

static bool detail_fits(const struct showing *s)
{
	return s->has_detail && s->detail.pid == s->view.selected.pid &&
	       s->detail.start_ticks == s->view.selected.number;
}

static bool detail_due(const struct showing *s)
{
	return s->view.page == PAGE_DETAIL && session_root(s->session) && s->view.selected.pid && !s->view.paused &&
	       (!detail_fits(s) || clock_now_ns() >= s->detail_due_ns);
}

/* True when there is a new one. */
static bool refresh_detail(struct showing *s)
{
	int64_t begin = clock_now_ns();

	if (!detail_due(s))
		return false;
	if (s->has_detail)
		detail_free(&s->detail);
	s->has_detail = !detail_take(&s->detail, session_root(s->session), session_model(s->session)->sample,
				     &s->settings->rules, s->view.selected.pid, s->view.selected.number);
	int64_t spent = clock_now_ns() - begin, pause = spent * DETAIL_PAUSES;
	s->detail_due_ns = begin + spent + (pause > DETAIL_NS ? pause : DETAIL_NS);
	return true;
}

static int show(struct showing *s, struct error *err)
{
	struct display d = { .model = session_model(s->session), .rows = &s->rows,
			     .history = session_history(s->session), .detail = detail_fits(s) ? &s->detail : NULL,
			     .interval_seconds = s->settings->delay_seconds, .message = session_message(s->session) };
	struct canvas canvas;
	int width, height;

	d.replay_at = session_at(s->session, &d.replay_count) + 1;
	if (s->over && !*d.message)
		d.message = "the end of the recording";
	term_size(s->term, &width, &height);
	if (!canvas_init(&canvas, width, height, !term_unicode(s->term)))
		return fail(err, EXIT_FAILED, "out of memory");
	draw(&canvas, &s->view, &d);
	term_show(s->term, &canvas);
	canvas_free(&canvas);
	s->changed = false;
	return 0;
}

/* ---- samples ---- */

static int advance(struct showing *s, struct error *err)
{
	enum session_state state;
	int rc = session_next(s->session, &state, err);

	s->over = !rc && state == SESSION_END;
	return rc;
}

static int seek(struct showing *s, enum view_request request, struct error *err)
{
	size_t count, at = session_at(s->session, &count);

	if (request == REQUEST_STEP_ON)
		return advance(s, err);
	s->over = false;
	if (request == REQUEST_STEP_BACK)
		return session_seek(s->session, at ? at - 1 : 0, err);
	return session_seek(s->session, request == REQUEST_FIRST ? 0 : count - 1, err);
}

static int take_when_due(struct showing *s, struct error *err)
{
	int64_t now = clock_now_ns(), step = (int64_t)(s->settings->delay_seconds * 1e9);

	if (now < s->due_ns)
		return 0;
	/* a step that was missed is not made up for */
	for (; s->due_ns <= now; s->due_ns += step)
		;
	if (s->view.paused || s->over)
		return 0;
	int rc = advance(s, err);
	refresh_rows(s);
	return rc;
}

/* ---- keys ---- */

static int heed(struct showing *s, uint32_t key, struct error *err)
{
	enum view_request request = view_press(&s->view, key, &s->rows);
	int rc = 0;

	switch (request) {
	case REQUEST_NONE:
		break;
	case REQUEST_QUIT:
		s->quit = true;
		break;
	case REQUEST_POTENTIAL:
		session_ask_potential(s->session);
		break;
	case REQUEST_REDRAW:
		term_forget(s->term);
		break;
	default:
		rc = seek(s, request, err);
	}
	refresh_rows(s);
	return rc;
}

/* All keys that wait. */
static int heed_keys(struct showing *s, struct error *err)
{
	uint32_t key = PRESS_NONE;
	int rc = 0;

	do {
		bool resized;
		key = term_key(s->term, &resized);
		s->changed |= resized;
		if (key != PRESS_NONE)
			rc = heed(s, key, err);
	} while (!rc && !s->quit && key != PRESS_NONE);
	return rc;
}

/* ---- the loop ---- */

/* Until a key, a signal, a sample that is due, or work between samples. */
static void wait_for_something(struct showing *s)
{
	struct pollfd keys = { .fd = STDIN_FILENO, .events = POLLIN };
	struct timespec left = { 0 };
	int64_t wake, now = clock_now_ns();

	session_tick(s->session, &wake);
	if (wake > s->due_ns)
		wake = s->due_ns;
	if (wake > now)
		left = (struct timespec){ (wake - now) / 1000000000, (wake - now) % 1000000000 };
	int ready = ppoll(&keys, 1, &left, NULL);
	/* the terminal is gone */
	if (ready > 0 && keys.revents & (POLLHUP | POLLERR | POLLNVAL))
		s->quit = true;
}

static int show_until_quit(struct showing *s, const volatile sig_atomic_t *stop, struct error *err)
{
	int rc = 0;

	while (!rc && !s->quit && !*stop) {
		rc = take_when_due(s, err);
		if (!rc)
			rc = heed_keys(s, err);
		if (!rc && s->changed)
			rc = show(s, err);
		if (!rc && refresh_detail(s))
			rc = show(s, err);
		if (!rc && !s->quit && !*stop)
			wait_for_something(s);
	}
	return rc;
}

static int run_on(struct showing *s, struct guard *guard, const volatile sig_atomic_t *stop, struct error *err)
{
	bool color = !s->settings->no_color && !getenv("NO_COLOR");

	int rc = advance(s, err);
	if (!rc)
		rc = check_wanted(s->settings, s->session, err);
	if (rc)
		return rc;
	guard_holds(guard, true);
	rc = term_open(&s->term, color, err);
	if (!rc) {
		s->due_ns = clock_now_ns() + (int64_t)(s->settings->delay_seconds * 1e9);
		refresh_rows(s);
		rc = show_until_quit(s, stop, err);
		term_close(s->term);
	}
	guard_holds(guard, false);
	return rc;
}

int display_run(const struct top_settings *settings, const volatile sig_atomic_t *stop, struct error *err)
{
	struct showing s = { .settings = settings, .view = settings->view };
	struct guard *guard;
	struct error closing;

	int rc = guard_start(&guard, "ksmtop", err);
	if (!rc)
		rc = session_open(&s.session, settings, err);
	if (rc)
		return rc;
	rc = run_on(&s, guard, stop, err);
	rows_free(&s.rows);
	if (s.has_detail)
		detail_free(&s.detail);
	int closed = session_close(s.session, &closing);
	if (!rc && closed) {
		rc = closed;
		*err = closing;
	}
	return rc;
}
