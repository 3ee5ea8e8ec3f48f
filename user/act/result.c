// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/result.h"

#include <stdarg.h>
#include <stdio.h>

void result_set(struct change_result *ret, enum change_outcome outcome, const char *fmt, ...)
{
	va_list args;
	ret->outcome = outcome;
	va_start(args, fmt);
	vsnprintf(ret->text, sizeof(ret->text), fmt, args);
	va_end(args);
}

const char *change_outcome_name(enum change_outcome outcome)
{
	static const char *const names[] = {
		[CHANGE_PENDING] = "pending",
		[CHANGE_DONE] = "done",
		[CHANGE_REFUSED] = "refused",
		[CHANGE_RESTORED] = "restored",
		[CHANGE_FOREIGN] = "foreign",
		[CHANGE_GONE] = "gone",
		[CHANGE_STUCK] = "stuck",
	};
	return names[outcome];
}
