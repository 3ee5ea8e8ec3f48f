// SPDX-License-Identifier: GPL-2.0-or-later
#include "top/options.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "gather/domains.h"

/* Words that are parsed further. */
struct words {
	const char *sort, *columns;
	int tree;
	bool iterations_given;
};

static int parse_words(struct top_settings *s, const struct words *w, struct error *err)
{
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
static int check(struct top_settings *s, const struct words *w, struct error *err)
{
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
	struct words w = { 0 };
	scoped_text struct text epilogue = { 0 };
	int operand;

	*s = (struct top_settings){ .delay_seconds = 1 };
	view_init(&s->view);
	const struct option_row rows[] = {
		{ .name = "When and how often" },
		{ .name = "delay", .letter = 'd', .argument = "SECONDS", .seconds = &s->delay_seconds,
		  .help = "time between two samples (1)" },
		{ .name = "iterations", .letter = 'n', .argument = "N", .number = &s->iterations,
		  .given = &w.iterations_given, .help = "write N samples and end" },
		{ .name = "once", .flag = &s->once, .help = "the same as -n 1" },
		{ .name = "What is shown" },
		{ .name = "pid", .letter = 'p', .argument = "PID[,PID...]", .pids = &s->pids,
		  .help = "these processes" },
		{ .name = "comm", .argument = "NAME", .string = &s->comm, .help = "processes of that name" },
		{ .name = "uid", .argument = "UID", .number = &s->uid, .given = &s->by_uid,
		  .help = "processes of that user" },
		{ .name = "cgroup", .argument = "PATH", .string = &s->cgroup,
		  .help = "processes of that cgroup and those below it" },
		{ .name = "sort", .argument = "COLUMN", .string = &w.sort,
		  .help = "sort by it; -COLUMN: the other way round" },
		{ .name = "columns", .argument = "COLUMN[,...]", .string = &w.columns, .help = "show these columns" },
		{ .name = "top", .argument = "N", .number = &s->most_processes,
		  .help = "write the first N processes only" },
		{ .name = "tree", .argument = "HOW", .choice = &w.tree, .choices = group_kind_names,
		  .help = "group by cgroup, uid or vm" },
		{ .name = "How it is shown" },
		{ .name = "batch", .letter = 'b', .flag = &s->batch, .help = "write text instead of a display" },
		{ .name = "json", .flag = &s->json, .help = "write one JSON object per sample and line" },
		{ .name = "csv", .flag = &s->csv, .help = "write one line per process and sample" },
		{ .name = "no-color", .flag = &s->no_color, .help = "no colours; so does NO_COLOR in the environment" },
		{ .name = "Where it comes from" },
		{ .name = "precise", .flag = &s->precise,
		  .help = "count every page fault: exact, but each takes some 0.1 us longer" },
		{ .name = "potential", .flag = &s->potential,
		  .help = "look at all contents now and then: what merging more would free" },
		{ .name = "domains", .argument = "FILE", .string = &s->domains,
		  .help = "who may share with whom (each uid, each virtual machine for itself)" },
		{ .name = "calibration", .argument = "FILE", .string = &s->calibration,
		  .help = "what breaks cost here (/var/lib/ksmscope/calibration.json)" },
		{ .name = "no-bpf", .flag = &s->no_bpf, .help = "load no BPF programs: files of /proc and /sys only" },
		{ .name = "record", .argument = "FILE", .string = &s->record,
		  .help = "write the samples to a file, too" },
		{ .name = "replay", .argument = "FILE", .string = &s->replay, .help = "show what was recorded" },
		{ .name = "sysroot", .argument = "DIR", .string = &s->sysroot,
		  .help = "look at a captured /proc and /sys instead of this system's" },
		{ 0 } };
	list_columns(&epilogue);
	if (epilogue.failed)
		return fail(err, EXIT_FAILED, "out of memory reading the options");
	const struct program program = { .name = "ksmtop", .summary = "what merging memory saves and costs, live",
					 .usage = "[OPTION]...", .options = rows, .epilogue = epilogue.bytes };
	int rc = options_parse(&program, argc, argv, ret_parsed, &operand, err);
	if (!rc && *ret_parsed == PARSED_GO)
		rc = parse_words(s, &w, err);
	if (!rc && *ret_parsed == PARSED_GO)
		rc = check(s, &w, err);
	if (!rc && *ret_parsed == PARSED_GO && s->domains)
		rc = domains_load(&s->rules, s->domains, err);
	return rc;
}

void top_settings_free(struct top_settings *s)
{
	free(s->pids.pids);
	domain_rules_free(&s->rules);
}
