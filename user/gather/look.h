/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Look at the pages of the targets: which frames, what flags, what hash. */
#ifndef KSMSCOPE_GATHER_LOOK_H
#define KSMSCOPE_GATHER_LOOK_H

#include "base/error.h"
#include "gather/options.h"
#include "probe/content.h"
#include "sys/sysroot.h"

struct look;

int look_begin(struct look **ret, struct sample *sample, const struct sysroot *root, struct content *content,
	       const struct gather_options *options, struct error *err);

/* Every page of every task, once: fills the frame table and the areas' counts. */
int look_first(struct look *look, struct error *err);

/* The same frames again: marks FRAME_VOLATILE what changed or went. */
int look_again(struct look *look, struct error *err);

void look_end(struct look *look);

#endif
