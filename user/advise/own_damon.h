/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A DAMON of our own for as long as heat is watched: act/ starts it and takes it away. */
#ifndef KSMSCOPE_ADVISE_OWN_DAMON_H
#define KSMSCOPE_ADVISE_OWN_DAMON_H

#include "gather/options.h"
#include "sys/sysroot.h"

struct act;

struct own_damon {
	struct damon_lender lender;	/* what gather/ is given of it */
	const struct sysroot *root;
	const char *state_dir;
	struct act *act;
};

/* Nothing is started yet. It must stay until gathering is over. */
struct own_damon own_damon_of(const struct sysroot *root, const char *state_dir);

#endif
