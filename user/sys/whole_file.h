/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole files of the operator's: configurations, keys, sketches. What is in them is the caller's. */
#ifndef KSMSCOPE_SYS_WHOLE_FILE_H
#define KSMSCOPE_SYS_WHOLE_FILE_H

#include <sys/types.h>

#include "base/error.h"
#include "base/text.h"

/*
 * read(2) until `size` bytes are there or the file ends, whatever comes in
 * between: how many there are, or -1 with errno.
 */
ssize_t read_fully(int fd, void *ret, size_t size);

/* write(2) until all is written: 0, or -1 with errno and who knows how much of it. */
int write_fully(int fd, const void *bytes, size_t size);

/*
 * Read all of an ordinary file or a pipe; more than `most` bytes are refused.
 * The caller frees *ret, also after an error.
 */
int file_read(struct text *ret, const char *path, size_t most, struct error *err);

/*
 * The same of a secret: an ordinary file of ours or of root's that nobody else
 * may read or write; else refused (EXIT_NOT_PERMITTED). The caller wipes it:
 * text_wipe().
 */
int file_read_secret(struct text *ret, const char *path, size_t most, struct error *err);
void text_wipe(struct text *text);

/*
 * Write a file that only its owner may read (0600), in place of one that may be
 * there: all of it or, on any error, nothing; what was there stays meanwhile.
 */
int file_write_private(const char *path, const struct text *text, struct error *err);

#endif
