// SPDX-License-Identifier: GPL-2.0-or-later
#include "advise/options.h"

#include <stdlib.h>
#include <unistd.h>

#include "act/apply.h"
#include "core/estimate/sketch.h"
#include "core/fleet/portable.h"
#include "gather/domains.h"
#include "gather/calibration.h"
#include "measure/calibrate.h"

static const char *const formats[] = { "text", "json", NULL };
static const char *const readers[] = { "auto", "direct-map", "copy", NULL };
static const char *const huge_choices[] = { "any", "keep", "knee", "all", NULL };
static const char *const heat_bys[] = { "auto", "referenced", "damon", NULL };
static const char *const opt_ins[] = { "mappings", "process", NULL };

static const char epilogue[] =
	"Without --apply and --undo nothing is changed. Contents are hashed in the kernel with a key\n"
	"of this run; neither contents nor hashes leave it, but for --sketch under the fleet's key.\n"
	"See ksm-advise(1), and docs/anatomy.md for how KSM works.\n";

/* Is anybody asked for by what they are, not by PID? */
static bool by_kind(const struct advise_options *o)
{
	return o->comm || o->cgroup || o->has_uid || o->vm || o->all;
}

static int check_huge(const struct advise_options *o, struct error *err)
{
	if ((o->huge_pages || o->has_max_slowdown) && !o->apply)
		return fail(err, EXIT_USAGE, "--huge-pages and --max-slowdown go with --apply; the frontier is in every answer");
	if (o->huge_pages && o->has_max_slowdown)
		return fail(err, EXIT_USAGE, "--huge-pages and --max-slowdown: choose one");
	if ((o->huge_pages || o->has_max_slowdown) && o->opt_in)
		return fail(err, EXIT_USAGE, "--opt-in process opts every page in: ksmd can't be kept off huge pages then");
	return 0;
}

static int check_calibrate(const struct advise_options *o, struct error *err)
{
	if (o->pids.count || by_kind(o) || o->apply || o->undo || o->sysroot)
		return fail(err, EXIT_USAGE, "--calibrate measures this machine, not its processes: it goes without "
			    "targets, --apply, --undo and --sysroot");
	if (o->calibrate_seconds < CALIBRATE_LEAST_SECONDS || o->calibrate_seconds > 3600)
		return fail(err, EXIT_USAGE, "--calibrate takes %d seconds to an hour (3600)", CALIBRATE_LEAST_SECONDS);
	return 0;
}

static int check_compare(const struct advise_options *o, struct error *err)
{
	if (advise_has_target(o) || o->sketch || o->fleet_key || o->apply || o->undo || o->sysroot || o->domains)
		return fail(err, EXIT_USAGE, "--compare reads sketches and nothing else: it goes with --format and "
			    "--verbose alone");
	return 0;
}

static int check_record(const struct advise_options *o, struct error *err)
{
	if (o->replay && (advise_has_target(o) || o->sysroot || o->record || o->exact || o->has_theta || o->has_memory ||
			  o->budget_text || o->heat_seconds > 0 || o->calibration))
		return fail(err, EXIT_USAGE, "--replay answers what was recorded: whom to look at and how was decided then");
	if ((o->record || o->replay) && (o->apply || o->undo || o->sketch))
		return fail(err, EXIT_USAGE, "--record and --replay don't go with --apply, --undo and --sketch");
	return 0;
}

static int check_sketch(const struct advise_options *o, struct error *err)
{
	if (!o->sketch)
		return o->fleet_key || o->label || o->domain || o->has_contents
		       ? fail(err, EXIT_USAGE, "--fleet-key, --label, --domain and --contents go with --sketch") : 0;
	if (!o->fleet_key)
		return fail(err, EXIT_USAGE, "--sketch needs --fleet-key: without one no hash leaves this process");
	if (o->apply || o->undo || o->exact || o->has_theta || o->sysroot)
		return fail(err, EXIT_USAGE, "--sketch goes without --apply, --undo, --exact, --sample and --sysroot");
	if (o->has_contents && (!o->contents || o->contents > PORTABLE_CONTENTS_MAX))
		return fail(err, EXIT_USAGE, "--contents takes 1 to %u", PORTABLE_CONTENTS_MAX);
	return 0;
}

/* What belongs together, and what does not. */
static int check(const struct advise_options *o, struct error *err)
{
	if (o->compare)
		return check_compare(o, err);
	int rc = check_sketch(o, err);
	if (!rc)
		rc = check_record(o, err);
	if (rc)
		return rc;
	if (o->calibrate)
		return check_calibrate(o, err);
	if (o->no_writes)
		return fail(err, EXIT_USAGE, "--no-writes goes with --calibrate; without --apply nothing is written anyway");
	if (!advise_has_target(o) && !o->undo && !o->sketch && !o->replay)
		return fail(err, EXIT_USAGE, "whom to look at? --pid, --comm, --cgroup, --uid, --vm or --all; see ksm-advise --help");
	if (o->undo && (o->apply || by_kind(o)))
		return fail(err, EXIT_USAGE, "--undo goes alone or with --pid");
	if (o->dry_run && !o->apply)
		return fail(err, EXIT_USAGE, "--dry-run goes with --apply");
	if ((o->apply || o->undo) && o->sysroot)
		return fail(err, EXIT_USAGE, "--apply and --undo work on this system, not on a captured one (--sysroot)");
	if (o->has_uid && o->uid > UINT32_MAX)
		return fail(err, EXIT_USAGE, "--uid %llu: no such uid", (unsigned long long)o->uid);
	if (o->settle_seconds > 86400 || o->for_seconds > 86400)
		return fail(err, EXIT_USAGE, "--settle and --for take at most a day (86400 seconds)");
	if (o->exact && (o->has_theta || o->has_memory))
		return fail(err, EXIT_USAGE, "--exact looks at every page: --sample and --memory don't go with it");
	if (o->apply && o->has_theta)
		return fail(err, EXIT_USAGE, "--apply needs an exact look: a sample tells small mappings only together, and nothing of huge pages");
	if (o->has_theta && !(o->theta > 0 && o->theta <= 1))
		return fail(err, EXIT_USAGE, "--sample: there is no such share of the contents: above 0 and at most 1 (100%%), "
			    "1 keeps all of them; --exact looks at every page");
	if (o->has_memory && o->memory_bytes < SKETCH_MIN_BYTES)
		return fail(err, EXIT_USAGE, "--memory: a table needs at least %zu KiB", SKETCH_MIN_BYTES >> 10);
	if ((o->ledger || o->plot || o->heat_seconds > 0) && o->has_theta)
		return fail(err, EXIT_USAGE, "--ledger, --heat and --plot look at every page: --sample does not go with them");
	if (o->heat_seconds > 0 && (o->heat_seconds < 0.1 || o->heat_seconds > 3600))
		return fail(err, EXIT_USAGE, "--heat takes a tenth of a second to an hour (3600 seconds)");
	if (o->heat_seconds > 0 && o->sysroot)
		return fail(err, EXIT_USAGE, "--heat watches this system, not a captured one (--sysroot)");
	if (o->ksmd_cpu <= 0 || o->ksmd_cpu > 0.95)
		return fail(err, EXIT_USAGE, "--cpu takes a share above 0 and at most 95%%");
	return check_huge(o, err);
}

static const struct advise_options shape;
#define TO(member) OPTION_TO(struct advise_options, shape, member)

static const struct option_row rows[] = {
	{ .name = "Whom to look at" },
	{ "pid", 'p', "N[,N…]", "these processes", .pids = TO(pids) },
	{ "comm", 'c', "NAME", "processes of this name (as in /proc/PID/comm)", .string = TO(comm) },
	{ "cgroup", 'g', "PATH", "processes of this cgroup and those below it", .string = TO(cgroup) },
	{ "uid", 'u', "U", "processes with this effective uid", .number = TO(uid), .given = TO(has_uid) },
	{ "vm", 0, "NAME", "the QEMU guest of this name (-name on its command line)", .string = TO(vm) },
	{ "all", 'a', NULL, "every process", .flag = TO(all) },
	{ .name = "How to look" },
	{ "exact", 'e', NULL, "look at every page (default below 4G of memory, and with --apply)", .flag = TO(exact) },
	{ "sample", 0, "SHARE", "keep this share of the contents and estimate (default from 4G on: 1/16)",
	  .ratio = TO(theta), .given = TO(has_theta) },
	{ "memory", 0, "SIZE", "for the table of the sample (default 16M); the share is halved when it is full",
	  .bytes = TO(memory_bytes), .given = TO(has_memory) },
	{ "budget", 0, "BUDGET", "for looking: a share of one CPU, bytes a second, or both, as 1%,200MB/s (default: none)",
	  .string = TO(budget_text) },
	{ "settle", 's', "SECONDS", "look twice, so far apart; 0: once (default 1)",
	  .seconds = TO(settle_seconds) },
	{ "reader", 0, "WHICH", "auto, direct-map or copy (default auto)", .choice = TO(reader),
	  .choices = readers },
	{ "record", 0, "FILE", "keep the look, without contents and hashes, so that it can be answered again",
	  .string = TO(record) },
	{ "replay", 0, "FILE", "answer what was recorded, on this machine or another", .string = TO(replay) },
	{ "domains", 0, "FILE", "who may share with whom (default: each uid, each virtual machine for itself)",
	  .string = TO(domains) },
	{ "sysroot", 0, "DIR", "a captured system instead of this one (DIR/proc, DIR/sys)",
	  .string = TO(sysroot) },
	{ .name = "Huge pages" },
	{ "ledger", 0, NULL, "a row per huge page: what it hides (looks at every page)", .flag = TO(ledger) },
	{ "heat", 0, "SECONDS", "watch so long how often each is accessed: clears the targets' accessed bits",
	  .seconds = TO(heat_seconds) },
	{ "heat-by", 0, "WHICH", "auto, referenced (whole mappings) or damon (our own, or the one that runs; default auto)",
	  .choice = TO(heat_by), .choices = heat_bys },
	{ "exchange-rate", 0, "RATE", "processor seconds per second that a GiB is worth (default: the curve's knee)",
	  .ratio = TO(exchange_rate) },
	{ "plot", 0, "FILE", "bytes saved against slow-down, as a picture (SVG)", .string = TO(plot) },
	{ .name = "How to answer" },
	{ "format", 'f', "FORM", "text or json (default text)", .choice = TO(format), .choices = formats },
	{ "verbose", 'v', NULL, "all rows of each list", .flag = TO(verbose) },
	{ "no-color", 0, NULL, "no colours (also by NO_COLOR)", .flag = TO(no_color) },
	{ .name = "Carry it out" },
	{ "apply", 0, NULL, "opt the targets in, run the engine until it has converged, report",
	  .flag = TO(apply) },
	{ "dry-run", 'n', NULL, "with --apply: say what would be done and stop", .flag = TO(dry_run) },
	{ "for", 0, "SECONDS", "at most so long (default 300)", .seconds = TO(for_seconds) },
	{ "cpu", 0, "SHARE", "of one CPU for ksmd while pages merge (default 50%)", .ratio = TO(ksmd_cpu) },
	{ "opt-in", 0, "WHAT", "mappings (those worth it) or process (all of it; default mappings)",
	  .choice = TO(opt_in), .choices = opt_ins },
	{ "huge-pages", 0, "WHAT", "any (ksmd breaks what it likes), keep, knee, all (that hide anything)",
	  .choice = TO(huge_pages), .choices = huge_choices },
	{ "max-slowdown", 0, "SHARE", "break as many huge pages as cost the targets at most this, as 1%",
	  .ratio = TO(max_slowdown), .given = TO(has_max_slowdown) },
	{ "cross-domains", 0, NULL, "merge across uids and virtual machines too: a side channel",
	  .flag = TO(cross_domains) },
	{ "undo", 0, NULL, "take back what --apply left (with --pid: only for these)", .flag = TO(undo) },
	{ .name = "Calibrate" },
	{ "calibrate", 0, "[SECONDS]", "measure what breaking, merging and page walks cost on this machine (20)",
	  .flag = TO(calibrate), .seconds = TO(calibrate_seconds) },
	{ "calibration", 0, "FILE", "where that is kept (default " CALIBRATION_FILE ")", .string = TO(calibration) },
	{ "no-writes", 0, NULL, "with --calibrate: leave the engine alone; costs of merging stay unknown",
	  .flag = TO(no_writes) },
	{ .name = "Compare machines" },
	{ "sketch", 0, "FILE", "write keyed hashes of a few contents, with how many frames hold each",
	  .string = TO(sketch) },
	{ "fleet-key", 0, "KEYFILE", "the key: 32 hexadecimal digits, the same on all hosts, mode 0600",
	  .string = TO(fleet_key) },
	{ "label", 0, "NAME", "of the sketch (default: the guest where it is one, else the host)",
	  .string = TO(label) },
	{ "domain", 0, "NAME", "the trust domain of the sketch; with --domains only who is in it", .string = TO(domain) },
	{ "contents", 0, "N", "in the sketch (default 4096)", .number = TO(contents), .given = TO(has_contents) },
	{ "compare", 0, NULL, "say what the machines of these sketches would save together", .flag = TO(compare) },
	{ .name = "Journals" },
	{ "state-dir", 0, "DIR", "where the journals are (default " ACT_STATE_DIR ")", .string = TO(state_dir) },
	{ 0 },
};

int advise_options_parse(struct advise_options *o, int argc, char **argv, enum parsed *ret_parsed, struct error *err)
{
	*o = (struct advise_options){ .settle_seconds = 1, .for_seconds = 300, .ksmd_cpu = 0.5, .calibrate_seconds = 20,
				      .state_dir = ACT_STATE_DIR };
	const struct program program = {
		.operands = true,
		.name = "ksm-advise",
		.summary = "what merging would save in running processes, why it is not saved, and saving it",
		.usage = "[OPTION]… --pid N | --comm NAME | --cgroup PATH | --uid U | --vm NAME | --all\n"
			 "       ksm-advise --replay FILE\n"
			 "       ksm-advise --sketch FILE --fleet-key KEYFILE [OPTION]…\n"
			 "       ksm-advise --compare FILE FILE…\n"
			 "       ksm-advise --calibrate [SECONDS]",
		.options = rows, .shape = &shape, .to = o,
		.epilogue = epilogue,
	};
	int operand;
	int rc = options_parse(&program, argc, argv, ret_parsed, &operand, err);

	if (rc || *ret_parsed == PARSED_DONE)
		return rc;
	o->files = argv + operand;
	o->files_count = argc - operand;
	if (o->files_count && !o->compare)
		return fail(err, EXIT_USAGE, "unexpected word \"%s\"; see ksm-advise --help", o->files[0]);
	rc = o->budget_text ? budget_parse("--budget", o->budget_text, &o->budget, err) : 0;
	if (!rc)
		rc = check(o, err);
	if (!rc && o->domains)
		rc = domains_load(&o->rules, o->domains, err);
	if (!rc && o->domains && o->domain && !domain_is_configured(&o->rules, o->domain))
		rc = fail(err, EXIT_USAGE, "--domain %s: %s describes no such domain", o->domain, o->domains);
	return rc;
}

void advise_options_free(struct advise_options *o)
{
	free(o->pids.pids);
	domain_rules_free(&o->rules);
}

bool advise_has_target(const struct advise_options *o)
{
	return o->pids.count || by_kind(o);
}

struct target advise_target(const struct advise_options *o)
{
	return (struct target){ .pids = o->pids.pids, .pids_count = o->pids.count, .comm = o->comm,
				.cgroup = o->cgroup, .by_uid = o->has_uid, .uid = o->uid, .vm = o->vm, .all = o->all };
}

enum look_mode advise_look_mode(const struct advise_options *o)
{
	if (o->exact || o->apply || o->ledger || o->plot || o->heat_seconds > 0)
		return LOOK_EXACT;
	return o->has_theta ? LOOK_SAMPLED : LOOK_AUTO;
}

enum reader_kind advise_reader(const struct advise_options *o)
{
	static const enum reader_kind kinds[] = { READER_NONE, READER_DIRECT_MAP, READER_COPY };
	return kinds[o->reader];
}
