/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The calibration of this machine, from the file where `ksm-advise --calibrate` left it. */
#ifndef KSMSCOPE_GATHER_CALIBRATION_H
#define KSMSCOPE_GATHER_CALIBRATION_H

#include "base/error.h"
#include "core/huge/calibration.h"
#include "sys/sysroot.h"

#define CALIBRATION_FILE "/var/lib/ksmscope/calibration.json"

/*
 * Read it and hold it against this machine, or against a captured one. KNOWN:
 * *ret holds. Else `why` says what is in the way: ABSENT (there is none, or it
 * is stale, foreign or no calibration), DENIED. Nothing stands in for it.
 */
enum known calibration_read(struct calibration *ret, const struct sysroot *root, const char *path, char why[256]);

/* The parser alone. Error: what is wrong, and where. */
int calibration_parse(struct calibration *ret, const char *bytes, size_t length, struct error *err);

#endif
