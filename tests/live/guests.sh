#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Real virtual machines as KSM's clients: QEMU guests with Debian's kernel, emulated, with mem-merge=on. They are taken
# for virtual machines, each by its name; what they have in common is told by pair, as a risk; told to merge it all the
# same, the kernel frees what was predicted. With guest memory in base pages, in huge pages, and in hugetlb, where
# nothing can be merged and the potential is hidden.
# check: once
. "$(dirname "$0")/../lib.sh"

common=12007		# pages that all guests hold
own=3001		# pages of each guest alone
vm=${KSMSCOPE_VM:-$build/vm}

command -v qemu-system-x86_64 cpio >/dev/null || skip_rest "qemu-system-x86 or cpio is not installed"
[ "$(uname -m)" = x86_64 ] || skip_rest "its guests are x86-64's"
# 6.12 crashes when two guests run at once under the QEMU of Debian 12.
"$top/tests/vm/apt.sh" "$vm" amd64 kernel "$vm/kernels/6.1" linux-image-cloud-amd64 >/dev/null 2>"$tools/guests.log" &&
	"$top/tests/vm/apt.sh" "$vm" amd64 unpack "$vm/busybox" busybox-static >/dev/null 2>>"$tools/guests.log" ||
	skip_rest "no kernel for guests: $(tail -n 1 "$tools/guests.log")"
live_begin
[ "$(get_ksm run)" != 1 ] || skip_rest "the engine of this machine is at work"

# What a guest boots into: memory of known content, and sleep.
image() {
	local tree=$work/tree library
	mkdir -p "$tree"/{proc,dev,bin,lib64}
	cp "$vm/busybox/usr/bin/busybox" "$tree/bin/"
	cp "$tools/made_memory" "$tree/bin/"
	for library in $(ldd "$tools/made_memory" | grep -o '/[^ ]*'); do
		cp -L --parents "$library" "$tree"
	done
	cat >"$tree/init" <<-END
		#!/bin/busybox sh
		/bin/busybox mount -t proc proc /proc
		/bin/busybox mount -t devtmpfs dev /dev
		id=\$(/bin/busybox sed 's/.*guest=\([0-9]*\).*/\1/' /proc/cmdline)
		pages=\$(/bin/busybox sed 's/.*common=\([0-9]*\).*/\1/' /proc/cmdline)
		/bin/made_memory --seed \$id --common-seed 7 --common \$pages --unique $own --lifetime 3000 &
		while :; do /bin/busybox sleep 1000; done
	END
	chmod +x "$tree/init"
	(cd "$tree" && find . | cpio --quiet -o -H newc) >"$work/initrd"
}

# guest NUMBER MIB COMMON QEMU-ARGUMENT…: boots in the background; its PID in guest_pid[NUMBER]
declare -A guest_pid guest_again
guest() {
	local number=$1 mib=$2 pages=$3
	guest_again[$number]=$(printf '%q ' "$@")
	shift 3
	rm -f "$work/console.$number"
	start nice qemu-system-x86_64 -name "guest=guest$number,debug-threads=on" -accel tcg,tb-size=32 -smp 1 \
		-machine pc,mem-merge=on -m "$mib" -nographic -nodefaults -no-reboot \
		-serial "file:$work/console.$number" -kernel "$vm/kernels/6.1/vmlinuz" -initrd "$work/initrd" \
		-append "console=ttyS0 rdinit=/init panic=-1 no_timer_check quiet guest=$number common=$pages" "$@"
	guest_pid[$number]=$started_pid
}
is_up() { grep -qa 'ready [0-9]' "$work/console.$1" 2>/dev/null; }
is_up_or_over() { is_up "$1" || is_over "${guest_pid[$1]}"; }
# Emulated machines that are starved fall over at boot now and then, before anything of ours has touched them: once more.
up() {
	local number
	for number in "$@"; do
		wait_for 150 is_up_or_over "$number"
		is_up "$number" || eval "guest ${guest_again[$number]}"
	done
	for number in "$@"; do
		wait_for 150 is_up "$number" || bail "guest $number does not boot: $(tail -n 2 "$work/console.$number")"
	done
	sleep 2		# the last of what booting does
}

pages_of() { echo $(($(jq "$1 // 0" "$work/advise.json") / page_bytes)); }

# looked NAME GUEST…: recognised, and told by pair what they have in common
looked() {
	local name=$1 number pids
	shift
	pids=$(for number in "$@"; do echo "${guest_pid[$number]}"; done | paste -sd ,)
	advise --pid "$pids" --settle 2
	equal "$name: status" 0 "$status"
	equal "$name: each is a virtual machine, by its name" "$(printf 'guest%s\n' "$@" | paste -sd ' ')" \
		"$(jq -r '[.processes[].vm] | sort | join(" ")' "$work/advise.json")"
	equal "$name: each is a trust domain of its own" "$(printf 'vm guest%s\n' "$@" | paste -sd ' ')" \
		"$(jq -r '[.processes[].domain] | unique | join(" ")' "$work/advise.json")"
	holds "$name: each pair has the common pages in common, and that crosses" \
		"[.sharing[] | select(.frames >= $common and .crosses)] | length == $(($# * ($# - 1) / 2))" "$work/advise.json"
	at_least "$name: pages that are stored more than once across guests" \
		"$(jq .duplicates.crossing_domains "$work/advise.json")" $((common * ($# - 1)))
}

# seen NAME GUEST…: ksmtop's list has them by name
seen() {
	local name=$1
	shift
	"$build/ksmtop" --once --json >"$work/top.json" 2>"$work/top.err" 9>&- </dev/null
	equal "$name: ksmtop knows them by name" "$(printf 'guest%s\n' "$@" | paste -sd ' ')" \
		"$(jq -r '[.processes[].vm | select(. != null)] | sort | join(" ")' "$work/top.json" |
			tr ' ' '\n' | grep '^guest' | paste -sd ' ')"
}

# merged NAME GUEST…: what was predicted is what KSM frees. Guests run on, so some of it changes meanwhile.
merged() {
	local name=$1 before predicted actual number pids saved
	shift
	pids=$(for number in "$@"; do echo "${guest_pid[$number]}"; done | paste -sd ,)
	before=$(saved_pages)
	advise --pid "$pids" --settle 2 --apply --cross-domains --for 60
	saved=$(($(saved_pages) - before))
	equal "$name: apply: status" 0 "$status"
	[ "$status" -eq 0 ] || { echo "# $(head -c 500 "$work/advise.err")"; return; }
	predicted=$(pages_of .applied.predicted_bytes)
	actual=$(pages_of .applied.actual_bytes)
	echo "# $name: predicted $predicted pages, by counting again $actual, by the kernel's counters $saved"
	at_least "$name: what they have in common is in the prediction" "$predicted" $((common * ($# - 1)))
	at_least "$name: actual, in thousandths of predicted" $((actual * 1000 / predicted)) 950
	at_most "$name: actual, in thousandths of predicted" $((actual * 1000 / predicted)) 1050
	at_least "$name: pages that the kernel counts as saved" "$saved" $((common * ($# - 1)))
	"$build/ksmtop" --once --json >"$work/top.json" 2>"$work/top.err" 9>&- </dev/null
	holds "$name: ksmtop shows merged pages in each guest" \
		"[.processes[] | select(.vm != null and .merged_pages >= $common)] | length >= $#" "$work/top.json"
	advise --pid "$pids" --undo
	equal "$name: undo: status" 0 "$status"
}

image

# ---- base pages

echo never >"$thp/enabled"
for number in 1 2 3; do
	guest $number 160 $common
done
up 1 2 3
looked "base pages" 1 2 3
seen "base pages" 1 2 3
merged "base pages" 1 2 3
for number in 1 2 3; do
	grep -qaE 'panic|Oops' "$work/console.$number" && not_ok "base pages: guest $number is unharmed" \
		"$(tail -n 3 "$work/console.$number")" || ok "base pages: guest $number is unharmed"
done
end_processes
set_ksm run 2

# ---- huge pages, and hugetlb

echo always >"$thp/enabled"
echo 72 >/proc/sys/vm/nr_hugepages
hidden=$(($(</proc/sys/vm/nr_hugepages) >= 72))
guest 4 160 $common
guest 5 160 $common
[ $hidden = 1 ] && guest 6 128 5003 -M memory-backend=ram \
	-object memory-backend-memfd,id=ram,size=128M,hugetlb=on,share=off
up 4 5
looked "huge pages" 4 5
holds "huge pages: guest memory is in them" ".frames.huge >= $common" "$work/advise.json"
merged "huge pages" 4 5
if [ $hidden = 1 ]; then
	up 6
	advise --pid "${guest_pid[6]}" --settle 0
	holds "hugetlb: what KSM cannot take is said, by reason" \
		".frames.not_mergeable.hugetlb >= $((128 << 20)) / $page_bytes / 2" "$work/advise.json"
	holds "hugetlb: no mapping of it is among those that KSM takes" \
		'[.mappings[] | select(.name | test("memfd|hugepage"))] | length == 0' "$work/advise.json"
else
	skip "hugetlb" "no 72 huge pages are to be had"
fi
