/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keep a calibration in a file, whole or not at all; user/gather/calibration.h reads it. */
#ifndef KSMSCOPE_MEASURE_STORE_H
#define KSMSCOPE_MEASURE_STORE_H

#include "base/error.h"
#include "core/huge/calibration.h"

/*
 * Written beside it, synced, and put in its place. The last folder of `path`
 * is made where it is not there. The old one stays where anything fails.
 */
int calibration_store(const struct calibration *calibration, const char *path, struct error *err);

#endif
