// SPDX-License-Identifier: GPL-2.0-or-later
#include "http/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/number.h"

#define BACKLOG 128
/* The first file descriptor that systemd hands over. */
#define INHERITED_FIRST 3

static bool is_port(const char *text)
{
	uint64_t port;
	return *text && strlen(text) < 6 && parse_u64(text, &port) && port <= 65535;
}

bool listen_split(const char *address, char ret_host[256], char ret_port[8])
{
	const char *colon = strrchr(address, ':');
	size_t length = colon ? (size_t)(colon - address) : 0;

	if (!colon || !is_port(colon + 1) || length >= 256)
		return false;
	snprintf(ret_port, 8, "%s", colon + 1);
	if (length >= 2 && address[0] == '[' && address[length - 1] == ']') {
		address++;
		length -= 2;
	} else if (memchr(address, ':', length)) {
		return false;		/* an IPv6 address without its brackets */
	}
	snprintf(ret_host, 256, "%.*s", (int)length, address);
	return true;
}

/* ---- what was opened ---- */

static struct listener *add(struct listeners *l, int fd, struct error *err)
{
	if (l->count == LISTEN_MOST) {
		close(fd);
		fail(err, EXIT_USAGE, "--web.listen-address: at most %d sockets", LISTEN_MOST);
		return NULL;
	}
	struct listener *ret = &l->list[l->count++];
	*ret = (struct listener){ .fd = fd };
	return ret;
}

/* As it is bound, which tells the port where 0 was asked for. */
static void name_listener(struct listener *l)
{
	struct sockaddr_storage bound = { 0 };
	socklen_t size = sizeof(bound);
	char host[80], port[8];

	if (getsockname(l->fd, (struct sockaddr *)&bound, &size))
		return;
	if (bound.ss_family == AF_UNIX)
		snprintf(l->name, sizeof(l->name), "unix:%.107s", ((struct sockaddr_un *)&bound)->sun_path);
	else if (!getnameinfo((struct sockaddr *)&bound, size, host, sizeof(host), port, sizeof(port),
			      NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(l->name, sizeof(l->name), bound.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static int start_listening(struct listeners *l, int fd, const struct sockaddr *address, socklen_t size,
			   const char *what, struct error *err)
{
	if (bind(fd, address, size) || listen(fd, BACKLOG)) {
		int rc = fail_errno(err, "listen on", what,
				    errno == EADDRINUSE ? "another program listens there" : NULL);
		close(fd);
		return rc;
	}
	struct listener *added = add(l, fd, err);
	if (!added)
		return -EXIT_USAGE;
	name_listener(added);
	return 0;
}

/* ---- TCP ---- */

static int open_tcp_one(struct listeners *l, const struct addrinfo *a, const char *address, struct error *err)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, off = 0;

	if (fd < 0)
		return fail_errno(err, "socket for", address, NULL);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, address[0] == ':' ? &off : &on, sizeof(on));
	return start_listening(l, fd, a->ai_addr, a->ai_addrlen, address, err);
}

/* ":PORT": one socket of IPv6 takes both, where there is IPv6. */
static int open_everywhere(struct listeners *l, const char *port, const char *address, struct error *err)
{
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port)) };
	struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = any6.sin6_port };
	struct addrinfo six = { .ai_family = AF_INET6, .ai_addr = (struct sockaddr *)&any6,
				.ai_addrlen = sizeof(any6) };
	struct addrinfo four = { .ai_family = AF_INET, .ai_addr = (struct sockaddr *)&any4,
				 .ai_addrlen = sizeof(any4) };

	int rc = open_tcp_one(l, &six, address, err);
	if (rc && (err->os == EAFNOSUPPORT || err->os == EADDRNOTAVAIL))
		rc = open_tcp_one(l, &four, address, err);
	return rc;
}

static int open_tcp(struct listeners *l, const char *address, struct error *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	char host[256], port[8];
	int rc = 0;

	if (!listen_split(address, host, port))
		return fail(err, EXIT_USAGE,
			    "--web.listen-address \"%s\": it takes HOST:PORT, [IPV6]:PORT, :PORT or unix:PATH", address);
	if (!*host)
		return open_everywhere(l, port, address, err);
	int why = getaddrinfo(host, port, &hints, &found);
	if (why)
		return fail(err, EXIT_FAILED, "--web.listen-address \"%s\": %s", address, gai_strerror(why));
	for (const struct addrinfo *a = found; a && !rc; a = a->ai_next)
		rc = open_tcp_one(l, a, address, err);
	freeaddrinfo(found);
	return rc;
}

/* ---- Unix sockets ---- */

/* A socket that nobody listens on any more. */
static bool is_left_over(const struct sockaddr_un *address)
{
	struct stat status;
	if (lstat(address->sun_path, &status) || !S_ISSOCK(status.st_mode))
		return false;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) &&
		       errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return refused;
}

static int open_unix(struct listeners *l, const char *path, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (!*path || strlen(path) >= sizeof(address.sun_path))
		return fail(err, EXIT_USAGE, "--web.listen-address \"unix:%s\": it takes a path of 1 to %zu bytes",
			    path, sizeof(address.sun_path) - 1);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (is_left_over(&address))
		unlink(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail_errno(err, "socket for", path, NULL);
	int rc = start_listening(l, fd, (struct sockaddr *)&address, sizeof(address), path, err);
	/* as open as a port of this machine: who may connect is its folder's business */
	if (!rc && chmod(path, 0666))
		rc = fail_errno(err, "make accessible", path, NULL);
	if (!rc)
		snprintf(l->list[l->count - 1].path, sizeof(l->list[0].path), "%s", path);
	return rc;
}

int listen_open(struct listeners *l, const char *address, struct error *err)
{
	return strncmp(address, "unix:", 5) ? open_tcp(l, address, err) : open_unix(l, address + 5, err);
}

/* ---- systemd ---- */

static bool is_listening(int fd)
{
	int listening = 0;
	socklen_t size = sizeof(listening);
	return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) && listening;
}

int listen_inherit(struct listeners *l, struct error *err)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	uint64_t whose, fds;

	if (!pid || !count || !parse_u64(pid, &whose) || !parse_u64(count, &fds) ||
	    whose != (uint64_t)getpid() || !fds || fds > LISTEN_MOST)
		return fail(err, EXIT_FAILED,
			    "--web.systemd-socket: no sockets were handed over (LISTEN_FDS, LISTEN_PID)");
	for (int fd = INHERITED_FIRST; fd < INHERITED_FIRST + (int)fds; fd++) {
		if (!is_listening(fd))
			return fail(err, EXIT_FAILED, "--web.systemd-socket: file descriptor %d is no listening socket",
				    fd);
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		struct listener *added = add(l, fd, err);
		if (!added)
			return -EXIT_USAGE;
		name_listener(added);
	}
	return 0;
}

void listen_close(struct listeners *l, bool forget)
{
	for (size_t i = 0; i < l->count; i++) {
		if (l->list[i].fd >= 0)
			close(l->list[i].fd);
		l->list[i].fd = -1;
		if (forget && *l->list[i].path)
			unlink(l->list[i].path);
	}
}
