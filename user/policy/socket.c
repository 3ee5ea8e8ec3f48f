// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"

#define REQUEST_BYTES 64

/* ---- one instance ---- */

static int open_directory(const char *path, struct error *err)
{
	struct stat st;

	if (mkdir(path, 0700) && errno != EEXIST)
		return fail_errno(err, "create", path, "the lock and the socket have to be somewhere: --state-dir");
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(err, "open", path, NULL);
	if (!fstat(fd, &st) && st.st_uid == geteuid() && !(st.st_mode & 077))
		return fd;
	close(fd);
	return fail(err, EXIT_NOT_PERMITTED, "%s is another user's, or open to others: chmod 700 it first", path);
}

static int take_lock(struct instance *i, int directory, const char *path, struct error *err)
{
	i->lock = openat(directory, "policyd.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (i->lock < 0)
		return fail_errno(err, "open the lock in", path, NULL);
	if (!flock(i->lock, LOCK_EX | LOCK_NB))
		return 0;
	if (errno == EWOULDBLOCK)
		return fail(err, EXIT_FAILED, "another ksm-policyd runs (%s/policyd.lock is held): ksm-policyd --status "
			    "asks it", path);
	return fail_errno(err, "lock", path, NULL);
}

static int address_of(struct sockaddr_un *ret, const char *state_dir, struct error *err)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	int length = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/policyd.sock", state_dir);
	if (length >= (int)sizeof(ret->sun_path))
		return fail(err, EXIT_USAGE, "%s: too long a path for a socket", state_dir);
	return 0;
}

static int listen_at(struct instance *i, const char *state_dir, struct error *err)
{
	struct sockaddr_un address;
	int rc = address_of(&address, state_dir, err);

	if (rc)
		return rc;
	unlink(address.sun_path);	/* of one that was killed: we hold the lock */
	i->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (i->socket < 0)
		return fail_errno(err, "make a socket for", "--status", NULL);
	mode_t mask = umask(0177);
	int bound = bind(i->socket, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (bound || listen(i->socket, 4))
		return fail_errno(err, "listen at", address.sun_path, NULL);
	memcpy(i->path, address.sun_path, sizeof(i->path));
	return 0;
}

int instance_open(struct instance *ret, const char *state_dir, struct error *err)
{
	*ret = (struct instance){ .lock = -1, .socket = -1 };
	scoped_fd int directory = open_directory(state_dir, err);
	int rc = directory < 0 ? directory : take_lock(ret, directory, state_dir, err);

	if (!rc)
		rc = listen_at(ret, state_dir, err);
	if (rc)
		instance_close(ret);
	return rc;
}

void instance_close(struct instance *i)
{
	if (*i->path)
		unlink(i->path);
	if (i->socket >= 0)
		close(i->socket);
	if (i->lock >= 0)
		close(i->lock);
	*i = (struct instance){ .lock = -1, .socket = -1 };
}

/* ---- being asked ---- */

static void take_a_second(int fd)
{
	const struct timeval second = { .tv_sec = 1 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second));
}

static bool may_ask(int fd)
{
	struct ucred who;
	socklen_t size = sizeof(who);
	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) && (who.uid == 0 || who.uid == geteuid());
}

/* One line, or as much as there is. */
static bool read_request(int fd, char ret[REQUEST_BYTES])
{
	size_t length = 0;
	while (length < REQUEST_BYTES - 1) {
		ssize_t n = recv(fd, ret + length, REQUEST_BYTES - 1 - length, 0);
		if (n <= 0)
			break;
		length += (size_t)n;
		if (memchr(ret, '\n', length))
			break;
	}
	ret[length] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return length > 0;
}

static void send_all(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
		if (n <= 0)
			return;		/* whoever asked went away */
		bytes += n;
		length -= (size_t)n;
	}
}

void instance_serve(const struct instance *i, instance_answer *answer, void *context)
{
	char request[REQUEST_BYTES];

	for (;;) {
		scoped_fd int fd = accept4(i->socket, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			return;
		take_a_second(fd);
		if (!may_ask(fd) || !read_request(fd, request))
			continue;
		scoped_text struct text out = { 0 };
		answer(context, request, &out);
		if (out.length && !out.failed)
			send_all(fd, out.bytes, out.length);
	}
}

/* ---- asking ---- */

int instance_ask(const char *state_dir, const char *request, struct error *err)
{
	struct sockaddr_un address;
	scoped_text struct text answer = { 0 };
	char part[4096];
	int rc = address_of(&address, state_dir, err);

	if (rc)
		return rc;
	scoped_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fail_errno(err, "ask the ksm-policyd at", address.sun_path, "does one run, and are you root?");
	send_all(fd, request, strlen(request));
	send_all(fd, "\n", 1);
	for (ssize_t n; (n = recv(fd, part, sizeof(part), 0)) > 0;)
		text_add(&answer, part, (size_t)n);
	if (!answer.length)
		return fail(err, EXIT_FAILED, "the ksm-policyd at %s gave no answer: only root is told", address.sun_path);
	return text_write(&answer, stdout, err);
}
