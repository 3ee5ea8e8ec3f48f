// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/pid_space.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The inode of the initial PID namespace, the same since Linux 3.8: PROC_PID_INIT_INO of include/linux/proc_ns.h. */
#define INITIAL_NAMESPACE 0xEFFFFFFCul

int pid_space_check_proc(struct error *err)
{
	char self[32];
	ssize_t length = readlink("/proc/self", self, sizeof(self) - 1);

	if (length < 0 && access("/proc/stat", F_OK))
		return 0;
	self[length > 0 ? length : 0] = '\0';
	if (atol(self) == getpid())
		return 0;
	return fail(err, EXIT_FAILED, "/proc is that of another PID namespace: it calls us %s, and we are %d here, so its "
		    "PIDs would name others: mount the own one (unshare --mount-proc), or run in the host's "
		    "(nsenter -t 1 -p -m)", *self ? self : "nothing", getpid());
}

int pid_space_check_bpf(struct error *err)
{
	struct stat here;

	/* a kernel without PID namespaces has no such file, and but one numbering */
	if (stat("/proc/self/ns/pid", &here) || here.st_ino == INITIAL_NAMESPACE)
		return 0;
	return fail(err, EXIT_KERNEL_CANNOT, "we are in a PID namespace, and BPF has the host's PIDs, which are others: run in "
		    "the host's (nsenter -t 1 -p -m; --pid=host)");
}
