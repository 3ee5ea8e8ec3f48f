// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/verdict.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/units.h"

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

void verdict_give(struct model *m, const struct sample *s)
{
	uint64_t saving = m->duplicates.mergeable * s->machine.page_bytes, chosen = 0, huge = 0;
	uint64_t all = m->frames.candidate * s->machine.page_bytes;
	size_t mappings = 0;

	for (size_t a = 0; a < s->areas_count; a++) {
		mappings += m->worthwhile[a];
		chosen += m->worthwhile[a] ? m->mappings[a].candidate : 0;
		huge += m->worthwhile[a] ? m->mappings[a].huge : 0;
	}
	uint64_t metadata = chosen * RMAP_ITEM_BYTES;
	if (!is_known(s->engine.knob[KNOB_RUN])) {
		give(m, VERDICT_CANNOT, "Cannot merge: the KSM engine of this system is %s.",
		     s->engine.knob[KNOB_RUN].known == DENIED ? "out of reach (permission denied)" : "absent");
	} else if (s->reader == READER_NONE) {
		give(m, VERDICT_CANNOT, "Cannot say: page contents could not be read.");
	} else if (saving <= metadata || saving - metadata < all * LEAVE_SHARE) {
		give(m, VERDICT_LEAVE, "Leave it: merging would save %s net of %s looked at%s.",
		     show_bytes((int64_t)saving - (int64_t)metadata).text, show_bytes(all).text,
		     m->frames.saved_now ? "; what is merged already stays" : "");
	} else {
		bool whole = chosen >= m->frames.candidate * WHOLE_SHARE;
		give(m, whole ? VERDICT_MERGE : VERDICT_MERGE_PART,
		     "Merge %s (%zu mapping%s): saves %s net of %s looked at%s%s%s.",
		     whole ? "it" : "the part that is worth it", mappings, mappings == 1 ? "" : "s",
		     show_bytes(saving - metadata).text, show_bytes(all).text,
		     huge ? ", and breaks up to " : "", huge ? show_bytes(huge * s->machine.page_bytes).text : "",
		     huge ? " of huge pages" : "");
	}
}
