// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/count/owner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a: names are compared by value, whatever their offsets are. */
static uint64_t name_key(const char *name)
{
	uint64_t key = 0xcbf29ce484222325ull;
	for (; *name; name++)
		key = (key ^ (unsigned char)*name) * 0x100000001b3ull;
	return key;
}

uint64_t owner_key(const struct sample *s, uint32_t task, enum owner_kind kind)
{
	const struct task *t = &s->tasks[task];
	switch (kind) {
	case OWNER_UID:
		return t->uid;
	case OWNER_CGROUP:
		return name_key(sample_string(s, t->cgroup));
	case OWNER_DOMAIN:
		/* of whom nobody said it: alone; the top bit keeps it apart from names, which have 32 bits */
		return t->domain ? t->domain : task | 1ull << 63;
	default:
		return task;
	}
}

bool owner_crosses(const struct sample *s, uint32_t a, uint32_t b)
{
	return owner_key(s, a, OWNER_DOMAIN) != owner_key(s, b, OWNER_DOMAIN);
}

struct keyed_task {
	uint64_t key;
	uint32_t task;
};

static int by_key(const void *a, const void *b)
{
	const struct keyed_task *x = a, *y = b;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->task < y->task ? -1 : x->task > y->task;
}

int owner_set_make(struct owner_set *ret, const struct sample *s, enum owner_kind kind)
{
	size_t n = s->tasks_count;
	struct keyed_task *keyed = calloc(n + 1, sizeof(*keyed));
	*ret = (struct owner_set){ calloc(n + 1, sizeof(struct owner)), 0, calloc(n + 1, sizeof(uint32_t)) };
	if (!keyed || !ret->owners || !ret->tasks) {
		free(keyed);
		owner_set_free(ret);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		keyed[i] = (struct keyed_task){ owner_key(s, i, kind), i };
	qsort(keyed, n, sizeof(*keyed), by_key);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || keyed[i].key != keyed[i - 1].key)
			ret->owners[ret->count++] = (struct owner){ .key = keyed[i].key, .first = i };
		ret->owners[ret->count - 1].count++;
		ret->tasks[i] = keyed[i].task;
	}
	free(keyed);
	return 0;
}

void owner_set_free(struct owner_set *set)
{
	free(set->owners);
	free(set->tasks);
	*set = (struct owner_set){ 0 };
}
