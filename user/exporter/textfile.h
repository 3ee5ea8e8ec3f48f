/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Metrics as a file for node_exporter's textfile collector. */
#ifndef KSMSCOPE_EXPORTER_TEXTFILE_H
#define KSMSCOPE_EXPORTER_TEXTFILE_H

#include "base/text.h"

/*
 * Whoever reads `path` sees the old page or the new one, whole: it is written
 * beside it and renamed. Readable by all. "-": to standard output.
 */
int textfile_write(const char *path, const struct text *page, struct error *err);

#endif
