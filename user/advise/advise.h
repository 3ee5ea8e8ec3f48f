/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main job, step by step: look, judge, perhaps act, answer. Each step is a
 * room's; what is here is only their order.
 */
#ifndef KSMSCOPE_ADVISE_ADVISE_H
#define KSMSCOPE_ADVISE_ADVISE_H

#include <signal.h>

#include "advise/options.h"
#include "out/advise.h"
#include "sys/sysroot.h"

/*
 * Do what the options say and write the answer to standard output. `stop`
 * becomes non-zero when the user wants to end: what was changed is put back.
 * 0 or a negative exit status.
 */
int advise_run(const struct advise_options *options, const volatile sig_atomic_t *stop, struct error *err);

#define ADVISE_NAMED_MISSING "not every process that was named could be looked at; the answer is about the others"

/* What the options ask for of a look, and such a look, with a progress bar on a terminal. */
struct gather_options advise_gather_options(const struct advise_options *options, const struct sysroot *root,
					    double settle_seconds, const volatile sig_atomic_t *stop);
int advise_gather(struct sample *ret, const struct sysroot *root, const struct gather_options *options,
		  bool *ret_named_missing, struct error *err);

/* --sketch: look under the fleet's key, and write what may leave this machine. */
int advise_sketch(const struct sysroot *root, const struct advise_options *options, const volatile sig_atomic_t *stop,
		  struct error *err);
/* --record: keep a sample whose trust domains are assigned; --replay: read it back. The caller frees it. */
int advise_record(const struct sample *sample, bool named_missing, const struct advise_options *options,
		  struct error *err);
int advise_replay(struct sample *ret, bool *ret_named_missing, const struct advise_options *options, struct error *err);

/* --compare: what the machines of some sketches would save together. */
int advise_compare(const struct advise_options *options, struct error *err);

/* One look at the targets and its model, with a progress bar on a terminal. */
int advise_look(struct sample *ret_sample, struct model *ret_model, const struct sysroot *root,
		const struct advise_options *options, double settle_seconds, const volatile sig_atomic_t *stop,
		bool *ret_named_missing, struct error *err);

/*
 * Plan, say what is going to be done, do it, wait, count again. Fills `ret`
 * where something was carried out (ret->plan is NULL otherwise); the plan and
 * the outcomes in it belong to the caller: applied_free().
 */
int advise_apply(struct applied *ret, const struct sysroot *root, const struct advise_options *options,
		 const struct sample *sample, const struct model *model, const volatile sig_atomic_t *stop,
		 struct error *err);
void applied_free(struct applied *applied);

/* --calibrate: measure this machine, keep the figures, and say them. */
int advise_calibrate(const struct sysroot *root, const struct advise_options *options, const volatile sig_atomic_t *stop,
		     struct error *err);

/* --undo: take back what the journals hold. */
int advise_undo(const struct sysroot *root, const struct advise_options *options, struct error *err);

#endif
