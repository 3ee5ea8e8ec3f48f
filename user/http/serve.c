// SPDX-License-Identifier: GPL-2.0-or-later
#include "http/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http/login.h"
#include "http/pages.h"
#include "http/request.h"

/* Connections at a time, and bytes for the head of a request: what a stranger can make us hold is their product. */
#define CLIENTS_MOST 192
#define CLIENT_BYTES 8192
/* Closed by us, not yet by libmicrohttpd. */
#define CLIENTS_SLACK 64
/* Connections taken over in one step. */
#define ACCEPTS_MOST 16
/* An answer has to be over after this time, a request to have come; in between a connection may be idle. */
#define ANSWER_NS (10 * 1000000000ll)
#define IDLE_NS (150 * 1000000000ll)
#define SWEEP_MS 1000
#define OPTIONS_MOST 12

/* A connection: what it does, since when. */
struct client {
	int fd;
	bool answering, closing;
	int64_t since_ns;
	struct client *next, *before;
};

/* A request between its head and its answer, which perhaps waits for a login. */
struct request {
	bool logging_in;
	struct login_check check;
	struct MHD_Connection *connection;
};

/* What is waited for, by its place. */
enum { WAIT_CHANNEL, WAIT_HTTP, WAIT_LOGINS, WAIT_LISTENERS };

struct serving {
	struct serve_options options;
	struct MHD_Daemon *daemon;
	struct logins *logins;		/* NULL: no users, no logins */
	struct client *clients;
	unsigned int clients_count;
	int pages;			/* the last; -1: none yet */
	struct pages_head head;
	struct text landing;
	struct pollfd wait[WAIT_LISTENERS + LISTEN_MOST];
	int64_t swept_ns;
};

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* ---- answers ---- */

static void add_headers(const struct serving *s, struct MHD_Response *response, const char *type)
{
	const struct web_pairs *more = &s->options.config->headers;

	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	for (size_t i = 0; i < more->count; i++)
		MHD_add_response_header(response, more->list[i].name, more->list[i].value);
}

static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned int status,
				     struct MHD_Response *response)
{
	enum MHD_Result result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

/* `text` has to stay. `name` and `value`: one more header; NULL: none. */
static enum MHD_Result answer(const struct serving *s, struct MHD_Connection *connection, unsigned int status,
			      const char *text, const char *name, const char *value)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), (char *)text,
									MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	add_headers(s, response, *text == '<' ? "text/html; charset=utf-8" : "text/plain; charset=utf-8");
	if (name)
		MHD_add_response_header(response, name, value);
	return send_response(connection, status, response);
}

static double age_seconds(const struct serving *s)
{
	double age = (now_ns(CLOCK_BOOTTIME) - s->head.clock_ns) / 1e9;
	return age > 0 ? age : 0;
}

static const char *header_of(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static struct MHD_Response *page_response(const struct serving *s, const struct page_place *place)
{
	int fd = fcntl(s->pages, F_DUPFD_CLOEXEC, 0);
	struct MHD_Response *response = fd < 0 ? NULL :
		MHD_create_response_from_fd_at_offset64(place->length, fd, place->offset);
	if (!response && fd >= 0)
		close(fd);
	return response;
}

static enum MHD_Result answer_page(const struct serving *s, struct MHD_Connection *connection)
{
	enum metric_format format = request_format(header_of(connection, MHD_HTTP_HEADER_ACCEPT));
	enum page_encoding encoding = request_encoding(header_of(connection, MHD_HTTP_HEADER_ACCEPT_ENCODING));
	struct MHD_Response *response = page_response(s, &s->head.page[format][encoding]);
	char age[32];

	if (!response)
		return answer(s, connection, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for an answer\n", NULL, NULL);
	add_headers(s, response, metric_content_types[format]);
	if (encoding == ENCODING_GZIP)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
	MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding");
	snprintf(age, sizeof(age), "%.0f", age_seconds(s));
	MHD_add_response_header(response, MHD_HTTP_HEADER_AGE, age);
	return send_response(connection, MHD_HTTP_OK, response);
}

/* NULL: there is something to serve. */
static const char *why_unavailable(const struct serving *s)
{
	if (s->pages < 0)
		return "there is no sample yet\n";
	if (age_seconds(s) > s->options.stale_seconds)
		return "the last sample is too old: the collector is stuck\n";
	return NULL;
}

static enum MHD_Result answer_target(const struct serving *s, struct MHD_Connection *connection,
				     enum request_target target)
{
	const char *why = why_unavailable(s);

	if (target == TARGET_LANDING)
		return answer(s, connection, MHD_HTTP_OK, s->landing.bytes, NULL, NULL);
	if (target == TARGET_NONE)
		return answer(s, connection, MHD_HTTP_NOT_FOUND, "there is nothing here\n", NULL, NULL);
	if (why)
		return answer(s, connection, MHD_HTTP_SERVICE_UNAVAILABLE, why, MHD_HTTP_HEADER_RETRY_AFTER, "5");
	return target == TARGET_HEALTH ? answer(s, connection, MHD_HTTP_OK, "ok\n", NULL, NULL)
				       : answer_page(s, connection);
}

/* ---- who asks ---- */

/* Where nobody has to log in it is good at once. */
static enum login_state log_in(struct serving *s, struct request *r)
{
	if (!s->logins)
		return LOGIN_GOOD;
	if (r->logging_in)
		return r->check.state;
	if (!request_login(header_of(r->connection, MHD_HTTP_HEADER_AUTHORIZATION), &r->check.login))
		return LOGIN_BAD;
	r->logging_in = true;
	r->check.context = r;
	/* the answer is given when it goes on */
	enum login_state state = logins_check(s->logins, &r->check);
	if (state == LOGIN_PENDING)
		MHD_suspend_connection(r->connection);
	return state;
}

/* A client without a certificate that the configured authority has signed. */
static bool is_stranger(const struct serving *s, struct MHD_Connection *connection)
{
	unsigned int status = 0;

	if (!s->options.config->require_client)
		return false;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	return !info || gnutls_certificate_verify_peers2((gnutls_session_t)info->tls_session, &status) < 0 || status;
}

static enum MHD_Result answer_request(struct serving *s, struct request *r, const char *url)
{
	struct MHD_Connection *connection = r->connection;

	if (is_stranger(s, connection))
		return answer(s, connection, MHD_HTTP_FORBIDDEN, "a client certificate is needed\n", NULL, NULL);
	switch (log_in(s, r)) {
	case LOGIN_PENDING:
		return MHD_YES;
	case LOGIN_BUSY:
		return answer(s, connection, MHD_HTTP_SERVICE_UNAVAILABLE, "too many logins at a time\n",
			      MHD_HTTP_HEADER_RETRY_AFTER, "1");
	case LOGIN_BAD:
		s->options.counts->failed_logins++;
		return answer(s, connection, MHD_HTTP_UNAUTHORIZED, "user and password are needed\n",
			      MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Basic realm=\"ksmscope\", charset=\"UTF-8\"");
	default:
		return answer_target(s, connection, request_target(url, s->options.telemetry_path));
	}
}

/* Called with the head of a request, with each part of a body, and at the end, where the answer is given. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
				  const char *version, const char *data, size_t *data_size, void **request)
{
	struct serving *s = context;
	struct request *r = *request;
	(void)version;
	(void)data;

	if (!r) {
		s->options.counts->requests++;
		/* answered at once, a connection is closed without its body being read */
		if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
			return answer(s, connection, MHD_HTTP_METHOD_NOT_ALLOWED, "it takes GET or HEAD\n",
				      MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
		*request = r = calloc(1, sizeof(*r));
		if (!r)
			return MHD_NO;
		r->connection = connection;
		return MHD_YES;
	}
	if (*data_size) {
		*data_size = 0;
		return MHD_YES;
	}
	return answer_request(s, r, url);
}

/* ---- connections ---- */

static struct client *client_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

/* The head of a request is whole: from here on the answer has its time. */
static void *on_uri(void *context, const char *uri, struct MHD_Connection *connection)
{
	struct client *c = client_of(connection);
	(void)context;
	(void)uri;

	if (c) {
		c->answering = true;
		c->since_ns = now_ns(CLOCK_MONOTONIC);
	}
	return NULL;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request,
			 enum MHD_RequestTerminationCode how)
{
	struct client *c = client_of(connection);
	struct request *r = *request;
	(void)context;
	(void)how;

	if (r && r->logging_in)
		explicit_bzero(r, sizeof(*r));
	free(r);
	*request = NULL;
	if (c) {
		c->answering = false;
		c->since_ns = now_ns(CLOCK_MONOTONIC);
	}
}

static void add_client(struct serving *s, struct MHD_Connection *connection, void **socket_context)
{
	struct client *c = calloc(1, sizeof(*c));

	*socket_context = c;
	if (!c)
		return;
	c->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	c->since_ns = now_ns(CLOCK_MONOTONIC);
	c->next = s->clients;
	if (s->clients)
		s->clients->before = c;
	s->clients = c;
}

static void remove_client(struct serving *s, struct client *c)
{
	if (c->before)
		c->before->next = c->next;
	else
		s->clients = c->next;
	if (c->next)
		c->next->before = c->before;
	free(c);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct serving *s = context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		s->clients_count++;
		add_client(s, connection, socket_context);
	} else {
		s->clients_count--;
		if (*socket_context)
			remove_client(s, *socket_context);
		*socket_context = NULL;
	}
	s->options.counts->connections = s->clients_count;
}

/* libmicrohttpd sees the end of the stream, and closes. */
static void turn_out(struct serving *s, struct client *c)
{
	c->closing = true;
	shutdown(c->fd, SHUT_RDWR);
	s->options.counts->refused++;
}

/* One that has been idle for longest makes room. Who is being answered stays. */
static bool make_room(struct serving *s)
{
	struct client *oldest = NULL;
	unsigned int open = 0;

	for (struct client *c = s->clients; c; c = c->next) {
		open += !c->closing;
		if (!c->closing && !c->answering && (!oldest || c->since_ns <= oldest->since_ns))
			oldest = c;
	}
	if (open < CLIENTS_MOST)
		return true;
	if (oldest)
		turn_out(s, oldest);
	return oldest;
}

bool serve_connection(struct serving *s, int fd, const struct sockaddr *address, socklen_t size)
{
	if (s->clients_count >= CLIENTS_MOST + CLIENTS_SLACK || !make_room(s)) {
		close(fd);
		s->options.counts->refused++;
		return false;
	}
	/* on failure it closes the socket itself */
	MHD_add_connection(s->daemon, fd, address, size);
	return true;
}

/*
 * Some of those that wait, so that they are heard before more come: in a flood, whoever asks at once is answered before
 * its turn to make room comes. Where there is no room, those go first that are on their way out.
 */
static void accept_some(struct serving *s, int listener)
{
	for (int i = 0; i < ACCEPTS_MOST; i++) {
		struct sockaddr_storage address;
		socklen_t size = sizeof(address);
		int fd = accept4(listener, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 || !serve_connection(s, fd, (struct sockaddr *)&address, size))
			return;
	}
}

static void sweep(struct serving *s)
{
	int64_t now = now_ns(CLOCK_MONOTONIC);

	for (struct client *c = s->clients; c; c = c->next)
		if (!c->closing && now - c->since_ns > (c->answering ? ANSWER_NS : IDLE_NS))
			turn_out(s, c);
}

/* ---- pages ---- */

/* The newest of those that wait. False when the collector is gone. */
static bool take_pages(struct serving *s)
{
	int fd;

	while ((fd = pages_receive(s->options.channel)) >= 0) {
		struct pages_head head;
		s->options.counts->taken++;
		if (!pages_head(fd, &head)) {
			close(fd);
			continue;
		}
		if (s->pages >= 0)
			close(s->pages);
		s->pages = fd;
		s->head = head;
	}
	return fd == -1;
}

/* ---- life ---- */

static void write_landing(struct text *out, const struct serve_options *o)
{
	text_printf(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>%s</title></head>\n"
		    "<body>\n<h1>%s</h1>\n"
		    "<p>What merging memory (KSM) saves and costs on this machine. Version %s.</p>\n"
		    "<ul>\n<li><a href=\"", o->program, o->program, KSMSCOPE_VERSION);
	for (const char *c = o->telemetry_path; *c; c++)
		text_printf(out, strchr("\"<>&'", *c) ? "&#%d;" : "%c", *c);
	text_puts(out, "\">Metrics</a></li>\n<li><a href=\"/healthz\">Health</a></li>\n</ul>\n</body>\n</html>\n");
}

/* For GnuTLS: the versions that are wanted, none else. */
static void write_priorities(char ret[128], const struct web_config *config)
{
	size_t used = (size_t)snprintf(ret, 128, "NORMAL:-VERS-ALL");
	for (unsigned int v = config->min_version; v <= config->max_version; v++)
		used += (size_t)snprintf(ret + used, 128 - used, ":+VERS-TLS1.%u", v - 10);
}

static struct MHD_Daemon *start_daemon(struct serving *s)
{
	const struct web_config *c = s->options.config;
	unsigned int flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;
	struct MHD_OptionItem options[OPTIONS_MOST] = { 0 };
	char priorities[128];
	size_t n = 0;

	if (web_config_tls(c)) {
		flags |= MHD_USE_TLS;
		write_priorities(priorities, c);
		options[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_CERT, 0, c->cert };
		options[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_KEY, 0, c->key };
		options[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0, priorities };
		if (c->client_ca)
			options[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_TRUST, 0, c->client_ca };
	}
	options[n] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, s,
				MHD_OPTION_CONNECTION_LIMIT, CLIENTS_MOST + 2 * CLIENTS_SLACK,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CLIENT_BYTES,
				MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)1024,
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
				MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
				MHD_OPTION_URI_LOG_CALLBACK, on_uri, s,
				MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

static void wait_for(struct serving *s)
{
	const union MHD_DaemonInfo *http = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	const struct listeners *l = s->options.listeners;

	s->wait[WAIT_CHANNEL] = (struct pollfd){ s->options.channel, POLLIN, 0 };
	s->wait[WAIT_HTTP] = (struct pollfd){ http->epoll_fd, POLLIN, 0 };
	s->wait[WAIT_LOGINS] = (struct pollfd){ s->logins ? logins_fd(s->logins) : -1, POLLIN, 0 };
	for (size_t i = 0; i < l->count; i++)
		s->wait[WAIT_LISTENERS + i] = (struct pollfd){ l->list[i].fd, POLLIN, 0 };
}

int serve_prepare(struct serving **ret, const struct serve_options *options, struct error *err)
{
	struct serving *s = calloc(1, sizeof(*s));

	*ret = s;
	if (!s)
		return fail(err, EXIT_FAILED, "out of memory");
	s->options = *options;
	s->pages = -1;
	write_landing(&s->landing, options);
	if (s->landing.failed)
		return fail(err, EXIT_FAILED, "out of memory");
	s->daemon = start_daemon(s);
	if (!s->daemon)
		return fail(err, EXIT_FAILED, web_config_tls(options->config) ?
			    "TLS can't be had with this certificate and key" : "the HTTP server can't be started");
	if (options->config->users.count && !(s->logins = logins_new(&options->config->users)))
		return fail(err, EXIT_FAILED, "the thread that checks passwords can't be started");
	wait_for(s);
	return 0;
}

/* Milliseconds until there is something to do without anybody asking; -1: not before. */
static int time_to_wait(struct serving *s)
{
	MHD_UNSIGNED_LONG_LONG due;
	int most = s->clients ? SWEEP_MS : -1;

	if (MHD_get_timeout(s->daemon, &due) != MHD_YES)
		return most;
	return most < 0 || due < (MHD_UNSIGNED_LONG_LONG)most ? (int)(due > SWEEP_MS ? SWEEP_MS : due) : most;
}

/* Those whose login is known go on. */
static void resume_logged_in(struct serving *s)
{
	struct login_check *check;

	while ((check = logins_done(s->logins))) {
		struct request *r = check->context;
		MHD_resume_connection(r->connection);
	}
}

bool serve_step(struct serving *s, int most_ms)
{
	const struct listeners *l = s->options.listeners;
	int due_ms = time_to_wait(s);

	if (most_ms >= 0 && (due_ms < 0 || due_ms > most_ms))
		due_ms = most_ms;
	if (poll(s->wait, WAIT_LISTENERS + l->count, due_ms) < 0)
		return errno == EINTR;
	if (s->wait[WAIT_CHANNEL].revents && !take_pages(s))
		return false;
	if (s->wait[WAIT_LOGINS].revents)
		resume_logged_in(s);
	for (size_t i = 0; i < l->count; i++)
		if (s->wait[WAIT_LISTENERS + i].revents)
			accept_some(s, l->list[i].fd);
	MHD_run(s->daemon);
	if (now_ns(CLOCK_MONOTONIC) - s->swept_ns > SWEEP_MS * 1000000ll) {
		s->swept_ns = now_ns(CLOCK_MONOTONIC);
		sweep(s);
	}
	return true;
}

void serve_run(struct serving *s)
{
	while (serve_step(s, -1))
		;
}

void serve_free(struct serving *s)
{
	if (s->daemon)
		MHD_stop_daemon(s->daemon);
	if (s->pages >= 0)
		close(s->pages);
	text_free(&s->landing);
	free(s);
}
