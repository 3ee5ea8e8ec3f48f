/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Patterns of names: `*` stands for any bytes, `?` for one byte, everything
 * else (a backslash too: systemd's unit names have them) for itself.
 *
 * In a path pattern neither stands for a slash: it is compared component by
 * component.
 */
#ifndef KSMSCOPE_CORE_GLOB_H
#define KSMSCOPE_CORE_GLOB_H

#include <stdbool.h>

/* Longest component of a path, as in the kernel; longer ones match nothing and overlap everything. */
#define GLOB_COMPONENT_MAX 255

/* A name without structure: a slash is a byte like others. At most GLOB_COMPONENT_MAX bytes. */
bool glob_name_matches(const char *pattern, const char *name);
bool glob_names_overlap(const char *a, const char *b);

/* Absolute paths. `below`: the pattern covers all that is beneath, too. */
bool glob_path_matches(const char *pattern, const char *path, bool below);
/* Is there a path that both patterns match? */
bool glob_paths_overlap(const char *a, const char *b, bool below);

#endif
