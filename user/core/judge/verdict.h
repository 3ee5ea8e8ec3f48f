/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One sentence: merge, merge a part, leave, or cannot. Pure. */
#ifndef KSMSCOPE_CORE_VERDICT_H
#define KSMSCOPE_CORE_VERDICT_H

#include "core/model.h"

/* Set model->verdict and its text. */
void verdict_give(struct model *model, const struct sample *sample);

/* "merge", "merge-part", "leave", "cannot". */
const char *verdict_name(enum verdict_code code);

/* … and which of the huge pages to break, once the model's `huge` is there. */
void verdict_add_huge(struct model *model);

#endif
