/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a sample to its model: the steps of core/ in their order. */
#ifndef KSMSCOPE_CORE_BUILD_H
#define KSMSCOPE_CORE_BUILD_H

#include "core/model.h"

/*
 * Build the model. It consumes the hashes of sample->frames (they become
 * content numbers); everything else of the sample stays as it is, but for the
 * trust domains where nobody assigned any: by uid and VM then. 0, or a
 * negative errno (-ENOMEM).
 */
int model_build(struct model *ret_model, struct sample *sample);
void model_free(struct model *model);

#endif
