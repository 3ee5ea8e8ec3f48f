/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file of --web.config.file: TLS and users, with the names that
 * Prometheus' exporter-toolkit gave them. What is not understood, or asks for
 * something that is not had here, is refused with its line.
 */
#ifndef KSMSCOPE_HTTP_CONFIG_H
#define KSMSCOPE_HTTP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct web_pair {
	char *name, *value;
};

struct web_pairs {
	struct web_pair *list;
	size_t count;
};

struct web_config {
	/* paths as they are in the file; NULL: not there */
	char *cert_file, *key_file, *client_ca_file;
	bool require_client;		/* a certificate that client_ca_file has signed */
	unsigned int min_version, max_version;	/* of TLS, 10 … 13 */
	struct web_pairs headers;	/* sent with every answer */
	struct web_pairs users;		/* user and bcrypt hash */
	/* what the files hold: web_config_load() */
	char *cert, *key, *client_ca;
};

/* A configuration from its text alone; `file` is its name for messages. Zeroed before. */
int web_config_parse(struct web_config *ret, const char *file, const char *text, size_t length, struct error *err);

/* Read a configuration and the files that it names, which are beside it where their paths are relative. */
int web_config_load(struct web_config *ret, const char *file, struct error *err);

void web_config_free(struct web_config *config);

/* Is TLS asked for? */
static inline bool web_config_tls(const struct web_config *config)
{
	return config->cert_file != NULL;
}

#endif
