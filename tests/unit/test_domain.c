// SPDX-License-Identifier: GPL-2.0-or-later
/* Trust domains: what the configuration accepts and refuses, with line and column; who is in which domain; patterns. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "core/mix.h"
#include "core/trust/domain.h"
#include "core/trust/glob.h"

static int parse(struct domain_rules *rules, const char *text, struct error *err)
{
	*err = (struct error){ 0 };
	return domain_rules_add(rules, "domains.conf", text, strlen(text), err);
}

static void parse_good(struct domain_rules *rules, const char *text)
{
	struct error err;
	int status = parse(rules, text, &err);
	if (status)
		print_error("%s\n", err.text);
	assert_int_equal(status, 0);
}

/* ---- refusals ---- */

static const struct refusal {
	const char *text;
	const char *begins;		/* of the message */
	const char *says;
} refusals[] = {
	{ "uid = 1\n", "domains.conf:1:1: ", "belongs to no domain" },
	{ "\n\n  uid = 1\n", "domains.conf:3:3: ", "belongs to no domain" },
	{ "[domain a]\n", "domains.conf:1:1: ", "no rule says who is in the domain a" },
	{ "[domain a]\nuid = 1\n[domain b]\n[domain c]\nuid = 2\n", "domains.conf:3:1: ", "the domain b" },
	{ "[domain a]\nuid = 1\n[domain a]\nuid = 2\n", "domains.conf:3:9: ", "described at domains.conf:1" },
	{ "[]\n", "domains.conf:1:2: ", "domain NAME" },
	{ "[group a]\n", "domains.conf:1:2: ", "domain NAME" },
	{ "[domaina]\n", "domains.conf:1:2: ", "domain NAME" },
	{ "[domain]\n", "domains.conf:1:8: ", "the domain's name" },
	{ "[domain a b]\n", "domains.conf:1:11: ", "expected \"]\"" },
	{ "[domain a", "domains.conf:1:10: ", "expected \"]\"" },
	{ "[domain a] x\n", "domains.conf:1:12: ", "nothing may follow" },
	{ "[domain /]\n", "domains.conf:1:9: ", "the domain's name" },
	{ "[domain aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n", "domains.conf:1:9: ", "longer" },
	{ "[domain a]\nuser = 1\n", "domains.conf:2:1: ", "expected \"vm\"" },
	{ "[domain a]\nuid\n", "domains.conf:2:4: ", "expected \"=\"" },
	{ "[domain a]\nuid : 1\n", "domains.conf:2:5: ", "expected \"=\"" },
	{ "[domain a]\nuid =  \n", "domains.conf:2:8: ", "expected a value" },
	{ "[domain a]\nuid = root\n", "domains.conf:2:7: ", "expected a uid" },
	{ "[domain a]\nuid = -1\n", "domains.conf:2:7: ", "expected a uid" },
	{ "[domain a]\nuid = 1 2\n", "domains.conf:2:8: ", "nothing may follow" },
	{ "[domain a]\nuid = 5-3\n", "domains.conf:2:7: ", "ends before" },
	{ "[domain a]\nuid = 5-\n", "domains.conf:2:9: ", "expected a uid" },
	{ "[domain a]\nuid = 4294967295\n", "domains.conf:2:7: ", "at most 4294967294" },
	{ "[domain a]\nuid = 99999999999999999999999\n", "domains.conf:2:7: ", "at most" },
	{ "[domain a]\ncgroup = a/b\n", "domains.conf:2:10: ", "begins with \"/\"" },
	{ "[domain a]\ncgroup = /a//b\n", "domains.conf:2:13: ", "empty name" },
	{ "[domain a]\ncgroup = /a/\n", "domains.conf:2:12: ", "empty name" },
	{ "[domain a]\ncgroup = /a/../b\n", "domains.conf:2:13: ", "\"..\"" },
	{ "[domain a]\ncgroup = /a/[bc]\n", "domains.conf:2:13: ", "no meaning" },
	{ "[domain a]\ncgroup = /a/**\n", "domains.conf:2:13: ", "\"**\"" },
	{ "[domain a]\nexecutable = /\n", "domains.conf:2:14: ", "no executable" },
	{ "[domain a]\nvm = a\x01\n", "domains.conf:2:7: ", "control byte (0x01)" },
	{ "[domain a]\r\nuid = 1\r\n", "domains.conf:1:11: ", "control byte (0x0d)" },
	/* Columns are characters: two before the bracket here. */
	{ "[domain a]\nvm = \xc3\xa4\xc3\xb6[\n", "domains.conf:2:8: ", "no meaning" },
	/* Overlaps. */
	{ "[domain a]\nuid = 5\n[domain b]\nuid = 3-7\n", "domains.conf:4:7: ", "overlaps the rule at domains.conf:2" },
	{ "[domain a]\nuid = 5-9\n[domain b]\nuid = 9\n", "domains.conf:4:7: ", "in a and in b" },
	{ "[domain a]\nvm = web-*\n[domain b]\nvm = *-1\n", "domains.conf:4:6: ", "overlaps" },
	{ "[domain a]\ncgroup = /s/web\n[domain b]\ncgroup = /s/web/inner\n", "domains.conf:4:10: ", "overlaps" },
	{ "[domain a]\ncgroup = /*/x\n[domain b]\ncgroup = /s/?\n", "domains.conf:4:10: ", "overlaps" },
	{ "[domain a]\nuid = 1\n[domain b]\ncgroup = /\ncgroup = /x\n[domain c]\ncgroup = /x/y\n", "domains.conf:7:10: ",
	  "overlaps the rule at domains.conf:4" },
	{ "[domain a]\nexecutable = /bin/*\n[domain b]\nexecutable = /bin/cc\n", "domains.conf:4:14: ", "overlaps" },
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *r = &refusals[i];
		struct domain_rules rules = { 0 };
		struct error err;
		int status = parse(&rules, r->text, &err);
		if (status != -EXIT_USAGE || strncmp(err.text, r->begins, strlen(r->begins)) || !strstr(err.text, r->says))
			print_error("%s\n-> %d \"%s\", expected \"%s…%s\"\n", r->text, status, err.text, r->begins,
				    r->says);
		assert_int_equal(status, -EXIT_USAGE);
		assert_int_equal(strncmp(err.text, r->begins, strlen(r->begins)), 0);
		assert_non_null(strstr(err.text, r->says));
		domain_rules_free(&rules);
	}
}

static void test_refuses_what_is_too_long(void **state)
{
	(void)state;
	struct domain_rules rules = { 0 };
	struct error err;
	char text[10000];

	sprintf(text, "[domain a]\n# %05000d\nuid = 1\n", 0);
	assert_int_equal(parse(&rules, text, &err), -EXIT_USAGE);
	assert_non_null(strstr(err.text, "domains.conf:2:1: a line longer"));
	domain_rules_free(&rules);
	sprintf(text, "[domain a]\ncgroup = /x/%0300d\n", 0);
	assert_int_equal(parse(&rules, text, &err), -EXIT_USAGE);
	assert_non_null(strstr(err.text, "domains.conf:2:13: a name longer"));
	domain_rules_free(&rules);
}

static void test_refuses_a_nul(void **state)
{
	(void)state;
	struct domain_rules rules = { 0 };
	struct error err = { 0 };
	const char text[] = "[domain a]\nuid = 1\0\n";

	assert_int_equal(domain_rules_add(&rules, "d", text, sizeof(text) - 1, &err), -EXIT_USAGE);
	assert_non_null(strstr(err.text, "d:2:8: a control byte (0x00)"));
	domain_rules_free(&rules);
}

/* What the second of two files is told. */
static void expect_second(const char *second, const char *says)
{
	const char *first = "[domain a]\nuid = 1\n";
	struct domain_rules rules = { 0 };
	struct error err = { 0 };

	assert_int_equal(domain_rules_add(&rules, "10-first", first, strlen(first), &err), 0);
	int status = domain_rules_add(&rules, "20-second", second, strlen(second), &err);
	assert_int_equal(status, says ? -EXIT_USAGE : 0);
	if (says)
		assert_string_equal(err.text, says);
	domain_rules_free(&rules);
}

static void test_several_files(void **state)
{
	(void)state;
	expect_second("[domain b]\nuid = 2\n", NULL);
	expect_second("", NULL);
	expect_second("uid = 2\n",
		      "20-second:1:1: this rule belongs to no domain: write \"[domain NAME]\" before it");
	expect_second("[domain b]\nuid = 1\n",
		      "20-second:2:7: overlaps the rule at 10-first:2: who matches both would be in a and in b");
	expect_second("[domain a]\nuid = 4\n", "20-second:1:9: the domain a is described at 10-first:1 already");
}

/* ---- who is where ---- */

static const char good[] =
	"# who may share\n"
	"; with whom\n"
	"\n"
	"[domain shop]\n"
	"cgroup = /system.slice/shop-*.service\n"
	"  uid=1000-1999\n"
	"[ domain build ]\n"
	"\tvm\t=\tci-*\t\n"
	"executable = /usr/bin/make\n"
	"uid = 0\n"
	"[domain db.1]\n"
	"cgroup = /machine.slice/machine-qemu\\x2d1\\x2ddb.scope\n";	/* and no newline needed after the last */

static const char *where(struct domains *d, pid_t pid, uid_t uid, const char *vm, const char *cgroup, const char *exe)
{
	struct domain_subject s = { .pid = pid, .uid = uid, .vm = vm, .cgroup = cgroup, .executable = exe };
	return domain_name(d, domain_of(d, &s));
}

static void test_who_is_where(void **state)
{
	(void)state;
	struct domain_rules rules = { 0 };
	struct domains d;

	parse_good(&rules, good);
	assert_int_equal(rules.rules_count, 6);
	domains_init(&d, &rules);
	assert_string_equal(where(&d, 1, 5, "", "/system.slice/shop-1.service", "/bin/x"), "shop");
	assert_string_equal(where(&d, 1, 5, "", "/system.slice/shop-1.service/sub/x", "/bin/x"), "shop");
	assert_string_equal(where(&d, 1, 5, "", "/system.slice/shop-1", "/bin/x"), "uid 5");
	assert_string_equal(where(&d, 1, 5, "", "/system.slice/a/shop-1.service", "/bin/x"), "uid 5");
	assert_string_equal(where(&d, 1, 1000, "", "/", "/bin/x"), "shop");
	assert_string_equal(where(&d, 1, 2000, "", "/", "/bin/x"), "uid 2000");
	assert_string_equal(where(&d, 1, 7, "", "/", "/usr/bin/make"), "build");
	assert_string_equal(where(&d, 1, 7, "", "/", "/usr/bin/make/x"), "uid 7");
	assert_string_equal(where(&d, 1, 7, "", "/machine.slice/machine-qemu\\x2d1\\x2ddb.scope", "/q"), "db.1");
	/* VM before cgroup before executable before uid */
	assert_string_equal(where(&d, 1, 0, "ci-7", "/system.slice/shop-1.service", "/usr/bin/make"), "build");
	assert_string_equal(where(&d, 1, 0, "web", "/system.slice/shop-1.service", "/usr/bin/make"), "shop");
	assert_string_equal(where(&d, 1, 1000, "web", "/x", "/usr/bin/make"), "build");
	assert_string_equal(where(&d, 1, 1000, "web", "/x", "/usr/bin/qemu"), "shop");
	domains_free(&d);
	domain_rules_free(&rules);
}

static void test_own_domains(void **state)
{
	(void)state;
	struct domain_rules rules = { 0 };
	struct domains d;

	domains_init(&d, &rules);
	/* Without a configuration: each uid, each VM; what is not read of a process does not matter. */
	for (int round = 0; round < 2; round++)
		for (uint32_t i = 0; i < 300; i++) {
			char name[16], shown[32];
			sprintf(name, "vm%u", (i * 7) % 300);
			sprintf(shown, "vm %s", name);
			assert_string_equal(where(&d, 1, 64055, name, NULL, NULL), shown);
			sprintf(shown, "uid %u", (i * 11) % 300);
			assert_string_equal(where(&d, 2, (i * 11) % 300, "", NULL, NULL), shown);
		}
	assert_int_equal(domains_count(&d), 600);
	/* Whether it is a VM was not read: alone. */
	assert_string_equal(where(&d, 77, 64055, NULL, "", ""), "pid 77");
	assert_int_equal(domains_count(&d), 601);
	domains_free(&d);
}

/* A fact that a rule asks for and nobody could read: the process shares with nobody. */
static void test_unknown_facts(void **state)
{
	(void)state;
	struct domain_rules rules = { 0 };
	struct domains d;

	parse_good(&rules, good);
	domains_init(&d, &rules);
	assert_string_equal(where(&d, 10, 1000, "", NULL, "/bin/x"), "pid 10");
	assert_string_equal(where(&d, 11, 1000, "", "/x", NULL), "pid 11");
	assert_string_equal(where(&d, 12, 1000, NULL, "/x", "/bin/x"), "pid 12");
	/* Decided before the unknown fact is asked for. */
	assert_string_equal(where(&d, 13, 1000, "ci-1", NULL, NULL), "build");
	/* A kernel thread has no executable, and that is known. */
	assert_string_equal(where(&d, 14, 0, "", "/x", ""), "build");
	domains_free(&d);
	domain_rules_free(&rules);
}

/* ---- patterns ---- */

static void test_glob_by_hand(void **state)
{
	(void)state;
	assert_true(glob_name_matches("*", "") && glob_name_matches("a*b*c", "axxbyybzc") && glob_name_matches("?", "x"));
	assert_false(glob_name_matches("?", "") || glob_name_matches("a*b", "abx") || glob_name_matches("", "a"));
	assert_true(glob_path_matches("/", "/", true) && glob_path_matches("/", "/a/b", true));
	assert_true(glob_path_matches("/a/*", "/a/b", false) && glob_path_matches("/a/*", "/a/b/c", true));
	assert_false(glob_path_matches("/a/*", "/a/b/c", false) || glob_path_matches("/a/*", "/a", true));
	assert_false(glob_path_matches("/a*", "/b", true) || glob_path_matches("/*/b", "/b", true));
	assert_true(glob_paths_overlap("/a/b", "/a", true) && !glob_paths_overlap("/a/b", "/a", false));
}

/* All short names over two letters. */
static bool overlap_by_trying(const char *a, const char *b)
{
	for (unsigned int length = 0; length <= 8; length++)
		for (unsigned int bits = 0; bits < 1u << length; bits++) {
			char name[9] = { 0 };
			for (unsigned int i = 0; i < length; i++)
				name[i] = bits >> i & 1 ? 'a' : 'b';
			if (glob_name_matches(a, name) && glob_name_matches(b, name))
				return true;
		}
	return false;
}

/* Backtracking, from the definition. */
static bool matches_by_definition(const char *p, const char *s)
{
	if (!*p)
		return !*s;
	if (*p == '*')
		return matches_by_definition(p + 1, s) || (*s && matches_by_definition(p, s + 1));
	return *s && (*p == '?' || *p == *s) && matches_by_definition(p + 1, s + 1);
}

static void random_pattern(uint64_t *random, const char *letters, char *ret)
{
	unsigned int length = (unsigned int)(random64(random) % 5);

	for (unsigned int i = 0; i < length; i++)
		ret[i] = letters[random64(random) % strlen(letters)];
	ret[length] = '\0';
}

static void test_glob_against_trying(void **state)
{
	(void)state;
	uint64_t random = 1;
	int overlaps = 0;

	for (int i = 0; i < 4000; i++) {
		char a[8], b[8], name[8];
		random_pattern(&random, "ab*?", a);
		random_pattern(&random, "ab*?", b);
		random_pattern(&random, "ab", name);
		assert_int_equal(glob_name_matches(a, name), matches_by_definition(a, name));
		assert_int_equal(glob_names_overlap(a, b), overlap_by_trying(a, b));
		overlaps += glob_names_overlap(a, b);
	}
	assert_in_range(overlaps, 400, 3600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_refuses_what_is_too_long),
		cmocka_unit_test(test_refuses_a_nul),
		cmocka_unit_test(test_several_files),
		cmocka_unit_test(test_who_is_where),
		cmocka_unit_test(test_own_domains),
		cmocka_unit_test(test_unknown_facts),
		cmocka_unit_test(test_glob_by_hand),
		cmocka_unit_test(test_glob_against_trying),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
