// SPDX-License-Identifier: GPL-2.0-or-later
#include "http/config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "base/cleanup.h"

#define FILE_MOST (1u << 20)
#define PAIRS_MOST 1000
#define HASH_LENGTH 60

/* Where in the document the reader is. */
struct reading {
	struct web_config *config;
	const char *file;
	yaml_parser_t parser;
	const char *section;		/* "tls_server_config"; NULL: the top */
	bool in_headers;
	bool sections_seen[3];
	uint32_t keys_seen;
	struct error *err;
};

static const char *const sections[3] = { "tls_server_config", "http_server_config", "basic_auth_users" };

enum key { CERT, KEY, CLIENT_AUTH, CLIENT_CA, MIN_VERSION, MAX_VERSION, PREFER, HTTP2, HEADERS, KEYS };

static const struct {
	const char *section, *name;
} keys[KEYS] = {
	[CERT] = { "tls_server_config", "cert_file" },
	[KEY] = { "tls_server_config", "key_file" },
	[CLIENT_AUTH] = { "tls_server_config", "client_auth_type" },
	[CLIENT_CA] = { "tls_server_config", "client_ca_file" },
	[MIN_VERSION] = { "tls_server_config", "min_version" },
	[MAX_VERSION] = { "tls_server_config", "max_version" },
	[PREFER] = { "tls_server_config", "prefer_server_cipher_suites" },
	[HTTP2] = { "http_server_config", "http2" },
	[HEADERS] = { "http_server_config", "headers" },
};

/* Those that exporter-toolkit allows. */
static const char *const header_names[] = {
	"Content-Security-Policy", "X-Frame-Options", "X-Content-Type-Options", "X-XSS-Protection",
	"Strict-Transport-Security", NULL
};

static const char *const version_names[] = { "TLS10", "TLS11", "TLS12", "TLS13", NULL };

/* ---- events ---- */

static int refuse(struct reading *r, const yaml_mark_t *mark, const char *what, const char *why)
{
	return fail(r->err, EXIT_FAILED, "%s:%zu: %.200s: %s", r->file, mark->line + 1, what, why);
}

static int next_event(struct reading *r, yaml_event_t *ret)
{
	if (!yaml_parser_parse(&r->parser, ret))
		return refuse(r, &r->parser.problem_mark, "no YAML", r->parser.problem ? r->parser.problem : "damaged");
	if (ret->type != YAML_ALIAS_EVENT)
		return 0;
	int rc = refuse(r, &ret->start_mark, "alias", "not understood here");
	yaml_event_delete(ret);
	return rc;
}

static bool is_text(const yaml_event_t *e)
{
	return e->type == YAML_SCALAR_EVENT && strlen((char *)e->data.scalar.value) == e->data.scalar.length;
}

static const char *text_of(const yaml_event_t *e)
{
	return (const char *)e->data.scalar.value;
}

/* "key:" without anything is as good as no key. */
static bool is_null(const yaml_event_t *e)
{
	return is_text(e) && e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (!*text_of(e) || !strcmp(text_of(e), "~") || !strcmp(text_of(e), "null"));
}

/* ---- values ---- */

static int find_word(const char *const *words, const char *word)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], word))
			return i;
	return -1;
}

static int take_string(struct reading *r, char **ret, const yaml_event_t *value)
{
	free(*ret);
	*ret = strdup(text_of(value));
	return *ret ? 0 : fail(r->err, EXIT_FAILED, "out of memory");
}

static int take_version(struct reading *r, unsigned int *ret, const yaml_event_t *value)
{
	int which = find_word(version_names, text_of(value));
	if (which < 0)
		return refuse(r, &value->start_mark, text_of(value), "it takes TLS10, TLS11, TLS12 or TLS13");
	*ret = 10 + (unsigned int)which;
	return 0;
}

static int take_client_auth(struct reading *r, const yaml_event_t *value)
{
	bool require = !strcmp(text_of(value), "RequireAndVerifyClientCert");
	if (!require && strcmp(text_of(value), "NoClientCert") && *text_of(value))
		return refuse(r, &value->start_mark, text_of(value),
			      "it takes NoClientCert or RequireAndVerifyClientCert here");
	r->config->require_client = require;
	return 0;
}

static int take_bool(struct reading *r, const yaml_event_t *value)
{
	if (strcmp(text_of(value), "true") && strcmp(text_of(value), "false"))
		return refuse(r, &value->start_mark, text_of(value), "it takes true or false");
	return 0;
}

static int take_value(struct reading *r, enum key key, const yaml_event_t *value)
{
	struct web_config *c = r->config;

	if (!is_text(value))
		return refuse(r, &value->start_mark, keys[key].name, "it takes a word");
	switch (key) {
	case CERT:
		return take_string(r, &c->cert_file, value);
	case KEY:
		return take_string(r, &c->key_file, value);
	case CLIENT_CA:
		return take_string(r, &c->client_ca_file, value);
	case CLIENT_AUTH:
		return take_client_auth(r, value);
	case MIN_VERSION:
		return take_version(r, &c->min_version, value);
	case MAX_VERSION:
		return take_version(r, &c->max_version, value);
	default:
		return take_bool(r, value);
	}
}

/* ---- pairs: headers and users ---- */

static bool has_pair(const struct web_pairs *pairs, const char *name)
{
	for (size_t i = 0; i < pairs->count; i++)
		if (!strcmp(pairs->list[i].name, name))
			return true;
	return false;
}

static int check_pair(struct reading *r, const struct web_pairs *pairs, const yaml_event_t *name,
		      const yaml_event_t *value)
{
	const char *hash = text_of(value);

	if (has_pair(pairs, text_of(name)))
		return refuse(r, &name->start_mark, text_of(name), "it is there twice");
	if (pairs->count >= PAIRS_MOST)
		return refuse(r, &name->start_mark, text_of(name), "there are too many of them");
	if (pairs == &r->config->headers)
		return find_word(header_names, text_of(name)) < 0 || strpbrk(text_of(value), "\r\n") ?
			refuse(r, &name->start_mark, text_of(name), "no header that can be set here") : 0;
	if (strlen(hash) != HASH_LENGTH || strncmp(hash, "$2", 2) || !strchr("aby", hash[2]) || hash[3] != '$')
		return refuse(r, &value->start_mark, "password", "it takes a bcrypt hash, as htpasswd -nB makes it");
	return strchr(text_of(name), ':') ? refuse(r, &name->start_mark, text_of(name), "a user has no colon") : 0;
}

static int add_pair(struct reading *r, struct web_pairs *pairs, const yaml_event_t *name, const yaml_event_t *value)
{
	if (!is_text(name) || !is_text(value))
		return refuse(r, &name->start_mark, "pair", "it takes a name and a word");
	int rc = check_pair(r, pairs, name, value);
	if (rc)
		return rc;
	struct web_pair *more = realloc(pairs->list, (pairs->count + 1) * sizeof(*more));
	if (!more)
		return fail(r->err, EXIT_FAILED, "out of memory");
	pairs->list = more;
	more[pairs->count] = (struct web_pair){ strdup(text_of(name)), strdup(text_of(value)) };
	pairs->count++;
	return more[pairs->count - 1].name && more[pairs->count - 1].value ? 0 :
		fail(r->err, EXIT_FAILED, "out of memory");
}

/* ---- mappings ---- */

typedef int (*pair_reader)(struct reading *r, const yaml_event_t *name, const yaml_event_t *value);

static int read_mapping(struct reading *r, pair_reader read)
{
	while (true) {
		yaml_event_t name, value;
		int rc = next_event(r, &name);
		if (rc)
			return rc;
		if (name.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&name);
			return 0;
		}
		rc = next_event(r, &value);
		if (!rc) {
			rc = is_text(&name) ? read(r, &name, &value) :
				refuse(r, &name.start_mark, "name", "it takes a word");
			yaml_event_delete(&value);
		}
		yaml_event_delete(&name);
		if (rc)
			return rc;
	}
}

static int read_header(struct reading *r, const yaml_event_t *name, const yaml_event_t *value)
{
	return add_pair(r, &r->config->headers, name, value);
}

static int read_user(struct reading *r, const yaml_event_t *name, const yaml_event_t *value)
{
	return add_pair(r, &r->config->users, name, value);
}

static int read_key(struct reading *r, const yaml_event_t *name, const yaml_event_t *value)
{
	for (enum key key = 0; key < KEYS; key++) {
		if (strcmp(keys[key].section, r->section) || strcmp(keys[key].name, text_of(name)))
			continue;
		if (r->keys_seen & 1u << key)
			return refuse(r, &name->start_mark, text_of(name), "it is there twice");
		r->keys_seen |= 1u << key;
		if (key != HEADERS)
			return take_value(r, key, value);
		if (value->type == YAML_MAPPING_START_EVENT)
			return read_mapping(r, read_header);
		return is_null(value) ? 0 : refuse(r, &value->start_mark, "headers", "it takes names and values");
	}
	return refuse(r, &name->start_mark, text_of(name), "not known, or not supported here");
}

static int read_section(struct reading *r, const yaml_event_t *name, const yaml_event_t *value)
{
	for (int i = 0; i < 3; i++) {
		if (strcmp(sections[i], text_of(name)))
			continue;
		if (r->sections_seen[i])
			return refuse(r, &name->start_mark, text_of(name), "it is there twice");
		r->sections_seen[i] = true;
		if (is_null(value))
			return 0;
		if (value->type != YAML_MAPPING_START_EVENT)
			return refuse(r, &value->start_mark, text_of(name), "it takes names and values");
		r->section = sections[i];
		return read_mapping(r, i == 2 ? read_user : read_key);
	}
	return refuse(r, &name->start_mark, text_of(name), "not known, or not supported here");
}

/* ---- the document ---- */

static int read_document(struct reading *r)
{
	yaml_event_type_t before = YAML_NO_EVENT;
	int rc = 0;

	while (!rc && before != YAML_STREAM_END_EVENT) {
		yaml_event_t e;
		rc = next_event(r, &e);
		if (rc)
			break;
		if (e.type == YAML_DOCUMENT_START_EVENT && before == YAML_DOCUMENT_END_EVENT)
			rc = refuse(r, &e.start_mark, "document", "there is more than one");
		else if (e.type == YAML_MAPPING_START_EVENT)
			rc = read_mapping(r, read_section);
		else if (e.type == YAML_SEQUENCE_START_EVENT || (e.type == YAML_SCALAR_EVENT && !is_null(&e)))
			rc = refuse(r, &e.start_mark, "document", "it takes names and values");
		before = e.type;
		yaml_event_delete(&e);
	}
	return rc;
}

static int check_tls(const struct web_config *c, const char *file, struct error *err)
{
	if (!c->cert_file != !c->key_file)
		return fail(err, EXIT_FAILED, "%s: cert_file and key_file go together", file);
	if (!c->cert_file && (c->client_ca_file || c->require_client))
		return fail(err, EXIT_FAILED, "%s: client certificates need cert_file and key_file", file);
	if (c->require_client && !c->client_ca_file)
		return fail(err, EXIT_FAILED, "%s: client_auth_type needs client_ca_file", file);
	if (c->client_ca_file && !c->require_client)
		return fail(err, EXIT_FAILED, "%s: client_ca_file needs client_auth_type: RequireAndVerifyClientCert",
			    file);
	if (c->min_version > c->max_version)
		return fail(err, EXIT_FAILED, "%s: min_version is above max_version", file);
	return 0;
}

int web_config_parse(struct web_config *ret, const char *file, const char *text, size_t length, struct error *err)
{
	struct reading r = { .config = ret, .file = file, .err = err };

	ret->min_version = 12;
	ret->max_version = 13;
	if (!yaml_parser_initialize(&r.parser))
		return fail(err, EXIT_FAILED, "out of memory");
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, length);
	int rc = read_document(&r);
	yaml_parser_delete(&r.parser);
	return rc ? rc : check_tls(ret, file, err);
}

/* ---- files ---- */

static int read_file(char **ret, size_t *ret_length, const char *path, struct error *err)
{
	scoped_file FILE *file = fopen(path, "re");

	*ret = NULL;
	if (!file)
		return fail_errno(err, "open", path, NULL);
	char *text = malloc(FILE_MOST + 1);
	if (!text)
		return fail(err, EXIT_FAILED, "out of memory");
	*ret_length = fread(text, 1, FILE_MOST + 1, file);
	if (ferror(file) || *ret_length > FILE_MOST) {
		free(text);
		return fail(err, EXIT_FAILED, "%s: it can't be read, or has more than %u bytes", path, FILE_MOST);
	}
	text[*ret_length] = '\0';
	*ret = text;
	return 0;
}

static int read_beside(char **ret, const char *config, const char *path, struct error *err)
{
	const char *slash = strrchr(config, '/');
	int folder = *path == '/' || !slash ? 0 : (int)(slash + 1 - config);
	char whole[4096];
	size_t length;

	if (!*path)
		return fail(err, EXIT_FAILED, "%s: a file has no name", config);
	if (snprintf(whole, sizeof(whole), "%.*s%s", folder, config, path) >= (int)sizeof(whole))
		return fail(err, EXIT_FAILED, "%s: the path of a file is too long", config);
	return read_file(ret, &length, whole, err);
}

int web_config_load(struct web_config *ret, const char *file, struct error *err)
{
	size_t length;
	scoped_free char *text = NULL;

	int rc = read_file(&text, &length, file, err);
	if (!rc)
		rc = web_config_parse(ret, file, text, length, err);
	if (!rc && ret->cert_file)
		rc = read_beside(&ret->cert, file, ret->cert_file, err);
	if (!rc && ret->key_file)
		rc = read_beside(&ret->key, file, ret->key_file, err);
	if (!rc && ret->client_ca_file)
		rc = read_beside(&ret->client_ca, file, ret->client_ca_file, err);
	return rc;
}

static void free_pairs(struct web_pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		free(pairs->list[i].name);
		free(pairs->list[i].value);
	}
	free(pairs->list);
}

void web_config_free(struct web_config *c)
{
	char *const strings[] = { c->cert_file, c->key_file, c->client_ca_file, c->cert, c->client_ca };

	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		free(strings[i]);
	if (c->key)
		explicit_bzero(c->key, strlen(c->key));
	free(c->key);
	free_pairs(&c->headers);
	free_pairs(&c->users);
	memset(c, 0, sizeof(*c));
}
