// SPDX-License-Identifier: GPL-2.0-or-later
/* What is left to the HTTP side and to the collector after they gave up their rights: tried, one after the other. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "http/confine.h"
#include "tests/unit/unit.h"

/* ---- attempts: each is 0 where it succeeded, else an errno ---- */

static int outcome(long rc)
{
	return rc < 0 ? errno : 0;
}

static int try_open(void)
{
	return outcome(open("/proc/1/status", O_RDONLY));
}

static int try_own_proc(void)
{
	return outcome(open("/proc/self/maps", O_RDONLY));
}

static int try_create(void)
{
	return outcome(open("/tmp/ksmscope-confine", O_CREAT | O_WRONLY, 0600));
}

static int try_socket(void)
{
	return outcome(socket(AF_INET, SOCK_STREAM, 0));
}

static int try_packet(void)
{
	return outcome(socket(AF_PACKET, SOCK_RAW, 0));
}

static int try_netlink(void)
{
	return outcome(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int try_unix(void)
{
	return outcome(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int try_exec(void)
{
	char *argv[] = { "true", NULL }, *environment[] = { NULL };
	return outcome(execve("/bin/true", argv, environment));
}

static int try_fork(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	return outcome(pid);
}

static int try_ptrace(void)
{
	return outcome(ptrace(PTRACE_SEIZE, getppid(), NULL, NULL));
}

static int try_memory_of_others(void)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { &byte, 1 };
	return outcome(process_vm_readv(getppid(), &here, 1, &there, 1, 0));
}

static int try_kill(void)
{
	return outcome(kill(getppid(), 0));
}

static int try_bpf(void)
{
	char attributes[128] = { 0 };
	return outcome(syscall(SYS_bpf, 0, attributes, sizeof(attributes)));
}

static int try_executable_memory(void)
{
	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return code == MAP_FAILED ? errno : 0;
}

static int try_memory(void)
{
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return memory == MAP_FAILED ? errno : 0;
}

static int try_root(void)
{
	return outcome(setuid(0));
}

static int try_clock(void)
{
	struct timespec now;
	return outcome(clock_gettime(CLOCK_MONOTONIC, &now));
}

static int try_mount(void)
{
	return outcome(syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, NULL));
}

/* ---- who may do what ---- */

struct attempt {
	int (*attempt)(void);
	bool allowed;
};

static const struct attempt of_http_side[] = {
	{ try_open, false }, { try_own_proc, false }, { try_create, false }, { try_socket, false },
	{ try_packet, false },
	{ try_netlink, false }, { try_unix, false }, { try_exec, false }, { try_fork, false }, { try_ptrace, false },
	{ try_memory_of_others, false }, { try_kill, false }, { try_bpf, false }, { try_executable_memory, false },
	{ try_root, false }, { try_mount, false },
	/* and what it needs */
	{ try_memory, true }, { try_clock, true },
};

static const struct attempt of_collector[] = {
	{ try_socket, false }, { try_packet, false }, { try_netlink, false },
	{ try_unix, true }, { try_open, true }, { try_fork, true }, { try_memory, true },
};

static int confine_http_side(struct error *err)
{
	struct confine_user user;
	int rc = confine_find_user("nobody", &user, err);
	if (!rc)
		rc = confine_drop(&user, err);
	return rc ? rc : confine_http_calls(err);
}

/* Each in a process of its own; 1 + the place of the first that went wrong. */
static int go_wrong(int (*confine)(struct error *err), const struct attempt *list, size_t count)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct error err;
		if (confine(&err))
			_exit(255);
		for (size_t i = 0; i < count; i++) {
			int rc = list[i].attempt();
			if ((rc == 0) != list[i].allowed)
				_exit((int)i + 1);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void test_http_side(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(go_wrong(confine_http_side, of_http_side, sizeof(of_http_side) / sizeof(of_http_side[0])), 0);
}

static void test_collector(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(go_wrong(confine_collector, of_collector, sizeof(of_collector) / sizeof(of_collector[0])), 0);
}

/* All of these can be done before: else the test would tell nothing. */
static int nothing(struct error *err)
{
	(void)err;
	return 0;
}

static void test_without(void **state)
{
	static const struct attempt all[] = {
		{ try_open, true }, { try_socket, true }, { try_packet, true }, { try_netlink, true },
		{ try_unix, true },
		{ try_fork, true }, { try_kill, true }, { try_executable_memory, true }, { try_root, true },
	};
	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(go_wrong(nothing, all, sizeof(all) / sizeof(all[0])), 0);
}

static void test_users(void **state)
{
	struct confine_user user;
	struct error err;
	(void)state;
	assert_int_equal(confine_find_user("nobody", &user, &err), 0);
	assert_int_not_equal(user.uid, 0);
	assert_int_equal(confine_find_user("root", &user, &err), -EXIT_USAGE);
	assert_int_equal(confine_find_user("no such user", &user, &err), -EXIT_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_side),
		cmocka_unit_test(test_collector),
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_users),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
