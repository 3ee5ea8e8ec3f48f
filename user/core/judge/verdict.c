// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/judge/verdict.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "core/huge/frontier.h"

/* Below a hundredth of the memory looked at, the trouble is not worth it. */
#define LEAVE_SHARE 0.01
/* "Everything" when the worthwhile mappings hold at least this share of the candidates. */
#define WHOLE_SHARE 0.9

const char *verdict_name(enum verdict_code code)
{
	static const char *const names[] = { "merge", "merge-part", "leave", "cannot" };
	return names[code];
}

__attribute__((format(printf, 3, 4)))
static void give(struct model *m, enum verdict_code code, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(m->verdict_text, sizeof(m->verdict_text), fmt, args);
	va_end(args);
	m->verdict = code;
}

static void give_merge(struct model *m, const struct sample *s, uint64_t all)
{
	bool whole = m->tracked_pages >= m->candidate_pages * WHOLE_SHARE;
	uint64_t huge = 0;
	size_t mappings = 0;
	char breaks[64] = "", crosses[80] = "", within[96] = "";

	for (size_t a = 0; a < s->areas_count; a++) {
		mappings += m->worthwhile[a];
		huge += m->worthwhile[a] ? m->mappings[a].huge : 0;
	}
	if (m->sampled)
		snprintf(within, sizeof(within), " (95 %%: %s to %s)", show_bytes(m->net_part_low).text,
			 show_bytes(m->net_part_high).text);
	if (huge)
		snprintf(breaks, sizeof(breaks), ", breaking up to %s of huge pages",
			 show_bytes(huge * s->machine.page_bytes).text);
	if (m->crossing_frames)
		snprintf(crosses, sizeof(crosses), "; %s more would cross trust domains",
			 show_bytes(m->crossing_frames * s->machine.page_bytes).text);
	give(m, whole ? VERDICT_MERGE : VERDICT_MERGE_PART,
	     "Merge %s (%zu mapping%s): it saves %s net%s, of %s looked at%s%s.", whole ? "it" : "the part that is worth it",
	     mappings, mappings == 1 ? "" : "s", show_bytes(m->net_part_bytes).text, within,
	     show_bytes(all).text, breaks, crosses);
}

void verdict_give(struct model *m, const struct sample *s)
{
	uint64_t all = m->frames.candidate * s->machine.page_bytes;
	struct value run = s->engine.knob[KNOB_RUN];

	if (!is_known(run))
		give(m, VERDICT_CANNOT, "Cannot merge: the KSM engine of this system is %s.",
		     run.known == DENIED ? "out of reach (permission denied)" : "absent");
	else if (s->reader == READER_NONE)
		give(m, VERDICT_CANNOT, "Cannot say: page contents could not be read.");
	else if (m->net_part_bytes <= 0 || m->net_part_bytes < all * LEAVE_SHARE)
		give(m, VERDICT_LEAVE, "Leave it: merging would save %s net, of %s looked at%s.",
		     show_bytes(m->net_part_bytes).text, show_bytes(all).text,
		     m->frames.saved_now ? "; what is merged already stays" : "");
	else
		give_merge(m, s, all);
}

/* "0.8 %", or nothing where slow-downs are not known. */
static const char *cost_text(const struct frontier_point *p, char ret[32])
{
	if (isnan(p->slowdown))
		ret[0] = '\0';
	else
		snprintf(ret, 32, " for %.2g %%", p->slowdown * 100);
	return ret;
}

void verdict_add_huge(struct model *m)
{
	const struct huge *h = m->huge;
	size_t used = strlen(m->verdict_text), room = sizeof(m->verdict_text) - used;
	char part[32], whole[32];

	if (!h || !h->worth || m->verdict == VERDICT_CANNOT)
		return;
	const struct frontier_point *knee = &h->frontier[h->knee], *all = &h->frontier[h->worth];
	cost_text(all, whole);
	if (h->knee == h->worth)
		snprintf(m->verdict_text + used, room, " Huge pages: break all %s that hide something, of %s, saving %s%s.",
			 show_count(h->worth).text, show_count(h->count).text, show_bytes(all->saved_bytes).text, whole);
	else if (!h->knee)
		snprintf(m->verdict_text + used, room, " Huge pages: keep all %s; breaking %s saves %s%s.",
			 show_count(h->count).text, show_count(h->worth).text, show_bytes(all->saved_bytes).text, whole);
	else
		snprintf(m->verdict_text + used, room, " Huge pages: break %s of %s, saving %s%s; breaking all saves %s%s.",
			 show_count(knee->regions_broken).text, show_count(h->count).text,
			 show_bytes(knee->saved_bytes).text, cost_text(knee, part), show_bytes(all->saved_bytes).text, whole);
}
