#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check: once
#
# A recorded day, decided by ksm-policyd: no knob changes more often than its
# hold time, none leaves its bounds, the same recording gives the same
# decisions; what can't be replayed is refused. Nothing is written to the system.
. "$(dirname "$0")/../lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
day=86400 hold=20 most=5000
"$tools/made_recording" "$work/day.recording" $day || bail "made_recording failed"
cat >"$work/policy.conf" <<CONF
[policy]
apply = yes
cross_domains = yes
[pressure]
min_free = 24G
[engine]
hold = ${hold}s
most_pages_to_scan = $most
CONF

# replay NAME STATUS ARGUMENT…
replay() {
	local name=$1 expected=$2
	shift 2
	"$build/ksm-policyd" --state-dir "$work/state" --format json "$@" >"$work/out" 2>"$work/err" </dev/null
	equal "$name: status" "$expected" $?
}

settings_before=$(settings)
replay "a day" 0 --config "$work/policy.conf" --replay "$work/day.recording"
equal "a day: nothing is written, although the configuration says so" "$settings_before" "$(settings)"
jq -s '[.[] | .time as $time | .changes[] | { time: $time, knob, before, after }]' <"$work/out" >"$work/changes"
at_least "a day: knobs are changed" "$(jq length "$work/changes")" 50
# duplicates arrive all day long and never merge: that is learnt
at_most "a day: sweeps for arrivals that are in vain get rare" "$(jq -s '[.[].events[] | select(startswith("engine: sweep: new pages"))] |
	length' <"$work/out")" 17
too_early="[group_by(.knob)[] | [range(1; length) as \$i | .[\$i].time - .[\$i - 1].time] | min]"
holds "a day: each knob holds for its time" "($too_early | map(select(. != null)) | min) >= $hold" "$work/changes"
holds "a day: within its bounds" "map(select(.knob == \"pages_to_scan\" and (.after < 1 or .after > $most))) == [] and
	(map(select(.knob == \"run\" and .after != 0 and .after != 1)) == [])" "$work/changes"
holds "a day: what is written is what was not there" 'map(select(.before == .after)) == []' "$work/changes"
holds "a day: each change begins where the one before ended" \
	'[group_by(.knob)[] | [range(1; length) as $i | .[$i].before == .[$i - 1].after] | all] | all' "$work/changes"
mv "$work/out" "$work/first"
replay "the same day again" 0 --config "$work/policy.conf" --replay "$work/day.recording"
cmp -s "$work/first" "$work/out" && ok "the same decisions" || not_ok "the same decisions" "$(cmp "$work/first" "$work/out" 2>&1)"

head -c 40000 "$work/day.recording" >"$work/torn.recording"
replay "torn" 0 --config "$work/policy.conf" --replay "$work/torn.recording"
grep -q 'moments replayed' "$work/err" && ok "torn: up to the tear" || not_ok "torn: up to the tear" "$(tail -n 1 "$work/err")"
replay "no such file" 1 --replay "$work/none"
head -c 5000 /dev/zero >"$work/zeros"
replay "no recording" 1 --replay "$work/zeros"
replay "with --apply" 2 --apply --replay "$work/day.recording"
