// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of targets, and libFuzzer's way to the one that is asked for. */
#include "tests/fuzz/target.h"

#include <unistd.h>

/* Crashes when asked to: the tests see from it that crashes are noticed. */
static void fuzz_self(const uint8_t *data, size_t size)
{
	static int volatile big = INT32_MAX;
	char *copy = fuzz_string(data, size);

	if (!strcmp(copy, "overrun"))
		copy[size + 1] = 'x';
	else if (!strcmp(copy, "overflow"))
		big = big + (int)size;
	else
		REQUIRE(strcmp(copy, "property"));
	free(copy);
}

const struct fuzz_target fuzz_targets[] = {
	{ "numbers", fuzz_numbers, 64 },
	{ "shown", fuzz_shown, 128 },
	{ "domains", fuzz_domains, 2048 },
	{ "globs", fuzz_globs, 128 },
	{ "sketches", fuzz_sketches, 2048 },
	{ "fleet_keys", fuzz_fleet_keys, 64 },
	{ "names", fuzz_names, 256 },
	{ "process", fuzz_process, 4096 },
	{ "smaps", fuzz_smaps, 4096 },
	{ "engine", fuzz_engine, 1024 },
	{ "host", fuzz_host, 1024 },
	{ "users", fuzz_users, 1024 },
	{ "pagemap", fuzz_pagemap, 1024 },
	{ "cgroups", fuzz_cgroups, 512 },
	{ "recordings", fuzz_recordings, 4096 },
	{ "moments", fuzz_moments, 4096 },
	{ "replay", fuzz_replay, 6144 },
	{ "looks", fuzz_looks, 8192 },
	{ "conf", fuzz_conf, 1024 },
	{ "conf_values", fuzz_conf_values, 64 },
	{ "policy_config", fuzz_policy_config, 2048 },
	{ "calibrations", fuzz_calibrations, 4096 },
	{ "journals", fuzz_journals, 2048 },
	{ "advise_options", fuzz_advise_options, 512 },
	{ "top_options", fuzz_top_options, 512 },
	{ "display", fuzz_display, 512 },
	{ "requests", fuzz_requests, 512 },
	{ "web_config", fuzz_web_config, 1024 },
	{ "connections", fuzz_connections, 2048 },
	{ "labels", fuzz_labels, 256 },
	{ "exporter_options", fuzz_exporter_options, 512 },
	{ "self", fuzz_self, 64 },
	{ NULL, NULL, 0 },
};

static const struct fuzz_target *chosen(void)
{
	const char *name = getenv("KSMSCOPE_FUZZ");
	for (const struct fuzz_target *target = fuzz_targets; name && target->name; target++)
		if (!strcmp(target->name, name))
			return target;
	fprintf(stderr, "KSMSCOPE_FUZZ names no target: see --list\n");
	exit(2);
}

static void list(void)
{
	for (const struct fuzz_target *target = fuzz_targets; target->name; target++)
		printf("%s %zu\n", target->name, target->most);
	exit(0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (*argc > 1 && !strcmp((*argv)[1], "--list"))
		list();
	chosen();
	/* what parsers say to users (--help) would hide what the fuzzer says, which goes to standard error */
	return freopen("/dev/null", "w", stdout) ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_target *target;
	if (!target)
		target = chosen();
	if (size <= target->most)
		target->run(data, size);
	return 0;
}
