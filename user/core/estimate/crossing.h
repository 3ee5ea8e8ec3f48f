/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What trust domains have in common, from a sample of contents: it would cross
 * from one to the other if both were merged. The exact count of the same is
 * core/count/sharing.h.
 *
 * It looks at the SHARING_OWNERS domains with the most candidates.
 */
#ifndef KSMSCOPE_CORE_CROSSING_H
#define KSMSCOPE_CORE_CROSSING_H

#include "core/count/sharing.h"

/* Fill model->domain_sharing; model->by_domain is there, in the order of `domains`. 0 or -ENOMEM. */
int crossing_estimate(struct model *model, const struct sample *sample, const struct owner_set *domains);

#endif
