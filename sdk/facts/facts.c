/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, closing, and how it is. */
#include "facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "private.h"

#define FAILING_MS 10000

void
facts_free(struct facts *facts)
{
	for (size_t i = 0; i < facts->sender.body_count; i++)
		buf_fini(&facts->sender.bodies[i]);
	free(facts);
}

static int
take_options(struct facts *facts, const struct facts_options *options, char *dir, size_t size,
    struct cairn_error *err)
{
	if (!text_copy(facts->source, sizeof facts->source, options->source))
		return cairn_error_set(err, CAIRN_EINVAL, "the source's name is too long");
	if (options->dir != NULL
		? !text_copy(dir, size, options->dir)
		: file_join(dir, size, cairn_state_dir(facts->cairn), "facts") != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the state folder's path is too long");
	return 0;
}

static int
open_parts(struct facts *facts, struct cairn_error *err)
{
	int code = consumer_open(facts, err);

	/* What waits for the disk at once from here on can no longer fail to open. */
	if (code != 0)
		return code;
	uv_timer_init(cairn_loop(facts->cairn), &facts->retry);
	facts->retry.data = facts;
	facts->handles++;
	sender_open(facts);
	return place_resume(facts, err);
}

/* On failure in open_parts() the process ends: timers are not undone. */
int
facts_open(struct facts **ret, struct cairn *cairn, const struct facts_options *options,
    struct cairn_error *err)
{
	struct facts *facts = calloc(1, sizeof *facts);
	char dir[4096];
	int code;

	if (facts == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	facts->cairn = cairn;
	facts->waiting_end = &facts->waiting;
	code = take_options(facts, options, dir, sizeof dir, err);
	if (code == 0)
		code = store_open(facts, dir,
		    options->disk_max == 0 ? FACTS_DISK_DEFAULT : options->disk_max, err);
	if (code != 0) {
		if (facts->env != NULL)
			mdb_env_close(facts->env);
		free(facts);
		return code;
	}
	code = open_parts(facts, err);
	if (code == 0)
		*ret = facts;
	return code;
}

void
facts_close(struct facts *facts, void (*closed)(void *arg), void *arg)
{
	facts->closing = true;
	facts->on_closed = closed;
	facts->closed_arg = arg;
	sender_close(facts);
	consumer_close(facts);
	work_rest(facts);
}

void
facts_status_get(const struct facts *facts, struct facts_status *ret)
{
	*ret = (struct facts_status){.patients = facts->shown.patients,
	    .queued = facts->shown.queued,
	    .again = facts->consumer.again,
	    .placing = facts->place.under_way,
	    .failing_since_ms = facts->sender.failing_since_ms};
	memcpy(ret->failure, facts->sender.failure, sizeof ret->failure);
}

void
facts_health(const struct facts *facts, struct cairn_findings *findings)
{
	char what[160], why[256];
	struct cairn_finding finding = {.severity = CAIRN_FINE, .what = what};
	uint64_t failing = facts->sender.failing_since_ms;

	snprintf(what, sizeof what, "keeps what it stated about %" PRIu64 " patients",
	    facts->shown.patients);
	cairn_finding(findings, &finding);
	if (failing != 0 && clock_monotonic_ms() - failing > FAILING_MS) {
		snprintf(what, sizeof what, "%" PRIu64 " changes are not handed over",
		    facts->shown.queued);
		snprintf(
		    why, sizeof why, "%s; they are kept and tried again", facts->sender.failure);
		finding = (struct cairn_finding){
		    CAIRN_WARNING, what, why, "look at the queue: cairn job list"};
		cairn_finding(findings, &finding);
	}
	if (facts->consumer.again) {
		snprintf(what, sizeof what, "hands all facts over to a new index");
		finding = (struct cairn_finding){CAIRN_WARNING, what,
		    "no count is given until that is done",
		    "wait; cairn doctor says how far it is"};
		cairn_finding(findings, &finding);
	}
}
