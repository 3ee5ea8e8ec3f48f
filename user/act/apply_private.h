/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A run: what act_begin() makes and the other steps share. For act/ alone. */
#ifndef KSMSCOPE_ACT_APPLY_PRIVATE_H
#define KSMSCOPE_ACT_APPLY_PRIVATE_H

#include "act/apply.h"
#include "act/guardian.h"
#include "act/state.h"
#include "act/wait.h"

struct act {
	const struct sysroot *root;
	const struct plan *plan;
	struct state_dir state;
	char *state_path;
	struct guardian guardian;
	bool guardian_lost;
	bool finished;
	struct change_result *results;
	struct engine_start start;
};

#endif
