/* SPDX-License-Identifier: Apache-2.0 */
#include "figures.h"

#include "base/clock.h"

#define LOOK_MS 1000

static const struct cairn_metric questions = {
    "questions_total", "Questions answered, by the kind of the answer.", "answer"};
static const struct cairn_metric question_seconds = {
    "question_seconds", "From a question to its answer.", NULL};
static const struct cairn_metric facts = {
    "instances_applied_total", "Instances whose facts came in, by what became of them.", "outcome"};
static const struct cairn_metric index_bytes = {
    "index_bytes", "What the index takes of its map.", NULL};
static const struct cairn_metric entities = {
    "index_entities", "What the index knows now, by level.", "level"};

static const char *
count_kind(const struct buf *reply)
{
	static const char *const names[] = {"exact", "rounded", "suppressed", "unsupported"};
	Cairn__CountAnswer *answer = cairn__count_answer__unpack(NULL, reply->length, reply->data);
	const char *kind = "other";

	if (answer != NULL && (size_t)answer->kind < sizeof names / sizeof names[0])
		kind = names[answer->kind];
	if (answer != NULL)
		cairn__count_answer__free_unpacked(answer, NULL);
	return kind;
}

void
figures_answered(
    struct cairn *cairn, bool counts, int code, const struct buf *reply, double seconds)
{
	const char *kind = "failed";

	if (code == CAIRN_ECANCELLED)
		kind = "cancelled";
	else if (code == CAIRN_EDENIED)
		kind = "denied";
	else if (code == 0)
		kind = counts ? count_kind(reply) : "selected";
	cairn_metric_add(cairn, &questions, kind, 1);
	cairn_metric_observe(cairn, &question_seconds, NULL, seconds);
}

static void
look(struct cairn *cairn, struct index *index)
{
	static const char *const levels[4] = {"patient", "study", "series", "instance"};
	struct index_stats stats;
	struct cairn_error err = {0};

	if (index_stats(index, &stats, &err) != 0)
		return; /* the next question says what is wrong */
	cairn_metric_set(cairn, &index_bytes, NULL, (double)stats.used_bytes);
	for (size_t i = 0; i < 4; i++)
		cairn_metric_set(cairn, &entities, levels[i], (double)stats.entities[i]);
}

void
figures_applied(struct cairn *cairn, struct index *index, const struct index_applied *applied,
    uint64_t *last_ms)
{
	uint64_t now = clock_monotonic_ms();

	if (applied != NULL && applied->changed > 0)
		cairn_metric_add(cairn, &facts, "changed", (double)applied->changed);
	if (applied != NULL && applied->unchanged > 0)
		cairn_metric_add(cairn, &facts, "unchanged", (double)applied->unchanged);
	if (applied != NULL && applied->refused > 0)
		cairn_metric_add(cairn, &facts, "refused", (double)applied->refused);
	if (applied != NULL && now - *last_ms < LOOK_MS)
		return;
	*last_ms = now;
	look(cairn, index);
}
