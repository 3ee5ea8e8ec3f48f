// SPDX-License-Identifier: GPL-2.0-or-later
/* --record and --replay: a look kept in a file, and the answer to it somewhere else or some other time. */
#include <stdio.h>

#include "advise/advise.h"
#include "core/record/sample_pack.h"
#include "gather/recording.h"

int advise_record(const struct sample *s, bool named_missing, const struct advise_options *o, struct error *err)
{
	scoped_text struct text preamble = { 0 };
	scoped_text struct text payload = { 0 };
	struct recorder *recorder;

	if (sample_pack(&payload, s, named_missing))
		return fail(err, EXIT_FAILED, "out of memory recording %u frames to %s", frame_count(&s->frames), o->record);
	int rc = recorder_open(&recorder, o->record, SAMPLE_RECORDING, &preamble, err);
	if (!rc)
		rc = recorder_add(recorder, s->time_ns, &payload, err);
	if (!rc)
		return recorder_close(recorder, err);
	recorder_close(recorder, NULL);
	return rc;
}

int advise_replay(struct sample *s, bool *ret_named_missing, const struct advise_options *o, struct error *err)
{
	struct recording *recording;
	const void *bytes;
	size_t length;

	sample_init(s);
	int rc = recording_open(&recording, o->replay, SAMPLE_RECORDING, err);
	if (rc)
		return rc;
	if (!recording_count(recording))
		rc = fail(err, EXIT_FAILED, "%s: holds no whole sample%s%s", o->replay,
			  *recording_defect(recording) ? ": " : "", recording_defect(recording));
	else if (*recording_defect(recording))
		fprintf(stderr, "ksm-advise: %s: %s\n", o->replay, recording_defect(recording));
	if (!rc)
		rc = recording_read(recording, 0, &bytes, &length, err);
	if (!rc)
		rc = sample_unpack(s, ret_named_missing, bytes, length, err);
	recording_close(recording);
	return rc;
}
