// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/remote.h"

#include <sys/syscall.h>

int remote_madvise(struct injection *injection, uint64_t start, uint64_t end, int advice, int64_t *ret_value,
		   struct error *err)
{
	const uint64_t args[6] = { start, end - start, (uint64_t)advice };
	return injection_call(injection, SYS_madvise, args, ret_value, err);
}

int remote_prctl(struct injection *injection, enum remote_prctl_option option, bool on, int64_t *ret_value,
		 struct error *err)
{
	/* all further arguments must be nought */
	const uint64_t args[6] = { option, on };
	return injection_call(injection, SYS_prctl, args, ret_value, err);
}
