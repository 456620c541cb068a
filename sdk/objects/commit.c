/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/commit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "objects/crc32c.h"
#include "objects/files.h"

#define GROUP_MAX 2048
/* Up to here hashing costs less than coming back to it would. */
#define LATE_BYTES ((uint64_t)16 * 1024)

/* ---- sums ------------------------------------------------------------------------------- */

static int
hash_chunks(struct scan_worker *worker, struct objects_put *put)
{
	int good = EVP_DigestInit_ex2(worker->context, worker->sha256, NULL);

	for (const struct chunk *chunk = put->first; good == 1 && chunk != NULL;
	     chunk = chunk->next)
		good = EVP_DigestUpdate(worker->context, chunk->bytes, chunk->used);
	if (good == 1)
		good = EVP_DigestFinal_ex(worker->context, put->record.sha256, NULL);
	return good == 1 ? 0 : CAIRN_EINTERNAL;
}

/* What the record has to say of its bytes: the digest, or for a large object the checksum that was
 * made on the way, and the digest later. */
static void
group_sums(struct scan_worker *worker, struct put_list *group)
{
	for (struct objects_put *put = group->first; put != NULL; put = put->next) {
		struct record *record = &put->record;

		record->meta_crc =
		    objects_crc32c(0, put->meta, (size_t)record->path_length + record->note_length);
		record->late = record->kind == RECORD_OBJECT && record->length > LATE_BYTES;
		record->object_crc = put->crc;
		if (!record->late && !put->hashed && record->kind != RECORD_TOMBSTONE &&
		    put->code == 0)
			put->code = hash_chunks(worker, put);
	}
}

/* ---- appending -------------------------------------------------------------------------- */

/* Places the group behind the tail and encodes its headers; returns its size. */
static uint64_t
group_place(struct objects_commit *commit, struct put_list *group)
{
	uint64_t at = commit->tail.at;

	for (struct objects_put *put = group->first; put != NULL; put = put->next) {
		put->segment = commit->tail.id;
		put->generation = commit->tail.generation;
		put->record.at = at;
		put->record.logical = at;
		objects_record_encode(&put->record, commit->tail.salt, put->header);
		at += objects_record_size(&put->record);
		put->end = at;
	}
	return at - commit->tail.at;
}

static size_t
group_pieces(const struct put_list *group)
{
	size_t count = 0;

	for (const struct objects_put *put = group->first; put != NULL; put = put->next) {
		count += 2;
		for (const struct chunk *chunk = put->first; chunk != NULL; chunk = chunk->next)
			count++;
	}
	return count;
}

static int
group_write(struct objects_commit *commit, struct put_list *group)
{
	struct iovec *iov = calloc(group_pieces(group), sizeof *iov);
	size_t n = 0;
	int code;

	if (iov == NULL)
		return CAIRN_ENOMEM;
	for (struct objects_put *put = group->first; put != NULL; put = put->next) {
		iov[n++] = (struct iovec){put->header, RECORD_HEADER_SIZE};
		for (struct chunk *chunk = put->first; chunk != NULL; chunk = chunk->next)
			if (put->record.kind == RECORD_OBJECT && chunk->used > 0)
				iov[n++] = (struct iovec){chunk->bytes, chunk->used};
		if (objects_record_meta(&put->record) > 0)
			iov[n++] =
			    (struct iovec){put->meta, (size_t)objects_record_meta(&put->record)};
	}
	code = objects_tail_write(&commit->tail, iov, n);
	free(iov);
	return code;
}

/* Writes and syncs; on failure the tail is as before the group. */
static int
group_append(struct objects_commit *commit, struct put_list *group, uint64_t length)
{
	int code = group_write(commit, group);
	int cause = errno;

	if (code != 0) {
		objects_tail_cut(&commit->tail);
	} else if (commit->durability == OBJECTS_POWER) {
		code = objects_tail_sync(&commit->tail);
		cause = errno;
		if (code != 0)
			objects_tail_poison(&commit->tail);
	}
	if (code == 0)
		objects_tail_advance(&commit->tail, length);
	errno = cause;
	return code;
}

/* Takes those out of the group that failed before anything was written. */
static struct put_list
group_failed(struct put_list *group)
{
	struct put_list good = {0}, failed = {0};

	while (group->first != NULL) {
		struct objects_put *put = objects_put_list_take(group);

		objects_put_list_add(put->code == 0 ? &good : &failed, put);
	}
	*group = good;
	return failed;
}

static uint64_t
group_size(const struct put_list *group)
{
	uint64_t size = 0;

	for (const struct objects_put *put = group->first; put != NULL; put = put->next)
		size += objects_record_size(&put->record);
	return size;
}

static void
group_commit(struct objects_commit *commit, struct scan_worker *worker, struct put_list *group)
{
	struct put_list failed, more;
	int code, cause;

	group_sums(worker, group);
	failed = group_failed(group);
	code = group->first == NULL ? 0 : objects_tail_ready(&commit->tail, group_size(group));
	cause = errno;

	if (code == 0 && group->first != NULL) {
		objects_files_stage(commit->tail.dirs, commit->durability, group->first);
		more = group_failed(group);
		objects_put_list_join(&failed, &more);
	}
	if (code == 0 && group->first != NULL) {
		code = group_append(commit, group, group_place(commit, group));
		cause = errno;
	}
	for (struct objects_put *put = group->first; put != NULL; put = put->next) {
		put->code = code;
		put->cause = code == 0 ? 0 : cause;
	}
	objects_files_publish(commit->tail.dirs, commit->durability, group->first);
	objects_put_list_join(group, &failed);
}

/* All that is there, up to GROUP_MAX; called with the lock held. */
static struct put_list
take_group(struct objects_commit *commit)
{
	struct put_list group = {0};

	while (commit->fresh.first != NULL && group.count < GROUP_MAX)
		objects_put_list_add(&group, objects_put_list_take(&commit->fresh));
	return group;
}

static void
appender_main(void *arg)
{
	struct objects_commit *commit = arg;

	uv_mutex_lock(&commit->lock);
	for (;;) {
		struct put_list group = {0};

		/* Whoever writes faster than can be hashed hashes. */
		if (objects_digest_behind(&commit->digest)) {
			uv_mutex_unlock(&commit->lock);
			objects_digest_help(&commit->digest);
			uv_mutex_lock(&commit->lock);
		}
		group = take_group(commit);
		if (group.first != NULL) {
			uv_mutex_unlock(&commit->lock);
			group_commit(commit, &commit->worker, &group);
			uv_mutex_lock(&commit->lock);
			objects_put_list_join(&commit->done, &group);
			uv_async_send(commit->async);
		} else if (commit->stop) {
			break;
		} else {
			uv_cond_wait(&commit->wake, &commit->lock);
		}
	}
	uv_mutex_unlock(&commit->lock);
}

/* ---- from the loop ---------------------------------------------------------------------- */

static int
start_appender(struct objects_commit *commit)
{
	int code = objects_scan_worker_init(&commit->worker);

	if (code != 0)
		return code;
	if (uv_mutex_init(&commit->lock) != 0)
		return CAIRN_ENOMEM;
	if (uv_cond_init(&commit->wake) != 0) {
		uv_mutex_destroy(&commit->lock);
		return CAIRN_ENOMEM;
	}
	if (uv_thread_create(&commit->appender, appender_main, commit) == 0) {
		commit->started = true;
		return 0;
	}
	uv_cond_destroy(&commit->wake);
	uv_mutex_destroy(&commit->lock);
	return CAIRN_ENOMEM;
}

int
objects_commit_start(struct objects_commit *commit, struct cairn_error *err)
{
	int code;

	commit->digest.dirs = commit->tail.dirs;
	commit->digest.async = commit->async;
	code = objects_digest_start(&commit->digest);
	if (code == 0)
		code = start_appender(commit);
	if (code == 0)
		return 0;
	objects_commit_stop(commit);
	return cairn_error_set(err, code, "cannot start the store's threads");
}

void
objects_commit_stop(struct objects_commit *commit)
{
	if (commit->started) {
		uv_mutex_lock(&commit->lock);
		commit->stop = true;
		uv_cond_signal(&commit->wake);
		uv_mutex_unlock(&commit->lock);
		uv_thread_join(&commit->appender);
		uv_cond_destroy(&commit->wake);
		uv_mutex_destroy(&commit->lock);
		commit->started = false;
	}
	objects_digest_stop(&commit->digest);
	objects_scan_worker_fini(&commit->worker);
	objects_tail_close(&commit->tail);
}

void
objects_commit_push(struct objects_commit *commit, struct objects_put *put)
{
	uv_mutex_lock(&commit->lock);
	objects_put_list_add(&commit->fresh, put);
	uv_cond_signal(&commit->wake);
	uv_mutex_unlock(&commit->lock);
}

struct put_list
objects_commit_done(struct objects_commit *commit)
{
	struct put_list done = {0};

	uv_mutex_lock(&commit->lock);
	objects_put_list_join(&done, &commit->done);
	uv_mutex_unlock(&commit->lock);
	return done;
}
