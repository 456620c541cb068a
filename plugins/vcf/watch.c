/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder of the node's intake: a file that has not changed for `settle_s` is taken in and moved
 * to done/, or to refused/ with the reason beside it.  The folder is looked at when the system says
 * that something changed, and every settle_s anyway: over a network file system it says nothing.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uv.h>

#include "base/file.h"
#include "base/text.h"
#include "connector.h"

#define SEEN_MAX 4096u /* files that wait; more are seen once these are gone */
#define NAME_SIZE 256u

struct seen {
	char name[NAME_SIZE];
	int64_t size, changed_ns;
	uint64_t since_ms;
	bool found; /* in this look */
};

struct watch {
	struct connector *connector;
	char *dir;
	unsigned settle_s;
	uv_fs_event_t event;
	uv_timer_t timer;
	unsigned open_handles;
	bool closing, running;
	struct seen *seen;
	size_t seen_count;
	char current[NAME_SIZE];
	uint64_t taken, refused;
};

static void look(struct watch *watch);

/* ---- what becomes of a file --------------------------------------------------------------- */

static void
move_to(struct watch *watch, const char *folder)
{
	char from[4096], into[4096], to[4096];
	struct cairn_error err = {0};

	if (file_join(from, sizeof from, watch->dir, watch->current) != 0 ||
	    file_join(into, sizeof into, watch->dir, folder) != 0 ||
	    file_join(to, sizeof to, into, watch->current) != 0 ||
	    file_mkdirs(into, 0700, &err) != 0 || rename(from, to) != 0)
		cairn_log(CAIRN_LOG_ERROR,
		    "a file of the watched folder cannot be moved to %s/: it will be tried again",
		    folder);
}

static void
write_reason(struct watch *watch, const char *reason)
{
	char path[4096];
	struct cairn_error err = {0};
	int length =
	    snprintf(path, sizeof path, "%s/refused/%s.reason.txt", watch->dir, watch->current);

	if (length > 0 && (size_t)length < sizeof path)
		file_write(path, reason, strlen(reason), 0600, &err);
}

static void
recorded(void *arg, int code, const char *text, const void *body, size_t length)
{
	(void)arg;
	(void)text;
	(void)body;
	(void)length;
	if (code != 0)
		cairn_log(CAIRN_LOG_WARNING, "the ledger took no record of a watched file");
}

/* No name of the file: names are often those of patients. */
static void
record(struct watch *watch, const struct job_result *result)
{
	char variants[24], samples[24];
	struct cairn_record_field fields[] = {{"variants", variants}, {"samples", samples}};
	struct cairn_record record = {.subject = "genomics.watched",
	    .verdict = result->code == 0 ? "done" : "refused",
	    .fields = fields,
	    .field_count = 2};

	snprintf(variants, sizeof variants, "%llu", (unsigned long long)result->variants);
	snprintf(samples, sizeof samples, "%u", result->samples);
	if (cairn_record(watch->connector->cairn, &record, 1, recorded, watch) != 0)
		recorded(watch, CAIRN_EUNAVAILABLE, "", NULL, 0);
}

static void
watched_done(void *arg, const struct job_result *result)
{
	struct watch *watch = arg;

	watch->running = false;
	if (result->code != CAIRN_ECANCELLED && result->code != CAIRN_EUNAVAILABLE) {
		move_to(watch, result->code == 0 ? "done" : "refused");
		if (result->code != 0)
			write_reason(watch, result->reason);
		watch->taken += result->code == 0;
		watch->refused += result->code != 0;
		record(watch, result);
	}
	if (!watch->closing && !watch->connector->stopping)
		look(watch);
}

/* ---- looking ------------------------------------------------------------------------------ */

static struct seen *
seen_of(struct watch *watch, const char *name)
{
	struct seen *seen;

	for (size_t i = 0; i < watch->seen_count; i++) {
		if (strcmp(watch->seen[i].name, name) == 0)
			return &watch->seen[i];
	}
	if (watch->seen_count == SEEN_MAX)
		return NULL;
	seen = &watch->seen[watch->seen_count];
	*seen = (struct seen){.size = -1};
	if (!text_copy(seen->name, sizeof seen->name, name))
		return NULL;
	watch->seen_count++;
	return seen;
}

static void
note(struct watch *watch, const char *name, uint64_t now)
{
	char path[4096];
	struct stat status;
	struct seen *seen;
	int64_t changed;

	if (!import_is_name(name) || file_join(path, sizeof path, watch->dir, name) != 0 ||
	    lstat(path, &status) != 0 || !S_ISREG(status.st_mode))
		return;
	seen = seen_of(watch, name);
	if (seen == NULL)
		return;
	changed = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
	if (seen->size != status.st_size || seen->changed_ns != changed) {
		seen->size = status.st_size;
		seen->changed_ns = changed;
		seen->since_ms = now;
	}
	seen->found = true;
}

static void
list(struct watch *watch, uint64_t now)
{
	DIR *dir = opendir(watch->dir);
	struct dirent *entry;
	size_t kept = 0;

	for (size_t i = 0; i < watch->seen_count; i++)
		watch->seen[i].found = false;
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		note(watch, entry->d_name, now);
	if (dir != NULL)
		closedir(dir);
	for (size_t i = 0; i < watch->seen_count; i++) {
		if (watch->seen[i].found)
			watch->seen[kept++] = watch->seen[i];
	}
	watch->seen_count = kept;
}

static void
look(struct watch *watch)
{
	uint64_t now = uv_now(watch->timer.loop);
	char path[4096];

	if (watch->connector->stopping)
		return;
	list(watch, now);
	for (size_t i = 0; i < watch->seen_count && !watch->running; i++) {
		struct seen *seen = &watch->seen[i];

		if (now - seen->since_ms < watch->settle_s * 1000ull ||
		    file_join(path, sizeof path, watch->dir, seen->name) != 0)
			continue;
		text_copy(watch->current, sizeof watch->current, seen->name);
		seen->since_ms = now; /* one that cannot be moved away waits before it is tried */
		watch->running = job_start(watch->connector, path, &watch->connector->cancel_all,
				     watched_done, watch) == 0;
	}
}

static void
on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
	(void)name;
	(void)events;
	(void)status;
	look(event->data);
}

static void
on_timer(uv_timer_t *timer)
{
	look(timer->data);
}

/* ---- life --------------------------------------------------------------------------------- */

int
watch_new(struct watch **ret, struct connector *connector, const char *dir, unsigned settle_s,
    struct cairn_error *err)
{
	struct watch *watch = calloc(1, sizeof *watch);
	uv_loop_t *loop = cairn_loop(connector->cairn);
	int code = file_mkdirs(dir, 0700, err);

	if (code != 0) {
		free(watch);
		return code;
	}
	if (watch == NULL || (watch->dir = strdup(dir)) == NULL ||
	    (watch->seen = calloc(SEEN_MAX, sizeof *watch->seen)) == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	watch->connector = connector;
	watch->settle_s = settle_s;
	uv_timer_init(loop, &watch->timer);
	uv_fs_event_init(loop, &watch->event);
	watch->timer.data = watch->event.data = watch;
	watch->open_handles = 2;
	if (uv_fs_event_start(&watch->event, on_event, dir, 0) != 0)
		cairn_log(CAIRN_LOG_WARNING,
		    "the system reports no changes of the watched folder; it is looked at every %u "
		    "s",
		    settle_s);
	uv_timer_start(&watch->timer, on_timer, 0, settle_s * 1000ull);
	*ret = watch;
	return 0;
}

static void
on_closed(uv_handle_t *handle)
{
	struct watch *watch = handle->data;
	struct connector *connector = watch->connector;

	if (--watch->open_handles > 0)
		return;
	connector->watch = NULL;
	free(watch->seen);
	free(watch->dir);
	free(watch);
	connector_rest(connector);
}

void
watch_close(struct watch *watch)
{
	if (watch == NULL || watch->closing)
		return;
	watch->closing = true;
	uv_close((uv_handle_t *)&watch->timer, on_closed);
	uv_close((uv_handle_t *)&watch->event, on_closed);
}

void
watch_health(const struct watch *watch, struct cairn_findings *findings)
{
	char what[128];
	struct cairn_finding finding = {.severity = CAIRN_FINE, .what = what};

	snprintf(what, sizeof what, "watched folder: %zu files wait, %llu taken, %llu refused",
	    watch->seen_count, (unsigned long long)watch->taken,
	    (unsigned long long)watch->refused);
	if (watch->refused > 0) {
		finding.severity = CAIRN_WARNING;
		finding.why = "refused files are in no answer";
		finding.advice = "read the .reason.txt files in the watched folder's refused/";
	}
	cairn_finding(findings, &finding);
}
