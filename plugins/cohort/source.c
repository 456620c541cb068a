/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include <stdio.h>
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

/* The holding of a name; a new one when there is room. */
static struct holding *
find_holding(struct source *source, const char *name)
{
	struct holding *holding;

	for (size_t i = 0; i < source->count; i++)
		if (strcmp(source->list[i].name, name) == 0)
			return &source->list[i];
	if (source->count == SOURCES_MAX)
		return NULL;
	holding = &source->list[source->count++];
	snprintf(holding->name, sizeof holding->name, "%s", name);
	return holding;
}

/* Images can be counted against those held; patients that several sources know cannot. */
static int
note_images(struct source *source, struct index *index, struct cairn_error *err)
{
	struct index_stats stats;
	uint64_t images = 0;
	bool has, any = false;
	int code = index_stats(index, &stats, err);

	for (size_t i = 0; i < source->count && code == 0; i++) {
		code = index_source_images(index, source->list[i].name, &has, err);
		if (code != 0 || !has)
			continue;
		images += source->list[i].held;
		any = true;
	}
	if (code != 0)
		return code;
	source->images = images;
	if (!any || stats.entities[CAIRN__LEVEL__INSTANCE] == images)
		source->differs_since_ms = 0;
	else if (source->differs_since_ms == 0)
		source->differs_since_ms = clock_monotonic_ms();
	return 0;
}

static int
note(struct source *source, struct index *index, const Cairn__IndexRequest *request,
    const struct index_state *state, struct cairn_error *err)
{
	struct holding *holding;

	if (strlen(request->source) > INDEX_NAME_MAX)
		return cairn_error_set(err, CAIRN_EINVAL, "the source's name is too long");
	holding = find_holding(source, request->source);
	if (holding == NULL)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "more than %d connectors state facts", SOURCES_MAX);
	holding->said_ms = clock_monotonic_ms();
	holding->held = request->held;
	holding->behind = request->held > 0 && strcmp(request->handed_to, state->identity) != 0;
	return note_images(source, index, err);
}

static bool
is_behind(const struct source *source)
{
	for (size_t i = 0; i < source->count; i++)
		if (source->list[i].behind)
			return true;
	return false;
}

int
source_hear(struct source *source, struct index *index, const void *body, size_t length,
    struct buf *ret, struct cairn_error *err)
{
	Cairn__IndexRequest *request = cairn__index_request__unpack(NULL, length, body);
	struct index_state state;
	int code;

	if (request == NULL)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "the request is not a well-formed message");
	code = index_state_read(index, &state, err);
	if (code == 0)
		code = note(source, index, request, &state, err);
	if (code == 0)
		code = reply(&state, is_behind(source) || state.rebuilding, ret, err);
	cairn__index_request__free_unpacked(request, NULL);
	return code;
}

int
source_whole(const struct source *source, struct index *index, struct cairn_error *err)
{
	struct index_state state;
	uint64_t held = 0;
	int code = index_state_read(index, &state, err);

	if (code != 0 || (!state.rebuilding && !is_behind(source)))
		return code;
	for (size_t i = 0; i < source->count; i++)
		held += source->list[i].behind ? source->list[i].held : 0;
	return cairn_error_set(err, CAIRN_EUNAVAILABLE,
	    "the index is being rebuilt: %llu of %llu images; ask again when it is done (cairn "
	    "doctor says how far it is)",
	    (unsigned long long)state.done,
	    (unsigned long long)(state.held > 0 ? state.held : held));
}

int
source_reindex(struct source *source, struct index *index, struct buf *ret, struct cairn_error *err)
{
	struct index_holding holdings[SOURCES_MAX];
	struct index_state state;
	size_t count = 0;
	int code;

	for (size_t i = 0; i < source->count; i++) {
		const struct holding *holding = &source->list[i];

		if (clock_monotonic_ms() - holding->said_ms <= SILENT_MS)
			holdings[count++] = (struct index_holding){holding->name, holding->held};
	}
	if (count == 0)
		return cairn_error_set(err, CAIRN_EUNAVAILABLE,
		    "no connector is there that could hand its facts over again; is dicom enabled "
		    "and ready? (cairn status)");
	code = index_renew(index, holdings, count, err);
	if (code == 0)
		code = index_state_read(index, &state, err);
	return code != 0 ? code : reply(&state, true, ret, err);
}
