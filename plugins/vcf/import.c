/* SPDX-License-Identifier: Apache-2.0 */
/* genomics.import: files and folders, a file after the other. */
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/imaging.pb-c.h"
#include "connector.h"

#define IMPORTS_MAX 4
#define FILES_MAX 1000000u
#define REFUSALS_MAX 1000u

struct import {
	struct connector *connector;
	struct import *next;
	struct cairn_request *req;
	char **roots;
	size_t root_count;
	char **paths;
	size_t path_count, path_capacity, at;
	const char *walk_failure;
	atomic_bool cancelled;
	Cairn__ImportProgress counts;
	Cairn__Refusal *refusals[REFUSALS_MAX];
	size_t refusal_count, sent;
	uint64_t awaited; /* state of the shelf that must have been stated; 0: does not wait */
};

bool
import_is_name(const char *name)
{
	static const char *const ends[] = {".vcf", ".vcf.gz", ".vcf.bgz", ".bcf"};
	size_t length = strlen(name);

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		size_t size = strlen(ends[i]);

		if (length > size && strcmp(name + length - size, ends[i]) == 0)
			return true;
	}
	return false;
}

/* ---- results ------------------------------------------------------------------------------ */

static void
say(struct import *import, const char *path, const char *reason)
{
	Cairn__Refusal *refusal;

	if (import->refusal_count == REFUSALS_MAX)
		return;
	refusal = malloc(sizeof *refusal);
	if (refusal == NULL)
		return;
	cairn__refusal__init(refusal);
	refusal->path = strdup(path);
	refusal->reason = strdup(reason);
	import->refusals[import->refusal_count++] = refusal;
}

static uint8_t *
pack(struct import *import, size_t from, size_t *ret_length)
{
	Cairn__ImportProgress message = import->counts;
	uint8_t *body;

	message.files_total = import->path_count;
	message.refusals = import->refusals + from;
	message.n_refusals = import->refusal_count - from;
	*ret_length = cairn__import_progress__get_packed_size(&message);
	body = malloc(*ret_length + 1);
	if (body != NULL)
		cairn__import_progress__pack(&message, body);
	return body;
}

static void
report_progress(struct import *import)
{
	size_t length;
	uint8_t *body = pack(import, import->sent, &length);

	if (body != NULL)
		cairn_progress(import->req, body, length);
	import->sent = import->refusal_count;
	free(body);
}

static void
import_free(struct import *import)
{
	struct import **at = &import->connector->imports;

	while (*at != import)
		at = &(*at)->next;
	*at = import->next;
	for (size_t i = 0; i < import->refusal_count; i++) {
		free(import->refusals[i]->path);
		free(import->refusals[i]->reason);
		free(import->refusals[i]);
	}
	for (size_t i = 0; i < import->path_count; i++)
		free(import->paths[i]);
	free(import->paths);
	for (size_t i = 0; i < import->root_count; i++)
		free(import->roots[i]);
	free(import->roots);
	free(import);
}

static void
import_end(struct import *import)
{
	struct connector *connector = import->connector;
	size_t length;
	uint8_t *body;

	if (atomic_load(&import->cancelled)) {
		cairn_fail(import->req, CAIRN_ECANCELLED, "the import was stopped after %llu files",
		    (unsigned long long)import->counts.files_done);
	} else {
		body = pack(import, 0, &length);
		if (body == NULL)
			cairn_fail(import->req, CAIRN_ENOMEM, "out of memory");
		else
			cairn_reply(import->req, body, length);
		free(body);
	}
	cairn_log(CAIRN_LOG_INFO, "import: %llu files imported, %llu held already, %llu refused",
	    (unsigned long long)import->counts.imported,
	    (unsigned long long)import->counts.duplicates,
	    (unsigned long long)import->counts.refused);
	import_free(import);
	connector_rest(connector);
}

/* Who asks for a count after an import means the patients of it, too. */
static void
import_finish(struct import *import)
{
	const struct statement *statement = import->connector->statement;
	const char *failure = statement_failure(statement);

	if (atomic_load(&import->cancelled) || statement_is_told(statement)) {
		import_end(import);
		return;
	}
	import->awaited = statement_wanted(statement);
	if (failure != NULL)
		import_stated(import->connector, UINT64_MAX, failure);
}

void
import_stated(struct connector *connector, uint64_t told, const char *failure)
{
	struct import *next;
	char reason[256];

	for (struct import *import = connector->imports; import != NULL; import = next) {
		next = import->next;
		if (import->awaited == 0 || import->awaited > told)
			continue;
		if (failure != NULL) {
			snprintf(reason, sizeof reason,
			    "held, but not counted yet: %s; this is tried again by itself",
			    failure);
			import->counts.refused++;
			say(import, import->roots[0], reason);
		}
		import_end(import);
	}
}

/* ---- a file after the other --------------------------------------------------------------- */

static void next_file(struct import *import);

static void
file_done(void *arg, const struct job_result *result)
{
	struct import *import = arg;
	const char *path = import->paths[import->at++];

	import->counts.files_done++;
	if (result->code != 0) {
		if (result->code != CAIRN_ECANCELLED) {
			import->counts.refused++;
			say(import, path, result->reason);
		}
	} else {
		import->counts.duplicates += result->duplicate;
		import->counts.imported += !result->duplicate;
		/* What was left out must be seen, and exit status 1 is how a script sees it. */
		if (result->reason[0] != 0) {
			import->counts.refused++;
			say(import, path, result->reason);
		}
	}
	report_progress(import);
	next_file(import);
}

static void
next_file(struct import *import)
{
	if (import->at == import->path_count || atomic_load(&import->cancelled)) {
		import_finish(import);
		return;
	}
	if (job_start(import->connector, import->paths[import->at], &import->cancelled, file_done,
		import) != 0) {
		import->counts.refused++;
		say(import, import->paths[import->at], "no worker thread is free: try again");
		import->at = import->path_count;
		import_finish(import);
	}
}

/* ---- finding files ------------------------------------------------------------------------ */

static void
add_path(struct import *import, const char *path)
{
	if (import->path_count == FILES_MAX) {
		import->walk_failure = "more than 1,000,000 files; import a part at a time";
		return;
	}
	if (import->path_count == import->path_capacity) {
		size_t capacity = import->path_capacity == 0 ? 64 : 2 * import->path_capacity;
		char **grown = realloc(import->paths, capacity * sizeof *grown);

		if (grown == NULL) {
			import->walk_failure = "out of memory; import a part at a time";
			return;
		}
		import->paths = grown;
		import->path_capacity = capacity;
	}
	import->paths[import->path_count] = strdup(path);
	if (import->paths[import->path_count] == NULL)
		import->walk_failure = "out of memory; import a part at a time";
	else
		import->path_count++;
}

/* What is named is taken as it is; in folders, files with the right names. */
static void
walk_work(void *arg)
{
	struct import *import = arg;
	FTS *walk = fts_open(import->roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_COMFOLLOW, NULL);
	FTSENT *entry;

	if (walk == NULL) {
		import->walk_failure = "cannot be walked: out of memory";
		return;
	}
	while ((entry = fts_read(walk)) != NULL && import->walk_failure == NULL &&
	    !atomic_load(&import->cancelled)) {
		if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR ||
		    entry->fts_info == FTS_NS)
			add_path(import, entry->fts_path); /* reading it will say why not */
		else if (entry->fts_info == FTS_F &&
		    (entry->fts_level == 0 || import_is_name(entry->fts_name)))
			add_path(import, entry->fts_accpath);
	}
	fts_close(walk);
}

static void
walk_after(void *arg)
{
	struct import *import = arg;

	if (import->walk_failure != NULL) {
		import->counts.refused++;
		say(import, import->roots[0], import->walk_failure);
	}
	next_file(import);
}

/* ---- the call ----------------------------------------------------------------------------- */

static int
copy_roots(struct import *import, const Cairn__ImportRequest *request, struct cairn_error *err)
{
	import->roots = calloc(request->n_paths + 1, sizeof(char *));
	if (import->roots == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	for (size_t i = 0; i < request->n_paths; i++) {
		if (request->paths[i][0] != '/')
			return cairn_error_set(
			    err, CAIRN_EINVAL, "not an absolute path: '%.100s'", request->paths[i]);
		import->roots[i] = strdup(request->paths[i]);
		if (import->roots[i] == NULL)
			return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
		import->root_count++;
	}
	return request->n_paths > 0 ? 0 : cairn_error_set(err, CAIRN_EINVAL, "no paths to import");
}

int
import_start(struct connector *connector, struct cairn_request *req, struct cairn_error *err)
{
	size_t length, count = 0;
	const void *body = cairn_request_body(req, &length);
	Cairn__ImportRequest *request;
	struct import *import;
	int code;

	for (import = connector->imports; import != NULL; import = import->next)
		count++;
	if (count == IMPORTS_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "%d imports are under way; try again when one has ended", IMPORTS_MAX);
	request = cairn__import_request__unpack(NULL, length, body);
	import = calloc(1, sizeof *import);
	if (request == NULL || import == NULL) {
		free(import);
		if (request != NULL)
			cairn__import_request__free_unpacked(request, NULL);
		return cairn_error_set(err, request == NULL ? CAIRN_EINVAL : CAIRN_ENOMEM,
		    "the body is no cairn.ImportRequest, or out of memory");
	}
	import->connector = connector;
	import->next = connector->imports;
	connector->imports = import;
	cairn__import_progress__init(&import->counts);
	code = copy_roots(import, request, err);
	cairn__import_request__free_unpacked(request, NULL);
	if (code == 0 && cairn_work(connector->cairn, walk_work, walk_after, import) != 0)
		code = cairn_error_set(err, CAIRN_EUNAVAILABLE, "no worker thread is free");
	if (code != 0)
		import_free(import);
	else
		import->req = req;
	return code;
}

void
import_cancel(struct connector *connector, const struct cairn_request *req)
{
	struct import *next;

	for (struct import *import = connector->imports; import != NULL; import = next) {
		next = import->next;
		if (req != NULL && import->req != req)
			continue;
		atomic_store(&import->cancelled, true);
		if (import->awaited > 0) /* else its job ends it */
			import_end(import);
	}
}
