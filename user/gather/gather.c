// SPDX-License-Identifier: GPL-2.0-or-later
#include "gather/gather.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/estimate/sampled.h"
#include "gather/calibration.h"
#include "gather/heat.h"
#include "gather/look.h"
#include "gather/sampling.h"
#include "gather/targets.h"
#include "sys/ksm_read.h"
#include "sys/pagemap.h"
#include "sys/proc.h"
#include "sys/split_probe.h"

static double seconds_of(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

static double monotonic_seconds(void)
{
	return seconds_of(CLOCK_MONOTONIC);
}

static double cpu_seconds(void)
{
	return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

static bool stopped(const struct gather_options *o)
{
	return o->stop && *o->stop;
}

/* Sleep until `deadline`, in slices, so that a signal is heeded at once. */
static void wait_until(double deadline, const struct gather_options *o)
{
	for (double left; !stopped(o) && (left = deadline - monotonic_seconds()) > 0;) {
		struct timespec slice = { .tv_nsec = (left < 0.05 ? left : 0.05) * 1e9 };
		nanosleep(&slice, NULL);
	}
}

static uint64_t expected_bytes(const struct sample *s, const struct sysroot *root)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < s->tasks_count; i++)
		pages += proc_anon_pages(root, s->tasks[i].pid, s->machine.page_bytes);
	return pages * s->machine.page_bytes;
}

/* Is a sample what was asked for, or what the size of the targets asks for? */
static bool wants_sample(const struct gather_options *o, uint64_t bytes)
{
	return o->mode == LOOK_SAMPLED || (o->mode == LOOK_AUTO && bytes > LOOK_EXACT_BYTES);
}

/* From so many on what preparing a scan takes is less than what it saves. */
#define SCAN_WORTH_BYTES (1ull << 30)

static int open_contents(struct content **ret, struct sample *s, const struct sysroot *root,
			 const struct gather_options *o, uint64_t bytes, struct error *err)
{
	int rc = o->fleet ? content_open_fleet(ret, o->fleet, o->reader, &s->reader_why, err)
			  : content_open(ret, o->reader, &s->reader_why, err);
	if (!rc && !o->fleet && wants_sample(o, bytes) && bytes >= SCAN_WORTH_BYTES)
		content_prepare_scan(*ret, root);
	return rc;
}

static int both_looks(struct look *look, struct sample *s, const struct sysroot *root, double start, const struct gather_options *o, struct error *err)
{
	int rc = look_first(look, err);
	if (!rc && o->heat_seconds > 0)
		rc = heat_watch(s, root, o, err);
	if (rc || o->settle_seconds <= 0)
		return rc;
	wait_until(start + o->settle_seconds, o);
	if (monotonic_seconds() - start > s->settle_seconds && s->heat)	/* watching took longer */
		s->settle_seconds = monotonic_seconds() - start;
	return look_again(look, err);
}

static int look_exactly(struct sample *s, const struct sysroot *root, struct content *content, double start,
			const struct gather_options *o, struct error *err)
{
	struct look *look = NULL;
	int rc = look_begin(&look, s, root, content, o, err);
	if (!rc)
		rc = both_looks(look, s, root, start, o, err);
	look_end(look);
	return rc;
}

static int look_by_sample(struct sample *s, const struct sysroot *root, struct content *content, double start,
			  const struct gather_options *o, struct error *err)
{
	struct sampling *sampling = NULL;

	sample_lacks(s, "block sizes", NOT_READ, "not known from a sample, because blocks are compared whole and it has "
		     "pages here and there: look at every page (--exact)");
	sample_lacks(s, "huge pages", NOT_READ, "what they hide is not known from a sample, because that hangs on every "
		     "page in them: look at every page (--exact)");
	if (o->settle_seconds <= 0)
		sample_lacks(s, "changing pages", NOT_READ, "nobody looked twice: --settle says how far apart");
	int rc = sampling_look(&sampling, s, root, content, o, err);
	if (!rc && o->settle_seconds > 0) {
		wait_until(start + o->settle_seconds, o);
		rc = sampling_look_again(sampling, err);
	}
	sampling_end(sampling);
	return rc;
}

static int read_contents(struct sample *s, const struct sysroot *root, const struct gather_options *o,
			 struct error *err)
{
	struct content *content = NULL;
	double begun = monotonic_seconds();

	if (!pagemap_shows_frames(root, s->machine.page_bytes))
		return fail(err, EXIT_NOT_PERMITTED, "read /proc/self/pagemap: frame numbers are hidden: run as root, or with CAP_SYS_ADMIN");
	uint64_t bytes = expected_bytes(s, root);
	int rc = open_contents(&content, s, root, o, bytes, err);
	/* the looks are so far apart as was asked for, however long opening took */
	double cpu = cpu_seconds(), start = monotonic_seconds();
	if (!rc) {
		rc = wants_sample(o, bytes) ? look_by_sample(s, root, content, start, o, err)
					      : look_exactly(s, root, content, start, o, err);
		s->reader = content_reader(content);
	}
	s->cpu_seconds = cpu_seconds() - cpu;
	content_close(content);
	s->seconds = monotonic_seconds() - begun;
	return rc;
}

/* A captured system has the mappings but no page contents. */
static void read_mappings_only(struct sample *s, const struct sysroot *root)
{
	for (size_t i = 0; i < s->tasks_count; i++) {
		struct task *task = &s->tasks[i];
		task->first_area = s->areas_count;
		task->contents = ABSENT;
		proc_areas(root, task->pid, i, s);
		task->areas = s->areas_count - task->first_area;
	}
	sample_missing(s, "contents", ABSENT, "a captured system has no page contents");
}

/* The engine's files that were not to be had. Where KSM itself is absent, that is one thing and not twenty-four. */
static void note_engine(struct sample *s)
{
	enum known run = s->engine.knob[KNOB_RUN].known;
	if (run != KNOWN) {
		sample_lacks(s, "ksm", run, "/sys/kernel/mm/ksm: %s", run == DENIED ? "permission denied" :
			     "this kernel has no KSM");
		return;
	}
	for (int k = 0; k < KNOB_COUNT; k++) {
		enum known known = s->engine.knob[k].known;
		char what[64];
		snprintf(what, sizeof(what), "ksm/%s", knobs[k].name);
		if (known != KNOWN)
			sample_lacks(s, what, known, known == DENIED ? "permission denied" : "came with Linux %s",
				     knobs[k].since);
	}
}

static void read_calibration(struct sample *s, const struct sysroot *root, const char *path)
{
	char why[256] = "out of memory";
	enum known known = ABSENT;

	s->calibration = malloc(sizeof(*s->calibration));
	if (s->calibration)
		known = calibration_read(s->calibration, root, path, why);
	if (known == KNOWN)
		return;
	free(s->calibration);
	s->calibration = NULL;
	sample_lacks(s, "calibration", known, "%s", why);
}

static const struct missing *first_harmful(const struct sample *s)
{
	for (size_t i = 0; i < s->missing_count; i++)
		if (!s->missing[i].harmless)
			return &s->missing[i];
	return &s->missing[0];
}

static bool anything_read(const struct sample *s)
{
	for (size_t i = 0; i < s->tasks_count; i++)
		if (s->tasks[i].contents == KNOWN || frame_count(&s->frames) || (s->sampled && s->sampled->candidate))
			return true;
	return false;
}

int gather_sample(struct sample *s, const struct sysroot *root, const struct gather_options *o,
		  bool *ret_named_missing, struct error *err)
{
	struct timespec now;

	sample_init(s);
	clock_gettime(CLOCK_REALTIME, &now);
	s->time_ns = now.tv_sec * 1000000000ll + now.tv_nsec;
	s->settle_seconds = o->settle_seconds;
	proc_machine(root, &s->machine);
	if (root->live)
		s->machine.split_frees_zero = split_frees_zero(root, s->machine.page_bytes, s->machine.pmd_bytes);
	ksm_read(root, &s->engine);
	note_engine(s);
	if (o->calibration)
		read_calibration(s, root, o->calibration);
	int rc = targets_find(s, root, &o->target, ret_named_missing, err);
	if (rc)
		return rc;
	if (!root->live) {
		read_mappings_only(s, root);
		return 0;
	}
	rc = read_contents(s, root, o, err);
	if (!rc && !anything_read(s))
		rc = fail(err, first_harmful(s)->state == DENIED ? EXIT_NOT_PERMITTED : EXIT_FAILED, "%s: %s",
			  first_harmful(s)->what, first_harmful(s)->why);
	return rc;
}
