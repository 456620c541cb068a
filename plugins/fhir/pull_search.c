/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetching by search.  Notes in the state:
 *   since      what changed before is here
 *   started    when the pull that is not finished began: the next `since`
 *   type       which type it is at
 *   next       the page it is at; none: the first one of the type
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pull_private.h"
#include "state.h"

#define OVERLAP_S 300 /* clocks differ, and a change may become visible late */

static void next_page(struct pull *pull);
static void fetch(struct pull *pull);

static int
note(struct pull *pull, const char *name, char *ret, size_t size)
{
	ret[0] = 0;
	return state_note_get(pull->connector->state, name, ret, size);
}

/* ---- the end of all ----------------------------------------------------------------------- */

static void
finished(void *arg, int code, const char *why, const struct step_counts *counts)
{
	struct pull *pull = arg;

	if (!pull_stepped(pull, code, why, counts))
		return;
	pull_end(pull, 0,
	    "%llu resources taken in %llu pages, %llu of which nothing is taken, %llu wait for "
	    "their "
	    "patient%s%s",
	    (unsigned long long)pull->resources, (unsigned long long)pull->pages,
	    (unsigned long long)pull->unused, (unsigned long long)pull->waiting,
	    pull->not_served[0] == 0 ? "" : "; the server does not serve", pull->not_served);
}

static void
finish(struct pull *pull)
{
	struct step *step = pull_step(pull);

	if (step == NULL)
		return;
	if (step_note(step, "since", pull->started) != 0 || step_note(step, "started", "") != 0 ||
	    step_note(step, "type", "") != 0 || step_note(step, "next", "") != 0) {
		step_free(step);
		pull_end(pull, CAIRN_ENOMEM, "out of memory");
		return;
	}
	pull->stepping = true;
	step_run(step, finished, pull);
}

/* ---- a page ------------------------------------------------------------------------------- */

static void
stepped(void *arg, int code, const char *why, const struct step_counts *counts)
{
	struct pull *pull = arg;

	if (!pull_stepped(pull, code, why, counts))
		return;
	pull->pages++;
	pull_say(pull, "%s: %llu pages, %llu resources", pull_type(pull, pull->type),
	    (unsigned long long)pull->pages, (unsigned long long)pull->resources);
	text_copy(pull->url, sizeof pull->url, pull->next);
	if (pull->url[0] == 0) {
		pull->type++;
		pull->seen_count = 0;
	}
	next_page(pull);
}

/* FNV-1a of the page's address. */
static bool
was_seen(struct pull *pull, const char *url)
{
	uint64_t sum = 14695981039346656037u;

	for (; *url != 0; url++)
		sum = (sum ^ (unsigned char)*url) * 1099511628211u;
	for (size_t i = 0; i < pull->seen_count && i < PULL_SEEN_MAX; i++) {
		if (pull->seen[i] == sum)
			return true;
	}
	pull->seen[pull->seen_count++ % PULL_SEEN_MAX] = sum;
	return false;
}

/* The page was whole: what it said and where the pull is then, in one step. */
static void
take_page(struct pull *pull)
{
	struct step *step = pull->step;
	char type[24];

	pull->next[0] = 0;
	if (!pull->source.bundle) {
		pull_end(pull, CAIRN_EPROTO, "the server's answer is no Bundle");
		return;
	}
	if (pull->source.next[0] != 0 &&
	    pull_follow(pull, pull->url, pull->source.next, "link.next", pull->next,
		sizeof pull->next) != 0)
		return;
	if (pull->next[0] != 0 &&
	    (was_seen(pull, pull->next) || pull->seen_count > PULL_PAGES_MAX)) {
		pull_end(pull, CAIRN_EPROTO,
		    "the server's link.next leads in a circle; what was taken is kept");
		return;
	}
	snprintf(type, sizeof type, "%zu", pull->type + (pull->next[0] == 0));
	if (step_note(step, "started", pull->started) != 0 || step_note(step, "type", type) != 0 ||
	    step_note(step, "next", pull->next) != 0) {
		pull_end(pull, CAIRN_ENOMEM, "out of memory");
		return;
	}
	pull->step = NULL;
	pull_drop_source(pull);
	pull->stepping = true;
	step_run(step, stepped, pull);
}

static void
not_served(struct pull *pull)
{
	size_t used = strlen(pull->not_served);

	snprintf(pull->not_served + used, sizeof pull->not_served - used, " %s",
	    pull_type(pull, pull->type));
	pull->type++;
	pull->seen_count = 0;
	pull->url[0] = 0;
	next_page(pull);
}

static int
page_data(void *arg, const void *bytes, size_t length, struct cairn_error *err)
{
	struct pull *pull = arg;

	return source_feed(&pull->source, bytes, length, err);
}

static void
page_done(void *arg, const struct http_result *result)
{
	struct pull *pull = arg;
	struct cairn_error err = {0};
	char next[8];
	bool first = note(pull, "next", next, sizeof next) == CAIRN_ENOTFOUND;

	pull->call = NULL;
	if (pull_denied(pull, result, fetch))
		return;
	if (result->code == 0 && result->status == 200) {
		if (source_end(&pull->source, &err) != 0)
			pull_end(pull, err.code, "%s: %s", pull_type(pull, pull->type), err.text);
		else
			take_page(pull);
		return;
	}
	pull_drop_source(pull);
	if (result->code == 0 && first && (result->status == 404 || result->status == 400)) {
		not_served(pull);
	} else if (result->code == 0 && (result->status == 404 || result->status == 410)) {
		/* The server has forgotten the search that this was a page of. */
		pull->url[0] = 0;
		pull->seen_count = 0;
		next_page(pull);
	} else {
		pull_end(pull, result->code == 0 ? CAIRN_EUNAVAILABLE : result->code,
		    "%s: %s; the next pull goes on there", pull_type(pull, pull->type),
		    result->why);
	}
}

static void
fetch(struct pull *pull)
{
	struct http_request request = {
	    .size_max = (uint64_t)cairn_config_integer(pull->connector->cairn, "response_mb") << 20,
	    .data = page_data,
	    .done = page_done};
	struct cairn_error err = {0};
	int code;

	pull->step = pull_step(pull);
	if (pull->step == NULL)
		return;
	code = source_open(
	    &pull->source, pull->connector->mapping, RECORDS_DOCUMENT, step_add, pull->step, &err);
	pull->source_open = code == 0;
	if (code == 0)
		code = pull_get(
		    pull, pull->url, "Accept: application/fhir+json", NULL, &request, &err);
	if (code != 0)
		pull_end(pull, code, "%s", err.text);
}

static void
next_page(struct pull *pull)
{
	const char *type = pull_type(pull, pull->type);
	int64_t page = cairn_config_integer(pull->connector->cairn, "page");

	if (type == NULL) {
		finish(pull);
		return;
	}
	if (pull->url[0] == 0 &&
	    snprintf(pull->url, sizeof pull->url, "%s%s?_count=%lld%s%s", pull->base, type,
		(long long)page, pull->since[0] == 0 ? "" : "&_lastUpdated=ge",
		pull->since) >= (int)sizeof pull->url) {
		pull_end(pull, CAIRN_ELIMIT, "base_url is too long");
		return;
	}
	pull_with_token(pull, fetch);
}

void
search_begin(struct pull *pull)
{
	char type[24];
	int64_t index = 0;

	pull->pages = 0;
	pull->seen_count = 0;
	pull->type = 0;
	pull->url[0] = 0;
	(void)note(pull, "since", pull->since, sizeof pull->since);
	if (note(pull, "started", pull->started, sizeof pull->started) != 0) {
		pull_now_text(pull->started, OVERLAP_S);
	} else {
		(void)note(pull, "type", type, sizeof type);
		(void)note(pull, "next", pull->url, sizeof pull->url);
		if (text_to_integer(type, 0, 1000, &index) == 0)
			pull->type = (size_t)index;
		cairn_log(CAIRN_LOG_INFO, "pull: going on with the one that was not finished");
	}
	next_page(pull);
}
