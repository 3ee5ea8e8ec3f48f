// SPDX-License-Identifier: GPL-2.0-or-later
/* The file of a portable sketch: written, and read by who trusts nothing in it. */
#include "core/fleet/portable.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "core/fleet/siphash.h"

#define MAGIC "ksmscope-sketch"
#define LINE_MAX_BYTES 128

/* Against accidents, not against forgers: the key is no secret. */
static uint64_t checksum(const char *bytes, size_t length)
{
	static const uint64_t no_key[2];
	return siphash(no_key, bytes, length);
}

void portable_write(struct text *out, const struct portable *p)
{
	size_t begin = out->length;

	text_printf(out, MAGIC " %d\npage-bytes %" PRIu64 "\nkey-id %016" PRIx64 "\nlabel %s\ndomain %s\n",
		    PORTABLE_VERSION, p->page_bytes, p->key_id, p->label, *p->domain ? p->domain : "-");
	text_printf(out, "time %" PRId64 "\nframes %" PRIu64 "\nzero-frames %" PRIu64 "\nthreshold %" PRId64 "\n",
		    p->time_s, p->frames, p->zero_frames, p->threshold);
	text_printf(out, "contents %" PRIu32 "\n", p->count);
	for (uint32_t i = 0; i < p->count; i++)
		text_printf(out, "%" PRId64 " %" PRIu32 "\n", p->contents[i].hash, p->contents[i].frames);
	if (!out->failed)
		text_printf(out, "checksum %016" PRIx64 "\n", checksum(out->bytes + begin, out->length - begin));
}

/* ---- reading ---- */

struct reader {
	const char *file;
	const char *at, *end;
	unsigned int number;		/* of the line last read */
	char line[LINE_MAX_BYTES];	/* without its newline */
	struct error *err;
};

__attribute__((format(printf, 2, 3)))
static int refuse(const struct reader *r, const char *fmt, ...)
{
	char why[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	return fail(r->err, EXIT_USAGE, "%s:%u: %s", r->file, r->number, why);
}
#ifdef __clang_analyzer__
#define refuse(...) NEVER_ZERO(refuse(__VA_ARGS__))
#endif

static int next_line(struct reader *r)
{
	const char *newline = memchr(r->at, '\n', (size_t)(r->end - r->at));

	r->number++;
	if (!newline)
		return refuse(r, "the sketch ends here, before its last line: it was cut short");
	size_t length = (size_t)(newline - r->at);
	if (length >= sizeof(r->line) || memchr(r->at, '\0', length))
		return refuse(r, "no line of a sketch looks like this");
	memcpy(r->line, r->at, length);
	r->line[length] = '\0';
	r->at = newline + 1;
	return 0;
}

/* The next line has to be "<key> <value>"; the value stays in the reader's line. */
static int next_value(struct reader *r, const char *key, const char **ret)
{
	size_t length = strlen(key);
	int status = next_line(r);

	if (status)
		return status;
	if (strncmp(r->line, key, length) || r->line[length] != ' ')
		return refuse(r, "expected \"%s\"", key);
	*ret = r->line + length + 1;
	return 0;
}

static int next_number(struct reader *r, const char *key, uint64_t most, uint64_t *ret)
{
	const char *value;
	int status = next_value(r, key, &value);

	if (status)
		return status;
	if (!parse_u64(value, ret) || *ret > most)
		return refuse(r, "%s: not a number from 0 to %" PRIu64, key, most);
	return 0;
}

static int next_name(struct reader *r, const char *key, char *ret)
{
	const char *value;
	int status = next_value(r, key, &value);

	if (status)
		return status;
	if (!*value || strlen(value) > PORTABLE_NAME_MAX)
		return refuse(r, "%s: not a name of 1 to %d bytes", key, PORTABLE_NAME_MAX);
	for (const unsigned char *c = (const unsigned char *)value; *c; c++)
		if (*c < 0x20 || *c == 0x7f)
			return refuse(r, "%s: a control byte in the name", key);
	strcpy(ret, value);
	return 0;
}

static int next_hex(struct reader *r, const char *key, uint64_t *ret)
{
	const char *value;
	int status = next_value(r, key, &value);

	if (status)
		return status;
	char back[17] = "";
	if (parse_hex64(value, ret))
		snprintf(back, sizeof(back), "%016" PRIx64, *ret);
	if (strcmp(value, back))
		return refuse(r, "%s: not 16 hexadecimal digits", key);
	return 0;
}

static int read_magic(struct reader *r)
{
	size_t length = (size_t)(r->end - r->at);
	size_t magic = strlen(MAGIC);
	uint64_t version;

	if (memcmp(r->at, MAGIC, length < magic ? length : magic))
		return fail(r->err, EXIT_USAGE, "%s: this is no sketch: it does not begin with \"" MAGIC "\"", r->file);
	int status = next_number(r, MAGIC, UINT32_MAX, &version);
	if (!status && version != PORTABLE_VERSION)
		return refuse(r, "a sketch of format %" PRIu64 "; this program reads format %d", version,
			      PORTABLE_VERSION);
	return status;
}

static int read_head(struct reader *r, struct portable *p)
{
	uint64_t time_s, threshold, count = 0;
	int status = read_magic(r);

	if (status || (status = next_number(r, "page-bytes", UINT32_MAX, &p->page_bytes)))
		return status;
	if (p->page_bytes < 4096 || p->page_bytes & (p->page_bytes - 1))
		return refuse(r, "page-bytes: %" PRIu64 " is no size of a page", p->page_bytes);
	if ((status = next_hex(r, "key-id", &p->key_id)) || (status = next_name(r, "label", p->label)) ||
	    (status = next_name(r, "domain", p->domain)) || (status = next_number(r, "time", INT64_MAX, &time_s)) ||
	    (status = next_number(r, "frames", UINT64_MAX >> 12, &p->frames)) ||
	    (status = next_number(r, "zero-frames", UINT64_MAX >> 12, &p->zero_frames)) ||
	    (status = next_number(r, "threshold", PORTABLE_ALL, &threshold)))
		return status;
	if (threshold == 0)
		return refuse(r, "threshold: at 0 nothing is sampled");
	status = next_number(r, "contents", PORTABLE_CONTENTS_MAX, &count);
	if (!strcmp(p->domain, "-"))
		p->domain[0] = '\0';
	p->time_s = (int64_t)time_s;
	p->threshold = (int64_t)threshold;
	p->count = (uint32_t)count;
	return status;
}

static int read_content(struct reader *r, const struct portable *p, struct portable_content *ret, int64_t after)
{
	uint64_t hash, frames;
	int status = next_line(r);

	if (status)
		return status;
	char *blank = strchr(r->line, ' ');
	if (blank)
		*blank = '\0';
	if (!blank || !parse_u64(r->line, &hash) || !parse_u64(blank + 1, &frames) || !frames || frames > UINT32_MAX)
		return refuse(r, "expected a hash and how many frames hold it");
	if (hash >= (uint64_t)p->threshold || (int64_t)hash <= after)
		return refuse(r, "hashes have to rise, and to stay below the threshold");
	*ret = (struct portable_content){ .hash = (int64_t)hash, .frames = (uint32_t)frames };
	return 0;
}

static int read_contents(struct reader *r, struct portable *p)
{
	uint64_t frames = 0;
	int64_t after = -1;

	/* A line has 4 bytes at least: a count that can't be true doesn't get memory. */
	if (p->count > (size_t)(r->end - r->at) / 4)
		return refuse(r, "%" PRIu32 " contents don't fit into what follows: it was cut short", p->count);
	p->contents = calloc((size_t)p->count + 1, sizeof(*p->contents));
	if (!p->contents)
		return fail(r->err, EXIT_FAILED, "%s: no memory for %" PRIu32 " contents", r->file, p->count);
	for (uint32_t i = 0; i < p->count; i++) {
		int status = read_content(r, p, &p->contents[i], after);
		if (status)
			return status;
		after = p->contents[i].hash;
		frames += p->contents[i].frames;
	}
	if (frames > p->frames)
		return refuse(r, "the contents are of %" PRIu64 " frames, but there were only %" PRIu64, frames, p->frames);
	return 0;
}

static int read_checksum(struct reader *r, const char *begin)
{
	const char *end = r->at;
	uint64_t stated;
	int status = next_hex(r, "checksum", &stated);

	if (status)
		return status;
	if (stated != checksum(begin, (size_t)(end - begin)))
		return refuse(r, "the checksum does not fit: the file was damaged or edited");
	if (r->at != r->end)
		return refuse(r, "something follows the last line");
	return 0;
}

int portable_read(struct portable *ret, const char *file, const char *bytes, size_t length, struct error *err)
{
	struct reader r = { .file = file, .at = bytes, .end = bytes + length, .err = err };
	int status;

	*ret = (struct portable){ 0 };
	if ((status = read_head(&r, ret)) || (status = read_contents(&r, ret)) ||
	    (status = read_checksum(&r, bytes))) {
		portable_free(ret);
		return status;
	}
	return 0;
}
