/* SPDX-License-Identifier: Apache-2.0 */
#include "import.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cairn/imaging.pb-c.h"
#include "source.h"
#include "step.h"

#define CHUNK ((size_t)1 << 20)
#define IMPORTS_MAX 4
#define FILES_MAX 100000u
#define REFUSALS_MAX 1000u
#define PROGRESS_MS 250

struct import {
	struct connector *connector;
	struct import *next;
	struct cairn_request *req;
	char **roots;
	char **paths;
	size_t path_count, path_room, at;
	bool too_many;
	atomic_bool cancelled; /* read by the worker, too */
	uint64_t last_progress_ms;
	struct step *step; /* while the file is read */
	int code;
	struct cairn_error err;
	Cairn__ImportProgress counts;
	Cairn__Refusal *refusals[REFUSALS_MAX];
};

static void next_file(struct import *import);

const char *
import_source(struct connector *connector)
{
	const char *base = cairn_config_string(connector->cairn, "base_url");

	return base[0] == 0 ? "files" : base;
}

/* ---- results ------------------------------------------------------------------------------ */

static void
refuse(struct import *import, const char *path, const char *reason)
{
	Cairn__Refusal *refusal;

	import->counts.refused++;
	if (import->counts.n_refusals == REFUSALS_MAX ||
	    (refusal = malloc(sizeof *refusal)) == NULL)
		return;
	cairn__refusal__init(refusal);
	refusal->path = strdup(path);
	refusal->reason = strdup(reason);
	if (refusal->path == NULL || refusal->reason == NULL) {
		free(refusal->path);
		free(refusal->reason);
		free(refusal);
		return;
	}
	import->refusals[import->counts.n_refusals++] = refusal;
}

static void
send(struct import *import, bool last)
{
	Cairn__ImportProgress message = import->counts;
	size_t length;
	uint8_t *body;

	message.refusals = import->refusals;
	if (!last)
		message.n_refusals = 0;
	length = cairn__import_progress__get_packed_size(&message);
	body = malloc(length + 1);
	if (body == NULL && last) {
		cairn_fail(import->req, CAIRN_ENOMEM, "out of memory");
	} else if (body != NULL) {
		cairn__import_progress__pack(&message, body);
		if (last)
			cairn_reply(import->req, body, length);
		else
			cairn_progress(import->req, body, length);
	}
	free(body);
}

static void
free_list(char **list, size_t count)
{
	for (size_t i = 0; list != NULL && i < count; i++)
		free(list[i]);
	free(list);
}

static void
import_free(struct import *import)
{
	struct connector *connector = import->connector;
	struct import **at = &connector->imports;
	size_t roots = 0;

	while (*at != NULL && *at != import)
		at = &(*at)->next;
	if (*at == import)
		*at = import->next;
	while (import->roots != NULL && import->roots[roots] != NULL)
		roots++;
	free_list(import->roots, roots);
	free_list(import->paths, import->path_count);
	for (size_t i = 0; i < import->counts.n_refusals; i++) {
		free(import->refusals[i]->path);
		free(import->refusals[i]->reason);
		free(import->refusals[i]);
	}
	free(import);
	connector_rest(connector);
}

static void
finish(struct import *import)
{
	if (import->cancelled)
		cairn_fail(import->req, CAIRN_ECANCELLED,
		    "the import was stopped after %llu files; what they hold is kept",
		    (unsigned long long)import->counts.files_done);
	else
		send(import, true);
	cairn_log(CAIRN_LOG_INFO, "import: %llu files taken, %llu refused, %llu resources",
	    (unsigned long long)import->counts.imported, (unsigned long long)import->counts.refused,
	    (unsigned long long)import->counts.resources);
	import_free(import);
}

/* ---- one file ----------------------------------------------------------------------------- */

static bool
ends_in(const char *path, const char *end)
{
	size_t length = strlen(path), size = strlen(end);

	return length > size && strcmp(path + length - size, end) == 0;
}

static int
read_whole(struct import *import, int fd, struct source *source, struct cairn_error *err)
{
	char *chunk = malloc(CHUNK);
	int code = chunk == NULL ? cairn_error_set(err, CAIRN_ENOMEM, "out of memory") : 0;

	while (code == 0) {
		ssize_t got = read(fd, chunk, CHUNK);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			code = cairn_error_set(
			    err, CAIRN_EIO, "it cannot be read: %s", strerror(errno));
		else if (import->cancelled)
			code = cairn_error_set(err, CAIRN_ECANCELLED, "stopped");
		else if (got == 0)
			break;
		else
			code = source_feed(source, chunk, (size_t)got, err);
	}
	free(chunk);
	return code == 0 ? source_end(source, err) : code;
}

static void
read_work(void *arg)
{
	struct import *import = arg;
	const char *path = import->paths[import->at];
	FD_AUTO fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct source source = {0};
	struct stat stat;

	if (fd < 0 || fstat(fd, &stat) != 0) {
		import->code = cairn_error_set(
		    &import->err, CAIRN_EIO, "it cannot be read: %s", strerror(errno));
		return;
	}
	if (!S_ISREG(stat.st_mode)) {
		import->code = cairn_error_set(&import->err, CAIRN_EINVAL, "it is no file");
		return;
	}
	import->code = source_open(&source, import->connector->mapping,
	    ends_in(path, ".ndjson") ? RECORDS_LINES : RECORDS_DOCUMENT, step_add, import->step,
	    &import->err);
	if (import->code == 0)
		import->code = read_whole(import, fd, &source, &import->err);
	source_close(&source);
}

static void
file_done(struct import *import)
{
	uint64_t now = clock_monotonic_ms();

	import->counts.files_done++;
	if (now - import->last_progress_ms >= PROGRESS_MS) {
		import->last_progress_ms = now;
		send(import, false);
	}
	import->at++;
	next_file(import);
}

static void
stepped(void *arg, int code, const char *why, const struct step_counts *counts)
{
	struct import *import = arg;
	const char *path = import->paths[import->at];
	char text[160];

	if (code != 0) {
		refuse(import, path, why);
		file_done(import);
		return;
	}
	import->counts.imported++;
	import->counts.resources += counts->resources;
	import->counts.unused += counts->unused;
	import->counts.waiting += counts->waiting;
	if (counts->nameless + counts->orphans > 0) {
		snprintf(text, sizeof text,
		    "taken, but for %llu patients without an identifier that can be used and %llu "
		    "resources of no patient",
		    (unsigned long long)counts->nameless, (unsigned long long)counts->orphans);
		cairn_log(CAIRN_LOG_WARNING, "a file was %s", text);
		refuse(import, path, text);
		import->counts.refused--;
	}
	file_done(import);
}

static void
read_after(void *arg)
{
	struct import *import = arg;
	struct step *step = import->step;

	import->step = NULL;
	if (import->code == 0) {
		step_run(step, stepped, import);
		return;
	}
	step_free(step);
	if (!import->cancelled)
		refuse(import, import->paths[import->at], import->err.text);
	file_done(import);
}

static void
next_file(struct import *import)
{
	if (import->cancelled || import->at == import->path_count) {
		finish(import);
		return;
	}
	import->err = (struct cairn_error){0};
	import->code = step_new(
	    &import->step, import->connector, import_source(import->connector), &import->err);
	if (import->code == 0 &&
	    cairn_work(import->connector->cairn, read_work, read_after, import) == 0)
		return;
	step_free(import->step);
	import->step = NULL;
	refuse(import, import->paths[import->at], "no memory or worker thread is free");
	import->at = import->path_count;
	finish(import);
}

/* ---- finding files ------------------------------------------------------------------------ */

static void
add_path(struct import *import, const char *path)
{
	if (import->path_count == FILES_MAX) {
		import->too_many = true;
		return;
	}
	if (import->path_count == import->path_room) {
		size_t room = import->path_room == 0 ? 64 : import->path_room * 2;
		char **grown = realloc(import->paths, room * sizeof *grown);

		if (grown == NULL) {
			import->too_many = true;
			return;
		}
		import->paths = grown;
		import->path_room = room;
	}
	import->paths[import->path_count] = strdup(path);
	if (import->paths[import->path_count] == NULL)
		import->too_many = true;
	else
		import->path_count++;
}

/* Patients first, so that little has to wait. */
static int
compare(const FTSENT **a, const FTSENT **b)
{
	bool left = strncmp((*a)->fts_name, "Patient", 7) == 0;
	bool right = strncmp((*b)->fts_name, "Patient", 7) == 0;

	return left != right ? (left ? -1 : 1) : strcmp((*a)->fts_name, (*b)->fts_name);
}

static void
walk_work(void *arg)
{
	struct import *import = arg;
	FTS *walk = fts_open(import->roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_COMFOLLOW, compare);
	const FTSENT *entry;

	import->too_many = walk == NULL;
	while (walk != NULL && (entry = fts_read((FTS *)walk)) != NULL && !import->too_many &&
	    !import->cancelled) {
		bool named = entry->fts_level == 0;
		bool ours =
		    ends_in(entry->fts_path, ".json") || ends_in(entry->fts_path, ".ndjson");

		if (entry->fts_info == FTS_F && (named || ours))
			add_path(import, entry->fts_accpath);
		else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR ||
		    entry->fts_info == FTS_NS)
			add_path(import, entry->fts_path); /* reading it will say why not */
	}
	if (walk != NULL)
		fts_close(walk);
}

static void
walk_after(void *arg)
{
	struct import *import = arg;

	import->counts.files_total = import->path_count;
	if (import->too_many)
		refuse(import, import->roots[0],
		    "more than 100,000 files, or memory is short; import a part at a time");
	else if (import->path_count == 0)
		refuse(import, import->roots[0], "there is no .json or .ndjson file");
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
	}
	return request->n_paths > 0 ? 0 : cairn_error_set(err, CAIRN_EINVAL, "no paths to import");
}

int
import_start(struct connector *connector, struct cairn_request *req, struct cairn_error *err)
{
	size_t length, count = 0;
	const void *body = cairn_request_body(req, &length);
	Cairn__ImportRequest *request = cairn__import_request__unpack(NULL, length, body);
	struct import *import;
	int code;

	if (request == NULL)
		return cairn_error_set(err, CAIRN_EINVAL, "the body is no cairn.ImportRequest");
	for (import = connector->imports; import != NULL; import = import->next)
		count++;
	import = count == IMPORTS_MAX ? NULL : calloc(1, sizeof *import);
	if (import == NULL) {
		cairn__import_request__free_unpacked(request, NULL);
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "4 imports are under way, or memory is short");
	}
	import->connector = connector;
	cairn__import_progress__init(&import->counts);
	import->next = connector->imports;
	connector->imports = import;
	code = copy_roots(import, request, err);
	cairn__import_request__free_unpacked(request, NULL);
	if (code == 0 && cairn_work(connector->cairn, walk_work, walk_after, import) != 0)
		code = cairn_error_set(err, CAIRN_EUNAVAILABLE, "no worker thread");
	if (code != 0) {
		import_free(import);
		return code;
	}
	import->req = req;
	return 0;
}

void
import_cancel(struct connector *connector, const struct cairn_request *req)
{
	for (struct import *import = connector->imports; import != NULL; import = import->next) {
		if (req == NULL || import->req == req)
			import->cancelled = true;
	}
}
