/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owners: the ways in which the targets are grouped. A process is one; so are
 * all processes of a uid, of a cgroup, or of a trust domain.
 */
#ifndef KSMSCOPE_CORE_OWNER_H
#define KSMSCOPE_CORE_OWNER_H

#include "core/model.h"

struct owner {
	uint64_t key;			/* what its tasks have in common; see owner_key() */
	uint32_t first;			/* of owner_set.tasks */
	uint32_t count;
};

struct owner_set {
	struct owner *owners;		/* ascending key */
	size_t count;
	uint32_t *tasks;		/* task indices, by owner, ascending within one */
};

/*
 * What tells owners of this kind apart: the task's index, its uid, its
 * cgroup's name, or its trust domain (core/trust/assign.h).
 */
uint64_t owner_key(const struct sample *sample, uint32_t task, enum owner_kind kind);

/* Are two tasks of different trust domains? */
bool owner_crosses(const struct sample *sample, uint32_t task_a, uint32_t task_b);

/* 0, or -ENOMEM. */
int owner_set_make(struct owner_set *ret, const struct sample *sample, enum owner_kind kind);
void owner_set_free(struct owner_set *set);

#endif
