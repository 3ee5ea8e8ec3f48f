// SPDX-License-Identifier: GPL-2.0-or-later
#include "top/options.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "gather/domains.h"

/* What the command line fills in: the settings, and words that are parsed further. */
struct command {
	struct top_settings settings;
	const char *sort, *columns;
	int tree;
	bool iterations_given;
};

static const struct command shape;
#define TO(member) OPTION_TO(struct command, shape, member)
#define SETTING(member) TO(settings.member)

static const struct option_row rows[] = {
	{ .name = "When and how often" },
	{ "delay", 'd', "SECONDS", "time between two samples (1)", .seconds = SETTING(delay_seconds) },
	{ "iterations", 'n', "N", "write N samples and end", .number = SETTING(iterations),
	  .given = TO(iterations_given) },
	{ "once", 0, NULL, "the same as -n 1", .flag = SETTING(once) },
	{ .name = "What is shown" },
	{ "pid", 'p', "PID[,PID...]", "these processes", .pids = SETTING(pids) },
	{ "comm", 0, "NAME", "processes of that name", .string = SETTING(comm) },
	{ "uid", 0, "UID", "processes of that user", .number = SETTING(uid), .given = SETTING(by_uid) },
	{ "cgroup", 0, "PATH", "processes of that cgroup and those below it", .string = SETTING(cgroup) },
	{ "sort", 0, "COLUMN", "sort by it; -COLUMN: the other way round", .string = TO(sort) },
	{ "columns", 0, "COLUMN[,...]", "show these columns", .string = TO(columns) },
	{ "top", 0, "N", "write the first N processes only", .number = SETTING(most_processes) },
	{ "tree", 0, "HOW", "group by cgroup, uid, vm or domain (of trust)", .choice = TO(tree), .choices = group_kind_names },
	{ .name = "How it is shown" },
	{ "batch", 'b', NULL, "write text instead of a display", .flag = SETTING(batch) },
	{ "json", 0, NULL, "write one JSON object per sample and line", .flag = SETTING(json) },
	{ "csv", 0, NULL, "write one line per process and sample", .flag = SETTING(csv) },
	{ "no-color", 0, NULL, "no colours; so does NO_COLOR in the environment", .flag = SETTING(no_color) },
	{ .name = "Where it comes from" },
	{ "precise", 0, NULL, "count every page fault: exact, but each takes some 0.1 us longer",
	  .flag = SETTING(precise) },
	{ "potential", 0, NULL, "look at all contents now and then: what merging more would free",
	  .flag = SETTING(potential) },
	{ "domains", 0, "FILE", "who may share with whom (each uid, each virtual machine for itself)",
	  .string = SETTING(domains) },
	{ "calibration", 0, "FILE", "what breaks cost here (/var/lib/ksmscope/calibration.json)",
	  .string = SETTING(calibration) },
	{ "no-bpf", 0, NULL, "load no BPF programs: files of /proc and /sys only", .flag = SETTING(no_bpf) },
	{ "record", 0, "FILE", "write the samples to a file, too", .string = SETTING(record) },
	{ "replay", 0, "FILE", "show what was recorded", .string = SETTING(replay) },
	{ "sysroot", 0, "DIR", "look at a captured /proc and /sys instead of this system's",
	  .string = SETTING(sysroot) },
	{ 0 }
};

static int parse_words(struct command *w, struct error *err)
{
	struct top_settings *s = &w->settings;
	const char *bad = "";

	if (w->sort) {
		bool ascending = *w->sort == '-';
		enum field f = field_by_name(w->sort + ascending, strlen(w->sort + ascending));
		if (f == FIELD_COUNT)
			return fail(err, EXIT_USAGE, "--sort \"%s\": there is no such column; --help names them",
				    w->sort);
		s->view.sort = f;
		s->view.ascending = ascending;
	}
	if (!w->columns)
		return 0;
	s->view.columns_count = field_list_parse(w->columns, s->view.columns, 0, PROC_FIELDS, &bad);
	if (!s->view.columns_count)
		return fail(err, EXIT_USAGE, "--columns \"%s\": there is no column \"%.*s\"; --help names them",
			    w->columns, (int)strcspn(bad, ","), bad);
	return 0;
}

/* What can't go together, and what follows from what. */
static int check(struct command *w, struct error *err)
{
	struct top_settings *s = &w->settings;

	if (s->json && s->csv)
		return fail(err, EXIT_USAGE, "--json and --csv: choose one");
	if (s->once && w->iterations_given)
		return fail(err, EXIT_USAGE, "--once is --iterations 1: choose one");
	if (w->iterations_given && !s->iterations)
		return fail(err, EXIT_USAGE, "--iterations 0: it takes 1 or more");
	if (s->delay_seconds < 0.1 || s->delay_seconds > 86400)
		return fail(err, EXIT_USAGE, "--delay: it takes 0.1 to 86400 seconds");
	if (s->replay && (s->record || s->sysroot || s->precise || s->potential || s->domains))
		return fail(err, EXIT_USAGE, "--replay shows what was recorded; it goes without --record, --sysroot, "
			    "--precise, --potential and --domains");
	if (s->uid > UINT32_MAX)
		return fail(err, EXIT_USAGE, "--uid: it takes 0 to 4294967295");
	s->format = s->json ? FORMAT_JSON : s->csv ? FORMAT_CSV : FORMAT_TEXT;
	if (s->once)
		s->iterations = 1;
	s->batch |= s->once || s->json || s->csv || w->iterations_given;
	s->view.tree = (enum group_kind)w->tree;
	s->view.replay = s->replay != NULL;
	return 0;
}

/* The columns for --help, in lines of some 80 characters. */
static void list_columns(struct text *out)
{
	size_t length = 0;
	text_puts(out, "Columns:\n ");
	for (enum field f = HOST_FIELDS; f < FIELD_COUNT; f++) {
		length += strlen(fields[f].name) + 2;
		if (length > 76) {
			text_puts(out, "\n ");
			length = strlen(fields[f].name) + 2;
		}
		text_printf(out, " %s%s", fields[f].name, f + 1 < FIELD_COUNT ? "," : "\n\n");
	}
}

int top_settings_parse(struct top_settings *s, int argc, char **argv, enum parsed *ret_parsed, struct error *err)
{
	struct command c = { .settings.delay_seconds = 1 };
	scoped_text struct text epilogue = { 0 };
	int operand;

	*s = (struct top_settings){ 0 };
	view_init(&c.settings.view);
	list_columns(&epilogue);
	if (epilogue.failed)
		return fail(err, EXIT_FAILED, "out of memory reading the options");
	const struct program program = { .name = "ksmtop", .summary = "what merging memory saves and costs, live",
					 .usage = "[OPTION]...", .options = rows, .shape = &shape, .to = &c,
					 .epilogue = epilogue.bytes };
	int rc = options_parse(&program, argc, argv, ret_parsed, &operand, err);
	bool go = !rc && *ret_parsed == PARSED_GO;
	if (go)
		rc = parse_words(&c, err);
	if (go && !rc)
		rc = check(&c, err);
	if (go && !rc && c.settings.domains)
		rc = domains_load(&c.settings.rules, c.settings.domains, err);
	*s = c.settings;
	return rc;
}

void top_settings_free(struct top_settings *s)
{
	free(s->pids.pids);
	domain_rules_free(&s->rules);
}
