// SPDX-License-Identifier: GPL-2.0-or-later
#include "http/confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

#define HTTP_USER "ksm-exporter"
#define HTTP_USER_ELSE "nobody"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- users ---- */

/* Without NSS, which may ask the network. */
static bool find_user(const char *name, struct confine_user *ret)
{
	scoped_file FILE *file = fopen("/etc/passwd", "re");
	struct passwd *entry;

	while (file && (entry = fgetpwent(file))) {
		if (strcmp(entry->pw_name, name))
			continue;
		*ret = (struct confine_user){ entry->pw_uid, entry->pw_gid };
		return true;
	}
	return false;
}

int confine_find_user(const char *name, struct confine_user *ret, struct error *err)
{
	if (name && !find_user(name, ret))
		return fail(err, EXIT_FAILED, "--web.user \"%s\": /etc/passwd has no such user", name);
	if (!name && !find_user(HTTP_USER, ret) && !find_user(HTTP_USER_ELSE, ret))
		return fail(err, EXIT_FAILED,
			    "/etc/passwd has neither %s nor %s for the HTTP side; --web.user names another",
			    HTTP_USER, HTTP_USER_ELSE);
	if (ret->uid == 0)
		return fail(err, EXIT_USAGE, "--web.user: the HTTP side is not run as root");
	return 0;
}

/* ---- capabilities ---- */

static int no_new_privileges(struct error *err)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? fail_errno(err, "set", "no_new_privs", NULL) : 0;
}

int confine_drop(const struct confine_user *user, struct error *err)
{
	bool may_change = capng_get_caps_process() == 0 && capng_have_capability(CAPNG_EFFECTIVE, CAP_SETUID) &&
			  capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID);
	int rc;

	capng_clear(CAPNG_SELECT_BOTH);
	if (may_change)
		rc = capng_change_id((int)user->uid, (int)user->gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
	else
		rc = capng_apply(CAPNG_SELECT_CAPS);
	if (rc)
		return fail(err, EXIT_FAILED, "the HTTP side can't give up its rights (libcap-ng says %d)", rc);
	/* nobody of the same uid may look into it: it may hold the key of a certificate */
	prctl(PR_SET_DUMPABLE, 0);
	return no_new_privileges(err);
}

/* ---- system calls ---- */

static const int http_calls[] = {
	SCMP_SYS(accept4), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg),
	SCMP_SYS(sendfile), SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pread64),
	SCMP_SYS(shutdown), SCMP_SYS(setsockopt), SCMP_SYS(getsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(close), SCMP_SYS(dup), SCMP_SYS(fcntl), SCMP_SYS(fstat), SCMP_SYS(lseek),
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(futex), SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(sched_yield),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(tgkill),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigaction), SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
};

/* Memory, but none that could be executed; fstat() as C libraries write it, which opens no path. */
static int add_narrow_calls(scmp_filter_ctx filter)
{
	int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!rc)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!rc)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				      SCMP_A3(SCMP_CMP_MASKED_EQ, 0x1000 /* AT_EMPTY_PATH */, 0x1000));
	return rc;
}

int confine_http_calls(struct error *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc = filter ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) : -ENOMEM;

	for (size_t i = 0; !rc && i < COUNT(http_calls); i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, http_calls[i], 0);
	if (!rc)
		rc = add_narrow_calls(filter);
	if (!rc)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc ? fail(err, EXIT_KERNEL_CANNOT, "the HTTP side can't be confined by seccomp: %s", strerror(-rc)) : 0;
}

/* ---- the collector ---- */

/* BPF programs and maps; /proc of others; DAC for files of other owners. */
static const unsigned int collector_caps[] = {
	CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_SYS_RESOURCE,
	CAP_SYSLOG, CAP_KILL,
};

static bool is_kept(unsigned int cap)
{
	for (size_t i = 0; i < COUNT(collector_caps); i++)
		if (collector_caps[i] == cap)
			return true;
	return false;
}

/* Whatever it has of them; a container's root may have less. */
static int keep_caps(struct error *err)
{
	if (capng_get_caps_process())
		return fail(err, EXIT_FAILED, "the collector's capabilities can't be read");
	bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (!is_kept(cap))
			capng_update(CAPNG_DROP, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE |
				     CAPNG_BOUNDING_SET, cap);
	return capng_apply(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) ?
		fail(err, EXIT_FAILED, "the collector can't give up capabilities") : 0;
}

static int no_network(struct error *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int rc = filter ? 0 : -ENOMEM;

	if (!rc)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
				      SCMP_A0(SCMP_CMP_NE, AF_UNIX));
	if (!rc)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc ? fail(err, EXIT_KERNEL_CANNOT, "the network can't be given up by seccomp: %s", strerror(-rc)) : 0;
}

int confine_collector(struct error *err)
{
	int rc = geteuid() == 0 ? keep_caps(err) : 0;
	if (!rc)
		rc = no_new_privileges(err);
	return rc ? rc : no_network(err);
}
