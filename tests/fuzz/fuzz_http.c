// SPDX-License-Identifier: GPL-2.0-or-later
/* What strangers write to the HTTP side, what operators write for it, and names that get into its pages. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exporter/options.h"
#include "http/config.h"
#include "http/listen.h"
#include "http/request.h"
#include "http/serve.h"
#include "out/prometheus.h"
#include "tests/fuzz/target.h"

/* ---- headers, one per part ---- */

void fuzz_requests(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	char host[256], port[8];
	const uint8_t *part;
	struct login login;
	size_t length;

	while (fuzz_part(&in, &part, &length)) {
		char *text = fuzz_string(part, length);
		REQUIRE(request_format(text) < METRIC_FORMATS);
		REQUIRE(request_encoding(text) < PAGE_ENCODINGS);
		REQUIRE(request_target(text, "/metrics") <= TARGET_NONE);
		if (request_login(text, &login))
			REQUIRE(!strchr(login.user, ':') && strlen(login.user) < LOGIN_MAX &&
				strlen(login.password) < LOGIN_MAX);
		if (listen_split(text, host, port))
			REQUIRE(strlen(host) < length && strlen(port) < 6);
		free(text);
	}
}

/* ---- the web configuration ---- */

void fuzz_web_config(const uint8_t *data, size_t size)
{
	struct web_config config = { 0 };
	struct error err = { 0 };
	char *text = fuzz_string(data, size);

	int rc = web_config_parse(&config, "web.yml", text, size, &err);
	REQUIRE(!rc || (rc == -EXIT_FAILED && *err.text));
	for (size_t i = 0; !rc && i < config.users.count; i++)
		REQUIRE(strlen(config.users.list[i].value) == 60);
	for (size_t i = 0; !rc && i < config.headers.count; i++)
		REQUIRE(!strpbrk(config.headers.list[i].value, "\r\n"));
	if (!rc)
		REQUIRE(!config.cert_file == !config.key_file && config.min_version <= config.max_version);
	web_config_free(&config);
	free(text);
}

/* ---- a connection: bytes in, parts of them after one another, answers out ---- */

static const struct web_config no_config = { .min_version = 12, .max_version = 13 };

/* A server with pages, from the first input on. */
static struct serving *server(void)
{
	static struct serving *serving;
	static struct serve_counts counts;
	static struct listeners none;
	static int channel[2];
	struct text pages[METRIC_FORMATS] = { 0 };
	struct error err;

	if (serving)
		return serving;
	REQUIRE(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel));
	const struct serve_options options = { .listeners = &none, .channel = channel[1], .config = &no_config,
					       .program = "fuzz", .telemetry_path = "/metrics", .stale_seconds = 1e9,
					       .counts = &counts };
	REQUIRE(!serve_prepare(&serving, &options, &err));
	text_puts(&pages[METRICS_TEXT], "# page\n");
	text_puts(&pages[METRICS_OPENMETRICS], "# EOF\n");
	int fd = pages_make(pages, 0);
	REQUIRE(fd >= 0 && pages_send(channel[0], fd));
	close(fd);
	text_free(&pages[0]);
	text_free(&pages[1]);
	return serving;
}

/* What came back; its beginning has to be an answer. */
static void hear(int fd, bool *first)
{
	char answer[4096];
	ssize_t n;

	while ((n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT)) > 0) {
		if (*first && n >= 7)
			REQUIRE(!memcmp(answer, "HTTP/1.", 7));
		*first = false;
	}
}

void fuzz_connections(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct serving *s = server();
	bool first = true;
	const uint8_t *part;
	size_t length;
	int ends[2];

	REQUIRE(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
	struct sockaddr_storage address = { .ss_family = AF_UNIX };
	REQUIRE(serve_connection(s, ends[1], (struct sockaddr *)&address, sizeof(sa_family_t)));
	while (fuzz_part(&in, &part, &length)) {
		send(ends[0], part, length, MSG_DONTWAIT | MSG_NOSIGNAL);
		REQUIRE(serve_step(s, 0));
		hear(ends[0], &first);
	}
	shutdown(ends[0], SHUT_WR);
	for (int i = 0; i < 4; i++) {
		REQUIRE(serve_step(s, 0));
		hear(ends[0], &first);
	}
	close(ends[0]);
	REQUIRE(serve_step(s, 0));
}

/* ---- names in a page: label values come back as what they were, in one line ---- */

static char *unescape(const char *at, const char *end)
{
	char *text = malloc((size_t)(end - at) + 1), *to = text;
	REQUIRE(text);
	for (; at < end; at++) {
		if (*at == '\\')
			*to++ = *++at == 'n' ? '\n' : *at;
		else
			*to++ = *at;
	}
	*to = '\0';
	return text;
}

void fuzz_labels(const uint8_t *data, size_t size)
{
	static const struct metric metric = { "x_", "y", METRIC_GAUGE, "z", "n" };
	struct text out = { 0 }, valid = { 0 };
	struct metric_page page = { .out = &out };
	char *name = fuzz_string(data, size);
	const struct metric_label labels[] = { { "n", name }, { 0 } };

	metric_add(&page, &metric, labels, 1);
	const char *line = strstr(out.bytes, "x_y{n=\""), *begin = line + 7, *end = out.bytes + out.length - 5;
	REQUIRE(line && !strcmp(end, "\"} 1\n") && !memchr(line, '\n', (size_t)(end - line)));
	for (const char *at = begin; at < end; at += utf8_length((const unsigned char *)at))
		REQUIRE(utf8_length((const unsigned char *)at));
	text_puts(&valid, "");
	text_add_valid(&valid, name, strlen(name));
	char *back = unescape(begin, end);
	REQUIRE(!strcmp(back, valid.bytes));
	free(back);
	free(name);
	text_free(&valid);
	text_free(&out);
}

/* ---- ksm-exporter's command line: one word per part ---- */

void fuzz_exporter_options(const uint8_t *data, size_t size)
{
	struct exporter_settings settings;
	struct error err = { 0 };
	struct fuzz_words words;
	enum parsed parsed;

	fuzz_words(&words, data, size);
	int rc = exporter_settings_parse(&settings, words.argc, words.argv, &parsed, &err);
	/* a file of domains may be none, or not to be read: that is no wrong usage */
	REQUIRE(!rc || (*err.text && (rc == -EXIT_USAGE || settings.domains)));
	exporter_settings_free(&settings);
	fuzz_words_free(&words);
}
