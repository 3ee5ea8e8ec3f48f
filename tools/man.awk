# SPDX-License-Identifier: GPL-2.0-or-later
#
# Makes what scdoc(1) writes as mandoc(1) wants man pages to be, so that its lint is silent: no empty paragraphs, the
# title in capitals, lines of at most 80 bytes, and a minus where a minus is meant. What is shown stays the same.
#
#	scdoc < page.1.scd | awk -f tools/man.awk > page.1

# A paragraph is begun only when text follows.
function begin_paragraph()
{
	if (paragraph && !heading)
		print ".P"
	paragraph = heading = 0
}

# Break at blanks, but never so that a line begins as a request would.
function fold(line,    words, n, i, row)
{
	n = split(line, words, " ")
	row = words[1]
	for (i = 2; i <= n; i++) {
		if (length(row) + 1 + length(words[i]) > 80 && words[i] !~ /^[.']/) {
			print row
			row = words[i]
		} else {
			row = row " " words[i]
		}
	}
	print row
}

/^\.TH "/ {
	split($0, title, "\"")
	sub(/"[^"]*"/, "\"" toupper(title[2]) "\"")
	print
	heading = 1
	next
}
/^\.P$/		{ paragraph = 1; next }
/^\.RE$/	{ print; next }
/^\.S[HS] /	{ print; paragraph = 0; heading = 1; next }
/^\.nf$/	{ begin_paragraph(); literal = 1 }
/^\.fi$/	{ literal = 0 }
/^\./		{ print; next }
{
	begin_paragraph()
	gsub(/--/, "\\-\\-")
	gsub(/\\fB-/, "\\fB\\-")
	if (literal)
		print
	else
		fold($0)
}
