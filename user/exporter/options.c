// SPDX-License-Identifier: GPL-2.0-or-later
#include "exporter/options.h"

#include <stdlib.h>
#include <string.h>

#include "core/live/series.h"
#include "gather/domains.h"
#include "gather/knee.h"

static const char *const compat_names[] = { "none", "node", NULL };

static int check(const struct exporter_settings *s, struct error *err)
{
	if (s->interval_seconds < 0.1 || s->interval_seconds > 3600)
		return fail(err, EXIT_USAGE, "--interval: it takes 0.1 to 3600 seconds");
	if (s->knee_seconds && (s->knee_seconds < 10 || s->knee_seconds > 86400))
		return fail(err, EXIT_USAGE, "--knee: it takes 10 to 86400 seconds, or 0 for none");
	if (s->top < 1 || s->top > SERIES_MOST)
		return fail(err, EXIT_USAGE, "--top: it takes 1 to %d", SERIES_MOST);
	if (s->http.stale_seconds < s->interval_seconds)
		return fail(err, EXIT_USAGE, "--web.stale-after: it takes the interval (%g seconds) or more",
			    s->interval_seconds);
	if (s->http.telemetry_path[0] != '/' || !s->http.telemetry_path[1] ||
	    !strcmp(s->http.telemetry_path, "/healthz"))
		return fail(err, EXIT_USAGE, "--web.telemetry-path \"%s\": it takes a path as /metrics, other than / "
			    "and /healthz", s->http.telemetry_path);
	if (s->textfile && (s->http.listen.count || s->http.systemd_socket || s->http.config_file))
		return fail(err, EXIT_USAGE,
			    "--textfile writes a file instead of serving HTTP; it goes without --web options");
	if ((s->once || s->replay) && !s->textfile)
		return fail(err, EXIT_USAGE, "--once and --replay go with --textfile");
	return 0;
}

static const struct exporter_settings shape;
#define TO(member) OPTION_TO(struct exporter_settings, shape, member)

static const struct option_row rows[] = {
	{ .name = "What is offered" },
	{ .name = "interval", .argument = "SECONDS", .seconds = TO(interval_seconds),
	  .help = "time between two samples (5)" },
	{ .name = "top", .argument = "N", .number = TO(top),
	  .help = "groups of each kind that have series of their own (20)" },
	{ .name = "precise", .flag = TO(precise),
	  .help = "count every page fault: exact, but each takes some 0.1 us longer" },
	{ .name = "no-potential", .flag = TO(no_potential), .help = "do not look at contents" },
	{ .name = "knee", .argument = "SECONDS", .seconds = TO(knee_seconds),
	  .help = "time between two looks at which huge pages are worth breaking (900); 0: none" },
	{ .name = "knee-memory", .argument = "SIZE", .bytes = TO(knee_bytes),
	  .help = "no such looks where there is more anonymous memory (4G)" },
	{ .name = "domains", .argument = "FILE", .string = TO(domains),
	  .help = "who may share with whom (each uid, each virtual machine for itself)" },
	{ .name = "no-bpf", .flag = TO(no_bpf), .help = "load no BPF programs: files of /proc and /sys only" },
	{ .name = "compat", .argument = "WHOSE", .choice = TO(compat), .choices = compat_names,
	  .help = "node: the node_ksmd_* names of node_exporter, too" },
	{ .name = "sysroot", .argument = "DIR", .string = TO(sysroot),
	  .help = "look at a captured /proc and /sys instead of this system's" },
	HTTP_OPTION_ROWS(TO(http), EXPORTER_ADDRESS),
	{ .name = "Without HTTP" },
	{ .name = "textfile", .argument = "FILE", .string = TO(textfile),
	  .help = "write a file for node_exporter's textfile collector; -: to standard output" },
	{ .name = "replay", .argument = "FILE", .string = TO(replay),
	  .help = "metrics of the last moment that ksmtop recorded; with --textfile, once" },
	{ .name = "once", .flag = TO(once), .help = "write it once and end" },
	{ .name = "list-metrics", .flag = TO(list_metrics), .help = "show all metrics as Markdown and exit" },
	{ 0 },
};

int exporter_settings_parse(struct exporter_settings *s, int argc, char **argv, enum parsed *ret_parsed,
			    struct error *err)
{
	int operand;

	*s = (struct exporter_settings){ .interval_seconds = 5, .top = 20, .knee_seconds = KNEE_SECONDS,
					  .knee_bytes = KNEE_BYTES };
	s->http = (struct http_settings){ .program = EXPORTER_PROGRAM, .telemetry_path = "/metrics",
					  .stale_seconds = HTTP_DEFAULT_STALE_SECONDS };
	const struct program program = { .name = EXPORTER_PROGRAM, .usage = "[OPTION]...",
					 .options = rows, .shape = &shape, .to = s,
					 .summary = "what merging memory saves and costs, as Prometheus metrics" };
	int rc = options_parse(&program, argc, argv, ret_parsed, &operand, err);
	if (!rc && *ret_parsed == PARSED_GO)
		rc = check(s, err);
	if (!rc && *ret_parsed == PARSED_GO && s->domains)
		rc = domains_load(&s->rules, s->domains, err);
	return rc;
}

void exporter_settings_free(struct exporter_settings *s)
{
	free(s->http.listen.words);
	domain_rules_free(&s->rules);
}
