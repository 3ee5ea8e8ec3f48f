// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The caller's side of an injection. The tracer is a process of its own:
 *
 * - If we are killed, it notices, puts the target back and ends. Only SIGKILL
 *   to the tracer itself, in the microseconds during which the target runs a
 *   call, leaves the target with registers that aren't its own; the kernel has
 *   no way to prevent that (PTRACE_O_EXITKILL would kill the target instead).
 *   At all other times its death lets the target go unharmed.
 * - A thread that doesn't stop can't be detached from; that the tracer ends is
 *   the one way to be rid of it. A target that freezes between two steps is put
 *   back when it thaws, without us having to wait.
 * - Our own children, SIGCHLD and waitpid() stay out of it.
 *
 * The target stands still until injection_end(), but no longer than a second
 * without a request: a caller that hangs doesn't hang the target.
 */
#include "sys/inject.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/inject_trace.h"

#define HOLD_MS 1000		/* without a request, then the target is let go */
#define FAREWELL_MS 500	/* for the tracer to end, before it is left to itself */

struct injection {
	pid_t pid;
	pid_t tracer;
	int socket;
	uint64_t since_ns;
};

struct call_request {
	long number;
	uint64_t arguments[6];
};

struct call_reply {
	int rc;
	int64_t value;
	uint64_t since_ns;
	struct error err;
};

/*
 * Out of reach of what is meant for the caller: its signals, its terminal, its descriptors (output too: whoever reads
 * the caller's output waits for it to end).
 */
static void stand_apart(int *socket)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigaction(SIGCHLD, &action, NULL);	/* ignored, it would not be raised */
	setsid();
	prctl(PR_SET_NAME, "ksmscope-inject");
	dup2(*socket, STDIN_FILENO);
	*socket = STDIN_FILENO;
#ifdef SYS_close_range
	syscall(SYS_close_range, STDOUT_FILENO, ~0u, 0);
#endif
}

static bool receive(int socket, void *ret, size_t size)
{
	ssize_t got;
	do
		got = recv(socket, ret, size, 0);
	while (got < 0 && errno == EINTR);
	return got == (ssize_t)size;
}

static bool transmit(int socket, const void *bytes, size_t size)
{
	ssize_t sent;
	do
		sent = send(socket, bytes, size, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)size;
}

static void serve(struct tracee *tracee, int socket, struct call_reply *reply)
{
	struct pollfd readable = { .fd = socket, .events = POLLIN };
	struct call_request request;

	while (!reply->rc && poll(&readable, 1, HOLD_MS) == 1 && receive(socket, &request, sizeof(request))) {
		reply->rc = trace_call(tracee, request.number, request.arguments, &reply->value, &reply->err);
		transmit(socket, reply, sizeof(*reply));
	}
}

static _Noreturn void be_tracer(int socket, const struct arch *arch, pid_t pid, uint64_t start_ticks)
{
	struct call_reply reply = { 0 };
	struct sysroot root;
	struct tracee tracee = {
		.arch = arch,
		.root = &root,
		.target = { .pid = pid, .start_ticks = start_ticks },
	};

	stand_apart(&socket);
	reply.rc = sysroot_open(&root, NULL, &reply.err);
	if (!reply.rc)
		reply.rc = target_look(&root, arch, &tracee.target, &reply.err);
	if (!reply.rc)
		reply.rc = trace_begin(&tracee, &reply.err);
	reply.since_ns = tracee.since_ns;
	transmit(socket, &reply, sizeof(reply));
	serve(&tracee, socket, &reply);
	trace_end(&tracee);
	_exit(0);
}

/* The tracer's answer; that there is none is an error too. */
static int answer(const struct injection *injection, struct call_reply *reply, struct error *err)
{
	if (!receive(injection->socket, reply, sizeof(*reply)))
		return fail(err, EXIT_FAILED, "process %d: it was let go, because its tracer was killed or no call was "
			    "asked for within a second", injection->pid);
	if (reply->rc && err)
		*err = reply->err;
	return reply->rc;
}

static int start_tracer(struct injection *injection, const struct arch *arch, uint64_t start_ticks, struct error *err)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return fail_errno(err, "make", "a socket pair", NULL);
	injection->tracer = fork();
	if (!injection->tracer) {
		close(pair[0]);
		be_tracer(pair[1], arch, injection->pid, start_ticks);
	}
	int os = errno;
	close(pair[1]);
	injection->socket = pair[0];
	errno = os;
	return injection->tracer < 0 ? fail_errno(err, "start", "the tracer", NULL) : 0;
}

int injection_begin(struct injection **ret, pid_t pid, uint64_t start_ticks, struct error *err)
{
	const struct arch *arch = arch_native();
	struct call_reply reply;

	*ret = NULL;
	if (!arch)
		return fail(err, EXIT_KERNEL_CANNOT, "run a system call in process %d: only supported on x86-64", pid);
	if (pid <= 0 || pid == getpid())
		return fail(err, EXIT_FAILED, "process %d: a system call can't be injected into %s", pid,
			    pid <= 0 ? "what is not a process" : "ourselves");
	struct injection *injection = calloc(1, sizeof(*injection));
	if (!injection)
		return fail(err, EXIT_FAILED, "out of memory");
	*injection = (struct injection){ .pid = pid, .tracer = -1, .socket = -1 };
	int rc = start_tracer(injection, arch, start_ticks, err);
	if (!rc)
		rc = answer(injection, &reply, err);
	if (rc) {
		injection_end(injection);
		return rc;
	}
	injection->since_ns = reply.since_ns;
	*ret = injection;
	return 0;
}

int injection_call(struct injection *injection, long number, const uint64_t args[6], int64_t *ret_value,
		   struct error *err)
{
	struct call_request request = { .number = number };
	struct call_reply reply;

	memcpy(request.arguments, args, sizeof(request.arguments));
	transmit(injection->socket, &request, sizeof(request));	/* a tracer that has ended doesn't answer: see there */
	int rc = answer(injection, &reply, err);
	if (!rc)
		*ret_value = reply.value;
	return rc;
}

/* The tracer has closed its end, within the time it gets for that. */
static bool hung_up(int socket)
{
	struct pollfd other = { .fd = socket, .events = 0 };
	uint64_t deadline = monotonic_ns() + FAREWELL_MS * 1000000ull;
	int rc;
	do
		rc = poll(&other, 1, FAREWELL_MS);
	while (rc < 0 && errno == EINTR && monotonic_ns() < deadline);
	return rc == 1;
}

void injection_end(struct injection *injection)
{
	if (!injection)
		return;
	if (injection->tracer > 0) {
		shutdown(injection->socket, SHUT_WR);
		if (hung_up(injection->socket))
			while (waitpid(injection->tracer, NULL, 0) < 0 && errno == EINTR)
				;
	}
	if (injection->socket >= 0)
		close(injection->socket);
	free(injection);
}

uint64_t injection_stopped_ns(const struct injection *injection)
{
	return monotonic_ns() - injection->since_ns;
}
