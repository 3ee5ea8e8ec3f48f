// SPDX-License-Identifier: GPL-2.0-or-later
#include "gather/place.h"

void places_begin(struct places *p, struct content *content, uint64_t page_bytes, const struct fleet_key *fleet)
{
	p->content = content;
	p->page_bytes = page_bytes;
	p->fleet = fleet;
	p->by_hash = fleet || content_reader(content) != READER_DIRECT_MAP;
	p->hashed = p->read_bytes = 0;
}

int places_hash(struct places *p, pid_t pid, const struct page_ref *pages, const bool *wanted, size_t count,
		struct error *err)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if ((wanted && !wanted[i]) || p->of[i].hashed)
			continue;
		p->some[n] = pages[i];
		p->index[n++] = i;
	}
	int rc = n ? content_hash(p->content, pid, p->some, n, p->values, p->read, err) : 0;
	if (rc)
		return rc;
	if (!p->by_hash && content_reader(p->content) != READER_DIRECT_MAP)
		return fail(err, EXIT_FAILED, "the direct map was closed to us during the look, and the sample can't go on "
			    "without it: start again, and the copying reader is used");
	for (size_t k = 0; k < n; k++) {
		struct place *place = &p->of[p->index[k]];
		place->hash = p->fleet ? fleet_hash(p->fleet, p->values[k]) : p->values[k];
		place->hashed = p->read[k];
		place->read = p->read[k];
	}
	p->hashed += n;
	p->read_bytes += n * p->page_bytes;
	return 0;
}

/* False where there are none. */
static bool get_probes(struct places *p, pid_t pid, const struct page_ref *pages, const uint64_t *probes, size_t count)
{
	if (p->by_hash)
		return false;
	if (!probes)
		return content_probe(p->content, pid, pages, count, p->values, p->state);
	for (size_t i = 0; i < count; i++) {
		p->values[i] = probes[i];
		p->state[i] = content_probe_state(p->content, probes[i]);
	}
	return true;
}

int places_read(struct places *p, pid_t pid, const struct page_ref *pages, const uint64_t *probes, size_t count,
		struct error *err)
{
	bool *wanted = p->unprobed;
	bool probed = get_probes(p, pid, pages, probes, count);

	p->read_bytes += probed ? count * CONTENT_PROBE_LINES * CONTENT_LINE_BYTES : 0;
	for (size_t i = 0; i < count; i++) {
		bool seen = probed && p->state[i] == PROBE_READ;
		p->of[i] = (struct place){ .place = seen ? p->values[i] : 0, .read = seen };
		wanted[i] = !seen;
	}
	int rc = places_hash(p, pid, pages, wanted, count, err);
	for (size_t i = 0; !rc && i < count; i++) {
		if (!wanted[i])
			continue;
		p->of[i].place = p->of[i].hash;
		/* without a probe its place is none that an equal page would have */
		p->of[i].read = p->of[i].read && (p->by_hash || (probed && p->state[i] == PROBE_ZEROS));
	}
	return rc;
}
