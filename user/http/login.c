// SPDX-License-Identifier: GPL-2.0-or-later
#include "http/login.h"

#include <crypt.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/fleet/siphash.h"

#define WAITING_MOST 16
#define REMEMBERED 64

struct logins {
	const struct web_pairs *users;
	uint64_t key[2];
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct login_check *waiting[WAITING_MOST];
	unsigned int first, count;
	uint64_t good[REMEMBERED];	/* of logins that were good; 0: free */
	unsigned int next_good;
	struct login_check *done;
	int event;
	struct crypt_data crypt;	/* the thread's */
};

/* Checked against where there is no such user, so that time does not tell users from others. */
static const char no_hash[] = "$2b$10$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu";

static const char *hash_of(const struct logins *l, const char *user)
{
	for (size_t i = 0; i < l->users->count; i++)
		if (!strcmp(l->users->list[i].name, user))
			return l->users->list[i].value;
	return NULL;
}

/* Whatever the lengths are, the time is the same. */
static bool same(const char *a, const char *b, size_t length)
{
	unsigned char differ = 0;
	for (size_t i = 0; i < length; i++)
		differ |= (unsigned char)(a[i] ^ b[i]);
	return !differ;
}

static bool is_good(struct logins *l, const struct login *login)
{
	const char *known = hash_of(l, login->user), *hash = known ? known : no_hash;
	const char *made = crypt_rn(login->password, hash, &l->crypt, sizeof(l->crypt));
	bool good = made && strlen(made) == strlen(hash) && same(made, hash, strlen(hash));

	explicit_bzero(&l->crypt, sizeof(l->crypt));
	return good && known;
}

static uint64_t mark_of(const struct logins *l, const struct login *login)
{
	uint64_t mark = siphash(l->key, login, sizeof(*login));
	return mark ? mark : 1;
}

static bool is_remembered(const struct logins *l, uint64_t mark)
{
	for (size_t i = 0; i < REMEMBERED; i++)
		if (l->good[i] == mark)
			return true;
	return false;
}

static struct login_check *take(struct logins *l)
{
	pthread_mutex_lock(&l->lock);
	while (!l->count)
		pthread_cond_wait(&l->more, &l->lock);
	struct login_check *check = l->waiting[l->first];
	l->first = (l->first + 1) % WAITING_MOST;
	l->count--;
	pthread_mutex_unlock(&l->lock);
	return check;
}

static void *work(void *context)
{
	struct logins *l = context;

	while (true) {
		struct login_check *check = take(l);
		bool good = is_good(l, &check->login);
		pthread_mutex_lock(&l->lock);
		if (good)
			l->good[l->next_good++ % REMEMBERED] = mark_of(l, &check->login);
		check->state = good ? LOGIN_GOOD : LOGIN_BAD;
		check->next = l->done;
		l->done = check;
		eventfd_write(l->event, 1);
		pthread_mutex_unlock(&l->lock);
	}
	return NULL;
}

struct logins *logins_new(const struct web_pairs *users)
{
	struct logins *l = calloc(1, sizeof(*l));
	pthread_t thread;

	if (!l)
		return NULL;
	l->users = users;
	l->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->more, NULL);
	if (l->event >= 0 && getrandom(l->key, sizeof(l->key), 0) == sizeof(l->key) &&
	    !pthread_create(&thread, NULL, work, l)) {
		pthread_detach(thread);
		return l;
	}
	if (l->event >= 0)
		close(l->event);
	free(l);
	return NULL;
}

enum login_state logins_check(struct logins *l, struct login_check *check)
{
	pthread_mutex_lock(&l->lock);
	if (is_remembered(l, mark_of(l, &check->login))) {
		check->state = LOGIN_GOOD;
	} else if (l->count == WAITING_MOST) {
		check->state = LOGIN_BUSY;
	} else {
		check->state = LOGIN_PENDING;
		l->waiting[(l->first + l->count++) % WAITING_MOST] = check;
		pthread_cond_signal(&l->more);
	}
	enum login_state state = check->state;
	pthread_mutex_unlock(&l->lock);
	return state;
}

int logins_fd(const struct logins *l)
{
	return l->event;
}

struct login_check *logins_done(struct logins *l)
{
	eventfd_t count;

	pthread_mutex_lock(&l->lock);
	struct login_check *check = l->done;
	if (check)
		l->done = check->next;
	else
		eventfd_read(l->event, &count);
	pthread_mutex_unlock(&l->lock);
	return check;
}
