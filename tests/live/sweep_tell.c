// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One pass of the sweep over some processes, with every content kept, and what
 * it says of the host and of each process, user and cgroup, as JSON:
 *
 *	sweep_tell PID…
 *
 * For the comparison with the brute-force count (sweep_oracle.sh). Frames are
 * those met first through the holder.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/estimate/sampled.h"
#include "gather/sweep.h"

#define MOST 64

static void tell_holder(const struct holder *h, const struct sample *s)
{
	static const char *const kinds[HOLDER_KINDS] = {
		[HOLDER_HOST] = "host", [HOLDER_PROCESS] = "process", [HOLDER_UID] = "user", [HOLDER_VM] = "guest",
		[HOLDER_CGROUP] = "cgroup", [HOLDER_CGROUP_TREE] = "cgroup tree",
	};
	const struct task *t = &s->tasks[h->task];

	printf("{\"kind\":\"%s\",\"pid\":%d,\"uid\":%u,\"frames\":%llu,\"capped\":%.6f,\"self\":%.6f,\"marginal\":%.6f,"
	       "\"exact\":%s}", kinds[h->kind], t->pid, (unsigned int)t->uid, (unsigned long long)h->frames,
	       h->potential.value, h->self.value, h->marginal.value,
	       h->potential.exact && h->self.exact && h->marginal.exact ? "true" : "false");
}

static void tell(const struct sweep_pass *pass)
{
	const struct holders *holders = pass->holders;
	const struct sampled *sampled = pass->sample->sampled;

	printf("{\"candidate\":%llu,\"zero\":%llu,\"merged\":%llu,\"huge\":%llu,\"crossing\":%.6f,\"holders\":[",
	       (unsigned long long)pass->frames, (unsigned long long)sampled->zero, (unsigned long long)sampled->merged,
	       (unsigned long long)sampled->huge, holders->crossing.value);
	for (size_t i = 0; i < holders->count; i++) {
		printf("%s", i ? "," : "");
		tell_holder(&holders->list[i], pass->sample);
	}
	printf("]}\n");
}

int main(int argc, char **argv)
{
	pid_t pids[MOST];
	const struct sweep_options options = { .target = { .pids = pids, .pids_count = (size_t)argc - 1 }, .theta = 1,
					       .memory_bytes = 64 << 20 };
	struct sysroot root;
	struct sweep *sweep;
	struct sweep_pass pass;
	struct error err;

	if (argc < 2 || argc > MOST) {
		fprintf(stderr, "sweep_tell PID...\n");
		return EXIT_USAGE;
	}
	for (int i = 1; i < argc; i++)
		pids[i - 1] = (pid_t)strtol(argv[i], NULL, 10);
	int rc = sysroot_open(&root, NULL, &err);
	if (!rc)
		rc = sweep_open(&sweep, &root, &options, &err);
	if (rc)
		return error_print("sweep_tell", &err);
	rc = sweep_pass(sweep, &pass, &err);
	if (!rc)
		tell(&pass);
	sweep_close(sweep);
	sysroot_close(&root);
	return rc ? error_print("sweep_tell", &err) : EXIT_DONE;
}
