/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A page as numbered lines, of which some are on the screen. */
#ifndef KSMSCOPE_SCREEN_PAGE_H
#define KSMSCOPE_SCREEN_PAGE_H

#include <stddef.h>
#include <stdint.h>

#include "core/live/top.h"
#include "screen/canvas.h"

/* As `first`: nothing is on the screen; a page is written so to learn how many lines it has. */
#define PAGE_UNSEEN (SIZE_MAX / 2)

struct page {
	struct canvas *canvas;
	int y, rows;
	size_t first, line;		/* topmost on the screen; the next to be written */
};

/* The place of the next line; of no width where it is not on the screen. */
struct span page_line(struct page *page);
/* An empty line before it, unless it is the first. */
void page_heading(struct page *page, const char *text);
/* Two texts; the second one begins at `column`. */
void page_pair(struct page *page, int column, const char *left, const char *right);

/* How often merges and collapses ended in each way: of a process, or of the machine (0). Nothing where there were none. */
void page_outcomes(struct page *page, const struct top_sample *sample, pid_t pid);

#endif
