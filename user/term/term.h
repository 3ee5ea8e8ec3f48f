/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal, by ncurses: shows a screen, reads keys, knows the size. What
 * is on the screen and what keys mean is decided elsewhere.
 */
#ifndef KSMSCOPE_TERM_TERM_H
#define KSMSCOPE_TERM_TERM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "screen/canvas.h"

struct term;

/* Are standard input and output a terminal that a display can be drawn on? */
bool term_possible(void);

/* Take the terminal over. Colours are left out where there are none, or where `color` is false. */
int term_open(struct term **ret, bool color, struct error *err);
/* Give it back as it was. */
void term_close(struct term *term);

void term_size(const struct term *term, int *ret_width, int *ret_height);
/* Can it show more than ASCII? */
bool term_unicode(const struct term *term);

/* Only what differs from the last screen is sent. */
void term_show(struct term *term, const struct canvas *canvas);
/* All of the next screen is sent, whatever the terminal shows now. */
void term_forget(struct term *term);

/* A key that waits, as enum press; PRESS_NONE where there is none. *ret_resized: the size has changed. */
uint32_t term_key(struct term *term, bool *ret_resized);

#endif
