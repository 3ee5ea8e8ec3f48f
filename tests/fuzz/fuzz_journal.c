// SPDX-License-Identifier: GPL-2.0-or-later
/* Journals: whatever lies in the state directory, it must not be trusted further than it deserves. */
#include <inttypes.h>
#include <zlib.h>

#include "act/journal.h"
#include "base/text.h"
#include "tests/fuzz/target.h"

static void check_journal(const char *bytes, size_t length)
{
	struct journal journal;
	struct error err = { 0 };

	int rc = journal_parse(&journal, bytes, length, "a journal", &err);
	REQUIRE(rc ? rc == -EXIT_FAILED && *err.text : journal.length <= length);
	if (rc)
		return;
	REQUIRE(journal.torn == (journal.length < length));
	REQUIRE(journal_open_records(&journal) <= journal.count && journal.count <= journal.lines);
	for (size_t i = 0; i < journal.count; i++) {
		const struct record *record = &journal.records[i];
		REQUIRE(record->kind == RECORD_KNOB ? knob_writable(record->knob) : record->pid > 0);
		REQUIRE(record->line <= journal.lines && record->start <= record->end);
	}
	journal_close(&journal);
}

/* Lines get the checksum and the number that they should have. */
static void mend(struct text *out, const char *bytes)
{
	unsigned int number = 1;
	for (const char *line = bytes, *next; *line; line = next, number++) {
		scoped_text struct text numbered = { 0 };
		size_t length = strcspn(line, "\n");
		next = line + length + (line[length] == '\n');
		text_printf(&numbered, "%u %.*s", number, (int)length, line);
		text_printf(out, "%08lx %s%s", crc32(0, (const Bytef *)numbered.bytes, (uInt)numbered.length),
			    numbered.bytes, line[length] == '\n' ? "\n" : "");
	}
}

void fuzz_journals(const uint8_t *data, size_t size)
{
	scoped_text struct text mended = { 0 };
	char *bytes = fuzz_string(data, size);

	check_journal(bytes, size);
	mend(&mended, bytes);
	if (mended.bytes)
		check_journal(mended.bytes, mended.length);
	free(bytes);
}
