// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/replay.h"

#include <stdlib.h>

#include "gather/top_replay.h"
#include "policy/decide.h"

struct replay {
	const struct configuration *configuration;
	struct top_replay recording;
	struct deciding deciding;
};

/* A moment that is damaged is told, and left out. */
static int step(struct replay *r, size_t number, struct error *err)
{
	struct deciding *d = &r->deciding;
	struct top_sample *sample = deciding_next(d);
	struct error damage;
	struct decided decided;

	if (top_replay_read(&r->recording, number, sample, &damage)) {
		policy_log_line(&d->log, POLICY_WARNING, "left out: %s", damage.text);
		return 0;
	}
	int rc = deciding_observe(d, r->configuration, NULL, NULL, err);
	return rc ? rc : deciding_decide(d, &r->configuration->policy, sample->time_ns, NULL, &decided, err);
}

static int replay_all(struct replay *r, const struct policy_settings *settings, const volatile sig_atomic_t *stop,
		      struct error *err)
{
	size_t count = recording_count(r->recording.recording);
	struct sysroot nowhere = { .dir = -1 };
	struct deciding *d = &r->deciding;
	int rc = hands_open(&d->hands, &nowhere, settings->state_dir, &r->configuration->policy, &d->log, err);

	if (settings->steps && settings->steps < count)
		count = settings->steps;
	for (size_t i = 0; !rc && i < count && !*stop; i++)
		rc = step(r, i, err);
	if (!rc)
		policy_log_line(&d->log, POLICY_NOTICE, "%zu moments replayed; memory %s, engine %s: %s", count,
				pressure_names[d->memory.pressure.state], pace_names[d->memory.pace.pace],
				d->memory.pace.reason);
	return rc;
}

static void free_all(struct replay *r)
{
	top_replay_close(&r->recording);
	deciding_free(&r->deciding);
	free(r);
}

int policy_replay(const struct policy_settings *settings, const struct configuration *configuration,
		  const volatile sig_atomic_t *stop, struct error *err)
{
	struct replay *r = calloc(1, sizeof(*r));

	if (!r)
		return fail(err, EXIT_FAILED, "out of memory");
	r->configuration = configuration;
	policy_log_open(&r->deciding.log, settings->format == POLICY_JSON);
	int rc = top_replay_open(&r->recording, settings->replay, err);
	if (!rc)
		rc = replay_all(r, settings, stop, err);
	free_all(r);
	return rc;
}
