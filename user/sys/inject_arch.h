/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is particular to an architecture when a system call is run in another
 * process: where the registers lie in what PTRACE_GETREGSET(NT_PRSTATUS) hands
 * out, and what the system call instruction looks like.
 */
#ifndef KSMSCOPE_SYS_INJECT_ARCH_H
#define KSMSCOPE_SYS_INJECT_ARCH_H

#include <stddef.h>
#include <stdint.h>

/* As NT_PRSTATUS hands them out; `bytes` of it are in use. */
struct registers {
	uint64_t slot[64];
	size_t bytes;
};

/* Each `size_t` below that is named after a register is an index into slot[]. */
struct arch {
	size_t registers_bytes;		/* another size: the thread runs with another ABI */
	uint8_t instruction[4];		/* the system call instruction */
	size_t instruction_bytes;
	size_t pc;
	size_t call;			/* takes the number before the instruction */
	size_t result;
	size_t interrupted;		/* number of the call that the thread is in, -1: in none, no restart */
	size_t flags;
	uint64_t trap_flag;		/* in flags: the program steps through itself */
	size_t argument[6];
};

/* The architecture this was built for; NULL where injection is not supported. */
const struct arch *arch_native(void);

#endif
