// SPDX-License-Identifier: GPL-2.0-or-later
#include "advise/own_damon.h"

#include <stddef.h>

#include "act/apply.h"

static struct own_damon *of_lender(struct damon_lender *lender)
{
	return (struct own_damon *)((char *)lender - offsetof(struct own_damon, lender));
}

static int begin(struct damon_lender *lender, const struct plan *plan, struct error *err)
{
	struct own_damon *own = of_lender(lender);
	int rc = act_begin(&own->act, own->root, own->state_dir, plan, err);

	if (!rc)
		rc = act_carry_out(own->act, NULL, err);
	if (rc) {
		act_free(own->act);
		own->act = NULL;
	}
	return rc;
}

static int end(struct damon_lender *lender, struct error *err)
{
	struct own_damon *own = of_lender(lender);
	int rc = act_finish(own->act, false, err);

	act_free(own->act);
	own->act = NULL;
	return rc;
}

struct own_damon own_damon_of(const struct sysroot *root, const char *state_dir)
{
	return (struct own_damon){ .lender = { begin, end }, .root = root, .state_dir = state_dir };
}
