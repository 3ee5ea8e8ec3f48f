// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/trust/glob.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct piece {
	const char *text;
	size_t length;
};

static bool piece_matches(struct piece pattern, struct piece name)
{
	size_t p = 0, n = 0, star = SIZE_MAX, resume = 0;

	while (n < name.length) {
		if (p < pattern.length && pattern.text[p] == '*') {
			star = p++;
			resume = n;
		} else if (p < pattern.length && (pattern.text[p] == '?' || pattern.text[p] == name.text[n])) {
			p++;
			n++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			n = ++resume;
		} else {
			return false;
		}
	}
	while (p < pattern.length && pattern.text[p] == '*')
		p++;
	return p == pattern.length;
}

/*
 * Is there a name that both match? common[j] says so for the rest of `a` from
 * i on and the rest of `b` from j on, filled from the ends.
 */
static bool pieces_overlap(struct piece a, struct piece b)
{
	bool common[GLOB_COMPONENT_MAX + 2];

	if (a.length > GLOB_COMPONENT_MAX || b.length > GLOB_COMPONENT_MAX)
		return true;
	for (size_t i = a.length + 1; i-- > 0;) {
		bool diagonal = false;		/* common[j + 1] of the row before */
		for (size_t j = b.length + 1; j-- > 0;) {
			bool below = i < a.length && common[j], here;
			bool right = j < b.length && common[j + 1];
			if (i == a.length && j == b.length)
				here = true;
			else if (i < a.length && a.text[i] == '*')
				here = below || right;
			else if (j < b.length && b.text[j] == '*')
				here = below || right;
			else if (i < a.length && j < b.length)
				here = (a.text[i] == b.text[j] || a.text[i] == '?' || b.text[j] == '?') && diagonal;
			else
				here = false;
			diagonal = below;
			common[j] = here;
		}
	}
	return common[0];
}

static struct piece whole(const char *text)
{
	return (struct piece){ .text = text, .length = strlen(text) };
}

bool glob_name_matches(const char *pattern, const char *name)
{
	return piece_matches(whole(pattern), whole(name));
}

bool glob_names_overlap(const char *a, const char *b)
{
	return pieces_overlap(whole(a), whole(b));
}

/* The next component of a path; false at its end. */
static bool next_component(const char **path, struct piece *ret)
{
	while (**path == '/')
		(*path)++;
	if (!**path)
		return false;
	*ret = (struct piece){ .text = *path, .length = strcspn(*path, "/") };
	*path += ret->length;
	return true;
}

bool glob_path_matches(const char *pattern, const char *path, bool below)
{
	struct piece p, n;

	while (next_component(&pattern, &p))
		if (!next_component(&path, &n) || !piece_matches(p, n))
			return false;
	return below || !next_component(&path, &n);
}

bool glob_paths_overlap(const char *a, const char *b, bool below)
{
	struct piece x, y;

	for (;;) {
		bool more_a = next_component(&a, &x), more_b = next_component(&b, &y);
		if (!more_a || !more_b)
			return below || more_a == more_b;
		if (!pieces_overlap(x, y))
			return false;
	}
}
