/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz targets: each feeds bytes to one parser, and says what must hold of
 * whatever comes back. One program has them all; KSMSCOPE_FUZZ in its
 * environment names the one to run, so that a new target is one row of the
 * table (targets.c), a function, and a folder of seeds in corpus/.
 */
#ifndef KSMSCOPE_TESTS_FUZZ_TARGET_H
#define KSMSCOPE_TESTS_FUZZ_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fuzz_target {
	const char *name;
	void (*run)(const uint8_t *data, size_t size);
	size_t most;			/* longer inputs find nothing more */
};

/* Ends with a NULL name. */
extern const struct fuzz_target fuzz_targets[];

/* What has to be true of every input. */
#define REQUIRE(condition) do { \
	if (!(condition)) { \
		fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
		abort(); \
	} \
} while (0)

/* Between the parts of an input that has several: texts rarely have it, and mutations find it soon. */
#define FUZZ_PART '\x1e'

/* The input as it is taken apart. */
struct fuzz_input {
	const uint8_t *at, *end;
};

/* The next byte; 0 at the end. */
static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

/* The next part, without what ends it; false when there is none. */
static inline bool fuzz_part(struct fuzz_input *in, const uint8_t **ret, size_t *ret_length)
{
	if (in->at >= in->end)
		return false;
	const uint8_t *end = memchr(in->at, FUZZ_PART, (size_t)(in->end - in->at));
	*ret = in->at;
	*ret_length = (size_t)((end ? end : in->end) - in->at);
	in->at = end ? end + 1 : in->end;
	return true;
}

/* Bytes as a string of its own, so that reading behind its end is seen. The caller frees it. */
static inline char *fuzz_string(const uint8_t *data, size_t length)
{
	char *string = malloc(length + 1);
	REQUIRE(string);
	memcpy(string, data, length);
	string[length] = '\0';
	return string;
}

/* A command line: a word per part, behind a program's name. */
#define FUZZ_WORDS 32

struct fuzz_words {
	int argc;
	char *argv[FUZZ_WORDS + 1];
	char *own[FUZZ_WORDS];		/* argv may be put into another order */
};

static inline void fuzz_words(struct fuzz_words *ret, const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	const uint8_t *part;
	size_t length;

	memset(ret, 0, sizeof(*ret));
	ret->argv[ret->argc++] = "program";
	while (ret->argc < FUZZ_WORDS && fuzz_part(&in, &part, &length)) {
		ret->own[ret->argc] = ret->argv[ret->argc] = fuzz_string(part, length);
		ret->argc++;
	}
}

static inline void fuzz_words_free(struct fuzz_words *words)
{
	for (int i = 0; i < FUZZ_WORDS; i++)
		free(words->own[i]);
}

/* base/ */
void fuzz_numbers(const uint8_t *data, size_t size);
void fuzz_shown(const uint8_t *data, size_t size);
/* core/ */
void fuzz_domains(const uint8_t *data, size_t size);
void fuzz_globs(const uint8_t *data, size_t size);
void fuzz_sketches(const uint8_t *data, size_t size);
void fuzz_fleet_keys(const uint8_t *data, size_t size);
void fuzz_names(const uint8_t *data, size_t size);
/* sys/ */
void fuzz_process(const uint8_t *data, size_t size);
void fuzz_smaps(const uint8_t *data, size_t size);
void fuzz_engine(const uint8_t *data, size_t size);
void fuzz_host(const uint8_t *data, size_t size);
void fuzz_users(const uint8_t *data, size_t size);
void fuzz_pagemap(const uint8_t *data, size_t size);
void fuzz_cgroups(const uint8_t *data, size_t size);
/* recordings */
void fuzz_recordings(const uint8_t *data, size_t size);
void fuzz_moments(const uint8_t *data, size_t size);
void fuzz_replay(const uint8_t *data, size_t size);
void fuzz_looks(const uint8_t *data, size_t size);
/* configurations and calibrations */
void fuzz_conf(const uint8_t *data, size_t size);
void fuzz_conf_values(const uint8_t *data, size_t size);
void fuzz_policy_config(const uint8_t *data, size_t size);
void fuzz_calibrations(const uint8_t *data, size_t size);
/* act/ */
void fuzz_journals(const uint8_t *data, size_t size);
/* http/ and what is in its pages */
void fuzz_requests(const uint8_t *data, size_t size);
void fuzz_web_config(const uint8_t *data, size_t size);
void fuzz_connections(const uint8_t *data, size_t size);
void fuzz_labels(const uint8_t *data, size_t size);
void fuzz_exporter_options(const uint8_t *data, size_t size);
/* cli/ and screen/ */
void fuzz_advise_options(const uint8_t *data, size_t size);
void fuzz_top_options(const uint8_t *data, size_t size);
void fuzz_display(const uint8_t *data, size_t size);

#endif
