/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Load one skeleton and attach its programs, each on its own: what this kernel
 * lacks or refuses costs that program and nothing else. Knows nothing of what
 * the programs do.
 */
#ifndef KSMSCOPE_PROBE_ATTACH_H
#define KSMSCOPE_PROBE_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "core/known.h"

struct bpf_link;
struct bpf_object_skeleton;
struct bpf_program;
struct btf;

struct attach_program {
	char name[32];
	struct bpf_program *program;
	struct bpf_link *link;		/* NULL while it is not attached */
	enum known state;		/* KNOWN: loaded; else ABSENT or DENIED */
	char why[128];			/* … and why; "" while KNOWN */
};

struct attachment {
	void *skeleton;
	struct attach_program *programs;
	size_t count;
};

/*
 * Load a skeleton whose variables are used: a negative errno also where libbpf loaded it without mapping them, which it
 * does, for all that it loads from then on, when the kernel had no memory at the moment in which it was asked whether it
 * can map them (all since 5.5 can).
 */
int attach_load_skeleton(struct bpf_object_skeleton *skeleton);

/*
 * Opens a fresh skeleton (X_bpf__open()) and sets up its constants and maps;
 * NULL with errno when it can't. Called again when a program turned out to be
 * refused, since an object that failed to load can't be loaded again.
 */
typedef void *(*attach_opener)(const void *options);

/*
 * Load what this kernel allows. Programs on tracepoints that it does not have
 * are left out (ABSENT). An error only when not one program could be loaded:
 * its status tells DENIED (EXIT_NOT_PERMITTED) from ABSENT (EXIT_KERNEL_CANNOT).
 */
int attach_load(struct attachment *ret, attach_opener open, const void *options, struct error *err);

/* Attach one program, or all that are not attached yet. A refusal is noted in its state. */
enum known attach_start(struct attach_program *program);
void attach_start_all(struct attachment *attachment);
void attach_stop(struct attach_program *program);

/* By name; NULL when the skeleton has no such program. */
struct attach_program *attach_find(const struct attachment *attachment, const char *name);

/*
 * Let the iterator of a link visit all that it is to visit; the program writes
 * nothing that is read here. 0 or a negative errno: nothing was visited.
 */
int attach_iterate(const struct bpf_link *link);

/* Detach all and give everything back. Zeroed and freed attachments are fine. */
void attach_free(struct attachment *attachment);

/* What an error of attach_load() says about everything the skeleton would have told. */
enum known attach_known(const struct error *err);

/* How many arguments a tracepoint of this kernel has; 0 when it does not have the tracepoint. */
unsigned int tracepoint_arguments(const struct btf *kernel, const char *tracepoint);

/*
 * What programs cost. The kernel counts runs and time only while somebody
 * holds a descriptor from program_costs_measure(), which makes every program
 * of the machine 20 to 40 ns slower: hold it for a sample of the time.
 * Negative errno when it is refused; close() ends it.
 */
int program_costs_measure(void);

struct program_cost {
	const char *name;
	uint64_t runs;		/* while measured */
	uint64_t nanoseconds;	/* spent in these runs */
	uint64_t skipped;	/* runs that the kernel left out: the program was running already on that CPU */
};

/* False when the kernel does not say. */
bool program_cost(const struct attach_program *program, struct program_cost *ret);

#endif
