/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers as people read them: "1.50 GiB", "12,345", "3 min 20 s". */
#ifndef KSMSCOPE_BASE_UNITS_H
#define KSMSCOPE_BASE_UNITS_H

#include <stdint.h>

struct shown {
	char text[32];
};

/* Signed bytes in binary units, three significant digits: "-4.00 KiB". */
struct shown show_bytes(int64_t bytes);
/* A count with thousands separated: "1,234,567". */
struct shown show_count(uint64_t count);
/* Seconds, from "850 ms" to "3 d 4 h". Negative or not finite: "unknown". */
struct shown show_seconds(double seconds);
/* A share of a whole: "12.3 %"; "-" of nothing. */
struct shown show_share(double part, double whole);

#endif
