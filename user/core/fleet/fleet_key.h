/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key of a fleet: what its hosts have in common so that equal contents
 * have equal hashes on all of them. The operator makes it and hands it out;
 * who has it can ask a sketch for a page that he knows, who has not sees
 * random numbers.
 *
 * The keys of a pass are derived from it, and each hash goes through SipHash
 * before it may leave the process: the hash of a page is fast and not made to
 * hide its key.
 */
#ifndef KSMSCOPE_CORE_FLEET_KEY_H
#define KSMSCOPE_CORE_FLEET_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct fleet_key {
	uint64_t words[2];
};

/* A key file's text: 32 hexadecimal digits and at most a newline. `file` is for messages. */
int fleet_key_parse(struct fleet_key *ret, const char *file, const char *text, size_t length, struct error *err);

/* Names the key without telling it. */
uint64_t fleet_key_id(const struct fleet_key *key);

/* `count` words of a key of its own for each purpose, as "page hash". */
void fleet_key_expand(const struct fleet_key *key, const char *purpose, uint64_t *ret, size_t count);

/* What a page's hash, made with an expanded key, becomes on its way out of the process. */
uint64_t fleet_hash(const struct fleet_key *key, uint64_t page_hash);

#endif
