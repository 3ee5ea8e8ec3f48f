/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The texts of a configuration: a file, and the drop-ins FILE.d/NAME.conf in
 * the order of their names. What is not there is empty. Reads only.
 */
#ifndef KSMSCOPE_SYS_CONF_FILES_H
#define KSMSCOPE_SYS_CONF_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define CONF_MOST_BYTES (1u << 20)

typedef int conf_text_taker(void *context, const char *file, const char *text, size_t length, struct error *err);

/*
 * Hand each text to `take`, until it returns an error. `must`: the file itself
 * has to be there. Refused where somebody else than root or ourselves may write
 * one of them: they are orders to a program with privileges.
 */
int conf_files_read(const char *file, bool must, conf_text_taker *take, void *context, struct error *err);

#endif
