// SPDX-License-Identifier: GPL-2.0-or-later
/* --sketch and --compare: what leaves one machine, and what is made of it on another. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "advise/advise.h"
#include "core/count/owner.h"
#include "core/estimate/sampled.h"
#include "core/trust/assign.h"
#include "gather/fleet.h"
#include "out/fleet.h"
#include "sys/whole_file.h"

/* ---- sketching ---- */

struct sketching {
	const struct advise_options *options;
	struct fleet_key key;
	struct sample sample;
	bool *wanted;			/* by task */
	size_t domains;			/* of the targets */
	char host[PORTABLE_NAME_MAX + 1];
	struct portable portable;
};

static int look(struct sketching *k, const struct sysroot *root, const volatile sig_atomic_t *stop,
		bool *ret_named_missing, struct error *err)
{
	struct gather_options gather = advise_gather_options(k->options, root, 0, stop);

	gather.mode = LOOK_SAMPLED;
	gather.theta = 1;		/* as many as the table holds: the smallest are taken from them */
	gather.fleet = &k->key;
	gather.target.all |= !advise_has_target(k->options);
	return advise_gather(&k->sample, root, &gather, ret_named_missing, err);
}

/*
 * Who is in the sketch, and which domain it states. A uid's or a guest's own
 * domain is not one that another host would know, so only those are stated
 * that the operator named: in --domains, or here.
 */
static int choose(struct sketching *k, const char **ret_domain, struct error *err)
{
	const struct advise_options *o = k->options;
	struct sample *s = &k->sample;
	struct owner_set set;
	size_t chosen = 0;

	if (trust_assign(s, &o->rules) || owner_set_make(&set, s, OWNER_DOMAIN) ||
	    !(k->wanted = calloc(s->tasks_count + 1, sizeof(*k->wanted))))
		return fail(err, EXIT_FAILED, "out of memory finding the trust domains of %zu processes", s->tasks_count);
	k->domains = set.count;
	*ret_domain = o->domain ? o->domain : "";
	if (!o->domain && set.count == 1 && domain_is_configured(&o->rules, sample_string(s, s->tasks[0].domain)))
		*ret_domain = sample_string(s, s->tasks[0].domain);
	for (size_t i = 0; i < s->tasks_count; i++)
		chosen += k->wanted[i] = !o->domain || !o->domains || !strcmp(sample_string(s, s->tasks[i].domain), o->domain);
	owner_set_free(&set);
	return chosen ? 0 : fail(err, EXIT_FAILED, "nobody of the targets is in the domain %s", o->domain);
}

/* As it was asked for; else the guest's name where the target is one; else the host's. */
static const char *label_of(struct sketching *k)
{
	const struct sample *s = &k->sample;
	const char *vm = s->tasks_count == 1 ? sample_string(s, s->tasks[0].vm) : "";

	if (k->options->label)
		return k->options->label;
	if (*vm)
		return vm;
	if (gethostname(k->host, sizeof(k->host) - 1) || !*k->host)
		strcpy(k->host, "host");
	return k->host;
}

static uint64_t zero_frames(const struct sketching *k)
{
	uint64_t frames = 0;
	for (size_t i = 0; i < k->sample.tasks_count; i++)
		frames += k->wanted[i] ? k->sample.sampled->tasks[i].zero : 0;
	return frames;
}

static int make(struct sketching *k, struct error *err)
{
	struct portable_head head = { .label = label_of(k), .page_bytes = k->sample.machine.page_bytes,
				      .key_id = fleet_key_id(&k->key), .time_s = k->sample.time_ns / 1000000000 };
	uint64_t contents = k->options->contents ? k->options->contents : PORTABLE_DEFAULT_CONTENTS;
	int rc = choose(k, &head.domain, err);

	if (rc)
		return rc;
	head.zero_frames = zero_frames(k);
	return portable_make(&k->portable, &k->sample.sampled->sketch, &head, k->wanted, (uint32_t)contents, err);
}

static int write_sketch(const struct sketching *k, struct error *err)
{
	scoped_text struct text text = { 0 };

	portable_write(&text, &k->portable);
	return file_write_private(k->options->sketch, &text, err);
}

static int say(const struct sketching *k, struct error *err)
{
	const struct sketched sketched = { .sample = &k->sample, .portable = &k->portable, .file = k->options->sketch,
					   .domains = k->domains };
	scoped_text struct text out = { 0 };

	if (k->options->format == FORMAT_JSON)
		sketched_json(&out, &sketched);
	else
		sketched_text(&out, &sketched);
	return text_write(&out, stdout, err);
}

int advise_sketch(const struct sysroot *root, const struct advise_options *o, const volatile sig_atomic_t *stop,
		  struct error *err)
{
	struct sketching k = { .options = o };
	bool named_missing = false;

	int rc = fleet_key_load(&k.key, o->fleet_key, err);
	if (rc)
		return rc;
	rc = look(&k, root, stop, &named_missing, err);
	if (!rc)
		rc = make(&k, err);
	if (!rc)
		rc = write_sketch(&k, err);
	explicit_bzero(&k.key, sizeof(k.key));
	if (!rc)
		rc = say(&k, err);
	if (!rc && named_missing)
		rc = fail(err, EXIT_FAILED, ADVISE_NAMED_MISSING);
	portable_free(&k.portable);
	free(k.wanted);
	sample_free(&k.sample);
	return rc;
}

/* ---- comparing ---- */

struct comparing {
	struct portable *sketches;
	const struct portable **sets;
	size_t count;
	struct compared_pair *pairs;
	size_t pairs_count;
};

static int load(struct comparing *c, char *const *files, size_t count, struct error *err)
{
	int rc = 0;

	if (count < 2 || count > PORTABLE_COMPARE_MAX)
		return fail(err, EXIT_USAGE, "--compare takes 2 to %d sketches; docs/fleet.md asks a database about more",
			    PORTABLE_COMPARE_MAX);
	c->sketches = calloc(count, sizeof(*c->sketches));
	c->sets = calloc(count, sizeof(*c->sets));
	c->pairs = calloc(count * count / 2, sizeof(*c->pairs));
	if (!c->sketches || !c->sets || !c->pairs)
		return fail(err, EXIT_FAILED, "out of memory comparing %zu sketches", count);
	for (size_t i = 0; !rc && i < count; i++) {
		rc = portable_load(&c->sketches[i], files[i], err);
		for (size_t k = 0; !rc && k < i; k++)
			if (!strcmp(c->sketches[k].label, c->sketches[i].label))
				rc = fail(err, EXIT_USAGE, "%s and %s are both of %s: sketch the second with another --label",
					  files[k], files[i], c->sketches[i].label);
		c->sets[c->count] = &c->sketches[i];
		c->count += !rc;
	}
	return rc;
}

static int by_saving(const void *a, const void *b)
{
	const struct compared_pair *x = a, *y = b;
	double left = x->of.of[COMPARE_INSIDE].value, right = y->of.of[COMPARE_INSIDE].value;

	if (left != right)
		return left > right ? -1 : 1;
	return x->a != y->a ? (x->a > y->a) - (x->a < y->a) : (x->b > y->b) - (x->b < y->b);
}

static int compare_pairs(struct comparing *c, struct error *err)
{
	int rc = 0;

	for (size_t a = 0; !rc && a < c->count; a++)
		for (size_t b = a + 1; !rc && b < c->count; b++) {
			const struct portable *two[] = { c->sets[a], c->sets[b] };
			struct compared_pair *pair = &c->pairs[c->pairs_count++];
			pair->a = a;
			pair->b = b;
			rc = portable_compare(&pair->of, two, 2, err);
		}
	if (c->pairs_count)
		qsort(c->pairs, c->pairs_count, sizeof(*c->pairs), by_saving);
	return rc;
}

static int compare(struct comparing *c, const struct advise_options *o, struct error *err)
{
	struct compared compared = { .sets = c->sets, .count = c->count };
	scoped_text struct text out = { 0 };

	int rc = portable_compare(&compared.all, c->sets, c->count, err);
	if (!rc)
		rc = compare_pairs(c, err);
	if (rc)
		return rc;
	compared.pairs = c->pairs;
	compared.pairs_count = c->pairs_count;
	if (o->format == FORMAT_JSON)
		compared_json(&out, &compared);
	else
		compared_text(&out, &compared, o->verbose);
	return text_write(&out, stdout, err);
}

int advise_compare(const struct advise_options *o, struct error *err)
{
	struct comparing c = { 0 };
	int rc = load(&c, o->files, o->files_count, err);

	if (!rc)
		rc = compare(&c, o, err);
	for (size_t i = 0; i < c.count; i++)
		portable_free(&c.sketches[i]);
	free(c.sketches);
	free(c.sets);
	free(c.pairs);
	return rc;
}
