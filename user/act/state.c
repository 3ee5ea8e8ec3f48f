// SPDX-License-Identifier: GPL-2.0-or-later
#include "act/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

static int check_owner(int dir, const char *path, struct error *err)
{
	struct stat st;
	if (fstat(dir, &st))
		return fail_errno(err, "stat", path, NULL);
	if (st.st_uid != geteuid())
		return fail(err, EXIT_NOT_PERMITTED, "%s belongs to uid %u: its journals are not taken for ours", path,
			    (unsigned int)st.st_uid);
	if (st.st_mode & 077)
		return fail(err, EXIT_NOT_PERMITTED, "%s is open to others (mode %03o): chmod 700 it first", path,
			    (unsigned int)st.st_mode & 0777);
	return 0;
}

#define LOCK_POLL_NS 50000000
#define GRACE_SECONDS 1.0		/* in which a guardian notices that its program has ended */
static const char restoring[] = "restoring\n";

static bool is_restoring(int fd)
{
	char text[sizeof(restoring)] = "";
	return pread(fd, text, sizeof(text) - 1, 0) > 0 && !strcmp(text, restoring);
}

/* flock() that waits for a holder who is putting things back, and hardly for any other. */
static int lock_within(int fd, double seconds)
{
	const struct timespec nap = { .tv_nsec = LOCK_POLL_NS };
	for (double waited = 0; flock(fd, LOCK_EX | LOCK_NB); waited += LOCK_POLL_NS * 1e-9) {
		if (errno != EWOULDBLOCK)
			return -1;
		if (waited >= seconds || (waited >= GRACE_SECONDS && !is_restoring(fd))) {
			errno = EWOULDBLOCK;
			return -1;
		}
		nanosleep(&nap, NULL);
	}
	return ftruncate(fd, 0);
}

void state_restoring(const struct state_dir *state)
{
	/* only for those who wait: that it could not be said changes nothing */
	if (pwrite(state->lock, restoring, strlen(restoring), 0) < 0)
		return;
}

static int take_lock(struct state_dir *state, double seconds, struct error *err)
{
	state->lock = openat(state->dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (state->lock < 0)
		return fail_errno(err, "open the lock in", state->path, NULL);
	if (!lock_within(state->lock, seconds))
		return 0;
	if (errno == EWOULDBLOCK)
		return fail(err, EXIT_FAILED, "another plan is being carried out or undone on this machine "
			    "(%s/lock is held): wait for it to end", state->path);
	return fail_errno(err, "lock", state->path, NULL);
}

int state_open(struct state_dir *ret, const char *path, double wait_seconds, struct error *err)
{
	*ret = (struct state_dir){ .dir = -1, .lock = -1, .path = path };
	if (mkdir(path, 0700) && errno != EEXIST)
		return fail_errno(err, "create", path, "journals have to be kept somewhere before anything is changed");
	ret->dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc = ret->dir < 0 ? fail_errno(err, "open", path, NULL) : check_owner(ret->dir, path, err);
	if (!rc)
		rc = take_lock(ret, wait_seconds, err);
	if (rc)
		state_close(ret);
	return rc;
}

void state_close(struct state_dir *state)
{
	if (state->lock >= 0)
		close(state->lock);
	if (state->dir >= 0)
		close(state->dir);
	state->dir = state->lock = -1;
}

/* Names start with the time, zero-padded: newest first is descending order. */
static int newest_first(const void *a, const void *b)
{
	return strcmp(b, a);
}

static bool is_journal(const char *name)
{
	size_t length = strlen(name), suffix = strlen(".journal");
	return length > suffix && length < JOURNAL_NAME_BYTES && !strcmp(name + length - suffix, ".journal");
}

/* TIME-PID.journal, or TIME-PID.OWNER.journal */
bool state_owns(const char *owner, const char *name)
{
	const char *at = strchr(name, '-');
	if (!at || !(at = strchr(at, '.')))
		return false;
	size_t length = owner ? strlen(owner) : 0;
	if (!owner)
		return !strcmp(at, ".journal");
	return !strncmp(at + 1, owner, length) && !strcmp(at + 1 + length, ".journal");
}

int state_journals(const struct state_dir *state, char (**ret)[JOURNAL_NAME_BYTES], size_t *ret_count,
		   struct error *err)
{
	int fd = openat(state->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	*ret = NULL;
	*ret_count = 0;
	if (!dir)
		return fail_errno(err, "list", state->path, NULL);
	for (struct dirent *entry; (entry = readdir(dir)); ) {
		if (!is_journal(entry->d_name))
			continue;
		char (*more)[JOURNAL_NAME_BYTES] = realloc(*ret, (*ret_count + 1) * sizeof(**ret));
		if (!more) {
			free(*ret);
			*ret = NULL;
			return fail(err, EXIT_FAILED, "out of memory listing %s", state->path);
		}
		*ret = more;
		strcpy(more[(*ret_count)++], entry->d_name);
	}
	if (*ret_count)
		qsort(*ret, *ret_count, sizeof(**ret), newest_first);
	return 0;
}
