/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A calibration as the file that keeps it (schema ksmscope-calibration/1, docs/json.md), and for people. */
#ifndef KSMSCOPE_OUT_CALIBRATION_H
#define KSMSCOPE_OUT_CALIBRATION_H

#include "base/text.h"
#include "base/units.h"
#include "core/huge/calibration.h"
#include "out/json.h"

#define CALIBRATION_SCHEMA "ksmscope-calibration/1"

void calibration_json(struct text *out, const struct calibration *calibration);
/* The document's keys alone, within an object that is open. */
void calibration_keys(struct json *json, const struct calibration *calibration);
/* "4.6 ± 0.2 µs", in the unit that fits; the larger half of the interval. Only of what is known. */
struct shown measured_show(const struct measured *measured);

/* `path`: where it is kept; NULL: nowhere. */
void calibration_text(struct text *out, const struct calibration *calibration, const char *path);

#endif
