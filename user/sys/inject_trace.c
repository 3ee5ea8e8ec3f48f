// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a thread is made to run a call and keeps everything it had.
 *
 * At rest the thread stands in a stop inside the kernel's signal handling, with
 * its own registers and signal mask: it could be let go, or we could die, at
 * any time. That place matters. A system call that the stop interrupted shows
 * as -ERESTART… in the result register and its number in orig_rax; the kernel
 * acts on them when it leaves its signal handling, and only there. So every
 * call ends with the thread being brought back to such a stop before its
 * registers are put back, and the kernel then restarts the interrupted call, or
 * ends it with EINTR if a signal came meanwhile, as if nobody had been there.
 *
 * During a call all signals are blocked, so that they stay queued, but for
 * those that a fault raises: a blocked one of these would make the kernel reset
 * the handler and kill. A signal of that kind that is the program's own, because
 * it was queued before or because somebody sent it, is blocked when it shows up,
 * which makes the kernel queue it again. SIGSTOP can't be blocked and is passed
 * on: the thread goes on for us, and stops when we let go.
 *
 * A thread in a restartable sequence (rseq) is moved to its abort handler. The
 * kernel would do that when it next runs, since it was preempted, but forgets
 * it when it sees the thread outside the sequence, running our call.
 *
 * seccomp is suspended only once the thread stands, so that the program never
 * runs an instruction of its own without its filter.
 *
 * What is not intact: the kernel can't tell a thread in ppoll(), pselect() or
 * epoll_pwait() with a mask of its own that a signal which only that mask
 * blocks came during the stop; its handler runs then, and the call answers
 * EINTR. A write() that was interrupted halfway answers what it wrote so far,
 * as after any stop. See inject_restart.c for calls with a timeout.
 */
#include "sys/inject_trace.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define STOP_WITHIN_NS 1000000000ull
#define CALL_WITHIN_NS 10000000000ull
#define SLICE_NS 10000000L	/* an exec can take the thread away without a signal to us: look again this often */
#define REISSUES 16		/* of a call that was interrupted, by SIGCONT for instance */
#define ERESTARTSYS 512		/* include/linux/errno.h */
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516
#define SYSCALL_STOP (SIGTRAP | 0x80)	/* PTRACE_O_TRACESYSGOOD */
#define SIGNAL_BIT(number) (1ull << ((number) - 1))
#define FAULTS (SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGFPE) | \
		SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGSYS))

enum stop {
	STOP_LATE,		/* none within the time given */
	STOP_GONE,		/* the thread ended, or was killed */
	STOP_TRAP,		/* inside signal handling: ours, or the program's being stopped */
	STOP_CALL,		/* entry or exit of a system call */
	STOP_SIGNAL,		/* a signal is about to be delivered */
	STOP_FAULT,		/* an instruction that we made it run failed */
};

static long request(const struct tracee *tracee, int what, uintptr_t address, uintptr_t data)
{
	return ptrace((enum __ptrace_request)what, tracee->target.thread, (void *)address, (void *)data);
}

/*
 * The same where the target would be left with what isn't its own. Nothing but its end is known to make such a request
 * fail in a thread that stands; if anything ever does, it is asked again before it is given up.
 */
static long insist(const struct tracee *tracee, int what, uintptr_t address, uintptr_t data)
{
	long rc = request(tracee, what, address, data);

	for (int again = 0; rc && errno != ESRCH && again < 2; again++)
		rc = request(tracee, what, address, data);
	return rc;
}

static enum stop kind_of_stop(int status)
{
	if (!WIFSTOPPED(status))
		return STOP_GONE;
	if (status >> 16 == PTRACE_EVENT_STOP)
		return STOP_TRAP;
	return WSTOPSIG(status) == SYSCALL_STOP ? STOP_CALL : STOP_SIGNAL;
}

/* Wait for the thread's next stop, at most until `deadline_ns` (0: for ever). The number of a signal to *signal. */
static enum stop wait_stop(struct tracee *tracee, uint64_t deadline_ns, int *signal)
{
	const struct timespec slice = { .tv_nsec = SLICE_NS };
	sigset_t child;
	int status;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (;;) {
		pid_t got = waitpid(tracee->target.thread, &status, __WALL | WNOHANG);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			status = 0;	/* an exec has taken it away: as if it had ended */
		if (got) {
			enum stop stop = kind_of_stop(status);
			tracee->standing = stop != STOP_GONE;
			tracee->attached = stop != STOP_GONE;
			*signal = stop == STOP_SIGNAL ? WSTOPSIG(status) : 0;
			return stop;
		}
		if (deadline_ns && monotonic_ns() >= deadline_ns)
			return STOP_LATE;
		sigtimedwait(&child, NULL, &slice);
	}
}

/*
 * A signal shows up while the thread is away. True: pass it on. SIGSTOP stops the others of the group; any other
 * one is blocked now, and passing it on means that the kernel queues it again. False: a fault of ours.
 */
static bool hold_back(struct tracee *tracee, int signal)
{
	siginfo_t info = { 0 };
	if (signal == SIGSTOP)
		return true;
	request(tracee, PTRACE_GETSIGINFO, 0, (uintptr_t)&info);
	if ((FAULTS & SIGNAL_BIT(signal)) && info.si_code > 0)
		return false;
	tracee->mask |= SIGNAL_BIT(signal);
	request(tracee, PTRACE_SETSIGMASK, sizeof(tracee->mask), (uintptr_t)&tracee->mask);
	return true;
}

static long get_registers(const struct tracee *tracee, struct registers *ret)
{
	struct iovec io = { ret->slot, sizeof(ret->slot) };
	long rc = request(tracee, PTRACE_GETREGSET, NT_PRSTATUS, (uintptr_t)&io);
	ret->bytes = io.iov_len;
	return rc;
}

static long set_registers(const struct tracee *tracee, const struct registers *registers)
{
	struct iovec io = { (void *)registers->slot, registers->bytes };
	return insist(tracee, PTRACE_SETREGSET, NT_PRSTATUS, (uintptr_t)&io);
}

/*
 * A call that was given up shows up at last: its entry is made a call of number -1, which the kernel skips. At an
 * exit this changes nothing.
 */
static void cancel_call(const struct tracee *tracee)
{
	struct registers registers;
	if (get_registers(tracee, &registers))
		return;
	registers.slot[tracee->arch->interrupted] = (uint64_t)-1;
	set_registers(tracee, &registers);
}

/*
 * Resume by `how` (PTRACE_CONT or PTRACE_SYSCALL), and again after each stop that comes in between, until one of
 * kind `wanted`. A thread that isn't standing is only waited for.
 */
static enum stop run_until(struct tracee *tracee, int how, enum stop wanted, uint64_t deadline_ns)
{
	int signal = 0;
	for (;;) {
		if (tracee->standing && request(tracee, how, 0, (uintptr_t)signal) && errno != ESRCH)
			return STOP_LATE;
		tracee->standing = false;	/* ESRCH: it was killed in its stop, and its end is reported next */
		enum stop stop = wait_stop(tracee, deadline_ns, &signal);
		if (stop == wanted || stop == STOP_GONE || stop == STOP_LATE)
			return stop;
		if (stop == STOP_CALL)
			cancel_call(tracee);
		if (stop == STOP_SIGNAL && tracee->away && !hold_back(tracee, signal))
			return STOP_FAULT;
	}
}

static int fail_ended(const struct tracee *tracee, struct error *err)
{
	return fail(err, EXIT_FAILED, "process %d: it ended or executed another program while a call was to be "
		    "run in it", tracee->target.pid);
}

static int fail_late(const struct tracee *tracee, struct error *err)
{
	return fail(err, EXIT_FAILED, "stop process %d: it did not stop within a second: it is frozen, or waits for "
		    "a device: try again later", tracee->target.pid);
}

static bool peek(const struct tracee *tracee, uint64_t address, void *ret, size_t size)
{
	struct iovec here = { ret, size }, there = { (void *)(uintptr_t)address, size };
	return process_vm_readv(tracee->target.thread, &here, 1, &there, 1, 0) == (ssize_t)size;
}

/* The layout is ABI: include/uapi/linux/rseq.h. */
struct rseq_section {
	uint32_t version, flags;
	uint64_t start, length, abort;
};

static void leave_rseq(struct tracee *tracee)
{
#ifdef PTRACE_GET_RSEQ_CONFIGURATION
	struct __ptrace_rseq_configuration config = { 0 };
	struct rseq_section section;
	uint64_t pointer, *pc = &tracee->own.slot[tracee->arch->pc];

	if (request(tracee, PTRACE_GET_RSEQ_CONFIGURATION, sizeof(config), (uintptr_t)&config) < 0 ||
	    !config.rseq_abi_pointer || !peek(tracee, config.rseq_abi_pointer + 8, &pointer, sizeof(pointer)) ||
	    !pointer || !peek(tracee, pointer, &section, sizeof(section)))
		return;
	if (*pc - section.start < section.length)
		*pc = section.abort;
#endif
}

static int suspend_seccomp(const struct tracee *tracee, struct error *err)
{
	if (!request(tracee, PTRACE_SETOPTIONS, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP))
		return 0;
	if (errno == ESRCH)
		return fail_ended(tracee, err);
	bool kernel = errno == EINVAL;
	if (!target_is_filtered(tracee->root, &tracee->target))
		return 0;
	return fail(err, kernel ? EXIT_KERNEL_CANNOT : EXIT_NOT_PERMITTED,
		    "process %d: it is under a seccomp filter, which %s", tracee->target.pid,
		    kernel ? "this kernel can't suspend (CONFIG_CHECKPOINT_RESTORE)" :
		    "may only be suspended with CAP_SYS_ADMIN and from outside of any filter: run as root");
}

/*
 * Faults of the program's own that are queued and not yet delivered: our stop comes first. They are kept back, or else
 * they would be taken for faults of the call.
 */
static uint64_t queued_faults(const struct tracee *tracee)
{
	siginfo_t queue[16];
	struct __ptrace_peeksiginfo_args which = { .off = 0, .nr = 16 };
	uint64_t found = 0;
	long count;

	while ((count = request(tracee, PTRACE_PEEKSIGINFO, (uintptr_t)&which, (uintptr_t)queue)) > 0) {
		for (long i = 0; i < count; i++)
			found |= SIGNAL_BIT(queue[i].si_signo);
		which.off += (uint64_t)count;
	}
	return found & FAULTS;
}

/* Look at the standing thread: everything that had to wait until it stands. */
static int examine(struct tracee *tracee, struct error *err)
{
	const struct arch *arch = tracee->arch;
	uint8_t instruction[sizeof(arch->instruction)];

	if (get_registers(tracee, &tracee->own))
		return fail_ended(tracee, err);
	if (tracee->own.bytes != arch->registers_bytes)
		return fail(err, EXIT_FAILED, "process %d: it runs with another ABI (32-bit), which is not supported",
			    tracee->target.pid);
	if (request(tracee, PTRACE_GETSIGMASK, sizeof(tracee->own_mask), (uintptr_t)&tracee->own_mask))
		return fail_errno(err, "read the signal mask of", "the process", NULL);
	if (!tracee->target.instruction ||
	    !peek(tracee, tracee->target.instruction, instruction, arch->instruction_bytes) ||
	    memcmp(instruction, arch->instruction, arch->instruction_bytes))
		return fail(err, EXIT_FAILED, "process %d: no system call instruction is mapped in it, or it has just "
			    "executed another program", tracee->target.pid);
	tracee->own_faults = queued_faults(tracee);
	leave_rseq(tracee);
	mend_interrupted_call(tracee->root, tracee->target.pid, tracee->target.thread, arch, &tracee->target.sleep,
			      &tracee->own);
	if (set_registers(tracee, &tracee->own))
		return fail_ended(tracee, err);
	return suspend_seccomp(tracee, err);
}

static int attach(struct tracee *tracee, struct error *err)
{
	if (!request(tracee, PTRACE_SEIZE, 0, PTRACE_O_TRACESYSGOOD)) {
		tracee->attached = true;
		return 0;
	}
	int os = errno;
	if (os == ESRCH || target_has_ended(tracee->root, &tracee->target))
		return fail_ended(tracee, err);
	int rc = target_check(tracee->root, &tracee->target, err);	/* somebody else may have been faster */
	return rc ? rc : fail(err, os == EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED, "trace process %d: %s: run as root "
			      "(CAP_SYS_PTRACE); a process that has capabilities that we lack is refused too",
			      tracee->target.pid, strerror(os));
}

int trace_begin(struct tracee *tracee, struct error *err)
{
	int rc = attach(tracee, err);
	if (!rc)
		rc = target_verify(tracee->root, &tracee->target, err);
	if (rc)
		return rc;
	tracee->since_ns = monotonic_ns();
	if (request(tracee, PTRACE_INTERRUPT, 0, 0))
		return fail_ended(tracee, err);
	switch (run_until(tracee, PTRACE_CONT, STOP_TRAP, tracee->since_ns + STOP_WITHIN_NS)) {
	case STOP_TRAP:
		return examine(tracee, err);
	case STOP_GONE:
		return fail_ended(tracee, err);
	default:
		return fail_late(tracee, err);
	}
}

/* Make the standing thread one that is about to run a call. */
static long send_away(struct tracee *tracee, long number, const uint64_t arguments[6])
{
	const struct arch *arch = tracee->arch;
	struct registers registers = tracee->own;

	registers.slot[arch->pc] = tracee->target.instruction;
	registers.slot[arch->call] = (uint64_t)number;
	registers.slot[arch->interrupted] = (uint64_t)-1;
	registers.slot[arch->flags] &= ~arch->trap_flag;
	for (int i = 0; i < 6; i++)
		registers.slot[arch->argument[i]] = arguments[i];
	tracee->mask = tracee->own_mask | tracee->own_faults | ~FAULTS;
	tracee->away = true;
	return request(tracee, PTRACE_SETSIGMASK, sizeof(tracee->mask), (uintptr_t)&tracee->mask) ?:
	       set_registers(tracee, &registers);
}

/* Bring the thread back to a stop in signal handling, and give it back what is its own. */
static void bring_home(struct tracee *tracee, uint64_t deadline_ns)
{
	enum stop stop;

	insist(tracee, PTRACE_INTERRUPT, 0, 0);
	while ((stop = run_until(tracee, PTRACE_CONT, STOP_TRAP, deadline_ns)) == STOP_FAULT)
		;	/* the fault is dropped by resuming without it */
	if (stop != STOP_TRAP)
		return;
	set_registers(tracee, &tracee->own);
	insist(tracee, PTRACE_SETSIGMASK, sizeof(tracee->own_mask), (uintptr_t)&tracee->own_mask);
	tracee->away = false;
}

/*
 * From the entry of the call to its exit. Unmerging a mapping takes the kernel 18 s for each TiB of it (measured
 * on 6.18) even if only one page is there, and all of the program stands meanwhile: after a while it is interrupted.
 * What can't be is waited for.
 */
static enum stop run_call(struct tracee *tracee)
{
	enum stop stop = run_until(tracee, PTRACE_SYSCALL, STOP_CALL, monotonic_ns() + CALL_WITHIN_NS);
	if (stop != STOP_LATE)
		return stop;
	tracee->given_up = true;
	insist(tracee, PTRACE_INTERRUPT, 0, 0);
	return run_until(tracee, PTRACE_SYSCALL, STOP_CALL, 0);
}

/* Entry and exit of the call, in a thread that is away. */
static int make_call(struct tracee *tracee, int64_t *ret_value, struct error *err)
{
	struct registers registers;
	enum stop stop = run_until(tracee, PTRACE_SYSCALL, STOP_CALL, monotonic_ns() + STOP_WITHIN_NS);
	if (stop == STOP_CALL)
		stop = run_call(tracee);
	if (stop == STOP_CALL && !get_registers(tracee, &registers)) {
		*ret_value = (int64_t)registers.slot[tracee->arch->result];
		return 0;
	}
	if (stop == STOP_LATE)
		return fail(err, EXIT_FAILED, "process %d: it was frozen while a call was to be run in it: nothing was "
			    "run, and it is put back as soon as it thaws", tracee->target.pid);
	if (stop == STOP_FAULT)
		return fail(err, EXIT_FAILED, "process %d: it does not let a call through (syscall user dispatch?)",
			    tracee->target.pid);
	return fail_ended(tracee, err);
}

/* What the kernel says to itself when a call was interrupted; seen by a tracer only. */
static bool was_interrupted(int64_t value)
{
	return value <= -ERESTARTSYS && value >= -ERESTART_RESTARTBLOCK;
}

int trace_call(struct tracee *tracee, long number, const uint64_t arguments[6], int64_t *ret_value, struct error *err)
{
	tracee->given_up = false;
	for (int i = 0; i < REISSUES && !tracee->given_up; i++) {
		if (tracee->away)
			bring_home(tracee, monotonic_ns() + STOP_WITHIN_NS);
		if (tracee->away)
			return fail_late(tracee, err);
		int rc = send_away(tracee, number, arguments) ? fail_ended(tracee, err) :
			 make_call(tracee, ret_value, err);
		bring_home(tracee, monotonic_ns() + STOP_WITHIN_NS);
		if (rc || !was_interrupted(*ret_value))
			return rc;
	}
	*ret_value = -EINTR;
	return 0;
}

void trace_end(struct tracee *tracee)
{
	int signal;
	if (tracee->attached && tracee->away)
		bring_home(tracee, 0);
	if (tracee->standing && insist(tracee, PTRACE_DETACH, 0, 0))	/* killed: its end is for us to take */
		wait_stop(tracee, monotonic_ns() + STOP_WITHIN_NS, &signal);
}
