// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Does a process into which system calls are injected notice? Each case makes a
 * process in one state, injects into it, and lets it finish what it was doing;
 * the process itself, or the kernel's view of it, says whether all was as it
 * would have been. Prints "ok - name", "not ok - name: why" or "ok - name # SKIP
 * why"; exits with 1 if any case failed. Root, x86-64; elsewhere only that it is
 * refused with the reason.
 */
#ifndef __x86_64__

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/inject.h"

int main(void)
{
	struct injection *injection = NULL;
	struct error err = { 0 };
	pid_t child = fork();

	if (!child) {
		pause();
		_exit(0);
	}
	int rc = child < 0 ? 0 : injection_begin(&injection, child, 0, &err);
	bool refused = rc == -EXIT_KERNEL_CANNOT && !injection && strstr(err.text, "x86-64");
	bool alive = child > 0 && !waitpid(child, NULL, WNOHANG);
	if (child > 0)
		kill(child, SIGKILL);
	printf("%sok - another architecture is refused, with the reason: status %d, %s\n", refused ? "" : "not ", -rc,
	       err.text);
	printf("%sok - another architecture: the target lives on\n", alive ? "" : "not ");
	return !refused || !alive;
}

#else

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/number.h"
#include "sys/inject.h"

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#endif
#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_ON 1
#endif

#define MS 1000000ull
#define TIMEOUT_MS 400		/* of the calls that time out */
#define TOLERANCE_MS 200	/* a call restarted in full would be late by three fifths of TIMEOUT_MS */
#define SOON_MS 3000		/* whatever has to happen has happened by then */

/* ---- what the test and its targets share ---- */

/* At a fixed address, so that assembly can reach it without a register. */
#define SHARED_ADDRESS 0x10000000
struct common {
	volatile uint32_t stop;		/* 0: asks the target to end */
	volatile uint32_t bad;		/* 4: which check failed */
	volatile uint64_t rounds;	/* 8 */
	volatile uint64_t flags;	/* 16: scratch of the assembly */
	volatile uint64_t stack;	/* 24 */
	volatile uint32_t mxcsr;	/* 32 */
	volatile uint32_t futex;
	volatile int64_t result;
	volatile int error;
	volatile uint64_t elapsed_ns;
	volatile uint32_t ready;
	volatile uint64_t handled;
	volatile uint64_t queued;
	volatile uint64_t queued_sum;
	volatile int code;
	volatile pid_t sender;
	volatile uint64_t mask;
	volatile uint64_t rounds_of[4];
	volatile uint32_t storming;
	volatile uint64_t sent;
	int pipe[2];
	int pair[2];
	int semaphore;
	int file;
};
#define shared ((struct common *)SHARED_ADDRESS)

static const char *skipped(const char *why)
{
	static char text[300];
	snprintf(text, sizeof(text), " # SKIP %s", why);
	return text;
}

__attribute__((format(printf, 1, 2)))
static const char *because(const char *fmt, ...)
{
	static char text[800];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return text;
}

/* In a case: end it with the reason, unless `condition` holds. */
#define EXPECT(condition, ...) do { if (!(condition)) return because(__VA_ARGS__); } while (0)
#define TRY(call) do { const char *why_ = (call); if (why_) return why_; } while (0)

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

static void sleep_ms(unsigned int ms)
{
	struct timespec left = { ms / 1000, (long)(ms % 1000) * 1000000 };
	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static bool read_proc(pid_t pid, const char *name, char *ret, size_t size)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	FILE *file = fopen(path, "r");
	if (!file)
		return false;
	size_t n = fread(ret, 1, size - 1, file);
	ret[n] = '\0';
	fclose(file);
	return true;
}

static char state_of(pid_t pid)
{
	char text[1024];
	const char *end = read_proc(pid, "stat", text, sizeof(text)) ? strrchr(text, ')') : NULL;
	return end ? end[2] : '-';
}

static uint64_t start_ticks_of(pid_t pid)
{
	char text[1024];
	const char *at = read_proc(pid, "stat", text, sizeof(text)) ? strrchr(text, ')') : NULL;
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

static long waits_in(pid_t pid)
{
	char text[256];
	if (!read_proc(pid, "syscall", text, sizeof(text)) || !strncmp(text, "running", 7))
		return -1;
	return strtol(text, NULL, 10);
}

static bool waits_in_soon(pid_t pid, long number)
{
	for (int i = 0; i < SOON_MS; i++) {
		if (waits_in(pid) == number)
			return true;
		sleep_ms(1);
	}
	return false;
}

static bool is_state_soon(pid_t pid, char state)
{
	for (int i = 0; i < SOON_MS; i++) {
		if (state_of(pid) == state)
			return true;
		sleep_ms(1);
	}
	return false;
}

static bool grows_soon(volatile uint64_t *value, uint64_t by)
{
	uint64_t from = *value;
	for (int i = 0; i < SOON_MS; i++) {
		if (*value >= from + by)
			return true;
		sleep_ms(1);
	}
	return false;
}

static bool ready_soon(void)
{
	for (int i = 0; i < SOON_MS && !shared->ready; i++)
		sleep_ms(1);
	return shared->ready;
}

static bool map_shared(int how)
{
	return mmap(shared, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | how, -1, 0) == shared;
}

/* ---- targets ---- */

static pid_t targets[64];	/* still to be ended when a case gives up */

static pid_t start(void (*run)(void))
{
	memset(shared, 0, offsetof(struct common, pipe));
	shared->stop = 1;
	if (pipe2(shared->pipe, O_CLOEXEC) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, shared->pair))
		exit(1);
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run();
		_exit(0);
	}
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		if (!targets[i]) {
			targets[i] = pid;
			break;
		}
	return pid;
}

static void forget(pid_t pid)
{
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		if (targets[i] == pid)
			targets[i] = 0;
}

/* Status of a target that ends by itself; one that doesn't is killed, and -1. */
static int status_of(pid_t pid)
{
	int status;
	for (int i = 0; i < SOON_MS; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			forget(pid);
			return status;
		}
		sleep_ms(1);
	}
	return -1;
}

static void end_targets(void)
{
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		if (!targets[i])
			continue;
		kill(targets[i], SIGKILL);
		waitpid(targets[i], NULL, 0);
		targets[i] = 0;
	}
	if (shared->pipe[1]) {
		close(shared->pipe[0]);
		close(shared->pipe[1]);
		close(shared->pair[0]);
		close(shared->pair[1]);
	}
	memset(shared, 0, sizeof(*shared));
}

/* ---- injecting ---- */

static const uint64_t no_arguments[6];

/* What a target must answer if the call really ran there. */
static const char *inject_getpid(pid_t pid)
{
	struct injection *injection;
	struct error err;
	int64_t value = -1, parent = -1;

	EXPECT(!injection_begin(&injection, pid, 0, &err), "begin: %s", err.text);
	int rc = injection_call(injection, SYS_getpid, no_arguments, &value, &err);
	if (!rc)
		rc = injection_call(injection, SYS_getppid, no_arguments, &parent, &err);
	injection_end(injection);
	EXPECT(!rc, "call: %s", err.text);
	EXPECT(value == pid && parent == getpid(), "getpid gave %lld, getppid %lld", (long long)value,
	       (long long)parent);
	return NULL;
}

static const char *inject(pid_t pid, long number, const uint64_t arguments[6], int64_t *ret)
{
	struct injection *injection;
	struct error err;
	EXPECT(!injection_begin(&injection, pid, start_ticks_of(pid), &err), "begin: %s", err.text);
	int rc = injection_call(injection, number, arguments, ret, &err);
	injection_end(injection);
	EXPECT(!rc, "call: %s", err.text);
	return NULL;
}

/* Refused, with this status and a text that says why. */
static const char *refused(pid_t pid, uint64_t start_ticks, enum exit_status status, const char *why)
{
	struct injection *injection;
	struct error err = { 0 };
	int rc = injection_begin(&injection, pid, start_ticks, &err);
	if (!rc)
		injection_end(injection);
	EXPECT(rc == -(int)status && err.status == status, "expected status %d, got %d: %s", status, -rc, err.text);
	EXPECT(!injection, "there is an injection although begin failed");
	EXPECT(strstr(err.text, why), "the message doesn't say \"%s\": %s", why, err.text);
	return NULL;
}

/* ---- registers ---- */

#define GENERAL(check) \
	check(rax, 0x0123456789abcdef, 1) check(rbx, 0xfedcba9876543210, 2) check(rcx, 0x1111111122222222, 3) \
	check(rdx, 0x3333333344444444, 4) check(rsi, 0x5555555566666666, 5) check(rdi, 0x7777777788888888, 6) \
	check(rbp, 0x99999999aaaaaaaa, 7) check(r8, 0xbbbbbbbbcccccccc, 8) check(r9, 0xddddddddeeeeeeee, 9) \
	check(r10, 0x0f0f0f0f1e1e1e1e, 10) check(r11, 0x2d2d2d2d3c3c3c3c, 11) check(r12, 0x4b4b4b4b5a5a5a5a, 12) \
	check(r13, 0x6969696978787878, 13) check(r14, 0x8787878796969696, 14) check(r15, 0xa5a5a5a5b4b4b4b4, 15)
#define VECTOR(check) \
	check(0) check(1) check(2) check(3) check(4) check(5) check(6) check(7) \
	check(8) check(9) check(10) check(11) check(12) check(13) check(14) check(15)

#define LOAD_GENERAL(name, value, index) "movabs $" #value ", %" #name "\n"
#define CONSTANT_GENERAL(name, value, index) "general_" #index ": .quad " #value "\n"
#define CHECK_GENERAL(name, value, index) \
	"cmpq general_" #index "(%rip), %" #name "\n jz 7f\n movl $" #index ", 0x10000004\n jmp 9f\n 7:\n"
#define LOAD_VECTOR(index) "vmovdqu vector_" #index "(%rip), %ymm" #index "\n"
#define CONSTANT_VECTOR(index) \
	"vector_" #index ": .quad " #index " + 0x1234567800000000, ~" #index ", " #index " * 0x0101010101010101, 42\n" \
	"inverse_" #index ": .quad ~(" #index " + 0x1234567800000000), " #index ", " \
	"~(" #index " * 0x0101010101010101), ~42\n"
/* Every bit of the constant is set (carry) and none of its inverse (zero). */
#define CHECK_VECTOR(index) \
	"vptest vector_" #index "(%rip), %ymm" #index "\n jnc 8f\n" \
	"vptest inverse_" #index "(%rip), %ymm" #index "\n jz 7f\n" \
	"8: movl $(100 + " #index "), 0x10000004\n jmp 9f\n 7:\n"

/*
 * Everything a program can see in registers, at known values, during 20000
 * instructions that change none of it (and where nearly all stops fall); then
 * all of it is checked. CF, PF, AF, ZF, SF, DF and OF are set.
 */
void spin_with_known_registers(void);
__asm__(
	".pushsection .rodata\n .balign 32\n"
	GENERAL(CONSTANT_GENERAL) VECTOR(CONSTANT_VECTOR)
	"mxcsr_value: .long 0x7f80\n"
	".popsection\n"
	".globl spin_with_known_registers\n"
	"spin_with_known_registers:\n"
	"push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
	"mov %rsp, 0x10000018\n"
	"ldmxcsr mxcsr_value(%rip)\n"
	GENERAL(LOAD_GENERAL) VECTOR(LOAD_VECTOR)
	"1: pushq $0xed7\n popfq\n"
	".rept 20000\n nop\n .endr\n"
	"pushfq\n popq 0x10000010\n cld\n"
	"cmpq $0xed7, 0x10000010\n jz 7f\n movl $50, 0x10000004\n jmp 9f\n 7:\n"
	"cmpq 0x10000018, %rsp\n jz 7f\n movl $51, 0x10000004\n jmp 9f\n 7:\n"
	"stmxcsr 0x10000020\n cmpl $0x7f80, 0x10000020\n jz 7f\n movl $52, 0x10000004\n jmp 9f\n 7:\n"
	"cmpq $0x600d, %gs:0\n jz 7f\n movl $53, 0x10000004\n jmp 9f\n 7:\n"
	GENERAL(CHECK_GENERAL) VECTOR(CHECK_VECTOR)
	"incq 0x10000008\n"
	"cmpl $0, 0x10000000\n jnz 1b\n"
	"9: vzeroupper\n"
	"pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
	"ret\n");

static void run_registers(void)
{
	static uint64_t magic = 0x600d;
	if (syscall(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, &magic))
		_exit(1);
	spin_with_known_registers();
}

static bool has_avx(void)
{
	return __builtin_cpu_supports("avx");
}

static const char *test_registers(void)
{
	if (!has_avx())
		return skipped("this CPU has no AVX");
	pid_t pid = start(run_registers);
	EXPECT(grows_soon(&shared->rounds, 1), "the target does not run");
	for (int i = 0; i < 100; i++) {
		TRY(inject_getpid(pid));
		EXPECT(!shared->bad, "register %u differs after %d injections", shared->bad, i + 1);
	}
	EXPECT(grows_soon(&shared->rounds, 10), "the target does not go on");
	shared->stop = 0;
	int status = status_of(pid);
	EXPECT(!shared->bad && status == 0, "register %u differs, status %x", shared->bad, status);
	return NULL;
}

/* ---- interrupted system calls ---- */

static void count_signal(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (signal >= SIGRTMIN) {
		shared->queued++;
		shared->queued_sum += (uint64_t)info->si_value.sival_int;
	} else {
		shared->handled++;
	}
	shared->code = info->si_code;
	shared->sender = info->si_pid;
}

static void handle(int signal, int flags)
{
	struct sigaction action = { .sa_sigaction = count_signal, .sa_flags = SA_SIGINFO | flags };
	sigaction(signal, &action, NULL);
}

static void block(int signal)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signal);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static sigset_t only(int signal)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signal);
	return set;
}

static const struct timespec timeout = { 0, TIMEOUT_MS * 1000000 };

static long do_nanosleep(void)
{
	return nanosleep(&timeout, NULL);
}

static long do_absolute_sleep(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_nsec += TIMEOUT_MS * 1000000;
	at.tv_sec += at.tv_nsec / 1000000000;
	at.tv_nsec %= 1000000000;
	return -clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static long do_poll_timeout(void)
{
	struct pollfd fd = { shared->pipe[0], POLLIN, 0 };
	return poll(&fd, 1, TIMEOUT_MS);
}

static long do_ppoll_timeout(void)
{
	struct pollfd fd = { shared->pipe[0], POLLIN, 0 };
	sigset_t set = only(SIGUSR2);
	return ppoll(&fd, 1, &timeout, &set);
}

static long do_select_timeout(void)
{
	fd_set set;
	FD_ZERO(&set);
	FD_SET(shared->pipe[0], &set);
	return syscall(SYS_select, shared->pipe[0] + 1, &set, NULL, NULL, &(struct timeval){ 0, TIMEOUT_MS * 1000 });
}

static long do_pselect_timeout(void)
{
	fd_set set;
	sigset_t mask = only(SIGUSR2);
	FD_ZERO(&set);
	FD_SET(shared->pipe[0], &set);
	return pselect(shared->pipe[0] + 1, &set, NULL, NULL, &timeout, &mask);
}

static int epoll_of_pipe(void)
{
	int epoll = epoll_create1(0);
	epoll_ctl(epoll, EPOLL_CTL_ADD, shared->pipe[0], &(struct epoll_event){ .events = EPOLLIN });
	return epoll;
}

static long do_epoll_timeout(void)
{
	struct epoll_event event;
	return syscall(SYS_epoll_wait, epoll_of_pipe(), &event, 1, TIMEOUT_MS);
}

static long do_epoll_pwait_timeout(void)
{
	struct epoll_event event;
	sigset_t set = only(SIGUSR2);
	return epoll_pwait(epoll_of_pipe(), &event, 1, TIMEOUT_MS, &set);
}

static long do_futex_timeout(void)
{
	return syscall(SYS_futex, &shared->futex, FUTEX_WAIT, 0, &timeout, NULL, 0);
}

static long do_read(void)
{
	char byte;
	return read(shared->pipe[0], &byte, 1);
}

static long do_poll(void)
{
	struct pollfd fd = { shared->pipe[0], POLLIN, 0 };
	return poll(&fd, 1, -1);
}

static long do_epoll(void)
{
	struct epoll_event event;
	return syscall(SYS_epoll_wait, epoll_of_pipe(), &event, 1, -1);
}

static long do_epoll_pwait2(void)
{
	struct epoll_event event;
	return syscall(SYS_epoll_pwait2, epoll_of_pipe(), &event, 1, NULL, NULL, 0);
}

static long do_recv(void)
{
	char byte;
	return recv(shared->pair[0], &byte, 1, 0);
}

static long do_futex(void)
{
	return syscall(SYS_futex, &shared->futex, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static long do_sigsuspend(void)
{
	sigset_t none;
	sigemptyset(&none);
	block(SIGUSR1);
	return sigsuspend(&none);
}

static long do_pause(void)
{
	return pause();
}

static long do_sigwait(void)
{
	sigset_t set = only(SIGUSR1);
	block(SIGUSR1);
	return sigwaitinfo(&set, NULL) == SIGUSR1 ? 1 : -1;
}

static long do_wait(void)
{
	pid_t child = fork();
	if (!child) {
		char byte;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(read(shared->pipe[0], &byte, 1) == 1 ? 7 : 8);
	}
	int status = 0;
	pid_t got = wait4(child, &status, 0, NULL);
	return got == child && WEXITSTATUS(status) == 7 ? 1 : got;
}

static struct sockaddr_un accept_address(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "inject-test-%d", (int)getpgrp());
	return address;
}

static long do_accept(void)
{
	struct sockaddr_un address = accept_address();
	int socket_ = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(socket_, (struct sockaddr *)&address, sizeof(address)) || listen(socket_, 1))
		return -1;
	return accept(socket_, NULL, NULL) >= 0 ? 1 : -1;
}

static long do_semop(void)
{
	return syscall(SYS_semop, shared->semaphore, &(struct sembuf){ 0, -1, 0 }, 1L);
}

static long do_flock(void)
{
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", shared->file);
	return flock(open(path, O_RDWR | O_CLOEXEC), LOCK_EX);	/* a description of its own */
}

static void event_none(pid_t pid)
{
	(void)pid;
}

static void event_byte(pid_t pid)
{
	(void)pid;
	if (write(shared->pipe[1], "x", 1) != 1)
		exit(1);
}

static void event_send(pid_t pid)
{
	(void)pid;
	send(shared->pair[1], "x", 1, 0);
}

static void event_futex(pid_t pid)
{
	(void)pid;
	syscall(SYS_futex, &shared->futex, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void event_signal(pid_t pid)
{
	kill(pid, SIGUSR1);
}

static void event_connect(pid_t pid)
{
	struct sockaddr_un address = accept_address();
	int socket_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)pid;
	connect(socket_, (struct sockaddr *)&address, sizeof(address));
	close(socket_);
}

static void event_semaphore(pid_t pid)
{
	(void)pid;
	semop(shared->semaphore, &(struct sembuf){ 0, 1, 0 }, 1);
}

static void event_unlock(pid_t pid)
{
	(void)pid;
	flock(shared->file, LOCK_UN);
}

/* A call that waits, for TIMEOUT_MS or an event. */
struct waiting {
	const char *name;
	long number;
	long (*run)(void);
	void (*event)(pid_t pid);
	long result;
	int error;
	int signals;		/* handlers that run */
};

static const struct waiting waitings[] = {
	{ "nanosleep", SYS_clock_nanosleep, do_nanosleep, event_none, 0, 0, 0 },
	{ "clock_nanosleep, absolute", SYS_clock_nanosleep, do_absolute_sleep, event_none, 0, 0, 0 },
	{ "poll with a timeout", SYS_poll, do_poll_timeout, event_none, 0, 0, 0 },
	{ "ppoll with a timeout", SYS_ppoll, do_ppoll_timeout, event_none, 0, 0, 0 },
	{ "select with a timeout", SYS_select, do_select_timeout, event_none, 0, 0, 0 },
	{ "pselect with a timeout", SYS_pselect6, do_pselect_timeout, event_none, 0, 0, 0 },
	{ "epoll_wait with a timeout", SYS_epoll_wait, do_epoll_timeout, event_none, 0, 0, 0 },
	{ "epoll_pwait with a timeout", SYS_epoll_pwait, do_epoll_pwait_timeout, event_none, 0, 0, 0 },
	{ "futex with a timeout", SYS_futex, do_futex_timeout, event_none, -1, ETIMEDOUT, 0 },
	{ "read", SYS_read, do_read, event_byte, 1, 0, 0 },
	{ "poll", SYS_poll, do_poll, event_byte, 1, 0, 0 },
	{ "epoll_wait", SYS_epoll_wait, do_epoll, event_byte, 1, 0, 0 },
	{ "epoll_pwait2", SYS_epoll_pwait2, do_epoll_pwait2, event_byte, 1, 0, 0 },
	{ "recv", SYS_recvfrom, do_recv, event_send, 1, 0, 0 },
	{ "futex", SYS_futex, do_futex, event_futex, 0, 0, 0 },
	{ "sigsuspend", SYS_rt_sigsuspend, do_sigsuspend, event_signal, -1, EINTR, 1 },
	{ "pause", SYS_pause, do_pause, event_signal, -1, EINTR, 1 },
	{ "sigwaitinfo", SYS_rt_sigtimedwait, do_sigwait, event_signal, 1, 0, 0 },
	{ "wait4", SYS_wait4, do_wait, event_byte, 1, 0, 0 },
	{ "accept", SYS_accept, do_accept, event_connect, 1, 0, 0 },
	{ "semop", SYS_semop, do_semop, event_semaphore, 0, 0, 0 },
	{ "flock", SYS_flock, do_flock, event_unlock, 0, 0, 0 },
};

static const struct waiting *current;

static void run_waiting(void)
{
	handle(SIGUSR1, 0);
	block(SIGURG);
	uint64_t begin = now_ns();
	shared->result = current->run();
	shared->error = shared->result < 0 ? errno : 0;
	shared->elapsed_ns = now_ns() - begin;
	sigset_t mask;
	sigprocmask(SIG_BLOCK, NULL, &mask);
	memcpy((void *)&shared->mask, &mask, sizeof(shared->mask));
}

/* The mask that a call leaves: SIGURG, and SIGUSR1 where the call blocked it itself. */
static uint64_t expected_mask(const struct waiting *waiting)
{
	bool blocks = waiting->run == do_sigsuspend || waiting->run == do_sigwait;
	return 1ull << (SIGURG - 1) | (blocks ? 1ull << (SIGUSR1 - 1) : 0);
}

/* Also a machine that is busy makes calls late; what is late each time isn't the machine. */
static const char late[] = "it took much longer than its timeout, five times in a row";

static const char *check_waiting(const struct waiting *waiting, pid_t pid)
{
	int status = status_of(pid);
	long long ms = (long long)(shared->elapsed_ns / MS);
	EXPECT(status == 0, "the target ended with status %x", status);
	EXPECT(shared->result == waiting->result && shared->error == waiting->error, "it answered %lld, %s",
	       (long long)shared->result, strerror(shared->error));
	EXPECT(shared->handled == (uint64_t)waiting->signals, "%llu signals were handled",
	       (unsigned long long)shared->handled);
	EXPECT(shared->mask == expected_mask(waiting), "signal mask %llx", (unsigned long long)shared->mask);
	if (waiting->event != event_none)
		return NULL;
	EXPECT(shared->elapsed_ns >= TIMEOUT_MS * MS, "it took only %lld ms", ms);
	return ms < TIMEOUT_MS + TOLERANCE_MS ? NULL : late;
}

static const char *inject_while_waiting(const struct waiting *waiting, pid_t pid)
{
	bool times_out = waiting->event == event_none;
	EXPECT(waits_in_soon(pid, waiting->number), "the target does not wait");
	for (int i = 0; i < 3; i++) {
		sleep_ms(times_out ? TIMEOUT_MS / 5 : 1);
		const char *why = inject_getpid(pid);
		if (times_out && shared->elapsed_ns >= TIMEOUT_MS * MS)
			return i ? NULL : late;	/* it ended in its time */
		TRY(why);
		EXPECT(shared->elapsed_ns == 0, "the call ended with the injection: %lld, %s",
		       (long long)shared->result, strerror(shared->error));
	}
	return NULL;
}

static const char *try_waiting(const struct waiting *waiting)
{
	pid_t pid = start(run_waiting);
	TRY(inject_while_waiting(waiting, pid));
	sleep_ms(waiting->event == event_none ? 0 : 10);
	waiting->event(pid);
	return check_waiting(waiting, pid);
}

static const char *test_waiting(const struct waiting *waiting)
{
	current = waiting;
	int semaphore = semget(IPC_PRIVATE, 1, 0600);
	FILE *file = tmpfile();
	if (!file || semaphore < 0)
		return because("no semaphore or temporary file");
	flock(fileno(file), LOCK_EX);
	const char *why = late;
	for (int i = 0; i < 5 && why == late; i++) {
		end_targets();
		shared->semaphore = semaphore;
		shared->file = fileno(file);
		why = try_waiting(waiting);
	}
	fclose(file);
	semctl(semaphore, 0, IPC_RMID);
	/* under emulation on a busy machine every call is late */
	return why == late && getenv("KSMSCOPE_EMULATED") ? skipped("emulated: late, as all is here") : why;
}

/* ---- signals ---- */

/* A call that is waited in, with a handler for SIGUSR1. */
static void run_read_interruptible(void)
{
	handle(SIGUSR1, 0);
	shared->result = do_read();
	shared->error = shared->result < 0 ? errno : 0;
}

static void run_read_restarting(void)
{
	handle(SIGUSR1, SA_RESTART);
	shared->result = do_read();
	shared->error = shared->result < 0 ? errno : 0;
}

static void run_sleep_interruptible(void)
{
	struct timespec left = { 0, 0 };
	handle(SIGUSR1, SA_RESTART);
	shared->result = nanosleep(&(struct timespec){ 5, 0 }, &left);
	shared->error = shared->result < 0 ? errno : 0;
	shared->elapsed_ns = (uint64_t)left.tv_sec * 1000 * MS + (uint64_t)left.tv_nsec;
}

/* Inject, and have a signal come while the target stands. */
static const char *inject_with_signal(pid_t pid, int signal)
{
	struct injection *injection;
	struct error err;
	int64_t value = -1;

	EXPECT(!injection_begin(&injection, pid, 0, &err), "begin: %s", err.text);
	kill(pid, signal);
	int rc = injection_call(injection, SYS_getpid, no_arguments, &value, &err);
	injection_end(injection);
	EXPECT(!rc && value == pid, "call: %s", rc ? err.text : "wrong answer");
	return NULL;
}

static const char *test_signal_ends_read(void)
{
	pid_t pid = start(run_read_interruptible);
	EXPECT(waits_in_soon(pid, SYS_read), "the target does not wait");
	TRY(inject_with_signal(pid, SIGUSR1));
	int status = status_of(pid);
	EXPECT(status == 0 && shared->handled == 1, "status %x, %llu signals", status,
	       (unsigned long long)shared->handled);
	EXPECT(shared->result == -1 && shared->error == EINTR, "read answered %lld", (long long)shared->result);
	EXPECT(shared->code == SI_USER && shared->sender == getpid(), "the signal lost its sender");
	return NULL;
}

static const char *test_signal_restarts_read(void)
{
	pid_t pid = start(run_read_restarting);
	EXPECT(waits_in_soon(pid, SYS_read), "the target does not wait");
	TRY(inject_with_signal(pid, SIGUSR1));
	EXPECT(grows_soon(&shared->handled, shared->handled ? 0 : 1), "the signal was not handled");
	EXPECT(waits_in_soon(pid, SYS_read), "read was not restarted: %lld", (long long)shared->result);
	event_byte(pid);
	EXPECT(status_of(pid) == 0 && shared->result == 1, "read answered %lld", (long long)shared->result);
	return NULL;
}

static const char *test_signal_ends_sleep(void)
{
	pid_t pid = start(run_sleep_interruptible);
	EXPECT(waits_in_soon(pid, SYS_clock_nanosleep), "the target does not wait");
	sleep_ms(100);
	TRY(inject_with_signal(pid, SIGUSR1));
	EXPECT(status_of(pid) == 0, "it did not end");
	long long left = (long long)(shared->elapsed_ns / MS);
	EXPECT(shared->result == -1 && shared->error == EINTR, "nanosleep answered %lld", (long long)shared->result);
	EXPECT(left < 4900 && left > 4900 - TOLERANCE_MS, "%lld ms were left", left);
	return NULL;
}

#define STORM_INJECTIONS 53

static void run_storm(void)
{
	handle(SIGUSR1, SA_RESTART);
	handle(SIGRTMIN + 1, SA_RESTART);
	shared->ready = 1;
	while (shared->stop)
		shared->rounds++;
}

static void run_storm_waiting(void)
{
	handle(SIGUSR1, SA_RESTART);
	handle(SIGRTMIN + 1, SA_RESTART);
	shared->ready = 1;
	while (shared->stop)
		poll(NULL, 0, 1);
}

static _Noreturn void send_storm(pid_t pid)
{
	int count = 0;
	while (shared->storming) {
		while (sigqueue(pid, SIGRTMIN + 1, (union sigval){ .sival_int = count + 1 }))
			sleep_ms(1);
		kill(pid, SIGUSR1);
		if (++count % 8 == 0)
			nanosleep(&(struct timespec){ 0, 200000 }, NULL);
	}
	shared->sent = (uint64_t)count;
	_exit(0);
}

static const char *inject_during_storm(pid_t pid)
{
	shared->storming = 1;
	pid_t sender = fork();
	if (!sender)
		send_storm(pid);
	const char *why = NULL;
	for (int i = 0; i < STORM_INJECTIONS && !why; i++)
		why = inject_getpid(pid);
	shared->storming = 0;
	waitpid(sender, NULL, 0);
	return why;
}

static const char *storm(void (*run)(void))
{
	pid_t pid = start(run);
	EXPECT(ready_soon(), "the target does not run");
	TRY(inject_during_storm(pid));
	unsigned long long sent = shared->sent;
	for (int i = 0; i < SOON_MS && shared->queued < sent; i++)
		sleep_ms(1);
	EXPECT(sent > STORM_INJECTIONS && shared->queued == sent && shared->queued_sum == sent * (sent + 1) / 2,
	       "%llu of %llu queued signals, sum %llu", (unsigned long long)shared->queued, sent,
	       (unsigned long long)shared->queued_sum);
	uint64_t before = shared->handled;
	EXPECT(before >= 1 && before <= sent, "%llu of SIGUSR1", (unsigned long long)before);
	TRY(inject_with_signal(pid, SIGUSR1));
	EXPECT(grows_soon(&shared->handled, before + 1 - shared->handled), "the last signal was lost");
	shared->stop = 0;
	EXPECT(status_of(pid) == 0, "it did not end well");
	return NULL;
}

static const char *test_storm_running(void)
{
	return storm(run_storm);
}

static const char *test_storm_waiting(void)
{
	return storm(run_storm_waiting);
}

/* A SIGSEGV that somebody sends is no fault of the injected call: it is handled afterwards. */
static void run_segv(void)
{
	handle(SIGSEGV, SA_RESTART);
	shared->result = do_read();
}

static const char *test_sent_fault_signal(void)
{
	pid_t pid = start(run_segv);
	EXPECT(waits_in_soon(pid, SYS_read), "the target does not wait");
	TRY(inject_with_signal(pid, SIGSEGV));
	EXPECT(waits_in_soon(pid, SYS_read), "it does not go on");
	EXPECT(shared->handled == 1 && shared->code == SI_USER && shared->sender == getpid(), "handled %llu, code %d",
	       (unsigned long long)shared->handled, shared->code);
	event_byte(pid);
	EXPECT(status_of(pid) == 0 && shared->result == 1, "read answered %lld", (long long)shared->result);
	return NULL;
}

/* ---- stopped targets ---- */

static void run_counting(void)
{
	while (shared->stop)
		shared->rounds++;
}

static bool stands_still(void)
{
	uint64_t before = shared->rounds;
	sleep_ms(20);
	return shared->rounds == before;
}

static const char *test_stopped(void)
{
	pid_t pid = start(run_counting);
	int status;
	EXPECT(grows_soon(&shared->rounds, 1), "the target does not run");
	kill(pid, SIGSTOP);
	EXPECT(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status), "it does not stop");
	for (int i = 0; i < 5; i++) {
		TRY(inject_getpid(pid));
		EXPECT(is_state_soon(pid, 'T') && stands_still(), "it is not stopped any more: %c", state_of(pid));
	}
	EXPECT(waitpid(pid, &status, WUNTRACED | WCONTINUED | WNOHANG) == 0, "its parent saw another change: %x",
	       status);
	kill(pid, SIGCONT);
	EXPECT(grows_soon(&shared->rounds, 1), "it does not go on");
	shared->stop = 0;
	EXPECT(status_of(pid) == 0, "it did not end well");
	return NULL;
}

static const char *test_stopped_meanwhile(void)
{
	pid_t pid = start(run_counting);
	EXPECT(grows_soon(&shared->rounds, 1), "the target does not run");
	TRY(inject_with_signal(pid, SIGSTOP));
	EXPECT(is_state_soon(pid, 'T') && stands_still(), "SIGSTOP was lost: %c", state_of(pid));
	TRY(inject_with_signal(pid, SIGCONT));
	EXPECT(grows_soon(&shared->rounds, 1), "SIGCONT was lost");
	shared->stop = 0;
	EXPECT(status_of(pid) == 0, "it did not end well");
	return NULL;
}

/* ---- threads ---- */

static void *count_in_thread(void *index)
{
	while (shared->stop) {
		shared->rounds_of[(intptr_t)index]++;
		if ((intptr_t)index % 2)
			sleep_ms(1);
	}
	return NULL;
}

static void start_threads(void)
{
	pthread_t thread;
	for (intptr_t i = 0; i < 4; i++)
		pthread_create(&thread, NULL, count_in_thread, (void *)i);
}

static void run_threads(void)
{
	start_threads();
	while (shared->stop)
		sleep_ms(1);
}

static void run_threads_without_leader(void)
{
	start_threads();
	shared->ready = 1;
	pthread_exit(NULL);
}

static const char *check_threads(pid_t pid)
{
	for (int i = 0; i < 20; i++)
		TRY(inject_getpid(pid));
	for (int i = 0; i < 4; i++)
		EXPECT(grows_soon(&shared->rounds_of[i], 3), "thread %d does not go on", i);
	shared->stop = 0;
	EXPECT(status_of(pid) == 0, "it did not end well");
	return NULL;
}

static const char *test_threads(void)
{
	pid_t pid = start(run_threads);
	EXPECT(grows_soon(&shared->rounds_of[3], 1), "the target does not run");
	return check_threads(pid);
}

static const char *test_threads_without_leader(void)
{
	pid_t pid = start(run_threads_without_leader);
	EXPECT(ready_soon() && is_state_soon(pid, 'Z'), "the leader does not end");
	return check_threads(pid);
}

static pid_t other_thread(pid_t pid)
{
	char path[32];
	uint64_t thread = 0;
	struct dirent *entry;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (parse_u64(entry->d_name, &thread) && (pid_t)thread != pid)
			break;
	if (dir)
		closedir(dir);
	return (pid_t)thread;
}

/* A thread's number is refused; and while one thread stands, the others run. */
static const char *test_others_run(void)
{
	struct injection *injection;
	struct error err;
	pid_t pid = start(run_threads);
	EXPECT(grows_soon(&shared->rounds_of[2], 1), "the target does not run");
	EXPECT(!injection_begin(&injection, pid, 0, &err), "begin: %s", err.text);
	bool run = grows_soon(&shared->rounds_of[0], 1) && grows_soon(&shared->rounds_of[2], 1);
	injection_end(injection);
	EXPECT(run, "the other threads stand still as well");
	return refused(other_thread(pid), 0, EXIT_FAILED, "thread of process");
}

/* ---- memory merging, what all this is for ---- */

static void *mapping;

static void run_mapping(void)
{
	char byte;
	mapping = mmap((void *)0x20000000, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		       -1, 0);
	memset(mapping, 1, 1 << 20);
	shared->result = read(shared->pipe[0], &byte, 1);
}

static bool has_flag(pid_t pid, const char *flag)
{
	static char text[1 << 18];
	if (!read_proc(pid, "smaps", text, sizeof(text)))
		return false;
	char *at = strstr(text, "\n20000000-");
	at = at ? strstr(at, "VmFlags:") : NULL;
	char *end = at ? strchr(at, '\n') : NULL;
	if (!end)
		return false;
	*end = '\0';
	return strstr(at, flag);
}

static bool merges_any(pid_t pid)
{
	char text[1024];
	return read_proc(pid, "ksm_stat", text, sizeof(text)) && strstr(text, "ksm_merge_any: yes");
}

#ifdef __SANITIZE_ADDRESS__
#define TERABYTES true		/* of address space, which the kernel would unmerge for minutes, page by page */
#else
#define TERABYTES false
#endif

static const char *test_prctl(void)
{
	if (TERABYTES)
		return skipped("AddressSanitizer reserves more address space than can be unmerged in time");
	int64_t value = -1;
	uint64_t on[6] = { PR_SET_MEMORY_MERGE, 1, 0, 0, 0, 0 }, off[6] = { PR_SET_MEMORY_MERGE, 0, 0, 0, 0, 0 };
	uint64_t wrong[6] = { PR_SET_MEMORY_MERGE, 1, 1, 0, 0, 0 };
	char text[1024];
	pid_t pid = start(run_mapping);
	EXPECT(waits_in_soon(pid, SYS_read), "the target does not wait");
	if (!read_proc(pid, "ksm_stat", text, sizeof(text)) || !strstr(text, "ksm_merge_any"))
		return skipped("this kernel does not show ksm_merge_any");
	TRY(inject(pid, SYS_prctl, wrong, &value));
	EXPECT(value == -EINVAL, "a third argument was not handed over: %lld", (long long)value);
	TRY(inject(pid, SYS_prctl, on, &value));
	EXPECT(value == 0 && merges_any(pid), "prctl answered %lld", (long long)value);
	TRY(inject(pid, SYS_prctl, off, &value));
	EXPECT(value == 0 && !merges_any(pid), "switching off answered %lld", (long long)value);
	event_byte(pid);
	EXPECT(status_of(pid) == 0 && shared->result == 1, "read answered %lld", (long long)shared->result);
	return NULL;
}

static const char *merge_mapping(pid_t pid)
{
	int64_t value = -1;
	uint64_t arguments[6] = { 0x20000000, 1 << 20, MADV_MERGEABLE };
	TRY(inject(pid, SYS_madvise, arguments, &value));
	EXPECT(value == 0 && has_flag(pid, " mg"), "madvise answered %lld", (long long)value);
	arguments[2] = MADV_UNMERGEABLE;
	TRY(inject(pid, SYS_madvise, arguments, &value));
	EXPECT(value == 0 && !has_flag(pid, " mg"), "undoing answered %lld", (long long)value);
	return NULL;
}

static const char *test_madvise(void)
{
	pid_t pid = start(run_mapping);
	EXPECT(waits_in_soon(pid, SYS_read), "the target does not wait");
	TRY(merge_mapping(pid));
	event_byte(pid);
	EXPECT(status_of(pid) == 0 && shared->result == 1, "read answered %lld", (long long)shared->result);
	return NULL;
}

/* All six arguments arrive: a file's third page mapped where it was asked for. */
static const char *test_six_arguments(void)
{
	static char text[1 << 16];
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	FILE *file = tmpfile();
	char expected[64];
	int64_t value = -1;

	EXPECT(file && !ftruncate(fileno(file), (off_t)page * 4), "no temporary file");
	pid_t pid = start(run_mapping);	/* inherits the descriptor */
	EXPECT(waits_in_soon(pid, SYS_read), "the target does not wait");
	uint64_t arguments[6] = { 0x30000000, page * 2, PROT_READ, MAP_PRIVATE | MAP_FIXED_NOREPLACE,
				  (uint64_t)fileno(file), page * 2 };
	TRY(inject(pid, SYS_mmap, arguments, &value));
	fclose(file);
	EXPECT(value == 0x30000000, "mmap answered %lld", (long long)value);
	snprintf(expected, sizeof(expected), "30000000-%llx r--p %08llx", (unsigned long long)(0x30000000 + page * 2),
		 (unsigned long long)page * 2);
	EXPECT(read_proc(pid, "maps", text, sizeof(text)) && strstr(text, expected), "no mapping %s", expected);
	return NULL;
}

/* ---- seccomp ---- */

/* madvise kills, getppid answers E2BIG. */
static int install_filter(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | E2BIG),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void run_filtered(void)
{
	if (install_filter())
		_exit(1);
	run_mapping();
	shared->error = syscall(SYS_getppid) < 0 ? errno : 0;	/* the filter is in force again */
	madvise(mapping, 1 << 20, MADV_MERGEABLE);		/* and kills */
}

static const char *test_seccomp_filter(void)
{
	pid_t pid = start(run_filtered);
	EXPECT(waits_in_soon(pid, SYS_read), "the target does not wait");
	TRY(merge_mapping(pid));
	TRY(inject_getpid(pid));
	event_byte(pid);
	int status = status_of(pid);
	EXPECT(shared->result == 1 && shared->error == E2BIG, "read %lld, filter %d", (long long)shared->result,
	       shared->error);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "its filter did not survive: status %x", status);
	return NULL;
}

static void run_strict(void)
{
	char byte;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		_exit(1);
	shared->result = read(shared->pipe[0], &byte, 1);
	syscall(SYS_exit, 3);
}

static const char *test_seccomp_strict(void)
{
	pid_t pid = start(run_strict);
	EXPECT(waits_in_soon(pid, SYS_read), "the target does not wait");
	TRY(inject_getpid(pid));
	event_byte(pid);
	int status = status_of(pid);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 3 && shared->result == 1, "status %x", status);
	return NULL;
}

/* ---- fewer rights: the case runs in a child that gives them up ---- */

struct child {
	pid_t pid;
	int answer;
};

static struct child start_child(const char *(*run)(pid_t pid), pid_t pid)
{
	int channel[2];
	if (pipe2(channel, O_CLOEXEC))
		exit(1);
	fflush(stdout);
	struct child child = { fork(), channel[0] };
	if (!child.pid) {
		const char *why = run(pid);
		if (why && write(channel[1], why, strlen(why)) < 0)
			_exit(2);
		_exit(0);
	}
	close(channel[1]);
	return child;
}

static const char *end_child(struct child child)
{
	static char text[600];
	ssize_t got = read(child.answer, text, sizeof(text) - 1);
	close(child.answer);
	waitpid(child.pid, NULL, 0);
	text[got > 0 ? got : 0] = '\0';
	return got > 0 ? text : NULL;
}

static const char *in_child(const char *(*run)(pid_t pid), pid_t pid)
{
	return end_child(start_child(run, pid));
}

static int drop_capability(int capability)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];
	if (syscall(SYS_capget, &header, data))
		return -1;
	data[capability / 32].effective &= ~(1u << capability % 32);
	data[capability / 32].permitted &= ~(1u << capability % 32);
	return (int)syscall(SYS_capset, &header, data);
}

static const char *refused_without_sys_admin(pid_t pid)
{
	EXPECT(!drop_capability(CAP_SYS_ADMIN), "capset: %s", strerror(errno));
	return refused(pid, 0, EXIT_NOT_PERMITTED, "seccomp filter");
}

static const char *test_seccomp_refused(void)
{
	pid_t pid = start(run_filtered);
	EXPECT(waits_in_soon(pid, SYS_read), "the target does not wait");
	TRY(in_child(refused_without_sys_admin, pid));
	EXPECT(waits_in(pid) == SYS_read && !shared->result, "the target noticed");
	return NULL;
}

static const char *works_without_sys_admin(pid_t pid)
{
	int64_t value;
	EXPECT(!drop_capability(CAP_SYS_ADMIN), "capset: %s", strerror(errno));
	TRY(inject(pid, SYS_getpid, no_arguments, &value));
	EXPECT(value == pid, "getpid gave %lld", (long long)value);
	return NULL;
}

static const char *test_without_sys_admin(void)
{
	pid_t pid = start(run_mapping);
	EXPECT(waits_in_soon(pid, SYS_read), "the target does not wait");
	return in_child(works_without_sys_admin, pid);
}

static const char *refused_as_nobody(pid_t pid)
{
	EXPECT(!setgid(65534) && !setuid(65534), "setuid: %s", strerror(errno));
	return refused(pid, 0, EXIT_NOT_PERMITTED, "run as root");
}

static const char *test_not_permitted(void)
{
	pid_t pid = start(run_mapping);
	EXPECT(waits_in_soon(pid, SYS_read), "the target does not wait");
	return in_child(refused_as_nobody, pid);
}

/* ---- refused targets ---- */

static const char *test_traced(void)
{
	pid_t pid = start(run_mapping);
	EXPECT(waits_in_soon(pid, SYS_read), "the target does not wait");
	EXPECT(!ptrace(PTRACE_SEIZE, pid, 0, 0), "trace: %s", strerror(errno));
	return refused(pid, 0, EXIT_FAILED, "already traced");
}

static const char *test_zombie(void)
{
	pid_t pid = start(run_counting);
	shared->stop = 0;
	EXPECT(is_state_soon(pid, 'Z'), "it does not end");
	return refused(pid, 0, EXIT_FAILED, "zombie");
}

static const char *test_kernel_thread(void)
{
	char text[64];
	if (!read_proc(2, "comm", text, sizeof(text)) || strcmp(text, "kthreadd\n"))
		return skipped("process 2 is not kthreadd here (a PID namespace)");
	return refused(2, 0, EXIT_FAILED, "kernel thread");
}

static const char *test_ourselves(void)
{
	return refused(getpid(), 0, EXIT_FAILED, "ourselves");
}

static const char *test_nobody_there(void)
{
	pid_t pid = start(run_counting);
	shared->stop = 0;
	EXPECT(status_of(pid) == 0, "it does not end");
	TRY(refused(pid, 0, EXIT_FAILED, "does not exist"));
	TRY(refused(0, 0, EXIT_FAILED, "not a process"));
	return refused(-1, 0, EXIT_FAILED, "not a process");
}

static const char *test_other_start(void)
{
	pid_t pid = start(run_mapping);
	EXPECT(waits_in_soon(pid, SYS_read), "the target does not wait");
	return refused(pid, start_ticks_of(pid) + 1, EXIT_FAILED, "another one has its number");
}

/* A static program without libc, so that no 32-bit library is needed. */
static const char source_32bit[] =
	"__asm__(\".globl _start\\n_start: mov $162, %eax\\n mov $time, %ebx\\n xor %ecx, %ecx\\n int $0x80\\n\"\n"
	"\"mov $1, %eax\\n mov $5, %ebx\\n int $0x80\\n .data\\n time: .long 30, 0\\n\");\n";

static const char *build_32bit(const char *path)
{
	char command[256];
	snprintf(command, sizeof(command), "gcc -m32 -static -nostdlib -x c -o %s - 2>/dev/null", path);
	FILE *compiler = popen(command, "w");
	if (!compiler)
		return "no compiler";
	fputs(source_32bit, compiler);
	return pclose(compiler) ? "gcc -m32 is not there" : NULL;
}

static char program_32bit[64];

static void run_32bit(void)
{
	execl(program_32bit, program_32bit, NULL);
	_exit(1);
}

static const char *test_32bit(void)
{
	snprintf(program_32bit, sizeof(program_32bit), "/tmp/inject-test-32bit-%d", getpid());
	const char *why = build_32bit(program_32bit);
	if (why)
		return skipped(why);
	pid_t pid = start(run_32bit);
	bool waits = waits_in_soon(pid, 162);
	unlink(program_32bit);
	if (!waits)
		return skipped("this kernel does not run 32-bit programs");
	TRY(refused(pid, 0, EXIT_FAILED, "32-bit"));
	sleep_ms(20);
	EXPECT(state_of(pid) == 'S' && kill(pid, 0) == 0, "the target noticed: %c", state_of(pid));
	return NULL;
}

/*
 * Calls from outside of its own text raise SIGSYS: the vDSO's instruction is no
 * use then. Afterwards the program makes such a call itself: its handler is there.
 */
static char selector;		/* 1: in force */

static void count_dispatched(int signal, siginfo_t *info, void *context)
{
	selector = 0;
	count_signal(signal, info, context);
}

static void run_dispatched(void)
{
	extern char __executable_start, etext;
	struct sigaction action = { .sa_sigaction = count_dispatched, .sa_flags = SA_SIGINFO };
	sigaction(SIGSYS, &action, NULL);
	selector = 1;
	long rc = prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, &__executable_start,
			&etext - &__executable_start, &selector);
	if (rc)
		selector = 0;
	struct timespec time = { 0, TIMEOUT_MS * 1000000 };
	register long number __asm__("rax") = rc ? SYS_exit_group : SYS_nanosleep;
	register long first __asm__("rdi") = rc ? 9 : (long)&time;
	register long second __asm__("rsi") = 0;
	__asm__ volatile("syscall" : "+r"(number) : "r"(first), "r"(second) : "rcx", "r11", "memory");
	shared->result = number;
	shared->rounds = shared->handled;
	syscall(SYS_getpid);
	shared->ready = 1;
}

static const char *test_user_dispatch(void)
{
	struct injection *injection;
	struct error err = { 0 };
	int64_t value;
	pid_t pid = start(run_dispatched);
	if (!waits_in_soon(pid, SYS_nanosleep))
		return skipped("this kernel has no syscall user dispatch");
	EXPECT(!injection_begin(&injection, pid, 0, &err), "begin: %s", err.text);
	int rc = injection_call(injection, SYS_getpid, no_arguments, &value, &err);
	injection_end(injection);
	EXPECT(rc == -EXIT_FAILED && strstr(err.text, "does not let a call through"), "call: %d %s", rc, err.text);
	EXPECT(status_of(pid) == 0 && shared->ready && !shared->result, "nanosleep answered %lld",
	       (long long)shared->result);
	EXPECT(shared->rounds == 0 && shared->handled == 1, "its handler ran %llu times, then %llu times",
	       (unsigned long long)shared->rounds, (unsigned long long)shared->handled);
	return NULL;
}

/* ---- targets that end, or change, midway ---- */

static int open_descriptors(void)
{
	int count = 0;
	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Of ours, zombies too. */
static int children(void)
{
	char name[64], text[4096];
	int count = 0;
	snprintf(name, sizeof(name), "task/%d/children", getpid());
	if (!read_proc(getpid(), name, text, sizeof(text)))
		return -1;
	for (const char *at = text; *at; at++)
		count += *at == ' ';
	return count;
}

static void run_shortly(void)
{
	nanosleep(&(struct timespec){ 0, (getpid() % 40) * 50000 }, NULL);
}

static const char *test_ending(void)
{
	int before = open_descriptors(), children_before = children();
	int worked = 0, ended = 0;
	for (int i = 0; i < 100; i++) {
		struct injection *injection;
		struct error err = { 0 };
		int64_t value;
		pid_t pid = start(run_shortly);
		int rc = injection_begin(&injection, pid, 0, &err);
		if (!rc)
			rc = injection_call(injection, SYS_getpid, no_arguments, &value, &err);
		injection_end(injection);
		EXPECT(!rc || rc == -EXIT_FAILED, "status %d: %s", -rc, err.text);
		EXPECT(rc || value == pid, "getpid gave %lld", (long long)value);
		EXPECT(status_of(pid) == 0, "the target did not end well");
		*(rc ? &ended : &worked) += 1;
		end_targets();
	}
	EXPECT(open_descriptors() == before, "%d descriptors, %d before", open_descriptors(), before);
	EXPECT(children() == children_before, "%d children, %d before", children(), children_before);
	return worked + ended == 100 ? NULL : "miscounted";
}

static const char *test_killed_standing(void)
{
	struct injection *injection;
	struct error err = { 0 };
	int64_t value;
	pid_t pid = start(run_counting);
	EXPECT(grows_soon(&shared->rounds, 1), "the target does not run");
	EXPECT(!injection_begin(&injection, pid, 0, &err), "begin: %s", err.text);
	kill(pid, SIGKILL);
	int rc = injection_call(injection, SYS_getpid, no_arguments, &value, &err);
	int again = injection_call(injection, SYS_getpid, no_arguments, &value, NULL);
	injection_end(injection);
	EXPECT(rc == -EXIT_FAILED && strstr(err.text, "ended"), "call: %d %s", rc, err.text);
	EXPECT(again == -EXIT_FAILED, "a second call: %d", again);
	int status = status_of(pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x", status);
	return NULL;
}

/* Killed while the injected call itself waits: the call ends, and with it the injection. */
static const char *test_killed_in_call(void)
{
	struct injection *injection;
	struct error err = { 0 };
	int64_t value = 0;
	pid_t pid = start(run_counting);
	EXPECT(grows_soon(&shared->rounds, 1), "the target does not run");
	EXPECT(!injection_begin(&injection, pid, 0, &err), "begin: %s", err.text);
	pid_t killer = fork();
	if (!killer) {
		sleep_ms(50);
		kill(pid, SIGKILL);
		_exit(0);
	}
	int rc = injection_call(injection, SYS_pause, no_arguments, &value, &err);
	injection_end(injection);
	waitpid(killer, NULL, 0);
	EXPECT(rc == -EXIT_FAILED, "call: %d, %lld", rc, (long long)value);
	int status = status_of(pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x", status);
	return NULL;
}

static char *const execed[] = { "inject_test", "--execed", NULL };

static void *exec_when_told(void *unused)
{
	char byte;
	if (read(shared->pipe[0], &byte, 1) == 1)
		execv("/proc/self/exe", execed);
	return unused;
}

static void run_exec(void)
{
	pthread_t thread;
	pthread_create(&thread, NULL, exec_when_told, NULL);
	sleep_ms(10000);
}

/* Another thread executes a program while ours stands: that has to wait for us in the kernel. */
static const char *test_exec_meanwhile(void)
{
	struct injection *injection;
	struct error err = { 0 };
	int64_t value;
	pid_t pid = start(run_exec);
	EXPECT(waits_in_soon(pid, SYS_clock_nanosleep), "the target does not wait");
	EXPECT(!injection_begin(&injection, pid, 0, &err), "begin: %s", err.text);
	event_byte(pid);
	bool ended = is_state_soon(pid, 'Z');	/* the kernel ends all other threads first */
	int rc = injection_call(injection, SYS_getpid, no_arguments, &value, &err);
	injection_end(injection);
	EXPECT(ended && rc == -EXIT_FAILED, "call: %d", rc);
	int status = status_of(pid);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 42, "exec did not come about: status %x", status);
	return NULL;
}

/* ---- the tracer's own troubles ---- */

static pid_t tracer_of(pid_t pid)
{
	char text[4096];
	const char *at = read_proc(pid, "status", text, sizeof(text)) ? strstr(text, "\nTracerPid:") : NULL;
	return at ? (pid_t)strtol(at + 11, NULL, 10) : -1;
}

static bool let_go_soon(pid_t pid)
{
	for (int i = 0; i < SOON_MS; i++) {
		if (tracer_of(pid) == 0)
			return true;
		sleep_ms(1);
	}
	return false;
}

static const char *sleeps_right(pid_t pid)
{
	static const struct waiting sleep_ = { "", 0, do_nanosleep, event_none, 0, 0, 0 };
	const char *why = check_waiting(&sleep_, pid);
	return why == late ? NULL : why;	/* tried once only; the cases of waiting judge lateness */
}

static pid_t start_sleeping(void)
{
	current = &waitings[0];
	pid_t pid = start(run_waiting);
	waits_in_soon(pid, SYS_clock_nanosleep);
	return pid;
}

static const char *test_caller_killed(void)
{
	pid_t pid = start_sleeping();
	pid_t caller = fork();
	if (!caller) {
		struct injection *injection;
		int64_t value;
		if (!injection_begin(&injection, pid, 0, NULL) &&
		    !injection_call(injection, SYS_getpid, no_arguments, &value, NULL))
			shared->ready = 1;
		pause();
	}
	bool ready = ready_soon();
	kill(caller, SIGKILL);
	waitpid(caller, NULL, 0);
	EXPECT(ready, "the injection did not work");
	EXPECT(let_go_soon(pid), "it is still traced");
	return sleeps_right(pid);
}

static const char *test_tracer_killed(void)
{
	struct injection *injection;
	struct error err = { 0 };
	int64_t value;
	pid_t pid = start_sleeping();
	EXPECT(!injection_begin(&injection, pid, 0, &err), "begin: %s", err.text);
	EXPECT(!injection_call(injection, SYS_getpid, no_arguments, &value, &err), "call: %s", err.text);
	pid_t tracer = tracer_of(pid);
	if (tracer > 0)
		kill(tracer, SIGKILL);	/* a child of ours that injection_begin() started */
	int rc = injection_call(injection, SYS_getpid, no_arguments, &value, &err);
	injection_end(injection);
	EXPECT(tracer > 0 && rc == -EXIT_FAILED, "tracer %d, call: %d", tracer, rc);
	return sleeps_right(pid);
}

static const char *test_caller_dawdles(void)
{
	struct injection *injection;
	struct error err = { 0 };
	int64_t value;
	pid_t pid = start(run_counting);
	EXPECT(grows_soon(&shared->rounds, 1), "the target does not run");
	EXPECT(!injection_begin(&injection, pid, 0, &err), "begin: %s", err.text);
	EXPECT(stands_still(), "it does not stand still");
	bool goes_on = grows_soon(&shared->rounds, 1);
	int rc = injection_call(injection, SYS_getpid, no_arguments, &value, &err);
	injection_end(injection);
	EXPECT(goes_on, "it was not let go");
	EXPECT(rc == -EXIT_FAILED && strstr(err.text, "let go"), "call: %d %s", rc, err.text);
	shared->stop = 0;
	EXPECT(status_of(pid) == 0, "it did not end well");
	return NULL;
}

/* ---- a call that takes too long, ten seconds; runs beside the other cases ---- */

static void run_until_told(void)
{
	char byte;
	_exit(read(shared->pipe[0], &byte, 1) == 1 ? 0 : 1);
}

static const char *interrupts_long_call(pid_t unused)
{
	int64_t value = 0;
	(void)unused;
	memset(targets, 0, sizeof(targets));
	if (!map_shared(MAP_FIXED))
		return "no memory of its own";
	pid_t pid = start(run_until_told);
	EXPECT(waits_in_soon(pid, SYS_read), "the target does not wait");
	uint64_t before = now_ns();
	const char *why = inject(pid, SYS_pause, no_arguments, &value);
	uint64_t ms = (now_ns() - before) / MS;
	event_byte(pid);
	int status = status_of(pid);
	EXPECT(!why && value == -EINTR, "%s, %lld", why ? why : "the call answered", (long long)value);
	EXPECT(ms > 9000 && ms < 13000, "after %llu ms", (unsigned long long)ms);
	EXPECT(status == 0, "the target did not go on well: status %x", status);
	return NULL;
}

/* ---- targets that don't stop ---- */

/* vfork()'s parent waits in a way that only SIGKILL ends. */
static void run_vfork(void)
{
	pid_t child = vfork();
	if (!child) {
		char byte;
		_exit(read(shared->pipe[0], &byte, 1) == 1 ? 7 : 8);
	}
	int status = 0;
	shared->result = waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7;
}

static const char *test_unstoppable(void)
{
	pid_t pid = start(run_vfork);
	EXPECT(is_state_soon(pid, 'D'), "the target does not wait");
	uint64_t before = now_ns();
	TRY(refused(pid, 0, EXIT_FAILED, "did not stop within a second"));
	EXPECT(now_ns() - before < 1500 * MS, "it took %llu ms", (unsigned long long)((now_ns() - before) / MS));
	EXPECT(tracer_of(pid) == 0, "it is still traced");
	event_byte(pid);
	EXPECT(status_of(pid) == 0 && shared->result == 1, "vfork answered %lld", (long long)shared->result);
	return NULL;
}

/* A freezer of our own: a directory of either version of cgroups. */
struct freezer {
	const char *root, *file, *freeze, *thaw;
	char path[128];
};

static bool write_file(const char *directory, const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return done;
}

static bool make_freezer(struct freezer *freezer, pid_t pid)
{
	char number[16];
	snprintf(freezer->path, sizeof(freezer->path), "%s/inject-test-%d", freezer->root, getpid());
	snprintf(number, sizeof(number), "%d", pid);
	return !mkdir(freezer->path, 0700) && write_file(freezer->path, "cgroup.procs", number);
}

static void remove_freezer(struct freezer *freezer)
{
	write_file(freezer->path, freezer->file, freezer->thaw);
	end_targets();
	for (int i = 0; i < 100 && rmdir(freezer->path) && errno == EBUSY; i++)
		sleep_ms(10);
}

static void run_sleeping_on(void)
{
	while (shared->stop) {
		if (nanosleep(&(struct timespec){ 0, 1000000 }, NULL))
			shared->bad++;
		shared->rounds++;
	}
}

/* Frozen between begin and call: nothing runs, and it is put back when it thaws. */
static const char *frozen_between(struct freezer *freezer, pid_t pid)
{
	struct injection *injection;
	struct error err = { 0 };
	int64_t value;
	EXPECT(!injection_begin(&injection, pid, 0, &err), "begin: %s", err.text);
	bool frozen = write_file(freezer->path, freezer->file, freezer->freeze);
	int rc = injection_call(injection, SYS_getpid, no_arguments, &value, &err);
	injection_end(injection);
	EXPECT(frozen && rc == -EXIT_FAILED && strstr(err.text, "frozen"), "call: %d %s", rc, err.text);
	EXPECT(write_file(freezer->path, freezer->file, freezer->thaw), "it can't be thawed");
	EXPECT(let_go_soon(pid) && grows_soon(&shared->rounds, 3), "it does not go on after thawing");
	TRY(inject_getpid(pid));
	return NULL;
}

static const char *freeze_and_inject(struct freezer *freezer)
{
	struct injection *injection;
	struct error err = { 0 };
	pid_t pid = start(run_sleeping_on);
	if (!make_freezer(freezer, pid))
		return skipped("no cgroup freezer of this version here");
	EXPECT(grows_soon(&shared->rounds, 1), "the target does not run");
	EXPECT(write_file(freezer->path, freezer->file, freezer->freeze), "it can't be frozen");
	sleep_ms(20);
	EXPECT(stands_still(), "it is not frozen");
	if (!injection_begin(&injection, pid, 0, &err))
		injection_end(injection);	/* version 2 lets a tracer in */
	else
		EXPECT(strstr(err.text, "did not stop within a second"), "begin: %s", err.text);
	EXPECT(stands_still(), "it is not frozen any more");
	EXPECT(write_file(freezer->path, freezer->file, freezer->thaw), "it can't be thawed");
	EXPECT(grows_soon(&shared->rounds, 3), "it does not go on after thawing");
	TRY(frozen_between(freezer, pid));
	shared->stop = 0;
	EXPECT(status_of(pid) == 0 && !shared->bad, "nanosleep failed %u times", shared->bad);
	return NULL;
}

static const char *frozen(const char *root, const char *file, const char *freeze, const char *thaw)
{
	struct freezer freezer = { root, file, freeze, thaw, "" };
	const char *why = freeze_and_inject(&freezer);
	remove_freezer(&freezer);
	return why;
}

static const char *test_frozen_v1(void)
{
	return frozen("/sys/fs/cgroup/freezer", "freezer.state", "FROZEN", "THAWED");
}

static const char *test_frozen_v2(void)
{
	struct stat status;
	bool unified = !stat("/sys/fs/cgroup/unified/cgroup.procs", &status);
	return frozen(unified ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup", "cgroup.freeze", "1", "0");
}

/* ---- restartable sequences ---- */

/*
 * A critical section that never ends by itself: only its being aborted gets the
 * thread out of it, by way of the abort handler, which counts and goes back in.
 * If the kernel's note of the section got lost, it would loop for ever.
 */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

void loop_in_rseq(void *rseq_cs_field);
__asm__(
	".pushsection .data\n .balign 32\n"
	"section: .long 0, 0\n .quad rseq_start, rseq_end - rseq_start, rseq_abort\n"
	".popsection\n"
	".globl loop_in_rseq\n"
	"loop_in_rseq:\n"
	"lea section(%rip), %rax\n"
	"mov %rax, (%rdi)\n"
	"rseq_start: cmpl $0, 0x10000000\n jnz rseq_start\n"
	"rseq_end: ret\n"
	".long 0x53053053\n"
	"rseq_abort: incq 0x10000008\n jmp loop_in_rseq\n");

static void run_rseq(void)
{
	handle(SIGUSR1, SA_RESTART);
	loop_in_rseq((char *)__builtin_thread_pointer() + __rseq_offset + 8);
}

static const char *test_rseq(void)
{
	if (!&__rseq_size || !__rseq_size)
		return skipped("this C library does not register restartable sequences");
	pid_t pid = start(run_rseq);
	for (int i = 0; i < 20; i++) {
		uint64_t before = shared->rounds;
		TRY(inject_getpid(pid));
		EXPECT(grows_soon(&shared->rounds, before + 1 - shared->rounds), "the section was not aborted");
		before = shared->rounds;
		kill(pid, SIGUSR1);
		EXPECT(grows_soon(&shared->rounds, before + 1 - shared->rounds), "the kernel lost the section");
	}
	shared->stop = 0;
	EXPECT(status_of(pid) == 0, "it did not end well");
	return NULL;
}

/* ---- a program that steps through itself ---- */

static void run_stepping(void)
{
	handle(SIGTRAP, 0);
	__asm__ volatile("pushfq\n orq $0x100, (%%rsp)\n popfq\n"
			 "1: incq 0x10000008\n cmpl $0, 0x10000000\n jnz 1b\n"
			 "pushfq\n andq $~0x100, (%%rsp)\n popfq\n" : : : "memory", "cc");
	shared->ready = 1;
}

static const char *test_stepping(void)
{
	pid_t pid = start(run_stepping);
	EXPECT(grows_soon(&shared->handled, 10), "the target does not run");
	for (int i = 0; i < 20; i++)
		TRY(inject_getpid(pid));
	EXPECT(grows_soon(&shared->rounds, 10), "it does not go on");
	shared->stop = 0;
	int status = status_of(pid);
	EXPECT(status == 0 && shared->ready, "status %x", status);
	unsigned long long steps = shared->handled, rounds = shared->rounds;
	EXPECT(steps >= rounds * 3 && steps <= rounds * 3 + 6, "%llu steps in %llu rounds", steps, rounds);
	return NULL;
}

/* ---- many in a row ---- */

static void *answer_pings(void *unused)
{
	uint64_t number;
	while (read(shared->pair[1], &number, sizeof(number)) == sizeof(number)) {
		number++;
		if (write(shared->pair[1], &number, sizeof(number)) != sizeof(number))
			shared->bad = 2;
	}
	return unused;
}

static void run_ping_pong(void)
{
	pthread_t thread;
	pthread_create(&thread, NULL, answer_pings, NULL);
	for (uint64_t i = 0; shared->stop; i++) {
		uint64_t number = i;
		if (write(shared->pair[0], &number, sizeof(number)) != sizeof(number) ||
		    read(shared->pair[0], &number, sizeof(number)) != sizeof(number) || number != i + 1 ||
		    nanosleep(&(struct timespec){ 0, 300000 }, NULL))
			shared->bad = 1;
		shared->rounds++;
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static const char *test_many(void)
{
	static uint64_t stopped[200];
	struct error err = { 0 };
	int64_t value;
	pid_t pid = start(run_ping_pong);
	EXPECT(grows_soon(&shared->rounds, 1), "the target does not run");
	for (int i = 0; i < 200; i++) {
		struct injection *injection;
		EXPECT(!injection_begin(&injection, pid, 0, &err), "begin: %s", err.text);
		int rc = injection_call(injection, SYS_getpid, no_arguments, &value, &err);
		stopped[i] = injection_stopped_ns(injection);
		injection_end(injection);
		EXPECT(!rc && value == pid && !shared->bad, "injection %d: %s", i,
		       rc ? err.text : "something got lost");
	}
	EXPECT(grows_soon(&shared->rounds, 3), "the target does not go on");
	shared->stop = 0;
	EXPECT(status_of(pid) == 0 && !shared->bad, "something got lost");
	qsort(stopped, 200, sizeof(stopped[0]), compare);
	printf("# the target stood still for %llu us (median of 200, one call), at most %llu us\n",
	       (unsigned long long)stopped[100] / 1000, (unsigned long long)stopped[199] / 1000);
	return NULL;
}

/* ---- all of them ---- */

static const struct {
	const char *name;
	const char *(*run)(void);
} cases[] = {
	{ "every register of a busy loop", test_registers },
	{ "a signal during the injection ends read", test_signal_ends_read },
	{ "a signal with SA_RESTART restarts read", test_signal_restarts_read },
	{ "a signal ends nanosleep, with the time left", test_signal_ends_sleep },
	{ "a storm of signals, running", test_storm_running },
	{ "a storm of signals, waiting", test_storm_waiting },
	{ "a SIGSEGV that was sent", test_sent_fault_signal },
	{ "stopped stays stopped", test_stopped },
	{ "SIGSTOP and SIGCONT during the injection", test_stopped_meanwhile },
	{ "many threads", test_threads },
	{ "threads without their leader", test_threads_without_leader },
	{ "other threads run on", test_others_run },
	{ "prctl(PR_SET_MEMORY_MERGE)", test_prctl },
	{ "madvise(MADV_MERGEABLE)", test_madvise },
	{ "six arguments", test_six_arguments },
	{ "under a seccomp filter", test_seccomp_filter },
	{ "under strict seccomp", test_seccomp_strict },
	{ "refused: a filter that may not be suspended", test_seccomp_refused },
	{ "without CAP_SYS_ADMIN, no filter", test_without_sys_admin },
	{ "refused: not permitted", test_not_permitted },
	{ "refused: already traced", test_traced },
	{ "refused: zombie", test_zombie },
	{ "refused: kernel thread", test_kernel_thread },
	{ "refused: ourselves", test_ourselves },
	{ "refused: no such process", test_nobody_there },
	{ "refused: another start time", test_other_start },
	{ "refused: 32-bit", test_32bit },
	{ "refused: syscall user dispatch", test_user_dispatch },
	{ "targets that end at once", test_ending },
	{ "killed while it stands", test_killed_standing },
	{ "killed in the call", test_killed_in_call },
	{ "another program executed meanwhile", test_exec_meanwhile },
	{ "the caller is killed", test_caller_killed },
	{ "the tracer is killed", test_tracer_killed },
	{ "the caller dawdles", test_caller_dawdles },
	{ "refused: does not stop", test_unstoppable },
	{ "frozen, cgroup version 1", test_frozen_v1 },
	{ "frozen, cgroup version 2", test_frozen_v2 },
	{ "restartable sequences", test_rseq },
	{ "a program that steps through itself", test_stepping },
	{ "200 in a row", test_many },
};

static bool report(const char *name, const char *why)
{
	bool bad = why && why[0] != ' ';
	printf("%s - %s%s%s\n", bad ? "not ok" : "ok", name, bad ? ": " : "", why ? why : "");
	fflush(stdout);
	end_targets();
	return bad;
}

static bool run_waitings(const char *wanted)
{
	bool failed = false;
	char name[80];
	for (size_t i = 0; i < sizeof(waitings) / sizeof(waitings[0]); i++) {
		snprintf(name, sizeof(name), "waiting in %s", waitings[i].name);
		if (strstr(name, wanted))
			failed |= report(name, test_waiting(&waitings[i]));
	}
	return failed;
}

static bool run_cases(const char *wanted)
{
	bool failed = false;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strstr(cases[i].name, wanted))
			failed |= report(cases[i].name, cases[i].run());
	return failed;
}

/* An argument selects the cases with this in their name. */
int main(int argc, char **argv)
{
	const char *wanted = argc > 1 ? argv[1] : "";
	const char *long_call = "a call that takes too long";

	if (!strcmp(wanted, "--execed"))
		return 42;
	if (!map_shared(MAP_FIXED_NOREPLACE))
		return 1;
	bool with_long_call = strstr(long_call, wanted);
	struct child child = { 0 };
	if (with_long_call)
		child = start_child(interrupts_long_call, 0);
	bool failed = run_waitings(wanted) | run_cases(wanted);
	if (with_long_call)
		failed |= report(long_call, end_child(child));
	return failed;
}

#endif
