/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include <string.h>

#include "answer.h"
#include "base/clock.h"

#define SILENT_MS 60000 /* a connector says what it has every few seconds */

static int
reply(const struct index_state *state, bool rebuilding, struct buf *ret, struct cairn_error *err)
{
	Cairn__IndexAnswer answer = CAIRN__INDEX_ANSWER__INIT;

	answer.identity = (char *)(uintptr_t)state->identity;
	answer.rebuilding = rebuilding;
	return answer_pack(&answer.base, ret, err);
}

static void
note(struct source *source, const Cairn__IndexRequest *request, const struct index_state *state,
    uint64_t indexed)
{
	source->said_ms = clock_monotonic_ms();
	source->held = request->held;
	source->behind = request->held > 0 && strcmp(request->handed_to, state->identity) != 0;
	if (indexed == request->held)
		source->differs_since_ms = 0;
	else if (source->differs_since_ms == 0)
		source->differs_since_ms = source->said_ms;
}

int
source_hear(struct source *source, struct index *index, const void *body, size_t length,
    struct buf *ret, struct cairn_error *err)
{
	Cairn__IndexRequest *request = cairn__index_request__unpack(NULL, length, body);
	struct index_state state;
	struct index_stats stats;
	int code;

	if (request == NULL)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "the request is not a well-formed message");
	code = index_state_read(index, &state, err);
	if (code == 0)
		code = index_stats(index, &stats, err);
	if (code == 0) {
		note(source, request, &state, stats.entities[CAIRN__LEVEL__INSTANCE]);
		code = reply(&state, source->behind || state.rebuilding, ret, err);
	}
	cairn__index_request__free_unpacked(request, NULL);
	return code;
}

int
source_whole(const struct source *source, struct index *index, struct cairn_error *err)
{
	struct index_state state;
	int code = index_state_read(index, &state, err);

	if (code != 0 || (!state.rebuilding && !source->behind))
		return code;
	return cairn_error_set(err, CAIRN_EUNAVAILABLE,
	    "the index is being rebuilt: %llu of %llu images; ask again when it is done (cairn "
	    "doctor says how far it is)",
	    (unsigned long long)state.done,
	    (unsigned long long)(state.rebuilding ? state.held : source->held));
}

int
source_reindex(struct source *source, struct index *index, struct buf *ret, struct cairn_error *err)
{
	struct index_state state;
	int code;

	if (source->said_ms == 0 || clock_monotonic_ms() - source->said_ms > SILENT_MS)
		return cairn_error_set(err, CAIRN_EUNAVAILABLE,
		    "no connector is there that could hand its images' facts over again; is dicom "
		    "enabled and ready? (cairn status)");
	code = index_renew(index, source->held, err);
	if (code == 0)
		code = index_state_read(index, &state, err);
	return code != 0 ? code : reply(&state, true, ret, err);
}
