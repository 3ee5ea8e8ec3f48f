// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sketches of a made fleet, for fleet_postgres.sh: VMs of three images and four
 * applications in two trust domains, on three hosts. Beside the sketches it
 * writes what is true, by counting: what two VMs share, what a VM shares with
 * a host, what two domains share; and what the project's own comparison says.
 *
 *	fleet_sketches DIRECTORY
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/fleet/fleet_key.h"
#include "core/fleet/portable.h"

#define VMS 12
#define HOSTS 3
#define IMAGE 8000		/* contents of an image */
#define APPLICATION 3000
#define OWN 9000

static const struct fleet_key key = { { 0x243f6a8885a308d3, 0x13198a2e03707344 } };

static unsigned int image_of(unsigned int vm)
{
	return vm % 3;
}

static unsigned int application_of(unsigned int vm)
{
	return vm % 4;
}

static unsigned int host_of(unsigned int vm)
{
	return vm / 4;
}

static const char *domain_of_vm(unsigned int vm)
{
	return vm < 8 ? "shop" : "build";
}

static bool same_domain(unsigned int a, unsigned int b)
{
	return (a < 8) == (b < 8);
}

/* Contents [first, first + count), each with 1 … 2 copies. */
static void add_contents(struct sketch *s, uint64_t first, uint64_t count)
{
	for (uint64_t c = first; c < first + count; c++) {
		uint64_t hash = fleet_hash(&key, c);
		sketch_add(s, hash, hash, 0, 1 + (uint32_t)(c % 2));
	}
}

static struct portable vm_sketch(unsigned int vm)
{
	struct sketch_options options = { .bytes = 4 << 20, .theta = 1, .probe_is_hash = true };
	char label[16];
	struct portable p;
	struct error err;
	struct sketch s;

	snprintf(label, sizeof(label), "vm-%02u", vm);
	struct portable_head head = { .label = label, .domain = domain_of_vm(vm), .page_bytes = 4096,
				      .key_id = fleet_key_id(&key), .time_s = 1767225600, .zero_frames = 100 };
	int status = sketch_init(&s, &options, &err);
	if (!status) {
		add_contents(&s, UINT64_C(1000000) * (1 + image_of(vm)), IMAGE);
		add_contents(&s, UINT64_C(2000000000) * (1 + application_of(vm)), APPLICATION);
		add_contents(&s, UINT64_C(3000000000000) * (1 + vm), OWN);
		/* Thresholds of different size. */
		status = portable_make(&p, &s, &head, NULL, vm % 2 ? 4096 : 3000, &err);
		sketch_free(&s);
	}
	if (status)
		exit(error_print("fleet_sketches", &err));
	return p;
}

static FILE *open_in(const char *directory, const char *name)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *f = fopen(path, "w");
	if (!f) {
		perror(path);
		exit(1);
	}
	return f;
}

static void write_sketch(const char *directory, const struct portable *p)
{
	struct text text = { 0 };
	struct error err;
	char name[80];

	snprintf(name, sizeof(name), "%.64s.sketch", p->label);
	FILE *f = open_in(directory, name);
	portable_write(&text, p);
	if (text_write(&text, f, &err))
		exit(error_print("fleet_sketches", &err));
	fclose(f);
	text_free(&text);
}

static void write_pairs(const char *directory, const struct portable *vms)
{
	FILE *f = open_in(directory, "pairs.true");

	for (unsigned int a = 0; a < VMS; a++)
		for (unsigned int b = a + 1; b < VMS; b++) {
			const struct portable *two[] = { &vms[a], &vms[b] };
			struct comparison c;
			struct error err;
			if (portable_compare(&c, two, 2, &err))
				exit(error_print("fleet_sketches", &err));
			unsigned int shared = (image_of(a) == image_of(b)) * IMAGE +
					      (application_of(a) == application_of(b)) * APPLICATION;
			const struct estimate *e = &c.of[COMPARE_INSIDE];
			fprintf(f, "%s\t%s\t%u\t%.0f\t%.0f\t%.0f\n", vms[a].label, vms[b].label,
				same_domain(a, b) ? shared : 0, e->value, e->low, e->high);
		}
	fclose(f);
}

static void write_hosts(const char *directory, const struct portable *vms)
{
	FILE *fits = open_in(directory, "fits.true"), *placement = open_in(directory, "placement.tsv");

	for (unsigned int vm = 0; vm < VMS; vm++) {
		fprintf(placement, "%s\thost-%u\n", vms[vm].label, host_of(vm));
		for (unsigned int host = 0; host < HOSTS; host++) {
			bool image = false, application = false;
			for (unsigned int other = 0; other < VMS; other++) {
				if (other == vm || host_of(other) != host || !same_domain(vm, other))
					continue;
				image = image || image_of(other) == image_of(vm);
				application = application || application_of(other) == application_of(vm);
			}
			fprintf(fits, "%s\thost-%u\t%u\n", vms[vm].label, host,
				image * IMAGE + application * APPLICATION);
		}
	}
	fclose(fits);
	fclose(placement);
}

int main(int argc, char **argv)
{
	struct portable vms[VMS];

	if (argc != 2) {
		fprintf(stderr, "usage: fleet_sketches DIRECTORY\n");
		return 2;
	}
	for (unsigned int vm = 0; vm < VMS; vm++) {
		vms[vm] = vm_sketch(vm);
		write_sketch(argv[1], &vms[vm]);
	}
	write_pairs(argv[1], vms);
	write_hosts(argv[1], vms);
	for (unsigned int vm = 0; vm < VMS; vm++)
		portable_free(&vms[vm]);
	return 0;
}
