# SPDX-License-Identifier: GPL-2.0-or-later
#
# Writes a completion from a program's own option table, so that the two cannot differ.
#
#	PROGRAM --print-options | awk -v shell=bash|zsh -v program=PROGRAM [-v command=1] -f tools/completion.awk
#
# A row of the table: name, letter, argument, choices, help; separated by tabs, "-" for none. What an argument completes
# to follows from its choices, else from its name: DIR, PATH and FILE, NAME (of a process), N[,N…] (process IDs).
# command=1: the program's operands are a command with arguments of its own.

BEGIN { FS = "\t" }

{
	name[NR] = $1
	letter[NR] = $2 == "-" ? "" : $2
	argument[NR] = $3 == "-" ? "" : $3
	choices[NR] = $4 == "-" ? "" : $4
	help[NR] = $5
	gsub(/\|/, " ", choices[NR])
}

END {
	if (!NR) {
		print "completion: no options on standard input" > "/dev/stderr"
		exit 1
	}
	if (shell == "bash")
		bash()
	else
		zsh()
}

# Which words an argument can be: DIR, FILE, NAME, PID, or WORDS of its choices; "" where nobody can know.
function kind(i)
{
	if (choices[i] != "")
		return "WORDS"
	if (argument[i] ~ /^(DIR|PATH)$/)
		return "DIR"
	if (argument[i] ~ /^N\[/)
		return "PID"
	return argument[i] ~ /^(FILE|NAME)$/ ? argument[i] : ""
}

# ---- bash ----

function compgen(i,    words)
{
	words["DIR"] = "-d"
	words["FILE"] = "-f"
	words["NAME"] = "-W \"$(cat /proc/[0-9]*/comm 2>/dev/null | sort -u)\""
	words["PID"] = "-W \"$(cd /proc && printf '%s ' [0-9]*)\""
	words["WORDS"] = "-W '" choices[i] "'"
	return "COMPREPLY=($(compgen " words[kind(i)] " -- \"$word\"))"
}

# "--pid|-p"
function pattern(i)
{
	return "--" name[i] (letter[i] == "" ? "" : "|-" letter[i])
}

# What completes the argument of the option before.
function bash_arguments(    i)
{
	print "\tcase $before in"
	for (i = 1; i <= NR; i++) {
		if (argument[i] == "")
			continue
		print "\t" pattern(i) ")"
		if (kind(i) != "")
			print "\t\t" compgen(i)
		print "\t\treturn ;;"
	}
	print "\t*) ;;"
	print "\tesac"
}

# The first word that is no option begins a command, which completes as if it stood alone.
function bash_command(    i)
{
	print "\tlocal at=1"
	print "\twhile [ $at -lt $COMP_CWORD ]; do"
	print "\t\tcase ${COMP_WORDS[at]} in"
	print "\t\t--) at=$((at + 1)); break ;;"
	for (i = 1; i <= NR; i++)
		if (argument[i] != "")
			print "\t\t" pattern(i) ") at=$((at + 2)) ;;"
	print "\t\t-*) at=$((at + 1)) ;;"
	print "\t\t*) break ;;"
	print "\t\tesac"
	print "\tdone"
	print "\tif [ $at -lt $COMP_CWORD ] && declare -F _command_offset >/dev/null; then"
	print "\t\t_command_offset $at"
	print "\t\treturn"
	print "\telif [ $at -lt $COMP_CWORD ]; then"
	print "\t\tCOMPREPLY=($(compgen -f -- \"$word\"))"
	print "\t\treturn"
	print "\telif [ \"${COMP_WORDS[at - 1]}\" = -- ] || [ \"${word#-}\" = \"$word\" ]; then"
	print "\t\tCOMPREPLY=($(compgen -c -- \"$word\"))"
	print "\t\treturn"
	print "\tfi"
}

function bash(    function_name, words, i)
{
	function_name = "_" program
	gsub(/-/, "_", function_name)
	for (i = 1; i <= NR; i++)
		words = words (i > 1 ? " " : "") "--" name[i]
	print "# SPDX-License-Identifier: GPL-2.0-or-later"
	print "# Completion of " program " for bash, made from its option table."
	print function_name "()"
	print "{"
	print "\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}"
	print "\tCOMPREPLY=()"
	print "\tif [ \"$word\" = = ]; then\t\t# --option=value comes as three words"
	print "\t\tword="
	print "\telif [ \"$before\" = = ]; then"
	print "\t\tbefore=${COMP_WORDS[COMP_CWORD - 2]}"
	print "\tfi"
	bash_arguments()
	if (command)
		bash_command()
	print "\tCOMPREPLY=($(compgen -W '" words "' -- \"$word\"))"
	print "}"
	print "complete -o bashdefault -F " function_name " " program
}

# ---- zsh ----

function quoted(text)
{
	gsub(/\\/, "\\\\", text)
	gsub(/\[/, "\\[", text)
	gsub(/\]/, "\\]", text)
	gsub(/:/, "\\:", text)
	gsub(/'/, "'\\''", text)
	return text
}

# "[help]:argument:action"
function zsh_value(i,    actions)
{
	actions["DIR"] = "_files -/"
	actions["FILE"] = "_files"
	actions["NAME"] = "{compadd - ${(uf)\"$(cat /proc/[0-9]*/comm 2>/dev/null)\"}}"
	actions["PID"] = "_pids"
	actions["WORDS"] = "(" choices[i] ")"
	actions[""] = " "
	return "'[" quoted(help[i]) "]" (argument[i] == "" ? "" : ":" quoted(argument[i]) ":" actions[kind(i)]) "'"
}

# The spellings, which exclude each other; an option that takes a list may be given again. An argument may be joined to
# its option: -p1, --pid=1.
function zsh_option(i,    long, short, once)
{
	long = "--" name[i] (argument[i] == "" ? "" : "=")
	short = "-" letter[i] (argument[i] == "" ? "" : "+")
	if (letter[i] == "")
		return "'" (kind(i) == "PID" ? "*" : "") long "'"
	once = kind(i) == "PID" ? "*" : "(-" letter[i] " --" name[i] ")"
	return "'" once "'{" short "," long "}"
}

function zsh(    i)
{
	print "#compdef " program
	print "# SPDX-License-Identifier: GPL-2.0-or-later"
	print "# Completion of " program " for zsh, made from its option table."
	print "_arguments -s -S" (command ? " -A '-*'" : "") " \\"
	for (i = 1; i <= NR; i++)
		print "\t" zsh_option(i) zsh_value(i) (i < NR || command ? " \\" : "")
	if (command)
		print "\t'(-):command:_command_names -e' '*::argument:_normal'"
}
