// SPDX-License-Identifier: GPL-2.0-or-later
#include "screen/view.h"

#include <string.h>

void view_init(struct view *v)
{
	*v = (struct view){ .sort = PROC_MERGED };
}

size_t view_find_folded(const struct view *v, struct row_id id)
{
	size_t i = 0;
	while (i < v->folded_count && !row_id_equal(v->folded[i], id))
		i++;
	return i;
}

bool view_is_folded(const struct view *v, struct row_id id)
{
	return view_find_folded(v, id) < v->folded_count;
}

size_t view_settle_page(struct view *v, size_t lines, size_t page_rows, bool chooses)
{
	size_t most = lines > page_rows ? lines - page_rows : 0;

	v->page_rows = page_rows;
	v->lines = chooses ? lines : most + 1;
	if (v->line >= v->lines)
		v->line = v->lines ? v->lines - 1 : 0;
	if (!chooses)
		return v->line;
	if (v->first_line > v->line)
		v->first_line = v->line;
	if (page_rows && v->line >= v->first_line + page_rows)
		v->first_line = v->line - page_rows + 1;
	return v->first_line;
}

/* ---- columns ---- */

/* Room for the names in a tree, which are indented. */
#define TREE_COLUMNS 32

/* Fields that are shown without being asked for, best rank first, as far as there is room beside the command. */
size_t view_usual_columns(int width, bool tree, enum field ret[PROC_FIELDS])
{
	bool taken[PROC_FIELDS] = { false };
	int room = width - (tree ? TREE_COLUMNS : (int)fields[PROC_COMM].width);
	size_t count = 0;

	for (unsigned int rank = 1; rank <= PROC_FIELDS && room >= 0; rank++) {
		for (enum field f = HOST_FIELDS; f < FIELD_COUNT; f++) {
			if (fields[f].rank != rank || f == PROC_COMM)
				continue;
			room -= (int)fields[f].width + 1;
			taken[f - HOST_FIELDS] = room >= 0;
		}
	}
	for (enum field f = HOST_FIELDS; f < FIELD_COUNT; f++)
		if (taken[f - HOST_FIELDS])
			ret[count++] = f;
	ret[count++] = PROC_COMM;
	return count;
}

/* All that can be scrolled through: the chosen ones, or every ranked one. */
static size_t all_columns(const struct view *v, enum field ret[PROC_FIELDS])
{
	size_t count = v->columns_count;

	memcpy(ret, v->columns, count * sizeof(*ret));
	for (enum field f = HOST_FIELDS; !v->columns_count && f < FIELD_COUNT; f++)
		if (fields[f].rank)
			ret[count++] = f;
	for (size_t i = 0; i < count; i++)
		if (ret[i] == PROC_COMM)
			return count;
	/* groups have no other name */
	if (v->tree != GROUP_NONE && count < PROC_FIELDS)
		ret[count++] = PROC_COMM;
	return count;
}

size_t view_columns(const struct view *v, int width, enum field ret[PROC_FIELDS])
{
	enum field all[PROC_FIELDS];
	size_t count = 0, have = all_columns(v, all);

	if (!v->columns_count && !v->first_column)
		return view_usual_columns(width, v->tree != GROUP_NONE, ret);
	size_t from = (size_t)v->first_column < have ? (size_t)v->first_column : have - 1;
	for (size_t i = from; i < have; i++) {
		width -= (int)fields[all[i]].width + 1;
		if (count && width < -1)
			break;
		ret[count++] = all[i];
	}
	return count;
}
