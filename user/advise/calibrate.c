// SPDX-License-Identifier: GPL-2.0-or-later
#include "advise/advise.h"
#include "cli/progress.h"
#include "gather/calibration.h"
#include "measure/calibrate.h"
#include "measure/store.h"
#include "out/calibration.h"

static void show_part(void *context, double share, const char *what)
{
	progress_show(context, share, "%s", what);
}

static int measure(struct calibration *ret, const struct sysroot *root, const struct advise_options *o,
		   const volatile sig_atomic_t *stop, struct error *err)
{
	struct progress progress;
	const struct calibrate_options options = {
		.seconds = o->calibrate_seconds,
		.memory_bytes = o->memory_bytes,
		.no_writes = o->no_writes,
		.state_dir = o->state_dir,
		.progress = show_part,
		.context = &progress,
		.stop = stop,
	};

	progress_start(&progress);
	int rc = calibrate(ret, root, &options, err);
	progress_end(&progress);
	return rc;
}

int advise_calibrate(const struct sysroot *root, const struct advise_options *o, const volatile sig_atomic_t *stop,
		     struct error *err)
{
	const char *path = o->calibration ? o->calibration : CALIBRATION_FILE;
	scoped_text struct text out = { 0 };
	struct calibration c;

	int rc = measure(&c, root, o, stop, err);
	if (!rc)
		rc = calibration_store(&c, path, err);
	if (rc)
		return rc;
	if (o->format == FORMAT_JSON)
		calibration_json(&out, &c);
	else
		calibration_text(&out, &c, path);
	return text_write(&out, stdout, err);
}
