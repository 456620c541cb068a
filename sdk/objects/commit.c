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
/* Less at a time would cost more in wake-ups than it saves. */
#define AHEAD_BYTES ((uint64_t)64 * 1024)
/* A larger group takes so long to write that writing its place first would cost more. */
#define BLANK_BYTES ((uint64_t)64 * 1024)

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

	for (const struct objects_put *put = group->first; put != NULL; put = put->next)
		count += 3 + objects_put_chunks(put);
	return count;
}

/* The pieces of a group; of its first put without what was written ahead. */
static size_t
group_gather(const struct put_list *group, const struct objects_ahead *ahead, struct iovec *iov)
{
	size_t n = 0;

	for (struct objects_put *put = group->first; put != NULL; put = put->next) {
		bool begun = put == group->first && ahead->written > 0;
		struct put_mark from = begun ? ahead->done : (struct put_mark){0};
		uint64_t meta = objects_record_meta(&put->record);

		if (!begun)
			iov[n++] = (struct iovec){put->header, RECORD_HEADER_SIZE};
		if (put->record.kind == RECORD_OBJECT)
			n += objects_put_pieces(put, from, objects_put_end(put), iov + n);
		if (meta > 0)
			iov[n++] = (struct iovec){put->meta, (size_t)meta};
	}
	return n;
}

/* The header of what was written ahead comes last: only then is it a record. */
static int
group_write(struct objects_commit *commit, struct put_list *group)
{
	struct objects_ahead *ahead = &commit->ahead;
	struct iovec *iov = calloc(group_pieces(group), sizeof *iov);
	struct iovec header = {group->first->header, RECORD_HEADER_SIZE};
	uint64_t from = ahead->written > 0 ? RECORD_HEADER_SIZE + ahead->written : 0;
	int code;

	if (iov == NULL)
		return CAIRN_ENOMEM;
	code = objects_tail_write(&commit->tail, from, iov, group_gather(group, ahead, iov));
	if (code == 0 && ahead->written > 0)
		code = objects_tail_write(&commit->tail, 0, &header, 1);
	ahead->written = 0;
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
		if (length <= BLANK_BYTES)
			objects_tail_blank(&commit->tail, length);
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

/* `begun`, which may be NULL, is the one that was written ahead. */
static void
group_commit(struct objects_commit *commit, struct put_list *group, const struct objects_put *begun)
{
	struct put_list failed, more;
	int code, cause;

	group_sums(&commit->worker, group);
	failed = group_failed(group);
	if (begun == NULL || group->first != begun ||
	    !objects_tail_fits(&commit->tail, group_size(group)))
		objects_ahead_drop(&commit->ahead, &commit->tail);
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

/* All that is there, up to GROUP_MAX, and first the one that was written ahead (`*ret_begun`, else
 * NULL), which is so no longer.  Called with the lock held. */
static struct put_list
take_group(struct objects_commit *commit, struct objects_put **ret_begun)
{
	struct objects_ahead *ahead = &commit->ahead;
	struct put_list begun = {0}, group = {0};

	while (commit->fresh.first != NULL && group.count < GROUP_MAX) {
		struct objects_put *put = objects_put_list_take(&commit->fresh);
		bool first = put == ahead->put && ahead->writing == ahead->serial;

		objects_put_list_add(first ? &begun : &group, put);
	}
	*ret_begun = begun.first;
	objects_put_list_join(&begun, &group);
	if (begun.first != NULL)
		ahead->put = NULL;
	return begun;
}

/* Called and left with the lock held. */
static void
write_ahead(struct objects_commit *commit)
{
	struct objects_ahead *ahead = &commit->ahead;
	struct objects_put *put = ahead->put;
	struct put_mark upto = ahead->upto;
	unsigned serial = ahead->serial;

	ahead->active = true;
	uv_mutex_unlock(&commit->lock);
	objects_ahead_write(
	    ahead, &commit->tail, put, upto, serial, commit->durability == OBJECTS_POWER);
	uv_mutex_lock(&commit->lock);
	ahead->active = false;
	uv_cond_broadcast(&commit->idle);
}

/* Whoever writes faster than can be hashed hashes.  Called and left with the lock held. */
static void
help_if_behind(struct objects_commit *commit)
{
	if (!objects_digest_behind(&commit->digest))
		return;
	uv_mutex_unlock(&commit->lock);
	objects_digest_help(&commit->digest);
	uv_mutex_lock(&commit->lock);
}

static void
appender_main(void *arg)
{
	struct objects_commit *commit = arg;

	uv_mutex_lock(&commit->lock);
	for (;;) {
		struct put_list group;
		struct objects_put *begun;

		help_if_behind(commit);
		group = take_group(commit, &begun);
		if (group.first != NULL) {
			uv_mutex_unlock(&commit->lock);
			group_commit(commit, &group, begun);
			uv_mutex_lock(&commit->lock);
			objects_put_list_join(&commit->done, &group);
			uv_async_send(commit->async);
		} else if (commit->stop) {
			break;
		} else if (objects_ahead_wanted(&commit->ahead)) {
			write_ahead(commit);
		} else {
			uv_cond_wait(&commit->wake, &commit->lock);
		}
	}
	uv_mutex_unlock(&commit->lock);
	objects_ahead_drop(&commit->ahead, &commit->tail);
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
	if (uv_cond_init(&commit->idle) == 0) {
		commit->started = uv_thread_create(&commit->appender, appender_main, commit) == 0;
		if (commit->started)
			return 0;
		uv_cond_destroy(&commit->idle);
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
		uv_cond_destroy(&commit->idle);
		uv_cond_destroy(&commit->wake);
		uv_mutex_destroy(&commit->lock);
		commit->started = false;
	}
	objects_digest_stop(&commit->digest);
	objects_scan_worker_fini(&commit->worker);
	objects_tail_close(&commit->tail);
}

void
objects_commit_advance(struct objects_commit *commit, struct objects_put *put, bool alone)
{
	struct objects_ahead *ahead = &commit->ahead;

	if (put->record.length - put->announced < AHEAD_BYTES)
		return;
	put->announced = put->record.length;
	uv_mutex_lock(&commit->lock);
	if (ahead->put == NULL && alone) {
		ahead->put = put;
		ahead->serial++;
	}
	if (ahead->put == put) {
		ahead->upto = objects_put_end(put);
		uv_cond_signal(&commit->wake);
	}
	uv_mutex_unlock(&commit->lock);
}

void
objects_commit_withdraw(struct objects_commit *commit, struct objects_put *put)
{
	if (put->announced == 0)
		return;
	uv_mutex_lock(&commit->lock);
	while (commit->ahead.put == put && commit->ahead.active)
		uv_cond_wait(&commit->idle, &commit->lock);
	if (commit->ahead.put == put)
		commit->ahead.put = NULL;
	uv_mutex_unlock(&commit->lock);
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
