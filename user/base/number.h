/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict number parsing: the whole string is the number, or it is refused.
 * No leading blanks, no sign on unsigned numbers, no trailing rubbish, no
 * silent wrap. A trailing newline, as the kernel's files have, is no rubbish.
 */
#ifndef KSMSCOPE_BASE_NUMBER_H
#define KSMSCOPE_BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

bool parse_u64(const char *text, uint64_t *ret);
bool parse_i64(const char *text, int64_t *ret);
bool parse_hex64(const char *text, uint64_t *ret);

/* A finite decimal number ≥ 0, as "1.5"; no exponent, no sign, no "nan". */
bool parse_decimal(const char *text, double *ret);

/* Bytes with an optional binary unit: "4096", "16K", "16KiB", "1.5G", "2TiB". */
bool parse_bytes(const char *text, uint64_t *ret);

/* A share as "1%", "0.5%", a bare ratio "0.01" or a fraction "1/16"; ret is the ratio, 0 … 1. */
bool parse_ratio(const char *text, double *ret);

#endif
