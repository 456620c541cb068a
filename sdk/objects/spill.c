/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/file.h"

#define BACKLOG_MAX ((size_t)8 << 20)

struct spill {
	struct objects *objects;
	struct objects_put *put; /* NULL when aborted */
	uv_work_t work;
	bool queued; /* `work` is with libuv; the loop's */
	uv_mutex_t lock;
	uv_cond_t idle;
	/* Under the lock. */
	struct chunk *first;
	struct chunk *last;
	size_t backlog; /* bytes of room in the list */
	size_t freed;   /* bytes of room given back, not yet counted by the loop */
	bool active;    /* a thread is writing */
	bool finish;    /* nothing more comes */
	bool finished;
	int code;
	int cause;
	/* Of the thread that is active. */
	int fd;
	EVP_MD_CTX *context;
	uint8_t sha256[32];
};

void
objects_spill_name(const char *key, uint64_t blob, char ret[SPILL_NAME_MAX])
{
	snprintf(ret, SPILL_NAME_MAX, "%.64s-%016llx", key, (unsigned long long)blob);
}

static int
open_file(struct objects_put *put, struct spill *spill)
{
	char name[SPILL_NAME_MAX];

	if (getrandom(&put->record.target, 8, 0) != 8)
		return CAIRN_EIO;
	objects_spill_name(put->record.key, put->record.target, name);
	spill->fd = openat(put->objects->dirs.blobs, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	return spill->fd < 0 ? CAIRN_EIO : 0;
}

int
objects_spill_begin(struct objects_put *put, struct cairn_error *err)
{
	struct spill *spill = calloc(1, sizeof *spill);

	if (spill == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for a large object");
	spill->objects = put->objects;
	spill->put = put;
	spill->fd = -1;
	spill->work.data = spill;
	spill->context = EVP_MD_CTX_new();
	if (spill->context == NULL ||
	    EVP_DigestInit_ex2(spill->context, put->objects->commit.worker.sha256, NULL) != 1 ||
	    uv_mutex_init(&spill->lock) != 0) {
		EVP_MD_CTX_free(spill->context);
		free(spill);
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for a large object");
	}
	if (uv_cond_init(&spill->idle) != 0 || open_file(put, spill) != 0) {
		int cause = errno;

		objects_spill_free(spill);
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot create a file for a large object: %s", strerror(cause));
	}
	objects_commit_withdraw(&put->objects->commit, put);
	put->spill = spill;
	put->record.kind = RECORD_BLOB;
	put->hashed = true;
	return 0;
}

void
objects_spill_free(struct spill *spill)
{
	if (spill == NULL)
		return;
	while (spill->first != NULL) {
		struct chunk *next = spill->first->next;

		free(spill->first);
		spill->first = next;
	}
	file_close(&spill->fd);
	uv_cond_destroy(&spill->idle);
	uv_mutex_destroy(&spill->lock);
	EVP_MD_CTX_free(spill->context);
	free(spill);
}

/* ---- on any thread ---------------------------------------------------------------------- */

static int
write_chunk(struct spill *spill, const struct chunk *chunk)
{
	if (EVP_DigestUpdate(spill->context, chunk->bytes, chunk->used) != 1)
		return CAIRN_EINTERNAL;
	return file_write_all(spill->fd, chunk->bytes, chunk->used);
}

static int
finish_file(struct spill *spill)
{
	const struct objects *objects = spill->objects;

	if (EVP_DigestFinal_ex(spill->context, spill->sha256, NULL) != 1)
		return CAIRN_EINTERNAL;
	if (objects->durability == OBJECTS_POWER &&
	    (objects->io.datasync(spill->fd) != 0 || fsync(objects->dirs.blobs) != 0))
		return CAIRN_EIO;
	return 0;
}

/* Called and left with the lock held, by whoever set `active`. */
static void
drain(struct spill *spill)
{
	while (spill->first != NULL) {
		struct chunk *chunk = spill->first;
		bool skip = spill->code != 0;
		int code;

		spill->first = chunk->next;
		if (spill->first == NULL)
			spill->last = NULL;
		uv_mutex_unlock(&spill->lock);
		code = skip ? 0 : write_chunk(spill, chunk);
		uv_mutex_lock(&spill->lock);
		if (code != 0) {
			spill->code = code;
			spill->cause = errno;
		}
		spill->backlog -= chunk->room;
		spill->freed += chunk->room;
		free(chunk);
	}
}

static void
work(uv_work_t *request)
{
	struct spill *spill = request->data;

	uv_mutex_lock(&spill->lock);
	while (spill->active)
		uv_cond_wait(&spill->idle, &spill->lock);
	spill->active = true;
	drain(spill);
	if (spill->finish && !spill->finished) {
		uv_mutex_unlock(&spill->lock);
		if (spill->code == 0)
			spill->code = finish_file(spill);
		uv_mutex_lock(&spill->lock);
		spill->finished = true;
	}
	spill->active = false;
	uv_cond_broadcast(&spill->idle);
	uv_mutex_unlock(&spill->lock);
}

/* ---- on the loop ------------------------------------------------------------------------ */

static void
count_freed(struct spill *spill)
{
	size_t freed;

	uv_mutex_lock(&spill->lock);
	freed = spill->freed;
	spill->freed = 0;
	uv_mutex_unlock(&spill->lock);
	spill->objects->memory -= freed;
	if (spill->put != NULL)
		spill->put->memory -= freed;
}

static void queue(struct spill *spill);

static void
after_work(uv_work_t *request, int status)
{
	struct spill *spill = request->data;
	struct objects *objects = spill->objects;
	struct objects_put *put = spill->put;

	(void)status;
	spill->queued = false;
	count_freed(spill);
	if (put == NULL) {
		objects->memory -= spill->backlog; /* what came after the work had ended */
		objects_spill_free(spill);
		objects_flow_paid(objects);
		if (objects->closing)
			objects_flow_end_if_idle(objects);
	} else if (spill->finished) {
		memcpy(put->record.sha256, spill->sha256, 32);
		put->code = spill->code;
		put->cause = spill->cause;
		objects_flow_push(objects, put);
		objects_flow_paid(objects);
	} else if (spill->first != NULL || spill->finish) {
		queue(spill);
	}
}

static void
queue(struct spill *spill)
{
	if (spill->queued)
		return;
	spill->queued = true;
	uv_queue_work(spill->objects->loop, &spill->work, work, after_work);
}

/* Writes here what the work threads did not get to. */
static void
help(struct spill *spill)
{
	uv_mutex_lock(&spill->lock);
	while (spill->active)
		uv_cond_wait(&spill->idle, &spill->lock);
	spill->active = true;
	drain(spill);
	spill->active = false;
	uv_cond_broadcast(&spill->idle);
	uv_mutex_unlock(&spill->lock);
}

int
objects_spill_more(struct objects_put *put, struct cairn_error *err)
{
	struct spill *spill = put->spill;
	size_t backlog;
	int code, cause;

	uv_mutex_lock(&spill->lock);
	for (struct chunk *chunk = put->first; chunk != NULL; chunk = chunk->next)
		spill->backlog += chunk->room;
	if (put->first != NULL) {
		if (spill->last != NULL)
			spill->last->next = put->first;
		else
			spill->first = put->first;
		spill->last = put->last;
	}
	backlog = spill->backlog;
	code = spill->code;
	cause = spill->cause;
	uv_mutex_unlock(&spill->lock);
	put->first = put->last = NULL;
	if (backlog > BACKLOG_MAX || put->objects->memory > put->objects->memory_max)
		help(spill);
	else if (backlog > 0)
		queue(spill);
	count_freed(spill);
	return code == 0
	    ? 0
	    : cairn_error_set(err, code, "cannot write a large object: %s", strerror(cause));
}

void
objects_spill_commit(struct objects_put *put)
{
	struct spill *spill = put->spill;

	objects_spill_more(put, NULL);
	uv_mutex_lock(&spill->lock);
	spill->finish = true;
	uv_mutex_unlock(&spill->lock);
	objects_flow_owe(put->objects);
	queue(spill);
}

void
objects_spill_unlink(const struct objects_put *put)
{
	char name[SPILL_NAME_MAX];

	objects_spill_name(put->record.key, put->record.target, name);
	unlinkat(put->objects->dirs.blobs, name, 0);
}

void
objects_spill_abort(struct objects_put *put)
{
	struct spill *spill = put->spill;

	objects_spill_unlink(put);
	count_freed(spill);
	spill->put = NULL;
	if (spill->queued) {
		/* What is left with the spill is counted off by after_work. */
		put->memory = 0;
		for (const struct chunk *chunk = put->first; chunk != NULL; chunk = chunk->next)
			put->memory += chunk->room;
		objects_flow_owe(put->objects);
	} else {
		objects_spill_free(spill);
	}
	put->spill = NULL;
}
