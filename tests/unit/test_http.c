// SPDX-License-Identifier: GPL-2.0-or-later
/* What requests, addresses and web configurations ask for; pages handed over. */
#include <crypt.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "http/config.h"
#include "http/listen.h"
#include "http/login.h"
#include "http/pages.h"
#include "http/request.h"
#include "tests/unit/unit.h"

static void test_accept(void **state)
{
	(void)state;
	static const struct {
		const char *accept;
		enum metric_format format;
	} cases[] = {
		{ NULL, METRICS_TEXT }, { "", METRICS_TEXT }, { "*/*", METRICS_TEXT }, { "text/plain", METRICS_TEXT },
		{ "application/openmetrics-text", METRICS_OPENMETRICS },
		{ "application/openmetrics-text; version=1.0.0; charset=utf-8", METRICS_OPENMETRICS },
		{ "Application/OpenMetrics-Text", METRICS_OPENMETRICS },
		{ "application/openmetrics-text; version=0.0.1", METRICS_TEXT },
		{ "application/openmetrics-text; q=0", METRICS_TEXT },
		{ "application/openmetrics-text;q=0.2,text/plain;version=0.0.4;q=0.5", METRICS_TEXT },
		{ "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
		  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", METRICS_OPENMETRICS },
		{ ",;,;q,;q=,;version=", METRICS_TEXT },
		{ "application/openmetrics-text;q=9", METRICS_TEXT },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(request_format(cases[i].accept), cases[i].format);
}

static void test_accept_encoding(void **state)
{
	(void)state;
	static const struct {
		const char *accept;
		enum page_encoding encoding;
	} cases[] = {
		{ NULL, ENCODING_IDENTITY }, { "", ENCODING_IDENTITY }, { "gzip", ENCODING_GZIP },
		{ "deflate, gzip;q=0.001", ENCODING_GZIP }, { "gzip;q=0", ENCODING_IDENTITY },
		{ "gzip;q=0.000, *", ENCODING_IDENTITY }, { "*", ENCODING_GZIP }, { "identity", ENCODING_IDENTITY },
		{ "br, GZIP", ENCODING_GZIP }, { "gzipped", ENCODING_IDENTITY },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(request_encoding(cases[i].accept), cases[i].encoding);
}

static void test_login(void **state)
{
	struct login login;
	char big[4 * LOGIN_MAX] = "Basic ";
	(void)state;

	assert_true(request_login("Basic cHJvbTpzZWNyZXQ=", &login));
	assert_string_equal(login.user, "prom");
	assert_string_equal(login.password, "secret");
	assert_true(request_login("basic  cHJvbTphOmI=", &login));
	assert_string_equal(login.password, "a:b");
	assert_true(request_login("Basic Og==", &login));
	assert_string_equal(login.user, "");
	assert_false(request_login(NULL, &login));
	assert_false(request_login("Bearer cHJvbTpzZWNyZXQ=", &login));
	assert_false(request_login("Basic cHJvbTpzZWNyZXQ", &login));	/* no padding */
	assert_false(request_login("Basic cHJvbTpz=WNyZXQ=", &login));
	assert_false(request_login("Basic cHJvbQ==", &login));		/* no colon */
	assert_false(request_login("Basic YQA6Yg==", &login));		/* a NUL */
	memset(big + 6, 'A', sizeof(big) - 7);
	assert_false(request_login(big, &login));
}

static void test_addresses(void **state)
{
	char host[256], port[8];
	(void)state;
	assert_true(listen_split("127.0.0.1:9877", host, port));
	assert_string_equal(host, "127.0.0.1");
	assert_string_equal(port, "9877");
	assert_true(listen_split(":9877", host, port));
	assert_string_equal(host, "");
	assert_true(listen_split("[::1]:1", host, port));
	assert_string_equal(host, "::1");
	assert_true(listen_split("example:65535", host, port));
	assert_false(listen_split("::1:9877", host, port));
	assert_false(listen_split("9877", host, port));
	assert_false(listen_split("host:65536", host, port));
	assert_false(listen_split("host:", host, port));
	assert_false(listen_split("host:http", host, port));
}

/* ---- configuration ---- */

#define HASH "$2b$04$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"

static int parse(struct web_config *c, const char *text, struct error *err)
{
	*c = (struct web_config){ 0 };
	return web_config_parse(c, "web.yml", text, strlen(text), err);
}

static void test_config(void **state)
{
	struct web_config c;
	struct error err;
	(void)state;

	assert_int_equal(parse(&c, "tls_server_config:\n  cert_file: a.crt\n  key_file: a.key\n  min_version: TLS13\n"
				   "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n"
				   "http_server_config:\n  http2: false\n  headers:\n    X-Frame-Options: deny\n"
				   "basic_auth_users:\n  prom: " HASH "\n  \"a b\": '" HASH "'\n", &err), 0);
	assert_string_equal(c.cert_file, "a.crt");
	assert_string_equal(c.key_file, "a.key");
	assert_string_equal(c.client_ca_file, "ca.crt");
	assert_true(c.require_client);
	assert_int_equal(c.min_version, 13);
	assert_int_equal(c.headers.count, 1);
	assert_int_equal(c.users.count, 2);
	assert_string_equal(c.users.list[1].name, "a b");
	web_config_free(&c);
	assert_int_equal(parse(&c, "", &err), 0);
	assert_int_equal(parse(&c, "basic_auth_users:\n", &err), 0);
	web_config_free(&c);
}

static void test_config_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "tls_config:\n  a: b\n", "web.yml:1: tls_config" },
		{ "tls_server_config:\n  cert_file: a\n", "go together" },
		{ "tls_server_config:\n  cipher_suites: [a]\n", "web.yml:2: cipher_suites" },
		{ "tls_server_config:\n  cert_file: a\n  key_file: b\n  min_version: SSL3\n", "web.yml:4: SSL3" },
		{ "tls_server_config:\n  cert_file: a\n  cert_file: b\n", "web.yml:3: cert_file: it is there twice" },
		{ "tls_server_config:\n  cert_file: a\n  key_file: b\n  min_version: TLS13\n  max_version: TLS12\n",
		  "above" },
		{ "tls_server_config:\n  cert_file: a\n  key_file: b\n  client_auth_type: RequireAnyClientCert\n",
		  "RequireAnyClientCert" },
		{ "basic_auth_users:\n  prom: secret\n", "web.yml:2: password: it takes a bcrypt hash" },
		{ "basic_auth_users:\n  prom: " HASH "\n  prom: " HASH "\n", "twice" },
		{ "http_server_config:\n  headers:\n    Set-Cookie: a\n", "Set-Cookie" },
		{ "- a\n", "takes names" }, { "%bad\n", "no YAML" }, { "basic_auth_users: *x\n", "web.yml:1: alias" },
		{ "---\nbasic_auth_users:\n---\nbasic_auth_users:\n", "more than one" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct web_config c;
		struct error err;
		assert_int_equal(parse(&c, cases[i].text, &err), -EXIT_FAILED);
		print_message("%s\n", err.text);
		assert_non_null(strstr(err.text, cases[i].says));
		web_config_free(&c);
	}
}

/* ---- logins ---- */

static enum login_state check(struct logins *l, const char *user, const char *password)
{
	struct login_check c = { 0 };
	strcpy(c.login.user, user);
	strcpy(c.login.password, password);
	if (logins_check(l, &c) != LOGIN_PENDING)
		return c.state;
	struct login_check *done;
	while (!(done = logins_done(l)))
		usleep(1000);
	assert_ptr_equal(done, &c);
	return c.state;
}

static void test_passwords(void **state)
{
	static struct web_pair list = { .name = "prom" };
	static struct web_pairs users = { &list, 1 };
	static struct crypt_data data;
	(void)state;

	list.value = crypt_rn("secret", "$2b$04$k6sw4HLO2an20Ek1Thr8a.", &data, sizeof(data));
	assert_int_equal(strlen(list.value), 60);
	struct logins *l = logins_new(&users);
	assert_non_null(l);
	assert_int_equal(check(l, "prom", "secret"), LOGIN_GOOD);
	assert_int_equal(check(l, "prom", "secret"), LOGIN_GOOD);
	assert_int_equal(check(l, "prom", "Secret"), LOGIN_BAD);
	assert_int_equal(check(l, "prom", ""), LOGIN_BAD);
	assert_int_equal(check(l, "Prom", "secret"), LOGIN_BAD);
	assert_int_equal(check(l, "", ""), LOGIN_BAD);
	/* its thread goes on: neither it nor the users may be freed */
}

/* ---- pages ---- */

static void test_pages(void **state)
{
	struct text pages[METRIC_FORMATS] = { 0 };
	struct pages_head head;
	char bytes[64], unpacked[64];
	int ends[2];
	(void)state;

	text_puts(&pages[METRICS_TEXT], "the text\n");
	text_puts(&pages[METRICS_OPENMETRICS], "# EOF\n");
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	assert_int_equal(pages_receive(ends[1]), -1);
	int made = pages_make(pages, 42);
	assert_true(made >= 0);
	assert_true(pages_send(ends[0], made));
	int fd = pages_receive(ends[1]);
	assert_true(fd >= 0);
	assert_true(pages_head(fd, &head));
	assert_int_equal(head.clock_ns, 42);
	struct page_place place = head.page[METRICS_TEXT][ENCODING_IDENTITY];
	assert_int_equal(pread(fd, bytes, sizeof(bytes), (off_t)place.offset) >= 9, 1);
	assert_memory_equal(bytes, "the text\n", 9);
	place = head.page[METRICS_OPENMETRICS][ENCODING_GZIP];
	z_stream z = { .next_in = (Bytef *)bytes, .avail_in = (uInt)place.length,
		       .next_out = (Bytef *)unpacked, .avail_out = sizeof(unpacked) };
	assert_int_equal(pread(fd, bytes, place.length, (off_t)place.offset), place.length);
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.total_out, 6);
	inflateEnd(&z);
	/* nobody can change them any more */
	assert_int_equal(pwrite(made, "x", 1, 0), -1);
	assert_int_equal(ftruncate(made, 0), -1);
	close(ends[0]);
	assert_int_equal(pages_receive(ends[1]), -2);
	close(ends[1]);
	close(fd);
	close(made);
	text_free(&pages[0]);
	text_free(&pages[1]);
}

static void test_pages_refused(void **state)
{
	struct pages_head head;
	(void)state;
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_false(pages_head(fd, &head));	/* not sealed */
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
	assert_false(pages_head(fd, &head));	/* no head */
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_accept_encoding),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_config_refused),
		cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_pages_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
