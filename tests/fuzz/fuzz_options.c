// SPDX-License-Identifier: GPL-2.0-or-later
/* ksm-advise's command line: one word per part. */
#include "advise/options.h"
#include "tests/fuzz/target.h"

void fuzz_advise_options(const uint8_t *data, size_t size)
{
	struct advise_options options;
	struct error err = { 0 };
	struct fuzz_words words;
	enum parsed parsed;

	fuzz_words(&words, data, size);
	int rc = advise_options_parse(&options, words.argc, words.argv, &parsed, &err);
	/* a file of domains may be none, or not to be read: that is no wrong usage */
	REQUIRE(!rc || (*err.text && (rc == -EXIT_USAGE || options.domains)));
	advise_options_free(&options);
	fuzz_words_free(&words);
}
