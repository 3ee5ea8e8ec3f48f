/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The doctor: why the duplicates that were found are not merged today, each
 * cause with what to do about it. Pure: from sample and model alone.
 *
 * It does not know what the target will do next, nor whether an operator wants
 * the memory merged; that is the verdict's and the operator's business.
 */
#ifndef KSMSCOPE_CORE_DOCTOR_H
#define KSMSCOPE_CORE_DOCTOR_H

#include "core/model.h"

/* Fill model->reasons, engine-wide ones (pid 0) first. 0 or -ENOMEM. */
int doctor_examine(struct model *model, const struct sample *sample);

/* "engine-off", "not-opted-in" …: stable names for programs. */
const char *reason_name(enum reason_code code);

/*
 * Seconds for one scan of `pages` pages at the engine's present pace: batches
 * of pages_to_scan, each followed by sleep_millisecs, and ksmd's work on each
 * page: as measured here, or where this machine is not calibrated (NULL) 1.1 µs or more with their number
 * (docs/model.md); the advisor's target time where it is on. < 0
 * where the engine is not running or its pace is not known.
 */
double doctor_scan_seconds(const struct engine *engine, const struct calibration *calibration, uint64_t pages);

#endif
