// SPDX-License-Identifier: GPL-2.0-or-later
#include "gather/top_replay.h"

int top_replay_open(struct top_replay *ret, const char *path, struct error *err)
{
	size_t length;

	*ret = (struct top_replay){ 0 };
	int rc = recording_open(&ret->recording, path, TOP_RECORDING, err);
	if (rc)
		return rc;
	const void *preamble = recording_preamble(ret->recording, &length);
	rc = top_unpack_preamble(&ret->order, preamble, length, err);
	const char *defect = recording_defect(ret->recording);
	if (!rc && !recording_count(ret->recording))
		rc = fail(err, EXIT_FAILED, "%s: holds no sample%s%s", path, *defect ? ": " : "", defect);
	if (rc)
		top_replay_close(ret);
	return rc;
}

void top_replay_close(struct top_replay *replay)
{
	recording_close(replay->recording);
	replay->recording = NULL;
}

int top_replay_read(const struct top_replay *replay, size_t number, struct top_sample *ret, struct error *err)
{
	const void *bytes;
	size_t length;
	int rc = recording_read(replay->recording, number, &bytes, &length, err);

	return rc ? rc : top_unpack(ret, &replay->order, bytes, length, err);
}
