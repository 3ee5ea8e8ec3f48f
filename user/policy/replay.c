// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/replay.h"

#include <stdlib.h>

#include "gather/top_replay.h"
#include "policy/hands.h"
#include "policy/log.h"

struct replay {
	const struct policy_config *config;
	const struct domain_rules *domains;
	struct top_replay recording;
	struct top_sample samples[2];
	unsigned int now;		/* which of them is the later one */
	struct top_model model;
	struct top_track track;
	struct policy_facts facts;
	struct policy_memory memory;
	struct hands hands;
	struct policy_log log;
};

static int decide(struct replay *r, int64_t time_ns, struct error *err)
{
	struct policy_decision decision;
	struct policy_done *done = NULL;

	hands_pretend(&r->hands, &r->facts);
	if (policy_step(r->config, &r->memory, &r->facts, NULL, &decision))
		return fail(err, EXIT_FAILED, "out of memory deciding");
	int rc = hands_carry_out(&r->hands, r->config, &r->memory, &decision.plan, &done, err);
	const struct policy_report report = { .time_ns = time_ns, .config = r->config, .memory = &r->memory,
					      .facts = &r->facts, .decision = &decision, .done = done };
	if (done)
		policy_log_decision(&r->log, &report);
	free(done);
	policy_decision_free(&decision);
	return rc;
}

/* A moment that is damaged is told, and left out. */
static int step(struct replay *r, size_t number, struct error *err)
{
	struct top_sample *sample = &r->samples[!r->now];
	struct error damage;

	if (top_replay_read(&r->recording, number, sample, &damage)) {
		policy_log_line(&r->log, POLICY_WARNING, "left out: %s", damage.text);
		return 0;
	}
	const struct top_sample *before = r->memory.steps ? &r->samples[r->now] : NULL;
	r->now = !r->now;
	if (top_model_build(&r->model, before, sample, &r->track) ||
	    policy_facts_take(&r->facts, &r->model, r->config, r->domains, NULL, NULL))
		return fail(err, EXIT_FAILED, "out of memory looking at a moment");
	return decide(r, sample->time_ns, err);
}

static int replay_all(struct replay *r, const struct policy_settings *settings, const volatile sig_atomic_t *stop,
		      struct error *err)
{
	size_t count = recording_count(r->recording.recording);
	struct sysroot nowhere = { .dir = -1 };
	int rc = hands_open(&r->hands, &nowhere, settings->state_dir, r->config, &r->log, err);

	if (settings->steps && settings->steps < count)
		count = settings->steps;
	for (size_t i = 0; !rc && i < count && !*stop; i++)
		rc = step(r, i, err);
	if (!rc)
		policy_log_line(&r->log, POLICY_NOTICE, "%zu moments replayed; memory %s, engine %s: %s", count,
				pressure_names[r->memory.pressure.state], pace_names[r->memory.pace.pace],
				r->memory.pace.reason);
	return rc;
}

static void free_all(struct replay *r)
{
	top_replay_close(&r->recording);
	for (int i = 0; i < 2; i++)
		top_sample_free(&r->samples[i]);
	top_model_free(&r->model);
	policy_facts_free(&r->facts);
	policy_memory_free(&r->memory);
	policy_log_close(&r->log);
	free(r);
}

int policy_replay(const struct policy_settings *settings, const struct configuration *configuration,
		  const volatile sig_atomic_t *stop, struct error *err)
{
	struct replay *r = calloc(1, sizeof(*r));

	if (!r)
		return fail(err, EXIT_FAILED, "out of memory");
	r->config = &configuration->policy;
	r->domains = &configuration->domains;
	policy_log_open(&r->log, settings->format == POLICY_JSON);
	int rc = top_replay_open(&r->recording, settings->replay, err);
	if (!rc)
		rc = replay_all(r, settings, stop, err);
	free_all(r);
	return rc;
}
