#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ksm-advise --sketch and --compare: two groups of processes with a known overlap, sketched apart under one key and laid
# side by side, against the exact count of both together; what is refused, and why; the files.
# check: once
. "$(dirname "$0")/../lib.sh"
live_begin

# run ARGUMENT…: status in $status, output in out and err
run() {
	"$build/ksm-advise" "$@" >"$work/out" 2>"$work/err" 9>&- </dev/null
	status=$?
}
new_key() { (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$1" && echo >>"$1"); }
# sketch FILE KEY PIDS ARGUMENT…
sketch() {
	run --sketch "$work/$1" --fleet-key "$work/$2" --pid "$3" "${@:4}"
	[ $status -eq 0 ] || not_ok "sketch $1" "status $status: $(head -c 300 "$work/err")"
}
# refused NAME STATUS WORDS: the last run was, for that reason
refused() {
	if [ $status -eq "$2" ] && grep -q -- "$3" "$work/err"; then ok "$1 is refused"; else
		not_ok "$1 is refused" "status $status: $(head -c 300 "$work/err")"; fi
}

make_memory --stop --seed 1 --common 9000 --unique 12000 --pairs 400 || skip_rest "this machine can't make the memory"
one=$made_pid
make_memory --stop --seed 2 --common 3000 --unique 2000 && one+=,$made_pid
make_memory --stop --seed 3 --common 7000 --unique 15000 --pairs 300 --zero 500 && two=$made_pid
make_memory --stop --seed 4 --unique 6000 && three=$made_pid

# told PIDS: duplicates but for zeros, by the exact count
told() { advise --pid "$1" --settle 0 --exact && jq '.duplicates.frames - .duplicates.zero' "$work/advise.json"; }
apart=$(($(told "$one") + $(told "$two") + $(told "$three")))
together=$(told "$one,$two,$three")
shared=$((together - apart))
at_least "the groups overlap by what was made" $shared 7000

# ---- everything kept: the exact count

new_key "$work/key"
for group in one two three; do
	sketch "$group" key "${!group}" --label "vm-$group" --domain shop --contents 1000000 --format json
	cp "$work/out" "$work/$group.json"
done
holds "the sketch says what it is" '.schema == "ksm-sketch/1" and .complete and .label == "vm-one" and .domain == "shop" and
	.processes == 2 and .theta == 1 and .frames > 26000' "$work/one.json"
holds "zeros are apart" '.zero_frames >= 500 and .zero_frames < 600' "$work/two.json"
run --compare "$work/one" "$work/two" "$work/three" --format json
cp "$work/out" "$work/compare.json"
holds "all contents kept: what they share is the exact count" \
	".schema == \"ksm-compare/1\" and .total.inside == {frames: $shared, low: $shared, high: $shared, exact: true} and
		.total.apart.frames == $apart and .total.together.frames == $together" "$work/compare.json"
holds "of one domain: nothing crosses" '.total.crossing == {frames: 0, low: 0, high: 0, exact: true}' "$work/compare.json"
holds "by twos, most first" '(.pairs | length == 3) and [.pairs[0].a, .pairs[0].b] == ["vm-one", "vm-two"] and
	.pairs[0].inside.frames >= 7000 and .pairs[1].inside.frames < 100' "$work/compare.json"
run --compare "$work/one" "$work/two"
grep -q 'saved by being together .* (exact)' "$work/out" && ok "as text" || not_ok "as text" "$(<"$work/out")"

sketch copy key "$two" --label vm-two --domain shop --contents 1000000 --reader copy
equal "both readers give the same sketch" "" "$(diff <(grep -v '^time\|^checksum' "$work/two") <(grep -v '^time\|^checksum' "$work/copy") | head -n 3)"

# ---- what leaves is what went through the fleet's key twice: the page's hash, and SipHash over it

start "$tools/fleet_page" "$work/key" >"$work/page"
wait_for 10 grep -q '^ready' "$work/page"
read -r _ page_pid page_hash <"$work/page"
sketch page.sketch key "$page_pid" --label page
equal "a known page is in it under the hash that the key makes of it" 1 "$(grep -c "^$page_hash 1\$" "$work/page.sketch")"

# ---- a sample: each key is another one

covered=0 width=0
for ((run = 0; run < 5; run++)); do
	new_key "$work/key.$run"
	for group in one two three; do
		sketch "$group.$run" "key.$run" "${!group}" --label "vm-$group" --domain shop
	done
	run --compare "$work"/{one,two,three}."$run" --format json
	read -r within wide < <(jq -r --argjson t $shared '.total.inside |
		"\(if .low <= $t and $t <= .high and (.exact | not) then 1 else 0 end) \(.high - .low)"' "$work/out")
	covered=$((covered + within))
	[ "$wide" -gt $width ] && width=$wide
done
# At 95 % each, fewer than 3 of 5 happen once in 860 times.
at_least "sketches of 4096: intervals that hold the exact count, of 5" $covered 3
at_most "widest of these intervals, in frames of $shared" $width $((shared / 5))
equal "a sketch keeps as many contents as it should" 4096 "$(sed -n 's/^contents //p' "$work/one.0")"
at_most "bytes of a sketch" "$(stat -c %s "$work/one.0")" 120000

# ---- domains

sketch two.other key "$two" --label vm-two --domain build
sketch two.none key "$two" --label vm-two
for other in other none; do
	run --compare "$work/one" "$work/two.$other" --format json
	holds "domain $other: no saving, a risk" '.total.inside.frames == 0 and .total.crossing.high >= 6000' "$work/out"
done
printf '[domain shop]\nuid = 0\n[domain build]\nuid = 1-99\n' >"$work/domains.conf"
sketch named key "$two" --domains "$work/domains.conf"
equal "a configured domain is stated" "domain shop" "$(grep '^domain' "$work/named")"
sketch own key "$two"
equal "the domain of a uid is not: on another host it is somebody else's" "domain -" "$(grep '^domain' "$work/own")"
run --sketch "$work/x" --fleet-key "$work/key" --pid "$two" --domains "$work/domains.conf" --domain build
refused "a domain that nobody is in" 1 'nobody of the targets'
run --sketch "$work/x" --fleet-key "$work/key" --pid "$two" --domains "$work/domains.conf" --domain shoop
refused "a domain that is not configured" 2 'no such domain'

# ---- files

equal "a sketch is its owner's alone" 600 "$(stat -c %a "$work/one")"
mkdir "$work/small" && mount -t tmpfs -o size=64k none "$work/small" && clean_ups+=("umount '$work/small'")
cp "$work/three.0" "$work/small/file" 2>/dev/null || head -c 20000 "$work/three.0" >"$work/small/file"
cp "$work/small/file" "$work/before"
run --sketch "$work/small/file" --fleet-key "$work/key" --pid "$one"
refused "a full disk" 1 'No space left'
cmp -s "$work/before" "$work/small/file" && ok "what was there stays" || not_ok "what was there stays"
equal "nothing else is left there" file "$(ls "$work/small")"
run --sketch "$work" --fleet-key "$work/key" --pid "$one"
refused "a directory" 1 'no ordinary file'

# ---- keys

run --sketch "$work/x" --pid "$one"
refused "a sketch without a key" 2 'no hash leaves'
[ ! -e "$work/x" ] && ok "nothing was written" || not_ok "nothing was written"
for mode in 640 604 666; do
	cp "$work/key" "$work/open.key" && chmod $mode "$work/open.key"
	run --sketch "$work/x" --fleet-key "$work/open.key" --pid "$one"
	refused "a key of mode $mode" 4 'others may use it'
done
cp "$work/key" "$work/theirs.key" && chmod 600 "$work/theirs.key" && chown 65534 "$work/theirs.key"
run --sketch "$work/x" --fleet-key "$work/theirs.key" --pid "$one"
refused "a key of somebody else's" 4 'belongs to uid 65534'
for bad in "0123456789abcdef:a fleet key is 32" "0123456789abcdef0123456789abcdeg:1:32: not a hex" \
	"00000000000000000000000000000000:no random key" ":a fleet key is 32"; do
	(umask 077 && echo "${bad%%:*}" >"$work/bad.key")
	run --sketch "$work/x" --fleet-key "$work/bad.key" --pid "$one"
	refused "the key \"${bad%%:*}\"" 2 "${bad#*:}"
done
run --sketch "$work/x" --fleet-key "$work/none" --pid "$one"
refused "a key that is not there" 1 'No such file'

# ---- comparing what can't be compared

new_key "$work/other.key"
sketch other.key.sketch other.key "$two" --label vm-two
run --compare "$work/one" "$work/other.key.sketch"
refused "another key" 2 'different fleet keys'
# The same with another size of page, and with a checksum that fits.
/usr/bin/python3 - "$work/two" "$work/large" 's/page-bytes [0-9]+/page-bytes 16384/' "$work/format" 's/sketch 1/sketch 2/' <<'PYTHON'
import re, sys

def siphash(data):
    mask = (1 << 64) - 1
    rotate = lambda x, n: (x << n | x >> (64 - n)) & mask
    v = [0x736f6d6570736575, 0x646f72616e646f6d, 0x6c7967656e657261, 0x7465646279746573]
    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & mask; v[1] = rotate(v[1], 13) ^ v[0]; v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & mask; v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & mask; v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & mask; v[1] = rotate(v[1], 17) ^ v[2]; v[2] = rotate(v[2], 32)
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 255])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at:at + 8], "little")
        v[3] ^= word; rounds(2); v[0] ^= word
    v[2] ^= 255; rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]

lines = open(sys.argv[1]).read().split("\n")[:-2]
for file, change in zip(sys.argv[2::2], sys.argv[3::2]):
    _, old, new, _ = change.split("/")
    body = re.sub(old, new, "\n".join(lines) + "\n", count=1)
    open(file, "w").write(body + "checksum %016x\n" % siphash(body.encode()))
PYTHON
run --compare "$work/one" "$work/large"
refused "another size of page" 2 'such pages are never equal'
run --compare "$work/one" "$work/format"
refused "another format" 2 'a sketch of format 2'
for lines in 1 5 11 2000; do
	head -n $lines "$work/two" >"$work/cut"
	run --compare "$work/one" "$work/cut"
	refused "a sketch cut after $lines lines" 2 "$work/cut:[0-9]*: .*cut short"
done
head -c -1 "$work/two" >"$work/cut"
run --compare "$work/one" "$work/cut"
refused "a sketch without its last byte" 2 'cut short'
sed '500s/[0-9]$/7/; t; 500s/$/7/' "$work/two" >"$work/damaged"
sed -i '501s/\(.*\) \(.*\)/\1 1\2/' "$work/damaged"
run --compare "$work/one" "$work/damaged"
refused "a damaged sketch" 2 "$work/damaged:[0-9]*: "
sed 's/^frames [0-9]*/frames 99999999/' "$work/two" >"$work/edited"
run --compare "$work/one" "$work/edited"
refused "an edited sketch" 2 'the checksum does not fit'
run --compare "$work/one" "$build/ksm-advise"
refused "what is no sketch" 2 'this is no sketch'
run --compare "$work/one" /dev/null
refused "an empty file" 2 'cut short\|no sketch'
run --compare "$work/one" "$work/copy" "$work/two"
refused "two of one name" 2 'are both of vm-two'
run --compare "$work/one"
refused "one alone" 2 'takes 2 to 256'
run --compare "$work/one" "$work/none"
refused "a file that is not there" 1 'No such file'
run --compare "$work/one" "$work/two" --pid 1
refused "--compare with targets" 2 'reads sketches and nothing else'
