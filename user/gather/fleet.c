// SPDX-License-Identifier: GPL-2.0-or-later
#include "gather/fleet.h"

#include "sys/whole_file.h"

#define KEY_MOST_BYTES 512
/* Lines of a sketch are of 2 to 31 bytes. */
#define SKETCH_MOST_BYTES ((size_t)PORTABLE_CONTENTS_MAX * 32)

int fleet_key_load(struct fleet_key *ret, const char *path, struct error *err)
{
	struct text text;
	int rc = file_read_secret(&text, path, KEY_MOST_BYTES, err);

	if (!rc)
		rc = fleet_key_parse(ret, path, text.bytes ? text.bytes : "", text.length, err);
	text_wipe(&text);
	return rc;
}

int portable_load(struct portable *ret, const char *path, struct error *err)
{
	scoped_text struct text text = { 0 };
	int rc = file_read(&text, path, SKETCH_MOST_BYTES, err);

	*ret = (struct portable){ 0 };
	return rc ? rc : portable_read(ret, path, text.bytes ? text.bytes : "", text.length, err);
}
