/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of a fleet: its key, and sketches that its hosts made. */
#ifndef KSMSCOPE_GATHER_FLEET_H
#define KSMSCOPE_GATHER_FLEET_H

#include "core/fleet/fleet_key.h"
#include "core/fleet/portable.h"

/* Refused where anybody but its owner may use the file, and where it is no key. The caller wipes it. */
int fleet_key_load(struct fleet_key *ret, const char *path, struct error *err);

/* Refused as portable_read() does. The caller frees it; nothing to free after an error. */
int portable_load(struct portable *ret, const char *path, struct error *err);

#endif
