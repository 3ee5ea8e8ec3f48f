// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * x86-64 is supported. Why arm64 isn't: there the kernel prepares the restart
 * of an interrupted system call before it stops for a tracer (do_signal() in
 * arch/arm64/kernel/signal.c has moved pc back and put x0 in place already), and
 * keeps which kind of restart it is in a local variable. A call made in between
 * loses that: a nanosleep() would sleep its whole time again, and a read() that
 * a signal without SA_RESTART should end would go on. So it is refused there
 * rather than done nearly right.
 */
#include "sys/inject_arch.h"

#if defined(__x86_64__) && defined(__LP64__)

#include <sys/user.h>

#define SLOT(name) (offsetof(struct user_regs_struct, name) / sizeof(uint64_t))
#define X86_EFLAGS_TF 0x100

const struct arch *arch_native(void)
{
	static const struct arch x86_64 = {
		.registers_bytes = sizeof(struct user_regs_struct),
		.instruction = { 0x0f, 0x05 },
		.instruction_bytes = 2,
		.pc = SLOT(rip),
		.call = SLOT(rax),
		.result = SLOT(rax),
		.interrupted = SLOT(orig_rax),
		.flags = SLOT(eflags),
		.trap_flag = X86_EFLAGS_TF,
		.argument = { SLOT(rdi), SLOT(rsi), SLOT(rdx), SLOT(r10), SLOT(r8), SLOT(r9) },
	};
	return &x86_64;
}

#else

const struct arch *arch_native(void)
{
	return NULL;
}

#endif
