/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetching by Bulk Data export (STU2): start it, ask until it is made, read its files.  Notes in
 * the state: export.since   what changed before is here export.status  where an export that was
 * started is asked for export.files   its files, once it is made: TYPE URL, a line each export.at
 * how far: FILE OFFSET
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "pull_private.h"
#include "state.h"

#define STEP_RESOURCES 5000 /* of a file, in one step */
#define FILES_MAX 10000
#define POLL_S 2
#define POLL_MAX_S 120
#define MANIFEST_MAX ((size_t)16 << 20)

static void download(struct pull *pull);
static void kick_off(struct pull *pull);
static void ask(struct pull *pull);
static void next_file(struct pull *pull);

/* A step without resources that keeps up to four notes, then `done`. */
static void
keep(struct pull *pull, const char *const notes[][2], size_t count, step_done_fn *done)
{
	struct step *step = pull_step(pull);
	int code = 0;

	if (step == NULL)
		return;
	for (size_t i = 0; code == 0 && i < count; i++)
		code = step_note(step, notes[i][0], notes[i][1]);
	if (code != 0) {
		step_free(step);
		pull_end(pull, code, "out of memory");
		return;
	}
	pull->stepping = true;
	step_run(step, done, pull);
}

/* ---- starting ----------------------------------------------------------------------------- */

static void
kept_status(void *arg, int code, const char *why, const struct step_counts *counts)
{
	struct pull *pull = arg;

	if (pull_stepped(pull, code, why, counts))
		pull_with_token(pull, ask);
}

static void
kicked_off(void *arg, const struct http_result *result)
{
	struct pull *pull = arg;
	const char *const notes[][2] = {{"export.status", pull->status_url}};

	pull->call = NULL;
	if (pull_denied(pull, result, kick_off))
		return;
	if (result->code != 0 || result->status != 202 || result->content_location[0] == 0) {
		pull_end(pull, result->code == 0 ? CAIRN_EPROTO : result->code,
		    "the server does not start an export (%s); mode: search may do",
		    result->status == 202 ? "it does not say where to ask for it" : result->why);
		return;
	}
	if (pull_follow(pull, pull->base, result->content_location, "Content-Location",
		pull->status_url, sizeof pull->status_url) != 0)
		return;
	pull_say(pull, "the server is making the export");
	keep(pull, notes, 1, kept_status);
}

static void
kick_off(struct pull *pull)
{
	struct http_request request = {.size_max = MANIFEST_MAX, .done = kicked_off};
	BUF_AUTO url = {.max = PULL_URL_MAX};
	struct cairn_error err = {0};
	const char *type;
	/* No _outputFormat: NDJSON is what there is without it, and servers differ in its name. */
	int code = buf_append_format(&url, "%s$export?_type=", pull->base);

	for (size_t i = 0; code == 0 && (type = pull_type(pull, i)) != NULL; i++)
		code = buf_append_format(&url, "%s%s", i == 0 ? "" : ",", type);
	if (code == 0 && pull->since[0] != 0)
		code = buf_append_format(&url, "&_since=%s", pull->since);
	if (code == 0)
		code = pull_get(pull, buf_text(&url), "Accept: application/fhir+json",
		    "Prefer: respond-async", &request, &err);
	if (code != 0)
		pull_end(pull, code, "%s", err.text);
}

/* ---- asking ------------------------------------------------------------------------------- */

static const char *
member(struct json_value value, const char *name)
{
	struct json_value found;
	const char *text = json_get(value, name, &found) ? json_string(found, NULL) : NULL;

	return text == NULL ? "" : text;
}

static size_t
count_of(struct json_value root, const char *name)
{
	struct json_value list;
	struct json_walk walk;
	size_t count = 0;

	if (!json_get(root, name, &list))
		return 0;
	walk = json_walk(list);
	while (json_next(&walk))
		count++;
	return count;
}

/* Its files, Patient first; each of our origin. */
static int
take_files(struct pull *pull, struct json_value output)
{
	char url[PULL_URL_MAX];
	size_t count = 0;

	for (int patient = 1; patient >= 0; patient--) {
		struct json_walk walk = json_walk(output);

		while (json_next(&walk)) {
			const char *type = member(walk.value, "type");

			if ((strcmp(type, "Patient") == 0) != (patient == 1))
				continue;
			if (strlen(type) > 64 || strpbrk(type, " \n") != NULL ||
			    count++ == FILES_MAX) {
				pull_end(pull, CAIRN_EPROTO,
				    "the export has more than 10,000 files, or one of no type");
				return CAIRN_EPROTO;
			}
			if (pull_follow(pull, pull->status_url, member(walk.value, "url"),
				"export file", url, sizeof url) != 0)
				return CAIRN_EPROTO;
			if (buf_append_format(&pull->files, "%s %s\n", type, url) != 0) {
				pull_end(pull, CAIRN_ELIMIT, "the export's manifest is too long");
				return CAIRN_ELIMIT;
			}
		}
	}
	return 0;
}

static void
kept_files(void *arg, int code, const char *why, const struct step_counts *counts)
{
	struct pull *pull = arg;

	if (pull_stepped(pull, code, why, counts))
		next_file(pull);
}

static void
take_manifest(struct pull *pull)
{
	const struct json_limits limits = {MANIFEST_MAX, 32};
	struct json_parser *parser = NULL;
	struct json_value root, output;
	struct cairn_error err = {0};
	int code = json_new(&parser, &limits, &err);

	buf_clear(&pull->files);
	if (code == 0 && buf_reserve(&pull->body, JSON_PADDING) != 0)
		code = cairn_error_set(&err, CAIRN_ENOMEM, "out of memory");
	if (code == 0)
		code = json_parse(
		    parser, (const char *)pull->body.data, pull->body.length, &root, &err);
	if (code == 0 && !json_get(root, "output", &output))
		code = cairn_error_set(&err, CAIRN_EPROTO, "it has no 'output'");
	if (code != 0) {
		pull_end(pull, code, "the export's manifest: %s", err.text);
	} else if (take_files(pull, output) == 0) {
		const char *time = member(root, "transactionTime");
		const char *const notes[][2] = {{"export.files", buf_text(&pull->files)},
		    {"export.at", "0 0"}, {"export.time", time}};

		if (count_of(root, "error") + count_of(root, "deleted") > 0)
			cairn_log(CAIRN_LOG_WARNING,
			    "pull: the export names %zu files of errors and %zu of deleted "
			    "resources, "
			    "which are not read",
			    count_of(root, "error"), count_of(root, "deleted"));
		pull->file = 0;
		pull->offset = 0;
		keep(pull, notes, 3, kept_files);
	}
	json_free(parser);
}

static void
asked(void *arg, const struct http_result *result)
{
	struct pull *pull = arg;
	const char *const notes[][2] = {{"export.status", ""}};
	uint64_t pause = result->retry_after_s == 0 ? POLL_S : result->retry_after_s;

	pull->call = NULL;
	if (pull_denied(pull, result, ask))
		return;
	if (result->code == 0 && result->status == 202 &&
	    clock_monotonic_ms() < pull->poll_until_ms) {
		pull_say(pull, "the server is making the export");
		pull_wait(pull, pause > POLL_MAX_S ? POLL_MAX_S : pause);
		return;
	}
	if (result->code == 0 && result->status == 200) {
		take_manifest(pull);
	} else if (result->code == 0 && (result->status == 404 || result->status == 410)) {
		/* Forgotten by the server: begin again. */
		pull->status_url[0] = 0;
		keep(pull, notes, 1, kept_files);
	} else {
		pull_end(pull, result->code == 0 ? CAIRN_EUNAVAILABLE : result->code,
		    "the export: %s",
		    result->status == 202 ? "it is not made within export_wait_s" : result->why);
	}
}

static void
ask(struct pull *pull)
{
	struct http_request request = {
	    .size_max = MANIFEST_MAX, .data = pull_keep_body, .done = asked};
	struct cairn_error err = {0};

	buf_fini(&pull->body);
	buf_init(&pull->body, MANIFEST_MAX + JSON_PADDING);
	if (pull_get(pull, pull->status_url, "Accept: application/json", NULL, &request, &err) != 0)
		pull_end(pull, err.code, "%s", err.text);
}

void
export_timer(struct pull *pull)
{
	pull_with_token(pull, ask);
}

/* ---- reading ------------------------------------------------------------------------------ */

static int
note_place(struct pull *pull, size_t file, uint64_t offset)
{
	char text[64];

	snprintf(text, sizeof text, "%zu %" PRIu64, file, offset);
	return step_note(pull->step, "export.at", text);
}

static void file_ended(struct pull *pull);

static void
part_kept(void *arg, int code, const char *why, const struct step_counts *counts)
{
	struct pull *pull = arg;

	if (!pull_stepped(pull, code, why, counts))
		return;
	pull_say(
	    pull, "file %zu: %llu resources", pull->file + 1, (unsigned long long)pull->resources);
	if (pull->ended)
		file_ended(pull);
	else if (pull->call != NULL)
		http_resume(pull->call);
}

/* What was read so far is one step, and a new one begins. */
static int
keep_part(struct pull *pull)
{
	struct step *step = pull->step, *fresh = NULL;
	int code =
	    note_place(pull, pull->file, pull->file_base + records_position(pull->source.records));

	if (code == 0)
		code = step_new(&fresh, pull->connector,
		    cairn_config_string(pull->connector->cairn, "base_url"), NULL);
	if (code != 0)
		return code;
	pull->step = fresh;
	pull->source.arg = fresh;
	pull->stepping = true;
	step_run(step, part_kept, pull);
	return 0;
}

static int
file_data(void *arg, const void *bytes, size_t length, struct cairn_error *err)
{
	struct pull *pull = arg;
	size_t skip = pull->skip < length ? (size_t)pull->skip : length;
	int code;

	pull->skip -= skip;
	code = source_feed(&pull->source, (const char *)bytes + skip, length - skip, err);
	if (code != 0 || step_size(pull->step) < STEP_RESOURCES)
		return code;
	code = keep_part(pull);
	return code == 0 ? HTTP_PAUSE : code;
}

static void
file_kept(void *arg, int code, const char *why, const struct step_counts *counts)
{
	struct pull *pull = arg;

	if (!pull_stepped(pull, code, why, counts))
		return;
	pull->file++;
	pull->offset = 0;
	next_file(pull);
}

static void
file_ended(struct pull *pull)
{
	struct cairn_error err = {0};
	struct step *step;
	int code = source_end(&pull->source, &err);

	if (code == 0 && note_place(pull, pull->file + 1, 0) != 0)
		code = cairn_error_set(&err, CAIRN_ENOMEM, "out of memory");
	if (code != 0) {
		pull_end(pull, code, "file %zu of the export: %s", pull->file + 1, err.text);
		return;
	}
	step = pull->step;
	pull->step = NULL;
	pull_drop_source(pull);
	pull->stepping = true;
	step_run(step, file_kept, pull);
}

static void
file_done(void *arg, const struct http_result *result)
{
	struct pull *pull = arg;

	pull->call = NULL;
	if (pull_denied(pull, result, download))
		return;
	if (result->code != 0 || result->status != 200) {
		pull_end(pull, result->code == 0 ? CAIRN_EUNAVAILABLE : result->code,
		    "file %zu of the export: %s; the next pull goes on there", pull->file + 1,
		    result->why);
		return;
	}
	pull->ended = true;
	if (!pull->stepping)
		file_ended(pull);
}

/* The index-th line's address. */
static bool
file_url(struct pull *pull, size_t index, char *ret, size_t size)
{
	const char *line = buf_text(&pull->files);

	while (line != NULL && index-- > 0) {
		line = strchr(line, '\n');
		line = line == NULL ? NULL : line + 1;
	}
	if (line == NULL || (line = strchr(line, ' ')) == NULL)
		return false;
	return snprintf(ret, size, "%.*s", (int)strcspn(line + 1, "\n"), line + 1) < (int)size;
}

static void
download(struct pull *pull)
{
	struct http_request request = {.data = file_data, .done = file_done};
	struct cairn_error err = {0};
	int code;

	pull->step = pull_step(pull);
	if (pull->step == NULL)
		return;
	pull->ended = false;
	pull->skip = pull->file_base = pull->offset;
	code = source_open(
	    &pull->source, pull->connector->mapping, RECORDS_LINES, step_add, pull->step, &err);
	pull->source_open = code == 0;
	if (code == 0)
		code = pull_get(
		    pull, pull->url, "Accept: application/fhir+ndjson", NULL, &request, &err);
	if (code != 0)
		pull_end(pull, code, "%s", err.text);
}

/* ---- the end of all ----------------------------------------------------------------------- */

static void
finished(void *arg, int code, const char *why, const struct step_counts *counts)
{
	struct pull *pull = arg;

	if (!pull_stepped(pull, code, why, counts))
		return;
	pull_end(pull, 0,
	    "%llu resources taken from %zu files, %llu of which nothing is taken, %llu wait for "
	    "their patient",
	    (unsigned long long)pull->resources, pull->file, (unsigned long long)pull->unused,
	    (unsigned long long)pull->waiting);
}

static void
next_file(struct pull *pull)
{
	char time[64] = "";

	if (pull->status_url[0] == 0) {
		pull_with_token(pull, kick_off);
	} else if (file_url(pull, pull->file, pull->url, sizeof pull->url)) {
		pull_with_token(pull, download);
	} else {
		const char *const notes[][2] = {{"export.since", time}, {"export.status", ""},
		    {"export.files", ""}, {"export.at", ""}};

		(void)state_note_get(pull->connector->state, "export.time", time, sizeof time);
		keep(pull, notes, 4, finished);
	}
}

void
export_begin(struct pull *pull)
{
	struct state *state = pull->connector->state;
	char at[64], *files = malloc(MANIFEST_MAX);
	unsigned long long wait =
	    (unsigned long long)cairn_config_integer(pull->connector->cairn, "export_wait_s");

	pull->poll_until_ms = clock_monotonic_ms() + wait * 1000;
	pull->since[0] = pull->status_url[0] = 0;
	pull->file = 0;
	pull->offset = 0;
	buf_clear(&pull->files);
	(void)state_note_get(state, "export.since", pull->since, sizeof pull->since);
	(void)state_note_get(state, "export.status", pull->status_url, sizeof pull->status_url);
	if (files != NULL && state_note_get(state, "export.files", files, MANIFEST_MAX) == 0 &&
	    state_note_get(state, "export.at", at, sizeof at) == 0 &&
	    buf_append_text(&pull->files, files) == 0) {
		char *end;

		pull->file = strtoull(at, &end, 10);
		pull->offset = strtoull(end, NULL, 10);
	}
	free(files);
	if (pull->files.length > 0 || pull->status_url[0] == 0)
		next_file(pull);
	else
		pull_with_token(pull, ask);
}
