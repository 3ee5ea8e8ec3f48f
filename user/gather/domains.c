// SPDX-License-Identifier: GPL-2.0-or-later
#include "gather/domains.h"

#include "sys/whole_file.h"

#define MOST_BYTES ((size_t)4 << 20)

int domains_load(struct domain_rules *ret, const char *path, struct error *err)
{
	scoped_text struct text text = { 0 };
	int rc = file_read(&text, path, MOST_BYTES, err);

	*ret = (struct domain_rules){ 0 };
	if (!rc)
		rc = domain_rules_add(ret, path, text.bytes ? text.bytes : "", text.length, err);
	if (!rc && !ret->domains_count)
		rc = fail(err, EXIT_USAGE, "%s: describes no domain: write \"[domain NAME]\", and who is in it", path);
	return rc;
}
