// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "act/apply.h"
#include "advise/advise.h"
#include "base/units.h"
#include "cli/progress.h"
#include "core/huge/frontier.h"
#include "core/judge/build.h"

/* Where words about the plan go: beside the answer, never into a JSON document. */
static FILE *words(const struct advise_options *o)
{
	return o->format == FORMAT_JSON && !o->dry_run ? stderr : stdout;
}

static int make_plan(struct plan *ret, const struct advise_options *o, const struct sample *s,
		     const struct model *m, struct error *err)
{
	const struct plan_options options = {
		.huge_pages = o->has_max_slowdown ? HUGE_PAGES_WITHIN : (enum huge_pages)o->huge_pages,
		.max_slowdown = o->max_slowdown,
		.opt_in = o->opt_in ? OPT_IN_PROCESS : OPT_IN_MAPPINGS,
		.ksmd_cpu = o->ksmd_cpu,
		.cross_domains = o->cross_domains,
		.split_frees_zero = value_or(s->machine.split_frees_zero, 0) == 1,
	};

	if (!is_known(s->engine.knob[KNOB_RUN]))
		return fail(err, s->engine.knob[KNOB_RUN].known == DENIED ? EXIT_NOT_PERMITTED : EXIT_KERNEL_CANNOT,
			    "apply: /sys/kernel/mm/ksm/run is %s: %s", known_name(s->engine.knob[KNOB_RUN].known),
			    "this system cannot merge");
	if (options.huge_pages != HUGE_PAGES_ANY && !m->huge)
		return fail(err, EXIT_FAILED, "apply: huge pages can't be told apart: page contents were not read");
	if (options.huge_pages == HUGE_PAGES_WITHIN && !m->huge->calibrated)
		return fail(err, EXIT_FAILED, "apply: no slow-down is known on a machine that is not calibrated: "
			    "ksm-advise --calibrate first, or --huge-pages");
	if (plan_make(ret, s, m, &options))
		return fail(err, EXIT_FAILED, "out of memory making the plan");
	return 0;
}

static void show_wait(void *context, const struct act_progress *p)
{
	progress_show(context, p->converged ? 1 : p->full_scans / 4.0, "%s: scan %lld, %s pages gained",
		      show_seconds(p->seconds).text, (long long)p->full_scans, show_count(p->gained_pages > 0 ?
		      p->gained_pages : 0).text);
}

/* Frames of the targets now: what is missing from the first count was given back. */
static int count_again(int64_t *ret_bytes, const struct sysroot *root, const struct advise_options *o,
		       const struct sample *before, const struct model *before_model,
		       const volatile sig_atomic_t *stop, struct error *err)
{
	struct sample after;
	struct model model;
	struct advise_options frames_alone = *o;
	bool named_missing;

	frames_alone.heat_seconds = 0;
	frames_alone.ledger = false;
	int rc = advise_look(&after, &model, root, &frames_alone, 0, stop, &named_missing, err);
	if (rc)
		return rc;
	*ret_bytes = ((int64_t)before_model->frames.candidate - (int64_t)model.frames.candidate) *
		     (int64_t)before->machine.page_bytes;
	model_free(&model);
	sample_free(&after);
	return 0;
}

static char *outcome_text(const struct change_result *r)
{
	char text[256];
	snprintf(text, sizeof(text), "%s%s%s", change_outcome_name(r->outcome), r->text[0] ? ": " : "", r->text);
	return strdup(text);
}

/* Why nobody opted in, of those who should have: the first one's outcome; NULL where somebody did, or nobody had to. */
static const char *why_nobody(const struct applied *a, const struct change_result *results)
{
	const char *why = NULL;

	for (size_t i = 0; i < a->plan->count; i++) {
		if (change_lever(a->plan->changes[i].kind) != LEVER_OPT_IN)
			continue;
		if (results[i].outcome != CHANGE_REFUSED)
			return NULL;
		if (!why)
			why = a->outcomes[i];
	}
	return why;
}

static int keep_outcomes(struct applied *ret, const struct act *act)
{
	const struct change_result *results = act_results(act);
	ret->outcomes = calloc(ret->plan->count + 1, sizeof(*ret->outcomes));
	for (size_t i = 0; ret->outcomes && i < ret->plan->count; i++)
		if (!(ret->outcomes[i] = outcome_text(&results[i])))
			return -EXIT_FAILED;
	ret->nobody = ret->outcomes ? why_nobody(ret, results) : NULL;
	return ret->outcomes ? 0 : -EXIT_FAILED;
}

/* From the first write to the last restore. */
static int carry_out(struct applied *ret, struct act *act, const struct sysroot *root, const struct advise_options *o,
		     const struct sample *s, const struct model *m, const volatile sig_atomic_t *stop,
		     struct error *err)
{
	struct act_progress done = { 0 };
	struct progress progress;
	struct error finish_error;

	int rc = act_carry_out(act, stop, err);
	done.converged = !ret->plan->merges;
	if (!rc && !*stop && ret->plan->merges) {
		progress_start(&progress);
		rc = act_wait(act, o->for_seconds, stop, show_wait, &progress, &done, err);
		progress_end(&progress);
	}
	if (!rc && *stop)
		rc = fail(err, EXIT_FAILED, "interrupted: everything was put back as it was");
	if (!rc)
		rc = count_again(&ret->actual_bytes, root, o, s, m, stop, err);
	int finished = act_finish(act, rc == 0, &finish_error);
	if (finished)
		rc = fail(err, finish_error.status, "%s", finish_error.text);
	ret->seconds = done.seconds;
	ret->ksmd_milliseconds = done.ksmd_seconds < 0 ? (struct value){ .known = ABSENT }
						       : value_of(done.ksmd_seconds * 1000);
	ret->kernel_bytes = done.gained_pages * (int64_t)s->machine.page_bytes;
	ret->converged = done.converged;
	return rc;
}

int advise_apply(struct applied *ret, const struct sysroot *root, const struct advise_options *o,
		 const struct sample *s, const struct model *m, const volatile sig_atomic_t *stop, struct error *err)
{
	scoped_text struct text out = { 0 };
	struct act *act = NULL;
	struct plan *plan = calloc(1, sizeof(*plan));

	memset(ret, 0, sizeof(*ret));
	if (!plan)
		return fail(err, EXIT_FAILED, "out of memory making the plan");
	ret->plan = plan;
	int rc = make_plan(plan, o, s, m, err);
	if (!rc) {
		plan_text(&out, s, plan);
		rc = text_write(&out, words(o), err);
	}
	ret->predicted_bytes = plan->predicted_bytes;
	if (rc || o->dry_run)
		return rc;
	if (!plan->count && plan->predicted_bytes)
		fprintf(stderr, "ksm-advise: everything worthwhile has opted in and the engine runs at this pace already\n");
	rc = act_begin(&act, root, o->state_dir, plan, err);
	if (!rc)
		rc = carry_out(ret, act, root, o, s, m, stop, err);
	if (!rc && keep_outcomes(ret, act))
		rc = fail(err, EXIT_FAILED, "out of memory reporting what was done");
	act_free(act);
	return rc;
}

void applied_free(struct applied *a)
{
	struct plan *plan = (struct plan *)a->plan;
	if (!plan)
		return;
	for (size_t i = 0; a->outcomes && i < plan->count; i++)
		free((char *)a->outcomes[i]);
	free(a->outcomes);
	plan_free(plan);
	free(plan);
	a->plan = NULL;
}

int advise_undo(const struct sysroot *root, const struct advise_options *o, struct error *err)
{
	scoped_text struct text out = { 0 };
	struct undo_report report = { 0 };
	int rc = act_undo(root, o->state_dir, o->pids.pids, o->pids.count, &report, err);

	if (!rc) {
		text_printf(&out, "%u restored, %u left alone because somebody else changed them since, "
			    "%u gone with their process, %u failed\n", report.restored, report.foreign, report.gone,
			    report.failed);
		for (size_t i = 0; i < report.count; i++)
			if (report.lines[i].text[0])
				text_printf(&out, "  %s\n", report.lines[i].text);
		rc = text_write(&out, stdout, err);
	}
	if (!rc && report.failed)
		rc = fail(err, EXIT_FAILED, "undo: %u change%s could not be taken back; the journal is kept", report.failed,
			  report.failed == 1 ? "" : "s");
	undo_report_free(&report);
	return rc;
}
