#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# make install and uninstall, in a folder of our own: what lands where, twice the same, and gone again; the completions
# complete, the manual pages are readable.
# check: once
. "$(dirname "$0")/../lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SOURCE_DATE_EPOCH=1700000000
command -v scdoc >/dev/null || skip_rest "scdoc is not installed"

# made FOLDER TARGET [VARIABLE=VALUE…]
made() {
	local folder=$1 target=$2
	shift 2
	make -s -C "$top" BUILD="$build" PREFIX=/usr DESTDIR="$folder" "$@" "$target" >"$work/make.log" 2>&1 && return
	not_ok "make $target" "$(tail -n 5 "$work/make.log")"
	exit 1
}

# listing FOLDER: every file with its mode, time and content
listing() { (cd "$1" && find . -type f -printf '%P %m %T@\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum); }

first="$work/a first one" second=$work/second
mkdir "$first" "$second"
made "$first" install

# ---- what lands where ----

programs=$(cd "$top/user/prog" && ls ./*.c | sed 's|^\./||; s|\.c$||; s|_|-|g')
expected=$(for program in $programs; do
		echo "usr/bin/$program 755"
		echo "usr/share/bash-completion/completions/$program 644"
		echo "usr/share/zsh/site-functions/_$program 644"
	done
	for page in "$top"/docs/man/*.scd; do
		page=$(basename "$page" .scd)
		echo "usr/share/man/man${page##*.}/$page.gz 644"
	done
	for document in LICENSE README.md $(cd "$top/docs" && ls ./*.md); do
		echo "usr/share/doc/ksmscope/${document#./} 644"
	done
	for unit in "$top"/contrib/systemd/*.service; do
		echo "usr/lib/systemd/system/$(basename "$unit") 644"
	done
	for kind in sysusers tmpfiles; do
		for file in "$top"/contrib/systemd/*.$kind; do
			echo "usr/lib/$kind.d/$(basename "$file" .$kind).conf 644"
		done
	done
	(cd "$top/contrib" && find prometheus grafana kubernetes -type f -printf 'usr/share/ksmscope/%p 644\n'))
equal "what is installed" "$(sort <<<"$expected")" "$(cd "$first" && find . -type f -printf '%P %m\n' | sort)"
for program in $programs; do
	equal "$program runs from where it was installed" "$(<"$top/VERSION")" \
		"$("$first/usr/bin/$program" --version | grep -oE '[0-9]+\.[0-9.]+' | head -n 1)"
done

# ---- twice the same ----

sleep 1.1
rm -rf "$work/build" && cp -a "$build" "$work/build" && rm -rf "$work/build/man" "$work/build/completions"
made "$second" install BUILD="$work/build"
same=$(diff <(listing "$first") <(listing "$second"))
[ -z "$same" ] && ok "installed twice: the same files, modes and times" ||
	not_ok "installed twice: the same files, modes and times" "$(head -n 6 <<<"$same")"
equal "every file has the time of the sources" "$SOURCE_DATE_EPOCH" "$(cd "$first" && find . -type f -printf '%Ts\n' | sort -u)"
equal "the compressed pages hold no name and no time" "0000000000" \
	"$(cd "$first" && for page in usr/share/man/*/*.gz; do od -An -tx1 -j3 -N5 "$page" | tr -d ' ' | cut -c1-10; done | sort -u)"

# ---- manual pages ----

for page in "$first"/usr/share/man/*/*.gz; do
	name=$(basename "$page" .gz)
	if ! command -v mandoc >/dev/null; then
		skip "$name can be read" "mandoc is not installed"
	elif gzip -dc "$page" | mandoc -T utf8 | col -b >"$work/page" && grep -q '^NAME' "$work/page" &&
		! grep -q '@[A-Z]*@' "$work/page"; then
		ok "$name can be read"
	else
		not_ok "$name can be read" "$(head -c 200 "$work/page")"
	fi
done

# ---- completions ----

# bash_completes NAME EXPECTED WORD…: the last word is to be completed
bash_completes() {
	local name=$1 expected=$2 found
	shift 2
	found=$(bash -c '
		. "$1/$2" && shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		"_${1//-/_}"
		printf "%s\n" "${COMPREPLY[@]}" | sort -u | paste -sd " "' - \
		"$first/usr/share/bash-completion/completions" "$@" 2>&1)
	equal "bash: $name" "$expected" "$found"
}
bash_completes "an option" "--reader" ksm-advise --rea
bash_completes "the choices of an option" "auto copy direct-map" ksm-advise --reader ""
bash_completes "a choice after =" "copy" ksm-advise --reader = c
bash_completes "an option by its letter" "json" ksm-advise -f j
bash_completes "nothing where nobody can know" "" ksm-advise --for ""
PATH=$first/usr/bin:$PATH bash_completes "a command and not our options" "ksm-advise" ksm-run ksm-adv
PATH=$first/usr/bin:$PATH bash_completes "a command behind --" "ksm-advise" ksm-run -q -- ksm-adv
for program in $programs; do
	bash_completes "every option of $program" \
		"$("$first/usr/bin/$program" --print-options | cut -f1 | sed 's/^/--/' | sort -u | paste -sd ' ')" "$program" --
done

if ! command -v zsh >/dev/null; then
	skip "zsh: completions" "zsh is not installed"
else
	for program in $programs; do
		file=$first/usr/share/zsh/site-functions/_$program
		zsh -n "$file" 2>"$work/zsh" && ok "zsh: $program is well formed" || not_ok "zsh: $program is well formed" "$(<"$work/zsh")"
	done
	# A real shell at a terminal: what does a tab make of it?
	/usr/bin/python3 - "$first" >"$work/zsh" 2>&1 <<'PYTHON' || echo "not ok - zsh: at a terminal: $(tail -n 1 "$work/zsh")"
import pexpect, sys

def completed(typed, expected):
    """In a shell of its own each: an interrupted completion may leave one without a prompt."""
    shell = pexpect.spawn("zsh", ["-f", "-i"], timeout=30, encoding="utf-8", dimensions=(50, 120),
                          env={"PATH": sys.argv[1] + "/usr/bin:/usr/bin:/bin", "TERM": "dumb", "HOME": "/nonexistent",
                               "LC_ALL": "C.UTF-8"})
    shell.sendline("PS1='READ''Y> '; fpath=('" + sys.argv[1] + "/usr/share/zsh/site-functions' $fpath); "
                   "autoload -U compinit; compinit -u -D; unsetopt automenu")
    shell.expect("READY> ")
    shell.send(typed + "\t")
    shell.expect_exact(expected)
    shell.close(force=True)

for typed, expected in (("ksm-advise --rea", "--reader="), ("ksm-advise --format=j", "--format=json"), ("ksm-advise -f j", "-f json"),
                        ("ksm-run ksm-advise --sett", "--settle=")):
    try:
        completed(typed, expected)
        print(f"ok - zsh: {typed}")
    except (pexpect.TIMEOUT, pexpect.EOF):
        print(f"not ok - zsh: {typed}: no {expected}")
PYTHON
	cat "$work/zsh"
	! grep -q '^not ok' "$work/zsh" || failures=$((failures + 1))
fi

# ---- and gone again ----

echo "somebody else's" >"$first/usr/bin/other"
echo "somebody else's" >"$first/usr/share/man/man1/other.1.gz"
made "$first" uninstall
equal "uninstalled: only what others put there is left" "usr/bin/other usr/share/man/man1/other.1.gz" \
	"$(cd "$first" && find . -type f -printf '%P\n' | sort | paste -sd ' ')"
equal "uninstalled: our own folders are gone" "" "$(cd "$first/usr/share" && ls -d doc/ksmscope ksmscope 2>/dev/null)"
made "$first" uninstall
ok "uninstalled twice"

[ "$failures" -eq 0 ]
