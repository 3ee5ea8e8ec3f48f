// SPDX-License-Identifier: GPL-2.0-or-later
/* Sketches that leave the machine: written and read back, damaged in every way, laid side by side; the fleet's key. */
#include "unit.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi.h"
#include "bpf/pagehash.h"
#include "core/fleet/fleet_key.h"
#include "core/fleet/portable.h"
#include "core/fleet/siphash.h"
#include "core/mix.h"

static const struct fleet_key key = { { 0x0123456789abcdef, 0xfedcba9876543210 } };

static struct sketch make_sketch(double theta)
{
	struct sketch_options options = { .bytes = 4 << 20, .theta = theta, .run = 1, .probe_is_hash = true };
	struct sketch s;

	assert_int_equal(sketch_init(&s, &options, NULL), 0);
	return s;
}

static void add(struct sketch *s, const struct fleet_key *k, uint64_t content, uint32_t owner, uint32_t frames)
{
	uint64_t hash = fleet_hash(k, content);
	sketch_add(s, hash, hash, owner, frames);
}

static struct portable_head head_of(const char *label, const char *domain)
{
	return (struct portable_head){ .label = label, .domain = domain, .page_bytes = 4096,
				       .key_id = fleet_key_id(&key), .zero_frames = 5, .time_s = 1767225600 };
}

static struct portable portable(const struct sketch *s, const char *label, const char *domain, uint32_t k)
{
	struct portable_head head = head_of(label, domain);
	struct portable p;

	assert_int_equal(portable_make(&p, s, &head, NULL, k, NULL), 0);
	return p;
}

/* Contents [first, first + count), each with `copies` copies. */
static struct portable of_range(const struct fleet_key *k, double theta, uint64_t first, uint64_t count,
				uint32_t copies, const char *label, const char *domain, uint32_t contents)
{
	struct sketch s = make_sketch(theta);

	for (uint64_t c = 0; c < count; c++)
		add(&s, k, first + c, 0, copies);
	struct portable p = portable(&s, label, domain, contents);
	sketch_free(&s);
	return p;
}

/* ---- the key ---- */

static void test_siphash(void **state)
{
	(void)state;
	/* Key 00 … 0f, messages of 0, 8 and 15 bytes 00, 01 …: the vectors of the paper's reference code. */
	const uint64_t k[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	const unsigned char message[15] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 };

	assert_true(siphash(k, message, 0) == UINT64_C(0x726fdb47dd0e0e31));
	assert_true(siphash(k, message, 8) == UINT64_C(0x93f5f5799a932462));
	assert_true(siphash(k, message, 15) == UINT64_C(0xa129ca6149be45e5));
}

static void expect_key_refused(const char *text, size_t length, const char *says)
{
	struct fleet_key k;
	struct error err = { 0 };

	assert_int_equal(fleet_key_parse(&k, "key", text, length, &err), -EXIT_USAGE);
	assert_non_null(strstr(err.text, says));
	/* Not even a part of it is shown. */
	assert_null(strstr(err.text, "0123"));
}

static void test_key_file(void **state)
{
	(void)state;
	struct fleet_key k;

	assert_int_equal(fleet_key_parse(&k, "key", "0123456789abcdefFEDCBA9876543210\n", 33, NULL), 0);
	assert_memory_equal(&k, &key, sizeof(key));
	expect_key_refused("", 0, "32 hexadecimal digits");
	expect_key_refused("0123456789abcdef", 16, "32 hexadecimal digits");
	expect_key_refused("0123456789abcdefFEDCBA9876543210\n\n", 34, "32 hexadecimal digits");
	expect_key_refused("0123456789abcdefFEDCBA987654321g", 32, "key:1:32");
	expect_key_refused("00000000000000000000000000000000", 32, "no random key");
	expect_key_refused("0123456789abcdef\0EDCBA9876543210", 32, "key:1:17");
}

static void test_derived_keys_differ(void **state)
{
	(void)state;
	const struct fleet_key other = { { key.words[0] ^ 1, key.words[1] } };
	uint64_t a[4], b[4], c[4];

	fleet_key_expand(&key, "page hash", a, 4);
	fleet_key_expand(&key, "probe", b, 4);
	fleet_key_expand(&other, "page hash", c, 4);
	for (int i = 0; i < 4; i++) {
		assert_true(a[i] != b[i] && a[i] != c[i] && a[i] != fleet_hash(&key, (uint64_t)i));
		assert_true(i == 0 || a[i] != a[i - 1]);
	}
	assert_true(fleet_key_id(&key) != fleet_key_id(&other));
}

/* ---- making ---- */

static void test_smallest_k(void **state)
{
	(void)state;
	struct sketch s = make_sketch(1);
	uint32_t below = 0;

	for (uint64_t c = 0; c < 1000; c++)
		add(&s, &key, c, (uint32_t)(c % 3), 1 + (uint32_t)(c % 2));
	for (uint64_t c = 0; c < 1000; c++)
		add(&s, &key, c, 3, 1);		/* a second owner of each: their frames add up */
	struct portable p = portable(&s, "h", "", 100);
	assert_int_equal(p.count, 100);
	assert_int_equal(p.frames, 1000 + 500 + 1000);
	for (uint32_t i = 0; i < p.count; i++)
		assert_true(p.contents[i].hash < p.threshold && (!i || p.contents[i - 1].hash < p.contents[i].hash));
	for (uint64_t c = 0; c < 1000; c++) {
		int64_t hash = (int64_t)(fleet_hash(&key, c) >> 1);
		if (hash >= p.threshold)
			continue;
		assert_true(p.contents[below].frames >= 2);
		below++;
		bool found = false;
		for (uint32_t i = 0; i < p.count; i++)
			found = found || (p.contents[i].hash == hash && p.contents[i].frames == 2 + c % 2);
		assert_true(found);
	}
	assert_int_equal(below, 100);
	portable_free(&p);
	p = portable(&s, "h", "", 5000);
	assert_true(p.count == 1000 && p.threshold == PORTABLE_ALL);
	portable_free(&p);
	sketch_free(&s);
}

/* The threshold is the first hash left out: with the last one kept, 16 of them would count 1/15 too much. */
static void test_threshold_has_no_bias(void **state)
{
	(void)state;
	const uint32_t runs = 2000, k = 16, contents = 500;
	struct sketch_options options = { .bytes = SKETCH_MIN_BYTES, .theta = 1, .probe_is_hash = true };
	struct sketch s;
	double sum = 0;

	assert_int_equal(sketch_init(&s, &options, NULL), 0);
	for (uint64_t run = 1; run <= runs; run++) {
		const struct fleet_key fleet = { { mix64(run), mix64(~run) } };
		sketch_clear(&s, 1);
		for (uint64_t c = 0; c < contents; c++)
			add(&s, &fleet, c, 0, 1);
		struct portable p = portable(&s, "h", "", k);
		sum += k / ldexp((double)p.threshold, -63);
		portable_free(&p);
	}
	sketch_free(&s);
	/* One run errs by 1/sqrt(k - 1) = 26 %, their mean by 0.6 %. */
	assert_true(fabs(sum / runs / contents - 1) < 0.025);
}

static void test_only_wanted_owners(void **state)
{
	(void)state;
	struct sketch s = make_sketch(1);
	struct portable_head head = head_of("vm", "shop");
	const bool wanted[2] = { false, true };
	struct portable p;

	add(&s, &key, 1, 0, 7);
	add(&s, &key, 1, 1, 2);
	add(&s, &key, 2, 0, 9);
	assert_int_equal(portable_make(&p, &s, &head, wanted, 10, NULL), 0);
	assert_true(p.count == 1 && p.contents[0].frames == 2 && p.frames == 2);
	portable_free(&p);
	sketch_free(&s);
}

/* A frequent content that is kept above the threshold would have no like in another host's sketch. */
static void test_frequent_contents_above_the_threshold_stay(void **state)
{
	(void)state;
	struct sketch s = make_sketch(1.0 / 16);
	uint64_t heavy[64];

	for (uint64_t c = 0; c < 64; c++)
		heavy[c] = fleet_hash(&key, c);
	sketch_set_heavy(&s, heavy, 64);
	for (uint64_t c = 0; c < 64; c++)
		add(&s, &key, c, 0, 100);
	struct portable p = portable(&s, "h", "", 1000);
	assert_in_range(p.count, 0, 20);
	assert_int_equal(p.threshold, INT64_C(1) << 59);
	assert_int_equal(p.frames, 6400);
	portable_free(&p);
	sketch_free(&s);
}

static void test_hashes_of_a_run_stay(void **state)
{
	(void)state;
	struct sketch_options bad[] = { { .theta = 1, .probe_is_hash = false },
					{ .theta = 1, .probe_is_hash = true, .phase = 3 } };
	struct portable_head head = head_of("h", "");
	struct portable p;

	for (int i = 0; i < 2; i++) {
		struct error err = { 0 };
		struct sketch s;
		assert_int_equal(sketch_init(&s, &bad[i], NULL), 0);
		assert_int_equal(portable_make(&p, &s, &head, NULL, 10, &err), -EXIT_FAILED);
		assert_non_null(strstr(err.text, "its hashes stay here"));
		sketch_free(&s);
	}
	const char *names[] = { "", "a\nb", "a,b", "it's", " a", "a ", "back\\slash",
				"0123456789012345678901234567890123456789012345678901234567890123" };
	struct sketch s = make_sketch(1);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		head.label = names[i];
		assert_int_equal(portable_make(&p, &s, &head, NULL, 10, NULL), -EXIT_USAGE);
	}
	sketch_free(&s);
}

/* ---- the file ---- */

static int read_back(struct portable *ret, const char *bytes, size_t length, struct error *err)
{
	/* A copy of just this size, so that a read beyond it is seen. */
	char *copy = malloc(length + !length);
	*err = (struct error){ 0 };
	assert_non_null(copy);
	memcpy(copy, bytes, length);
	int status = portable_read(ret, "a.sketch", copy, length, err);
	free(copy);
	return status;
}

static void test_written_and_read(void **state)
{
	(void)state;
	for (int all = 0; all < 2; all++) {
		struct portable p = of_range(&key, 1, 0, 500, 3, "web 1", all ? "shop" : "", all ? 1000 : 64), q;
		struct text text = { 0 };
		struct error err;
		portable_write(&text, &p);
		assert_int_equal(read_back(&q, text.bytes, text.length, &err), 0);
		assert_string_equal(q.label, p.label);
		assert_string_equal(q.domain, p.domain);
		assert_true(q.page_bytes == 4096 && q.key_id == p.key_id && q.time_s == p.time_s &&
			    q.frames == p.frames && q.zero_frames == 5 && q.threshold == p.threshold);
		assert_int_equal(q.count, p.count);
		for (uint32_t i = 0; i < p.count; i++)
			assert_true(q.contents[i].hash == p.contents[i].hash &&
				    q.contents[i].frames == p.contents[i].frames);
		portable_free(&p);
		portable_free(&q);
		text_free(&text);
	}
}

static void test_empty_host(void **state)
{
	(void)state;
	struct portable p = of_range(&key, 1, 0, 0, 1, "idle", "", 64), q;
	const struct portable *sets[2] = { &p, &q };
	struct text text = { 0 };
	struct comparison c;
	struct error err;

	portable_write(&text, &p);
	assert_int_equal(read_back(&q, text.bytes, text.length, &err), 0);
	assert_int_equal(portable_compare(&c, sets, 2, NULL), 0);
	assert_true(c.of[COMPARE_SHARED].exact && c.of[COMPARE_SHARED].value == 0);
	portable_free(&p);
	portable_free(&q);
	text_free(&text);
}

/* Cut anywhere, and any byte changed: refused, with a reason that names the file. */
static void test_damage_is_refused(void **state)
{
	(void)state;
	struct portable p = of_range(&key, 1, 0, 40, 2, "h", "shop", 20), q;
	struct text text = { 0 };
	struct error err;

	portable_write(&text, &p);
	for (size_t cut = 0; cut < text.length; cut++) {
		assert_int_equal(read_back(&q, text.bytes, cut, &err), -EXIT_USAGE);
		assert_int_equal(strncmp(err.text, "a.sketch:", 9), 0);
		assert_null(q.contents);
		if (cut > 20)
			assert_non_null(strstr(err.text, "cut short"));
	}
	for (size_t at = 0; at < text.length; at++)
		for (int bit = 0; bit < 8; bit++) {
			text.bytes[at] ^= (char)(1 << bit);
			assert_int_equal(read_back(&q, text.bytes, text.length, &err), -EXIT_USAGE);
			assert_int_equal(strncmp(err.text, "a.sketch:", 9), 0);
			text.bytes[at] ^= (char)(1 << bit);
		}
	text_puts(&text, "x");
	assert_int_equal(read_back(&q, text.bytes, text.length, &err), -EXIT_USAGE);
	assert_non_null(strstr(err.text, "something follows"));
	portable_free(&p);
	text_free(&text);
}

static void expect_refused(const char *bytes, const char *says)
{
	struct portable p;
	struct error err;

	assert_int_equal(read_back(&p, bytes, strlen(bytes), &err), -EXIT_USAGE);
	if (!strstr(err.text, says))
		print_error("\"%s\": expected \"%s\"\n", err.text, says);
	assert_non_null(strstr(err.text, says));
}

#define HEAD(page, frames, threshold, contents) \
	"ksmscope-sketch 1\npage-bytes " page "\nkey-id 0123456789abcdef\nlabel a\ndomain -\ntime 1\nframes " frames \
	"\nzero-frames 0\nthreshold " threshold "\ncontents " contents "\n"

static void test_foreign_files_are_refused(void **state)
{
	(void)state;
	expect_refused("\x7f" "ELF\x02\x01\x01", "no sketch");
	expect_refused("{\"hello\": 1}\n", "no sketch");
	expect_refused("ksmscope-sketch 2\npage-bytes 4096\n", "format 2; this program reads format 1");
	expect_refused("ksmscope-sketch x\n", "not a number");
	expect_refused(HEAD("4095", "1", "5", "0"), "no size of a page");
	expect_refused(HEAD("4096", "1", "0", "0"), "nothing is sampled");
	expect_refused(HEAD("4096", "1", "9223372036854775808", "0"), "threshold: not a number");
	expect_refused(HEAD("4096", "1", "5", "16777217"), "contents: not a number");
	expect_refused(HEAD("4096", "1", "5", "16777216") "1 1\n", "cut short");
	expect_refused(HEAD("4096", "1", "5", "1") "5 1\nchecksum 0\n", "below the threshold");
	expect_refused(HEAD("4096", "9", "5", "2") "3 1\n3 1\nchecksum 0\n", "rise");
	expect_refused(HEAD("4096", "9", "5", "1") "3 0\nchecksum 0\n", "expected a hash");
	expect_refused(HEAD("4096", "9", "5", "1") "3  1\nchecksum 0\n", "expected a hash");
	expect_refused(HEAD("4096", "9", "5", "1") "-3 1\nchecksum 0\n", "expected a hash");
	expect_refused(HEAD("4096", "1", "5", "1") "3 2\nchecksum 0\n", "there were only 1");
	expect_refused(HEAD("4096", "9", "5", "1") "3 2\nchecksum 0\n", "16 hexadecimal digits");
	expect_refused(HEAD("4096", "9", "5", "1") "3 2\nchecksum 0123456789abcdef\n", "damaged or edited");
}

static void test_key_is_not_in_the_file(void **state)
{
	(void)state;
	struct portable p = of_range(&key, 1, 0, 200, 1, "h", "", 100);
	struct text text = { 0 };

	portable_write(&text, &p);
	assert_null(strstr(text.bytes, "0123456789abcdef"));
	assert_null(strstr(text.bytes, "fedcba9876543210"));
	portable_free(&p);
	text_free(&text);
}

/* ---- side by side ---- */

static void test_compare_exact(void **state)
{
	(void)state;
	/* a: 0 … 99 twice, b: 50 … 149 once, c: 90 … 109 once; a and b trust each other, c nobody said. */
	struct portable a = of_range(&key, 1, 0, 100, 2, "a", "shop", 1000),
			b = of_range(&key, 1, 50, 100, 1, "b", "shop", 1000),
			c = of_range(&key, 1, 90, 20, 1, "c", "", 1000);
	const struct portable *sets[] = { &a, &b, &c };
	struct comparison x;

	assert_int_equal(portable_compare(&x, sets, 2, NULL), 0);
	assert_true(x.theta == 1 && x.frames == 300 && x.contents == 150);
	assert_true(x.of[COMPARE_APART].exact && x.of[COMPARE_APART].value == 100);
	assert_true(x.of[COMPARE_SHARED].value == 50 && x.of[COMPARE_INSIDE].value == 50);
	assert_true(x.of[COMPARE_CROSSING].value == 0 && x.of[COMPARE_TOGETHER].value == 150);
	assert_int_equal(portable_compare(&x, sets, 3, NULL), 0);
	assert_true(x.of[COMPARE_SHARED].value == 50 + 20);
	assert_true(x.of[COMPARE_INSIDE].value == 50 && x.of[COMPARE_CROSSING].value == 20);
	/* Nobody said a domain, of both: that is no trust. */
	const struct portable *unstated[] = { &c, &c };
	assert_int_equal(portable_compare(&x, unstated, 2, NULL), 0);
	assert_true(x.of[COMPARE_INSIDE].value == 0 && x.of[COMPARE_CROSSING].value == 20);
	portable_free(&a);
	portable_free(&b);
	portable_free(&c);
}

static void test_compare_refuses(void **state)
{
	(void)state;
	const struct fleet_key other = { { 1, 2 } };
	struct portable a = of_range(&key, 1, 0, 10, 1, "left", "", 100), b = of_range(&other, 1, 0, 10, 1, "right", "", 100);
	const struct portable *sets[] = { &a, &b };
	struct comparison x;
	struct error err = { 0 };

	b.key_id = fleet_key_id(&other);
	assert_int_equal(portable_compare(&x, sets, 2, &err), -EXIT_USAGE);
	assert_non_null(strstr(err.text, "left and right were made with different fleet keys"));
	b.key_id = a.key_id;
	b.page_bytes = 65536;
	assert_int_equal(portable_compare(&x, sets, 2, &err), -EXIT_USAGE);
	assert_non_null(strstr(err.text, "left has pages of 4096 bytes and right of 65536"));
	assert_int_equal(portable_compare(&x, sets, 0, &err), -EXIT_USAGE);
	portable_free(&a);
	portable_free(&b);
}

/*
 * 400 fleets of two VMs, with keys of their own: 30,000 contents each, of which
 * 12,000 in common, 1024 in each sketch. Binomial(400, 0.95) is in 365 … 392
 * but once in a thousand on each side.
 */
static void test_compare_covers(void **state)
{
	(void)state;
	uint32_t covered[COMPARE_MEASURES] = { 0 }, runs = 400;
	const double truth[COMPARE_MEASURES] = { 30000, 12000, 12000, 0, 42000 };
	double bias = 0, squares = 0;

	for (uint64_t run = 1; run <= runs; run++) {
		const struct fleet_key k = { { mix64(run), mix64(~run) } };
		/* Different thresholds: one sketch was thinned already. */
		struct portable a = of_range(&k, run % 2 ? 1 : 1.0 / 4, 0, 30000, 2, "a", "d", 1024),
				b = of_range(&k, 1.0 / 8, 18000, 30000, 1, "b", "d", 1024);
		const struct portable *sets[] = { &a, &b };
		struct comparison x;
		assert_int_equal(portable_compare(&x, sets, 2, NULL), 0);
		for (unsigned int m = 0; m < COMPARE_MEASURES; m++)
			covered[m] += x.of[m].low <= truth[m] && truth[m] <= x.of[m].high;
		assert_true(x.of[COMPARE_CROSSING].exact && x.of[COMPARE_CROSSING].high == 0);
		bias += x.of[COMPARE_SHARED].value - truth[COMPARE_SHARED];
		squares += pow(x.of[COMPARE_SHARED].value - truth[COMPARE_SHARED], 2);
		portable_free(&a);
		portable_free(&b);
	}
	double rms = sqrt(squares / runs);
	print_message("shared: RMS %.0f of 12000, bias %.0f; covered %u, apart %u, together %u of %u\n", rms, bias / runs,
		      covered[COMPARE_SHARED], covered[COMPARE_APART], covered[COMPARE_TOGETHER], runs);
	for (unsigned int m = 0; m < COMPARE_MEASURES; m++)
		if (m == COMPARE_CROSSING)
			assert_int_equal(covered[m], runs);
		else
			assert_in_range(covered[m], 365, 392);
	assert_true(rms < 1000 && fabs(bias / runs) < 4 * rms / sqrt(runs));
}

/* What can't be is exactly 0, however few contents the sketches hold; what can be has an interval. */
static void test_compare_domains(void **state)
{
	(void)state;
	struct portable a = of_range(&key, 1.0 / 8, 0, 30000, 1, "a", "d", 256),
			b = of_range(&key, 1.0 / 8, 15000, 30000, 1, "b", "e", 256),
			c = of_range(&key, 1.0 / 8, 15000, 30000, 1, "c", "d", 256);
	const struct portable *of_two[] = { &a, &b }, *of_one[] = { &a, &c }, *of_three[] = { &a, &b, &c };
	struct comparison x;

	assert_int_equal(portable_compare(&x, of_two, 2, NULL), 0);
	assert_true(x.of[COMPARE_INSIDE].exact && x.of[COMPARE_INSIDE].high == 0);
	assert_true(!x.of[COMPARE_CROSSING].exact && x.of[COMPARE_CROSSING].high > x.of[COMPARE_CROSSING].value);
	assert_int_equal(portable_compare(&x, of_one, 2, NULL), 0);
	assert_true(x.of[COMPARE_CROSSING].exact && x.of[COMPARE_CROSSING].high == 0);
	assert_true(!x.of[COMPARE_INSIDE].exact && x.of[COMPARE_INSIDE].value > 10000);
	assert_int_equal(portable_compare(&x, of_three, 3, NULL), 0);
	assert_true(!x.of[COMPARE_CROSSING].exact && !x.of[COMPARE_INSIDE].exact && x.of[COMPARE_CROSSING].value > 10000);
	portable_free(&a);
	portable_free(&b);
	portable_free(&c);
}

/*
 * What a page becomes on its way out. Where this changes, sketches of before and
 * after have nothing in common, and PORTABLE_VERSION has to say so.
 */
static void test_hash_of_a_page_stays(void **state)
{
	uint64_t words[CONTENT_KEY_WORDS];
	__u64 page_key[CONTENT_KEY_WORDS];
	unsigned char page[2 * CONTENT_CHUNK_BYTES];
	uint64_t hash = 0;

	(void)state;
	fleet_key_expand(&key, "page hash", words, CONTENT_KEY_WORDS);
	for (size_t i = 0; i < CONTENT_KEY_WORDS; i++)
		page_key[i] = words[i];
	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = (unsigned char)(i * 7 + i / 256);
	for (size_t at = 0; at < sizeof(page); at += CONTENT_CHUNK_BYTES)
		hash = pagehash_chunk(hash, page + at, page_key);
	assert_int_equal(PORTABLE_VERSION, 1);
	assert_int_equal(fleet_key_id(&key), 0x86ae6ac7c9a8ca3c);
	assert_int_equal(fleet_hash(&key, hash), 0x8014f01ad2115489);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash),
		cmocka_unit_test(test_key_file),
		cmocka_unit_test(test_derived_keys_differ),
		cmocka_unit_test(test_smallest_k),
		cmocka_unit_test(test_threshold_has_no_bias),
		cmocka_unit_test(test_only_wanted_owners),
		cmocka_unit_test(test_frequent_contents_above_the_threshold_stay),
		cmocka_unit_test(test_hashes_of_a_run_stay),
		cmocka_unit_test(test_written_and_read),
		cmocka_unit_test(test_empty_host),
		cmocka_unit_test(test_damage_is_refused),
		cmocka_unit_test(test_foreign_files_are_refused),
		cmocka_unit_test(test_key_is_not_in_the_file),
		cmocka_unit_test(test_compare_exact),
		cmocka_unit_test(test_compare_refuses),
		cmocka_unit_test(test_compare_covers),
		cmocka_unit_test(test_compare_domains),
		cmocka_unit_test(test_hash_of_a_page_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
