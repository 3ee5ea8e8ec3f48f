/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SipHash-2-4 (Aumasson, Bernstein, INDOCRYPT 2012): a keyed hash that tells
 * nothing of its key and can't be foretold without it.
 */
#ifndef KSMSCOPE_CORE_SIPHASH_H
#define KSMSCOPE_CORE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const uint64_t key[2], const void *bytes, size_t length);

#endif
