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
#include "base/text.h"
#include "cairn/imaging.pb-c.h"
#include "dicom/part10.h"
#include "ingest.h"

#define READERS 4 /* files under way at once */
#define CHUNK (256u << 10)
#define IMPORTS_MAX 4               /* under way at once */
#define FILES_MAX 10000000u         /* in one import */
#define NAMES_MAX ((size_t)1 << 30) /* bytes of their paths */
#define REFUSALS_MAX 1000u          /* named in the reply */
#define PROGRESS_MS 250

struct reader {
	struct import *import;
	int fd;
	char *path;
	struct ingest *ingest;
	bool reading; /* a read is under way on a worker thread */
	bool paused;  /* ingest waits; what was read is kept */
	bool at_end;
	bool meta_read;
	ssize_t got; /* of the last read */
	int error;
	uint8_t *chunk;
};

struct import {
	struct connector *connector;
	struct import *next; /* in connector->imports */
	struct cairn_request *req;
	char **roots;
	size_t root_count;
	char **paths; /* found files */
	size_t path_count, path_capacity, path_next, name_bytes;
	const char *walk_failure; /* why files may be missing from `paths` */
	atomic_bool cancelled;    /* read by the walk, too */
	bool no_worker;           /* cancelled because of that */
	unsigned busy;            /* readers with a file */
	uint64_t last_progress_ms;
	Cairn__ImportProgress counts;
	Cairn__Refusal *fresh[REFUSALS_MAX]; /* not sent yet */
	size_t fresh_count;
	Cairn__Refusal *kept[REFUSALS_MAX]; /* for the reply */
	size_t kept_count;
	struct reader readers[READERS];
};

static void next_file(struct reader *reader);
static void read_more(struct reader *reader);

/* ---- results ---------------------------------------------------------------------------- */

static Cairn__Refusal *
refusal_new(const char *path, const char *reason)
{
	Cairn__Refusal *refusal = malloc(sizeof *refusal);

	if (refusal == NULL)
		return NULL;
	cairn__refusal__init(refusal);
	refusal->path = strdup(path);
	refusal->reason = strdup(reason);
	return refusal;
}

static void
refusal_free(Cairn__Refusal *refusal)
{
	if (refusal == NULL)
		return;
	free(refusal->path);
	free(refusal->reason);
	free(refusal);
}

static void
note_refusal(struct import *import, const char *path, const char *reason)
{
	import->counts.refused++;
	if (import->kept_count == REFUSALS_MAX)
		return;
	import->kept[import->kept_count] = refusal_new(path, reason);
	if (import->kept[import->kept_count] == NULL)
		return;
	if (import->fresh_count < REFUSALS_MAX)
		import->fresh[import->fresh_count++] = import->kept[import->kept_count];
	import->kept_count++;
}

/* What never became an instance, so that ingest.c did not count it: `cairn doctor` and the metrics
 * count the same as the import. */
static void
refuse_file(struct import *import, const char *path, const char *reason)
{
	import->connector->refused++;
	note_refusal(import, path, reason);
}

static uint8_t *
pack_progress(struct import *import, Cairn__Refusal **refusals, size_t count, size_t *ret_length)
{
	Cairn__ImportProgress message = import->counts;
	uint8_t *body;

	message.files_total = import->path_count;
	message.refusals = refusals;
	message.n_refusals = count;
	*ret_length = cairn__import_progress__get_packed_size(&message);
	body = malloc(*ret_length + 1);
	if (body != NULL)
		cairn__import_progress__pack(&message, body);
	return body;
}

static void
report_progress(struct import *import)
{
	uint64_t now = clock_monotonic_ms();
	size_t length;
	uint8_t *body;

	if (import->req == NULL || now - import->last_progress_ms < PROGRESS_MS)
		return;
	import->last_progress_ms = now;
	body = pack_progress(import, import->fresh, import->fresh_count, &length);
	if (body != NULL)
		cairn_progress(import->req, body, length);
	free(body);
	import->fresh_count = 0;
}

static void
import_free(struct import *import)
{
	struct connector *connector = import->connector;
	struct import **at = &connector->imports;

	while (*at != import)
		at = &(*at)->next;
	*at = import->next;
	for (size_t i = 0; i < import->kept_count; i++)
		refusal_free(import->kept[i]);
	for (size_t i = 0; i < import->path_count; i++)
		free(import->paths[i]);
	free(import->paths);
	for (size_t i = 0; i < import->root_count; i++)
		free(import->roots[i]);
	free(import->roots);
	for (size_t i = 0; i < READERS; i++)
		free(import->readers[i].chunk);
	free(import);
	if (connector->imports == NULL && connector->imports_ended != NULL)
		connector->imports_ended(connector);
}

static void
import_finish(struct import *import)
{
	size_t length;
	uint8_t *body;

	if (import->req != NULL && import->cancelled) {
		cairn_fail(import->req, import->no_worker ? CAIRN_EUNAVAILABLE : CAIRN_ECANCELLED,
		    "the import was stopped after %llu files%s",
		    (unsigned long long)import->counts.files_done,
		    import->no_worker ? ": no worker thread is free" : "");
	} else if (import->req != NULL) {
		body = pack_progress(import, import->kept, import->kept_count, &length);
		if (body == NULL)
			cairn_fail(import->req, CAIRN_ENOMEM, "out of memory");
		else
			cairn_reply(import->req, body, length);
		free(body);
	}
	cairn_log(CAIRN_LOG_INFO, "import: %llu imported, %llu held already, %llu refused",
	    (unsigned long long)import->counts.imported,
	    (unsigned long long)import->counts.duplicates,
	    (unsigned long long)import->counts.refused);
	import_free(import);
}

/* ---- one file --------------------------------------------------------------------------- */

static void
file_done(struct reader *reader)
{
	struct import *import = reader->import;

	if (reader->fd >= 0)
		close(reader->fd);
	reader->fd = -1;
	free(reader->path);
	reader->path = NULL;
	import->counts.files_done++;
	import->busy--;
	report_progress(import);
	next_file(reader);
}

static void
sink_pause(void *arg)
{
	struct reader *reader = arg;

	reader->paused = true;
}

static void
sink_resume(void *arg)
{
	struct reader *reader = arg;

	reader->paused = false;
	if (!reader->reading && reader->ingest != NULL)
		read_more(reader);
}

static void
sink_done(void *arg, const struct ingest_result *result)
{
	struct reader *reader = arg;
	struct import *import = reader->import;

	reader->ingest = NULL;
	if (result->code != 0) {
		if (!import->cancelled) /* otherwise it is not the file's fault */
			note_refusal(import, reader->path, result->reason);
	} else if (result->duplicate) {
		import->counts.duplicates++;
	} else {
		import->counts.imported++;
	}
	if (!reader->reading)
		file_done(reader);
}

static const struct ingest_sink sink = {sink_pause, sink_resume, sink_done};

/* The first chunk: file meta information, then the data set begins. */
static bool
begin_ingest(struct reader *reader, size_t *ret_offset)
{
	struct import *import = reader->import;
	struct cairn_error err = {0};
	struct ingest_claim claim;
	struct dcm_meta meta;
	size_t length = (size_t)reader->got;

	reader->meta_read = true;
	if (dcm_meta_read(reader->chunk, length, length < CHUNK, &meta, &err) != 0) {
		refuse_file(import, reader->path,
		    err.code == CAIRN_EAGAIN ? "the file meta information is larger than 256 KiB"
					     : err.text);
		return false;
	}
	if (meta.syntax == NULL) {
		char reason[160];

		snprintf(reason, sizeof reason, "transfer syntax %.64s is not supported",
		    meta.transfer_syntax);
		refuse_file(import, reader->path, reason);
		return false;
	}
	claim = (struct ingest_claim){meta.syntax, meta.sop_class, meta.sop_instance, false};
	if (ingest_new(&reader->ingest, import->connector, &claim, &sink, reader) != 0) {
		refuse_file(import, reader->path, "out of memory");
		return false;
	}
	*ret_offset = meta.dataset_offset;
	return true;
}

static void
read_work(void *arg)
{
	struct reader *reader = arg;

	if (reader->fd < 0) {
		/* No symbolic links: what a folder shows is what is read, and a FIFO does not stop
		 * us. */
		reader->fd = open(reader->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (reader->fd < 0) {
			reader->got = -1;
			reader->error = errno;
			return;
		}
	}
	do
		reader->got = read(reader->fd, reader->chunk, CHUNK);
	while (reader->got < 0 && errno == EINTR);
	reader->error = errno;
}

/* Hands one chunk on.  `sink_done` may have been called from inside; `reading` is still set, so
 * that it left the rest to us. */
static void
take_chunk(struct reader *reader)
{
	size_t offset = 0;

	if (reader->meta_read && reader->ingest == NULL)
		return; /* the instance ended while this was read */
	if (reader->got < 0) {
		char reason[160];

		snprintf(reason, sizeof reason, "cannot be read: %s", strerror(reader->error));
		refuse_file(reader->import, reader->path, reason);
		if (reader->ingest != NULL)
			ingest_abort(reader->ingest);
		reader->ingest = NULL;
		return;
	}
	if (!reader->meta_read && !begin_ingest(reader, &offset))
		return;
	if (reader->got == 0) {
		reader->at_end = true;
		if (reader->ingest != NULL)
			ingest_end(reader->ingest);
		return;
	}
	ingest_data(reader->ingest, reader->chunk + offset, (size_t)reader->got - offset);
}

static void
read_after(void *arg)
{
	struct reader *reader = arg;
	struct import *import = reader->import;

	if (import->cancelled && reader->ingest != NULL) {
		ingest_abort(reader->ingest);
		reader->ingest = NULL;
	} else if (!import->cancelled) {
		take_chunk(reader);
	}
	reader->reading = false;
	if (reader->ingest == NULL)
		file_done(reader);
	else if (!reader->paused)
		read_more(reader);
}

static void
read_more(struct reader *reader)
{
	if (reader->at_end)
		return; /* the result comes when it is durable */
	reader->reading = true;
	if (cairn_work(reader->import->connector->cairn, read_work, read_after, reader) != 0) {
		reader->reading = false;
		/* The others would fare no better. */
		reader->import->no_worker = true;
		reader->import->cancelled = true;
		if (reader->ingest != NULL)
			ingest_abort(reader->ingest);
		reader->ingest = NULL;
		file_done(reader);
	}
}

static void
next_file(struct reader *reader)
{
	struct import *import = reader->import;

	if (import->cancelled || import->path_next == import->path_count) {
		if (import->busy == 0)
			import_finish(import);
		return;
	}
	reader->path = import->paths[import->path_next];
	import->paths[import->path_next++] = NULL;
	reader->ingest = NULL;
	reader->meta_read = reader->at_end = reader->paused = false;
	import->busy++;
	read_more(reader);
}

/* ---- finding files ---------------------------------------------------------------------- */

static void
add_path(struct import *import, const char *path)
{
	char *copy;

	if (import->path_count == FILES_MAX || import->name_bytes > NAMES_MAX) {
		import->walk_failure = "more than 10,000,000 files; import a part at a time";
		return;
	}
	if (import->path_count == import->path_capacity) {
		size_t capacity = import->path_capacity == 0 ? 1024 : import->path_capacity * 2;
		char **grown = realloc(import->paths, capacity * sizeof *grown);

		if (grown == NULL) {
			import->walk_failure = "out of memory; import a part at a time";
			return;
		}
		import->paths = grown;
		import->path_capacity = capacity;
	}
	copy = strdup(path);
	if (copy == NULL) {
		import->walk_failure = "out of memory; import a part at a time";
		return;
	}
	import->paths[import->path_count++] = copy;
	import->name_bytes += strlen(copy) + sizeof(char *);
}

static void
walk_work(void *arg)
{
	struct import *import = arg;
	/* A link that the caller names is followed, those inside are not. */
	FTS *walk = fts_open(import->roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_COMFOLLOW, NULL);
	FTSENT *entry;

	if (walk == NULL) {
		import->walk_failure = "cannot be walked: out of memory";
		return;
	}
	while ((entry = fts_read(walk)) != NULL && import->walk_failure == NULL &&
	    !import->cancelled) {
		if (entry->fts_info == FTS_F)
			add_path(import, entry->fts_accpath);
		else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR ||
		    entry->fts_info == FTS_NS)
			add_path(import, entry->fts_path); /* reading it will say why not */
	}
	fts_close(walk);
}

static void
walk_after(void *arg)
{
	struct import *import = arg;

	if (import->walk_failure != NULL)
		refuse_file(import, import->roots[0], import->walk_failure);
	if (import->path_count == 0 || import->cancelled) {
		import_finish(import);
		return;
	}
	/* One more than busy, so that the first reader does not finish the import before the others
	 * have begun. */
	import->busy = 1;
	for (size_t i = 0; i < READERS; i++)
		next_file(&import->readers[i]);
	import->busy--;
	if (import->busy == 0)
		import_finish(import);
}

/* ---- the call --------------------------------------------------------------------------- */

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

static int
import_fill(struct import *import, struct cairn_request *req, struct cairn_error *err)
{
	size_t length;
	const void *body = cairn_request_body(req, &length);
	Cairn__ImportRequest *request = cairn__import_request__unpack(NULL, length, body);
	int code;

	if (request == NULL)
		return cairn_error_set(err, CAIRN_EINVAL, "the body is no cairn.ImportRequest");
	code = copy_roots(import, request, err);
	cairn__import_request__free_unpacked(request, NULL);
	cairn__import_progress__init(&import->counts);
	for (size_t i = 0; code == 0 && i < READERS; i++) {
		import->readers[i].import = import;
		import->readers[i].fd = -1;
		import->readers[i].chunk = malloc(CHUNK);
		if (import->readers[i].chunk == NULL)
			code = cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	return code;
}

int
import_start(struct connector *connector, struct cairn_request *req, struct cairn_error *err)
{
	struct import *import;
	size_t count = 0;
	int code;

	for (import = connector->imports; import != NULL; import = import->next)
		count++;
	if (count == IMPORTS_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "%d imports are under way; try again when one "
		    "has ended",
		    IMPORTS_MAX);
	import = calloc(1, sizeof *import);
	if (import == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	import->connector = connector;
	import->next = connector->imports;
	connector->imports = import;
	code = import_fill(import, req, err);
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
		if (req != NULL && import->req != req)
			continue;
		import->cancelled = true;
	}
}
