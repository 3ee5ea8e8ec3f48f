// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A process with one page that nobody else has, for fleet_sketch.sh: prints
 * "ready PID HASH", where HASH is what a sketch under the key must have for it,
 * computed here from the bytes and the key alone, and waits.
 *
 *	fleet_page KEYFILE
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bpf/abi.h"
#include "bpf/pagehash.h"
#include "gather/fleet.h"

static uint64_t hash_of(const struct fleet_key *key, const char *page, size_t bytes)
{
	uint64_t words[CONTENT_KEY_WORDS], hash = 0;
	__u64 page_key[CONTENT_KEY_WORDS];

	fleet_key_expand(key, "page hash", words, CONTENT_KEY_WORDS);
	memcpy(page_key, words, sizeof(page_key));
	for (size_t at = 0; at < bytes; at += CONTENT_CHUNK_BYTES)
		hash = pagehash_chunk(hash, page + at, page_key);
	return fleet_hash(key, hash) >> 1;
}

int main(int argc, char **argv)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	char *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct fleet_key key;
	struct error err;

	if (argc != 2 || page == MAP_FAILED)
		return 2;
	if (fleet_key_load(&key, argv[1], &err))
		return error_print("fleet_page", &err);
	for (size_t i = 0; i < bytes; i++)
		page[i] = (char)(i * 31 + i / 251);
	printf("ready %d %" PRIu64 "\n", getpid(), hash_of(&key, page, bytes));
	fflush(stdout);
	alarm(600);
	pause();
	return 0;
}
