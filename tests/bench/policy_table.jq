# SPDX-License-Identifier: GPL-2.0-or-later
#
# Cells of bench_policy.sh, one object each, in; the table, saved memory over time, and what it comes to, out.
# jq -r -s -f policy_table.jq FILE

def round_to(n): . * n | round / n;
def median: sort | if length == 0 then null elif length % 2 == 1 then .[length / 2 | floor]
	else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def shown: if . == null then "–" else tostring end;
def row: "| " + (map(shown) | join(" | ")) + " |";
def percent: . * 1000 | round / 10 | "\(.) %";

# of one cell
def saved_at($t): [.series[] | select(.at >= $t) | .saved_mib] | first;
def to_80: if .seconds_to_80 >= 0 then .seconds_to_80 else null end;
# when the engine was last seen to be started, stopped for good after: the first moment from which on it does not run
def stopped: .series as $s | [range($s | length) | select(. as $i | all($s[$i:][]; .runs == 0))] | first;
def cost_after_stop: stopped as $i | .series | if $i == null or $i + 5 >= length then null else
	((last.ksmd_seconds + last.own_seconds) - (.[$i + 1].ksmd_seconds + .[$i + 1].own_seconds)) / (last.at - .[$i + 1].at) end;

def merge_cells: {
	workload: .[0].workload, driver: .[0].driver, cells: length, seconds: .[0].seconds, most: .[0].most_mib,
	saved: ([.[].series | last.saved_mib] | median), to_80: ([.[] | to_80 | values] | median),
	ksmd: ([.[].series | last.ksmd_seconds] | median), own: ([.[].series | last.own_seconds] | median),
	huge: ([.[].huge_mib] | median), cow: ([.[].series | last.cow_breaks] | median),
	speed: ([.[].requests_per_cpu_second] | median), p99: ([.[].p99_us] | median),
	over_time: (. as $cells | [15, 30, 60, 90, 110 | . as $t | [$cells[] | saved_at($t) | values] | median]),
	passes: ([.[].series | last.passes] | median), stopped_in: ([.[] | stopped | values] | median),
	idle: ([.[] | cost_after_stop | values] | median)
};

def table: (["workload", "driver", "seconds", "saved MiB", "of", "80 % after s", "ksmd CPU s", "own CPU s", "huge MiB",
	"COW breaks", "requests per CPU-s", "p99 µs"] | row), (["---", "---"] + [range(10) | "---:"] | row),
	(.[] | [.workload, .driver + (if .cells > 1 then " (median of \(.cells))" else "" end), .seconds, .saved, .most, .to_80,
		(.ksmd | round_to(100)), (.own | round_to(100)), .huge, .cow, (.speed | round_to(10)), .p99] | row);

def over_time: (["saved MiB after", "15 s", "30 s", "60 s", "90 s", "110 s"] | row), (["---"] + [range(5) | "---:"] | row),
	(.[] | select(.workload == "pressure" and .driver != "off") | [.workload + ", " + .driver] + .over_time | row);

def find($w; $d): [.[] | select(.workload == $w and .driver == $d)] | first;

# Stretches of a load with and without its driver, each with its requests per CPU-second. The second in which he came or
# went, and the first three, are nobody's.
def turns: [.series as $s | range(3; $s | length - 1) | select($s[.].driven == $s[. + 1].driven) |
		{ driven: $s[.].driven, requests: ($s[. + 1].requests - $s[.].requests), load: ($s[. + 1].load_seconds - $s[.].load_seconds), at: . }] |
	reduce .[] as $x ([]; if length > 0 and last.driven == $x.driven and last.at + 1 == $x.at
		then .[-1] |= { driven, at: $x.at, requests: (.requests + $x.requests), load: (.load + $x.load) } else . + [$x] end) |
	map({ driven, speed: (.requests / .load) });
# Each one with him against the mean of its neighbours without.
def pairs: turns | . as $t | [range(1; length - 1) | select($t[.].driven == 1 and $t[. - 1].driven == 0 and $t[. + 1].driven == 0) |
	$t[.].speed / (($t[. - 1].speed + $t[. + 1].speed) / 2)];

def verdict_plenty($cells): find("plenty"; "ksm-policyd") as $p | find("plenty"; "off") as $off |
	([$cells[] | select(.driver == "in-turns")] | first) as $turns | if $p and $off and $turns then ($turns | pairs) as $r |
		"plenty: speed \($r | median | percent) of engine off (\($r | length) turns, \($r | min | percent) to " +
		"\($r | max | percent)); huge pages \($p.huge) of \($off.huge) MiB" else empty end;

def times_sooner($p; $o): if $o.to_80 then "\($o.to_80 / $p.to_80 | round_to(10)) × sooner than \($o.driver)"
	else "more than \($o.seconds / $p.to_80 | round_to(10)) × sooner than \($o.driver), which did not get there in \($o.seconds) s" end;

def verdict_pressure: find("pressure"; "ksm-policyd") as $p | find("pressure"; "everything") as $e |
	find("pressure"; "off") as $off | if $p and $e and $off then
	"pressure: \($p.saved / $e.saved | percent) of what KSM on everything saves, with \($p.ksmd / $p.seconds / ($e.ksmd / $e.seconds) | percent) " +
		"of its ksmd CPU time per second" +
		([find("pressure"; "advisor", "ksmtuned", "defaults") | values | "; 80 % " + times_sooner($p; .)] | add // ""),
	"pressure: speed \($p.speed / $off.speed | percent) of engine off (everything: \($e.speed / $off.speed | percent)); huge pages " +
		"\($p.huge) of \($off.huge) MiB (everything: \($e.huge))" else empty end;

def verdict_never: find("never pays"; "ksm-policyd") as $p | if $p then
	"never pays: the engine made \($p.passes) passes and was stopped after \($p.stopped_in | shown) s; cost afterwards \($p.idle |
		if . then percent else "not seen" end) of a core" else empty end;

. as $cells | [group_by(.workload)[] | group_by(.driver)[] | merge_cells] as $merged |
["plenty", "pressure", "never pays"] as $w |
["off", "defaults", "advisor", "ksmtuned", "everything", "ksm-policyd"] as $d |
[$w[] as $x | $d[] as $y | $merged[] | select(.workload == $x and .driver == $y)] |
table, "", over_time, "", verdict_plenty($cells), verdict_pressure, verdict_never
