/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys, as the views know them: Unicode characters, and these. */
#ifndef KSMSCOPE_SCREEN_PRESS_H
#define KSMSCOPE_SCREEN_PRESS_H

#include <stdint.h>

enum press {
	PRESS_NONE = 0,
	PRESS_ENTER = '\n',
	PRESS_ESCAPE = 27,
	PRESS_BACKSPACE = 127,
	PRESS_UP = 0x200000,	/* above all characters */
	PRESS_DOWN,
	PRESS_LEFT,
	PRESS_RIGHT,
	PRESS_PAGE_UP,
	PRESS_PAGE_DOWN,
	PRESS_HOME,
	PRESS_END,
	PRESS_F1,		/* F2 … F12 follow */
	PRESS_F12 = PRESS_F1 + 11,
};

#define PRESS_F(n) (PRESS_F1 + (n) - 1)

#endif
