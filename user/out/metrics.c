// SPDX-License-Identifier: GPL-2.0-or-later
#include "out/metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "ksmscope_"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const group_prefixes[SERIES_KINDS] = {
	[SERIES_CGROUP] = PREFIX "cgroup_",
	[SERIES_UNIT] = PREFIX "unit_",
	[SERIES_VM] = PREFIX "vm_",
	[SERIES_DOMAIN] = PREFIX "domain_",
};

/* ---- families that the table of fields does not have ---- */

enum family {
	BUILD, SYSTEM, PAGE_SIZE,
	SOURCE_SUCCESS, SOURCE_SECONDS, SOURCE_STATE, FACT_MISSING,
	LIFETIME, LIFETIME_UNSEEN, POTENTIAL_INTERVAL,
	EVENTS_PRODUCED, EVENTS_CONSUMED, EVENTS_LOST,
	BPF_RUNS, BPF_SECONDS, BPF_MEASURED,
	OUTCOMES,
	GROUPS, GROUPS_OTHER, GROUPS_DROPPED, SERIES_DROPPED,
	FAMILIES
};

static const struct metric families[FAMILIES] = {
	[BUILD] = { PREFIX, "build_info", METRIC_INFO, "the program and its version", "program, version" },
	[SYSTEM] = { PREFIX, "kernel_info", METRIC_INFO, "the kernel that is looked at", "release" },
	[PAGE_SIZE] = { PREFIX, "page_size_bytes", METRIC_GAUGE, "bytes of a base page", NULL },
	[SOURCE_SUCCESS] = { PREFIX, "source_success", METRIC_GAUGE,
		"1: the source answered when it was asked last", "source" },
	[SOURCE_SECONDS] = { PREFIX, "source_duration_seconds", METRIC_GAUGE, "time that reading the source took",
		"source" },
	[SOURCE_STATE] = { PREFIX, "source_state", METRIC_GAUGE,
		"always 1; the label says what became of the source: known, absent, denied, gone or not read",
		"source, state" },
	[FACT_MISSING] = { PREFIX, "fact_missing", METRIC_GAUGE,
		"always 1, for each thing that could not be read: absent on this kernel, denied, gone or not read",
		"fact, state" },
	[LIFETIME] = { PREFIX, "merge_lifetime_seconds", METRIC_HISTOGRAM,
		"how long merges lasted that were broken by a write; of breaks that were looked at", "le" },
	[LIFETIME_UNSEEN] = { PREFIX, "merge_lifetime_unseen_total", METRIC_COUNTER,
		"breaks of merges that were not seen to begin", NULL },
	[POTENTIAL_INTERVAL] = { PREFIX, "potential_interval_bytes", METRIC_GAUGE,
		"ends of the 95 % interval of the potential; not there where it was counted exactly", "bound" },
	[EVENTS_PRODUCED] = { PREFIX, "events_produced_total", METRIC_COUNTER,
		"events in the kernel; produced = consumed + lost", "path" },
	[EVENTS_CONSUMED] = { PREFIX, "events_consumed_total", METRIC_COUNTER, "events that were counted", "path" },
	[EVENTS_LOST] = { PREFIX, "events_lost_total", METRIC_COUNTER, "events that were lost on the way", "path" },
	[BPF_RUNS] = { PREFIX, "bpf_runs_total", METRIC_COUNTER,
		"runs of our BPF programs while they were measured", "program" },
	[BPF_SECONDS] = { PREFIX, "bpf_cpu_seconds_total", METRIC_COUNTER, "time of these runs", "program" },
	[BPF_MEASURED] = { PREFIX, "bpf_measured_ratio", METRIC_GAUGE,
		"share of the time in which runs are measured", "program" },
	[OUTCOMES] = { PREFIX, "outcomes_total", METRIC_COUNTER,
		"how merges failed (merges), and what became of ranges that khugepaged considered (collapse_scans) or "
		"tried (collapses)", "of, result" },
	[GROUPS] = { PREFIX, "groups", METRIC_GAUGE, "groups that processes form", "by" },
	[GROUPS_OTHER] = { PREFIX, "groups_in_other", METRIC_GAUGE,
		"of these: without a series of their own, together as \"other\"", "by" },
	[GROUPS_DROPPED] = { PREFIX, "groups_dropped_total", METRIC_COUNTER,
		"groups that lost their own series to a larger one", "by" },
	[SERIES_DROPPED] = { PREFIX, "series_dropped", METRIC_GAUGE,
		"series that this page would have beyond the most it may have", NULL },
};

/* What the program tells of itself, by its place in metrics_own. */
static const struct {
	struct metric metric;
	size_t offset;
} own_families[] = {
#define OWN(NAME, TYPE, FIELD, HELP) { { PREFIX, NAME, TYPE, HELP, NULL }, offsetof(struct metrics_own, FIELD) }
	OWN("sample_interval_seconds", METRIC_GAUGE, interval_seconds, "time between two samples"),
	OWN("sample_duration_seconds", METRIC_GAUGE, taken_seconds, "time that the last sample took"),
	OWN("samples_total", METRIC_COUNTER, samples, "samples taken"),
	OWN("sample_failures_total", METRIC_COUNTER, failures, "samples that failed"),
	OWN("http_requests_total", METRIC_COUNTER, requests, "requests answered"),
	OWN("http_connections_refused_total", METRIC_COUNTER, refused,
	    "connections closed because of their number, or because they were too slow"),
	OWN("http_login_failures_total", METRIC_COUNTER, failed_logins, "requests with a wrong user or password"),
	OWN("http_connections", METRIC_GAUGE, connections, "connections that are open"),
	OWN("http_cpu_seconds_total", METRIC_COUNTER, http_cpu_seconds, "CPU time of the HTTP side"),
	OWN("http_resident_bytes", METRIC_GAUGE, http_resident_bytes, "resident memory of the HTTP side"),
	OWN("http_pages_unsent_total", METRIC_COUNTER, pages_unsent,
	    "samples that the HTTP side was too busy to take over"),
#undef OWN
};

static const struct metric snapshot_time = { PREFIX, "snapshot_timestamp_seconds", METRIC_GAUGE,
	"when this page was made; its age is time() less this", NULL };

/* Facts that are in no field. */
static const struct {
	struct metric metric;
	unsigned int fact;
	double scale;
} fact_families[] = {
#define FACT_AS(NAME, TYPE, FACT, SCALE, HELP) { { PREFIX, NAME, TYPE, HELP, NULL }, FACT, SCALE }
	FACT_AS("ksm_stable_node_chains_prune_seconds", METRIC_GAUGE, KNOB_STABLE_NODE_CHAINS_PRUNE_MILLISECS, 1e-3,
		"how often full chains are searched for stale entries"),
	FACT_AS("ksm_advisor_max_cpu_ratio", METRIC_GAUGE, KNOB_ADVISOR_MAX_CPU, 1e-2,
		"most of one CPU that the advisor lets ksmd take"),
	FACT_AS("ksm_advisor_min_pages_to_scan", METRIC_GAUGE, KNOB_ADVISOR_MIN_PAGES_TO_SCAN, 1,
		"pages_to_scan that the advisor starts from"),
	FACT_AS("ksm_advisor_max_pages_to_scan", METRIC_GAUGE, KNOB_ADVISOR_MAX_PAGES_TO_SCAN, 1,
		"most pages_to_scan that the advisor sets"),
	FACT_AS("ksm_advisor_target_scan_seconds", METRIC_GAUGE, KNOB_ADVISOR_TARGET_SCAN_TIME, 1,
		"time that the advisor aims at for one scan"),
	FACT_AS("passes_total", METRIC_COUNTER, FACT_PASSES, 1, "scans of all mergeable memory seen from begin to end"),
	FACT_AS("sweeps_total", METRIC_COUNTER, FACT_SWEEPS, 1, "passes over all memory that looked at contents"),
	FACT_AS("frontier_looks_total", METRIC_COUNTER, FACT_FRONTIER_LOOKS, 1, "looks at which huge pages are worth breaking"),
	FACT_AS("frontier_look_seconds", METRIC_GAUGE, FACT_FRONTIER_LOOK_NS, 1e-9, "duration of the last of them"),
	FACT_AS("frontier_cpu_seconds_total", METRIC_COUNTER, FACT_FRONTIER_CPU_NS, 1e-9, "CPU time that they took"),
	FACT_AS("frontier_timestamp_seconds", METRIC_GAUGE, FACT_FRONTIER_TIME_NS, 1e-9, "when the last one ended"),
	FACT_AS("crossing_bytes", METRIC_GAUGE, FACT_CROSSING_BYTES, 1,
		"what merging across trust domains would free besides: a risk, no potential; estimated"),
	FACT_AS("zero_bytes", METRIC_GAUGE, FACT_ZERO_BYTES, 1, "frames full of zeros that KSM could take"),
	FACT_AS("zero_in_huge_bytes", METRIC_GAUGE, FACT_ZERO_IN_HUGE_BYTES, 1, "of these, inside huge pages"),
#undef FACT_AS
};

/* The names that node_exporter's ksmd collector has; general_profit is signed here. */
static const struct {
	struct metric metric;
	unsigned int fact;
	double scale;
} node_families[] = {
#define NODE(NAME, TYPE, FACT, SCALE) { { "node_ksmd_", NAME, TYPE, "ksmd's file of that name", NULL }, FACT, SCALE }
	NODE("full_scans_total", METRIC_COUNTER, KNOB_FULL_SCANS, 1),
	NODE("general_profit_bytes", METRIC_GAUGE, KNOB_GENERAL_PROFIT, 1),
	NODE("merge_across_nodes", METRIC_GAUGE, KNOB_MERGE_ACROSS_NODES, 1),
	NODE("pages_shared", METRIC_GAUGE, KNOB_PAGES_SHARED, 1),
	NODE("pages_sharing", METRIC_GAUGE, KNOB_PAGES_SHARING, 1),
	NODE("pages_to_scan", METRIC_GAUGE, KNOB_PAGES_TO_SCAN, 1),
	NODE("pages_unshared", METRIC_GAUGE, KNOB_PAGES_UNSHARED, 1),
	NODE("pages_volatile", METRIC_GAUGE, KNOB_PAGES_VOLATILE, 1),
	NODE("run", METRIC_GAUGE, KNOB_RUN, 1),
	NODE("sleep_seconds", METRIC_GAUGE, KNOB_SLEEP_MILLISECS, 1e-3),
#undef NODE
};

/* ---- fields of the machine ---- */

static struct metric of_field(enum field f, const char *prefix)
{
	return (struct metric){ prefix, fields[f].metric, field_is_counter(f) ? METRIC_COUNTER : METRIC_GAUGE,
				fields[f].metric_help ? fields[f].metric_help : fields[f].help, NULL };
}

/* In base units. */
static double base_scale(enum field f)
{
	return fields[f].unit == UNIT_MILLISECONDS ? 1e-3 : 1;
}

static void add_value(struct metric_page *page, const struct metric *m, struct value v, double scale)
{
	if (is_known(v))
		metric_add(page, m, NULL, v.number * scale);
}

static void add_choice(struct metric_page *page, const struct metric *m, enum field f, double value)
{
	for (size_t i = 0; fields[f].choices[i]; i++) {
		const struct metric_label labels[] = { { "mode", fields[f].choices[i] }, { 0 } };
		metric_add(page, m, labels, i == (size_t)value);
	}
}

/* A counter of the system's is shown as it is; one of estimates as it was summed up. */
static void add_host_field(struct metric_page *page, const struct metrics_input *in, enum field f)
{
	const struct field_info *info = &fields[f];
	struct quantity q = in->model->host[f];
	struct metric m = of_field(f, PREFIX);

	if (info->origin == ORIGIN_RATE)
		add_value(page, &m, in->model->sample->fact[info->fact], info->scale);
	else if (info->unit == UNIT_PER_SECOND && in->series->host_counted[f])
		metric_add(page, &m, NULL, in->series->host_counter[f]);
	else if (info->unit == UNIT_CHOICE && q.known == KNOWN)
		add_choice(page, &m, f, q.value);
	else if (info->unit != UNIT_PER_SECOND && q.known == KNOWN)
		metric_add(page, &m, NULL, q.value * base_scale(f));
	page->family = NULL;		/* m ends here */
}

static void add_host(struct metric_page *page, const struct metrics_input *in)
{
	const struct top_sample *s = in->model->sample;
	struct quantity potential = in->model->host[HOST_POTENTIAL];

	for (enum field f = 0; f < HOST_FIELDS; f++)
		if (fields[f].metric)
			add_host_field(page, in, f);
	for (size_t i = 0; i < COUNT(fact_families); i++)
		add_value(page, &fact_families[i].metric, s->fact[fact_families[i].fact], fact_families[i].scale);
	if (potential.known == KNOWN && (potential.low < potential.value || potential.high > potential.value)) {
		const struct metric_label low[] = { { "bound", "low" }, { 0 } };
		const struct metric_label high[] = { { "bound", "high" }, { 0 } };
		metric_add(page, &families[POTENTIAL_INTERVAL], low, potential.low);
		metric_add(page, &families[POTENTIAL_INTERVAL], high, potential.high);
	}
}

/* The upper end of bucket i is 2^i ms. The sum is not known; OpenMetrics has the count only together with it. */
static void add_lifetimes(struct metric_page *page, const struct top_sample *s)
{
	const struct metric *m = &families[LIFETIME];
	const struct metric_label all[] = { { "le", "+Inf" }, { 0 } };
	uint64_t sum = 0;
	char end[32];

	if (s->watched != KNOWN)
		return;
	for (size_t i = 0; i + 1 < TOP_LIFETIMES; i++) {
		const struct metric_label below[] = { { "le", end }, { 0 } };
		snprintf(end, sizeof(end), i < 10 ? "%.3f" : "%.10g", ldexp(1e-3, (int)i));
		sum += s->lifetimes[i];
		metric_add_part(page, m, "_bucket", below, (double)sum);
	}
	sum += s->lifetimes[TOP_LIFETIMES - 1];
	metric_add_part(page, m, "_bucket", all, (double)sum);
	metric_add(page, &families[LIFETIME_UNSEEN], NULL, (double)s->lifetimes_unseen);
}

/* ---- sources, losses, costs ---- */

static void add_sources(struct metric_page *page, const struct top_sample *s)
{
	for (enum family family = SOURCE_SUCCESS; family <= SOURCE_STATE; family++) {
		for (size_t i = 0; i < s->sources_count; i++) {
			const struct source_use *use = &s->sources[i];
			const struct metric_label labels[] = { { "source", use->name },
				{ family == SOURCE_STATE ? "state" : NULL, known_name(use->state) }, { 0 } };
			double value = family == SOURCE_SUCCESS ? use->state == KNOWN
				     : family == SOURCE_SECONDS ? use->seconds : 1;
			metric_add(page, &families[family], labels, value);
		}
	}
	for (size_t i = 0; i < s->missing_count; i++) {
		const struct metric_label labels[] = { { "fact", s->missing[i].what },
						       { "state", known_name(s->missing[i].state) }, { 0 } };
		metric_add(page, &families[FACT_MISSING], labels, 1);
	}
}

static void add_losses(struct metric_page *page, const struct top_sample *s)
{
	for (enum family family = EVENTS_PRODUCED; family <= EVENTS_LOST; family++) {
		for (size_t i = 0; i < s->losses_count; i++) {
			const struct loss *l = &s->losses[i];
			const struct metric_label labels[] = { { "path", l->path }, { 0 } };
			uint64_t value = family == EVENTS_PRODUCED ? l->produced
				       : family == EVENTS_CONSUMED ? l->consumed : l->lost;
			metric_add(page, &families[family], labels, (double)value);
		}
	}
}

static void add_programs(struct metric_page *page, const struct top_sample *s)
{
	for (enum family family = BPF_RUNS; family <= BPF_MEASURED; family++) {
		for (size_t i = 0; i < s->programs_count; i++) {
			const struct program_use *p = &s->programs[i];
			const struct metric_label labels[] = { { "program", p->name }, { 0 } };
			double value = family == BPF_RUNS ? (double)p->runs
				     : family == BPF_SECONDS ? p->nanoseconds / 1e9 : p->measured_share;
			metric_add(page, &families[family], labels, value);
		}
	}
}

static void add_outcomes(struct metric_page *page, const struct top_sample *s)
{
	size_t count;
	const struct outcome *list = top_sample_outcomes(s, 0, &count);

	for (size_t i = 0; i < count; i++) {
		const struct metric_label labels[] = { { "of", list[i].of }, { "result", list[i].what }, { 0 } };
		metric_add(page, &families[OUTCOMES], labels, (double)list[i].count);
	}
}

static void add_own(struct metric_page *page, const struct metrics_input *in)
{
	const struct top_sample *s = in->model->sample;
	const struct metric_label build[] = { { "program", in->own->program }, { "version", KSMSCOPE_VERSION }, { 0 } };
	const struct metric_label release[] = { { "release", s->release }, { 0 } };
	int64_t milliseconds = s->time_ns / 1000000;

	metric_add(page, &families[BUILD], build, 1);
	metric_add(page, &families[SYSTEM], release, 1);
	metric_add(page, &families[PAGE_SIZE], NULL, (double)s->page_bytes);
	metric_add(page, &snapshot_time, NULL, (double)milliseconds / 1e3);
	for (size_t i = 0; i < COUNT(own_families); i++) {
		double value = *(const double *)((const char *)in->own + own_families[i].offset);
		if (value >= 0)
			metric_add(page, &own_families[i].metric, NULL, value);
	}
}

/* ---- groups ---- */

static const struct metric *processes_of(enum series_kind kind)
{
	static const struct metric processes[SERIES_KINDS] = {
#define PROCESSES(KIND, NAME) [KIND] = { PREFIX NAME "_", "processes", METRIC_GAUGE, "processes of it", NAME }
		PROCESSES(SERIES_CGROUP, "cgroup"), PROCESSES(SERIES_UNIT, "unit"),
		PROCESSES(SERIES_VM, "vm"), PROCESSES(SERIES_DOMAIN, "domain"),
#undef PROCESSES
	};
	return &processes[kind];
}

static const char *group_label(const struct series_group *g)
{
	return g->label ? g->label : SERIES_OTHER;
}

static void add_group_value(struct metric_page *page, const struct metric *m, enum series_kind kind, enum field f,
			    const struct series_group *g)
{
	const struct metric_label labels[] = { { series_kind_names[kind], group_label(g) }, { 0 } };
	size_t i = f - HOST_FIELDS;

	if (m->type == METRIC_COUNTER && g->counted[i])
		metric_add(page, m, labels, g->counter[i]);
	else if (m->type == METRIC_GAUGE && g->processes && g->value[i].known == KNOWN)
		metric_add(page, m, labels, g->value[i].value * base_scale(f));
}

static void add_kind(struct metric_page *page, const struct series_set *set, enum series_kind kind)
{
	for (enum field f = HOST_FIELDS; f < FIELD_COUNT; f++) {
		struct metric m = of_field(f, group_prefixes[kind]);
		if (!m.name || !fields[f].sums)
			continue;
		for (size_t i = 0; i < set->count; i++)
			add_group_value(page, &m, kind, f, &set->groups[i]);
		add_group_value(page, &m, kind, f, &set->other);
		page->family = NULL;	/* m ends here */
	}
	for (size_t i = 0; i <= set->count; i++) {
		const struct series_group *g = i < set->count ? &set->groups[i] : &set->other;
		const struct metric_label labels[] = { { series_kind_names[kind], group_label(g) }, { 0 } };
		if (g->label || set->others)
			metric_add(page, processes_of(kind), labels, g->processes);
	}
}

static void add_groups(struct metric_page *page, const struct series *series)
{
	for (enum series_kind kind = 0; kind < SERIES_KINDS; kind++)
		add_kind(page, &series->set[kind], kind);
	for (enum family family = GROUPS; family <= GROUPS_DROPPED; family++) {
		for (enum series_kind kind = 0; kind < SERIES_KINDS; kind++) {
			const struct series_set *set = &series->set[kind];
			const struct metric_label labels[] = { { "by", series_kind_names[kind] }, { 0 } };
			double value = family == GROUPS ? set->count + set->others
				     : family == GROUPS_OTHER ? set->others : set->dropped;
			metric_add(page, &families[family], labels, value);
		}
	}
}

/* ---- the page ---- */

void metrics_write(struct text *out, enum metric_format format, const struct metrics_input *in)
{
	struct metric_page page = { .out = out, .format = format };
	const struct top_sample *s = in->model->sample;

	add_own(&page, in);
	add_sources(&page, s);
	add_losses(&page, s);
	add_programs(&page, s);
	add_outcomes(&page, s);
	add_host(&page, in);
	add_lifetimes(&page, s);
	for (size_t i = 0; in->node && i < COUNT(node_families); i++)
		add_value(&page, &node_families[i].metric, s->fact[node_families[i].fact], node_families[i].scale);
	if (in->more)
		in->more(&page, in->context);
	add_groups(&page, in->series);
	double dropped = (double)page.dropped;
	page.series = 0;
	metric_add(&page, &families[SERIES_DROPPED], NULL, dropped);
	metric_end(&page);
}

/* ---- the documentation ---- */

static void document(struct text *out, const struct metric *m, const char *labels, bool estimated)
{
	const char *unit = metric_unit(m);
	text_printf(out, "| `%s%s` | %s | %s | %s | %s%s |\n", m->prefix, m->name, metric_type_name(m->type),
		    *unit ? unit : "–", labels ? labels : "–", m->help,
		    estimated ? "; estimated from a part of the time" : "");
}

static void begin_table(struct text *out, const char *title, const char *text)
{
	text_printf(out, "\n## %s\n\n%s\n\n| metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n",
		    title, text);
}

/* A rate that is no growth of a counter. */
static bool is_estimated(enum field f)
{
	return fields[f].unit == UNIT_PER_SECOND && fields[f].origin != ORIGIN_RATE;
}

static void document_fields(struct text *out)
{
	begin_table(out, "The machine", "From the table of fields that ksmtop shows, too.");
	for (enum field f = 0; f < HOST_FIELDS; f++) {
		struct metric m = of_field(f, PREFIX);
		if (m.name)
			document(out, &m, fields[f].choices ? "mode" : NULL, is_estimated(f));
	}
	for (size_t i = 0; i < COUNT(fact_families); i++)
		document(out, &fact_families[i].metric, NULL, false);
}

static void document_groups(struct text *out)
{
	begin_table(out, "Groups of processes",
		    "Each of them four times: for `cgroup`, `unit` (of systemd), `vm` (QEMU guest) and `domain` (trust domain), "
		    "which is also the name of the one label; `cgroup` stands for all here. "
		    "Counters begin when a group gets a series of its own.");
	for (enum field f = HOST_FIELDS; f < FIELD_COUNT; f++) {
		struct metric m = of_field(f, group_prefixes[SERIES_CGROUP]);
		if (m.name && fields[f].sums)
			document(out, &m, "cgroup", is_estimated(f));
	}
	document(out, processes_of(SERIES_CGROUP), "cgroup", false);
}

static const char introduction[] =
	"<!-- SPDX-License-Identifier: GPL-2.0-or-later -->\n"
	"<!-- Made by `make metrics-doc` from the tables of the program; not to be edited. -->\n"
	"# Metrics\n\n"
	"What `ksm-exporter` offers, in Prometheus' text format 0.0.4 and in OpenMetrics 1.0.\n\n"
	"- Base units; gauges for what can fall (`profit` is signed), counters end in `_total`.\n"
	"- A value that is not known is not there, and never 0: `ksmscope_source_state` and `ksmscope_fact_missing` say\n"
	"  why.\n"
	"- There is no label for a process. The largest groups have series of their own (`--top`), those that the engine\n"
	"  tracks pages of first; all others together are `other`. What a group gains without a series of its own stays\n"
	"  in `other`.\n"
	"- Names are as the system has them; a byte that is not UTF-8 is written `\\xHH`.\n"
	"- Estimated counters are sums of estimates: faults are looked at one by one for a part of the time.\n";

void metrics_document(struct text *out)
{
	text_puts(out, introduction);
	document_fields(out);
	document_groups(out);
	begin_table(out, "Sources, losses, cost", "What the program tells of itself and of where values come from.");
	for (size_t i = 0; i < FAMILIES; i++)
		document(out, &families[i], families[i].labels, false);
	document(out, &snapshot_time, NULL, false);
	for (size_t i = 0; i < COUNT(own_families); i++)
		document(out, &own_families[i].metric, NULL, false);
	begin_table(out, "node_exporter's names",
		    "With `--compat node`: for dashboards that were made for its ksmd collector.");
	for (size_t i = 0; i < COUNT(node_families); i++)
		document(out, &node_families[i].metric, NULL, false);
}
