// SPDX-License-Identifier: GPL-2.0-or-later
#include "advise/advise.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "advise/own_damon.h"
#include "base/units.h"
#include "cli/progress.h"
#include "core/huge/frontier.h"
#include "core/huge/hidden.h"
#include "core/judge/build.h"
#include "core/judge/verdict.h"
#include "core/trust/assign.h"
#include "gather/calibration.h"
#include "out/advise_huge.h"

static void show_look(void *context, uint64_t done, uint64_t expected)
{
	progress_show(context, expected ? (double)done / expected : 0, "%s of about %s pages looked at",
		      show_count(done).text, show_count(expected > done ? expected : done).text);
}

static int build(struct model *m, struct sample *s, const struct advise_options *o)
{
	const struct frontier_options frontier = { .calibration = s->calibration, .exchange_rate = o->exchange_rate };
	int rc = hidden_count(s) ? -ENOMEM : model_build(m, s);

	if (rc || s->reader == READER_NONE)
		return rc;
	if (huge_build(&m->huge, s, &frontier)) {
		model_free(m);
		return -ENOMEM;
	}
	verdict_add_huge(m);
	return 0;
}

struct gather_options advise_gather_options(const struct advise_options *o, const struct sysroot *root,
					    double settle_seconds, const volatile sig_atomic_t *stop)
{
	return (struct gather_options){
		.target = advise_target(o),
		.reader = advise_reader(o),
		.settle_seconds = settle_seconds,
		.mode = advise_look_mode(o),
		.theta = o->theta,
		.memory_bytes = o->memory_bytes,
		.budget = o->budget,
		.calibration = o->calibration || !root->live ? o->calibration : CALIBRATION_FILE,
		.ledger = o->ledger,
		.heat_seconds = o->heat_seconds,
		.heat_source = (const int[]){ HEAT_NOT_LOOKED, HEAT_REFERENCED, HEAT_DAMON }[o->heat_by],
		.stop = stop,
	};
}

int advise_gather(struct sample *s, const struct sysroot *root, const struct gather_options *options,
		  bool *ret_named_missing, struct error *err)
{
	struct gather_options gather = *options;
	struct progress progress;

	gather.progress = show_look;
	gather.context = &progress;
	progress_start(&progress);
	int rc = gather_sample(s, root, &gather, ret_named_missing, err);
	progress_end(&progress);
	return rc;
}

int advise_look(struct sample *s, struct model *m, const struct sysroot *root, const struct advise_options *o,
		double settle_seconds, const volatile sig_atomic_t *stop, bool *ret_named_missing, struct error *err)
{
	struct own_damon own = own_damon_of(root, o->state_dir);
	struct gather_options gather = advise_gather_options(o, root, settle_seconds, stop);

	gather.lender = &own.lender;
	int rc = o->replay ? advise_replay(s, ret_named_missing, o, err)
			   : advise_gather(s, root, &gather, ret_named_missing, err);

	/* a recording says whose its processes were, unless somebody else wants to decide */
	if (!rc && (!o->replay || o->domains) && trust_assign(s, &o->rules))
		rc = fail(err, EXIT_FAILED, "out of memory finding the trust domains of %zu processes", s->tasks_count);
	if (!rc && o->record)
		rc = advise_record(s, *ret_named_missing, o, err);
	if (!rc && build(m, s, o))
		rc = fail(err, EXIT_FAILED, "out of memory counting %u frames: look at fewer processes at a time",
			  frame_count(&s->frames));
	if (rc)
		sample_free(s);
	return rc;
}

static struct advise_style style_of(const struct advise_options *o)
{
	setlocale(LC_CTYPE, "");
	return (struct advise_style){
		.colour = !o->no_color && !getenv("NO_COLOR") && isatty(STDOUT_FILENO),
		.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8"),
		.verbose = o->verbose,
	};
}

static int answer(const struct advise_options *o, const struct sample *s, const struct model *m,
		  const struct applied *applied, struct error *err)
{
	const struct advice advice = { .sample = s, .model = m, .applied = applied, .ledger = o->ledger };
	scoped_text struct text out = { 0 };

	if (o->format == FORMAT_JSON) {
		advise_json(&out, &advice);
	} else {
		struct advise_style style = style_of(o);
		advise_text(&out, &advice, &style);
	}
	return text_write(&out, stdout, err);
}

/* The curve as a picture. Where there is none to be drawn, that is said and no file is made. */
static int draw(const struct advise_options *o, const struct sample *s, const struct model *m, struct error *err)
{
	scoped_text struct text out = { 0 };

	if (!m->huge || !m->huge->worth)
		return fail(err, EXIT_FAILED, "--plot %s: no curve to draw: no huge page of the targets hides anything", o->plot);
	huge_svg(&out, s, m->huge);
	FILE *file = fopen(o->plot, "we");
	if (!file)
		return fail_errno(err, "create", o->plot, NULL);
	int rc = text_write(&out, file, err);
	if (fclose(file) && !rc)
		rc = fail_errno(err, "write", o->plot, NULL);
	return rc;
}

static int advise(const struct advise_options *o, const struct sysroot *root, const volatile sig_atomic_t *stop,
		  struct error *err)
{
	struct sample s;
	struct model m;
	struct applied applied = { 0 };
	bool named_missing = false;

	int rc = advise_look(&s, &m, root, o, o->settle_seconds, stop, &named_missing, err);
	if (rc)
		return rc;
	if (o->apply)
		rc = advise_apply(&applied, root, o, &s, &m, stop, err);
	if (!rc && !o->dry_run)
		rc = answer(o, &s, &m, applied.plan ? &applied : NULL, err);
	if (!rc && o->plot)
		rc = draw(o, &s, &m, err);
	if (!rc && applied.nobody)
		rc = fail(err, EXIT_FAILED, "apply: nobody could be opted in: %s", applied.nobody);
	if (!rc && named_missing)
		rc = fail(err, EXIT_FAILED, ADVISE_NAMED_MISSING);
	applied_free(&applied);
	model_free(&m);
	sample_free(&s);
	return rc;
}

int advise_run(const struct advise_options *o, const volatile sig_atomic_t *stop, struct error *err)
{
	struct sysroot root = { .dir = -1 };
	int rc = o->compare ? advise_compare(o, err) : o->replay ? 0 : sysroot_open(&root, o->sysroot, err);
	if (rc || o->compare)
		return rc;
	rc = o->calibrate ? advise_calibrate(&root, o, stop, err)
	     : o->sketch ? advise_sketch(&root, o, stop, err)
	     : o->undo ? advise_undo(&root, o, err) : advise(o, &root, stop, err);
	sysroot_close(&root);
	return rc;
}
