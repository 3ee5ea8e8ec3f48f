/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of a configuration: numbers with units, shares, durations, yes and
 * no, words of a list. Each is the whole value, or it is refused with its
 * place and what is expected there. `low` and `high` are both allowed.
 */
#ifndef KSMSCOPE_CORE_CONF_VALUE_H
#define KSMSCOPE_CORE_CONF_VALUE_H

#include <stdint.h>

#include "core/conf/reader.h"

/* "yes" or "no". */
int conf_bool(const struct conf_reader *reader, struct conf_text value, bool *ret);

/* Index of a word in a NULL-terminated list. */
int conf_choice(const struct conf_reader *reader, struct conf_text value, const char *const *words, int *ret);

int conf_count(const struct conf_reader *reader, struct conf_text value, uint64_t low, uint64_t high, uint64_t *ret);

/* "900M", "1.5GiB", "4096": binary units, as parse_bytes(). */
int conf_bytes(const struct conf_reader *reader, struct conf_text value, uint64_t low, uint64_t high, uint64_t *ret);

/* "25%", "0.25"; above 1 only as per cent. ret: the ratio. */
int conf_share(const struct conf_reader *reader, struct conf_text value, double low, double high, double *ret);

/* "30s", "5min", "1.5h", "500ms", "2d"; a bare number is seconds. ret: nanoseconds. */
int conf_duration(const struct conf_reader *reader, struct conf_text value, int64_t low_ns, int64_t high_ns,
		  int64_t *ret_ns);

/* A decimal number without a unit. */
int conf_decimal(const struct conf_reader *reader, struct conf_text value, double low, double high, double *ret);

#endif
