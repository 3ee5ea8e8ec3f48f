/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Look at the pages of the targets, and keep a sample of their contents. */
#ifndef KSMSCOPE_GATHER_SAMPLING_H
#define KSMSCOPE_GATHER_SAMPLING_H

#include "base/error.h"
#include "gather/options.h"
#include "probe/content.h"
#include "sys/sysroot.h"

/*
 * Every page of every task, once: fills sample->sampled and the areas' counts.
 * What is most frequent is found beforehand, from some thousand pages at random.
 */
int sampling_look(struct sample *sample, const struct sysroot *root, struct content *content,
		  const struct gather_options *options, struct error *err);

#endif
