/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a request asks for: pure, as everything that strangers may write to
 * has to be. The HTTP itself is libmicrohttpd's.
 */
#ifndef KSMSCOPE_HTTP_REQUEST_H
#define KSMSCOPE_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "http/pages.h"

/*
 * The format that an Accept header wants (RFC 9110, 12.5.1). OpenMetrics only
 * where it is named, in version 1.0.0 or without one, and not less wanted than
 * text. NULL: there is no header.
 */
enum metric_format request_format(const char *accept);

/* gzip where an Accept-Encoding header allows it (RFC 9110, 12.5.3). */
enum page_encoding request_encoding(const char *accept_encoding);

/* What lies under a path. */
enum request_target { TARGET_METRICS, TARGET_LANDING, TARGET_HEALTH, TARGET_NONE };

enum request_target request_target(const char *path, const char *telemetry_path);

/* User and password of an Authorization header (RFC 7617); what does not fit is refused. */
#define LOGIN_MAX 256

struct login {
	char user[LOGIN_MAX];
	char password[LOGIN_MAX];
};

bool request_login(const char *authorization, struct login *ret);

#endif
