/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/commit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "objects/crc32c.h"
#include "objects/files.h"

#define GROUP_MAX 2048
#define HASH_MAX 32
#define HASH_BYTES ((uint64_t)128 * 1024)

void
objects_put_list_add(struct put_list *list, struct objects_put *put)
{
	put->next = NULL;
	if (list->last != NULL)
		list->last->next = put;
	else
		list->first = put;
	list->last = put;
	list->count++;
}

void
objects_put_list_join(struct put_list *list, struct put_list *more)
{
	if (more->first == NULL)
		return;
	if (list->last != NULL)
		list->last->next = more->first;
	else
		list->first = more->first;
	list->last = more->last;
	list->count += more->count;
	*more = (struct put_list){0};
}

static struct objects_put *
list_take(struct put_list *list)
{
	struct objects_put *put = list->first;

	list->first = put->next;
	if (list->first == NULL)
		list->last = NULL;
	list->count--;
	put->next = NULL;
	return put;
}

/* ---- hashing ---------------------------------------------------------------------------- */

static void
hash_put(EVP_MD_CTX *context, const EVP_MD *sha256, struct objects_put *put)
{
	struct record *record = &put->record;
	int good = 1;

	record->meta_crc =
	    objects_crc32c(0, put->meta, (size_t)record->path_length + record->note_length);
	if (put->hashed || record->kind == RECORD_TOMBSTONE)
		return;
	good &= EVP_DigestInit_ex2(context, sha256, NULL);
	for (const struct chunk *chunk = put->first; chunk != NULL; chunk = chunk->next)
		good &= EVP_DigestUpdate(context, chunk->bytes, chunk->used);
	good &= EVP_DigestFinal_ex(context, record->sha256, NULL);
	if (!good)
		put->code = CAIRN_EINTERNAL;
}

/* A few small ones at a time, so that lock and wake-ups do not cost more than the hashing.  Called
 * and left with the lock held. */
static void
hash_some(struct objects_commit *commit, EVP_MD_CTX *context)
{
	struct put_list some = {0};
	uint64_t bytes = 0;

	while (commit->fresh.first != NULL && some.count < HASH_MAX && bytes < HASH_BYTES) {
		struct objects_put *put = list_take(&commit->fresh);

		bytes += objects_record_size(&put->record);
		objects_put_list_add(&some, put);
	}
	uv_mutex_unlock(&commit->lock);
	for (struct objects_put *put = some.first; put != NULL; put = put->next)
		hash_put(context, commit->sha256, put);
	uv_mutex_lock(&commit->lock);
	objects_put_list_join(&commit->ready, &some);
}

static void
hasher_main(void *arg)
{
	struct objects_commit *commit = arg;
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	uv_mutex_lock(&commit->lock);
	while (context != NULL) {
		while (commit->fresh.first == NULL && !commit->stop)
			uv_cond_wait(&commit->hash_wake, &commit->lock);
		if (commit->fresh.first == NULL)
			break;
		hash_some(commit, context);
		uv_cond_signal(&commit->append_wake);
	}
	uv_mutex_unlock(&commit->lock);
	EVP_MD_CTX_free(context);
}

/* ---- appending -------------------------------------------------------------------------- */

/* Places the group behind the tail and encodes its headers; returns its size. */
static uint64_t
group_place(struct objects_commit *commit, struct put_list *group)
{
	uint64_t at = commit->tail.at;

	for (struct objects_put *put = group->first; put != NULL; put = put->next) {
		put->segment = commit->tail.id;
		put->record.at = at;
		put->record.logical = at;
		objects_record_encode(&put->record, commit->tail.salt, put->header);
		at += objects_record_size(&put->record);
	}
	for (struct objects_put *put = group->first; put != NULL; put = put->next)
		put->end = at;
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
		struct objects_put *put = list_take(group);

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
group_commit(struct objects_commit *commit, struct put_list *group)
{
	struct put_list failed = group_failed(group), more;
	int code = group->first == NULL ? 0 : objects_tail_ready(&commit->tail, group_size(group));
	int cause = errno;

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

/* All that is ready, up to GROUP_MAX; called with the lock held. */
static struct put_list
take_group(struct objects_commit *commit)
{
	struct put_list group = {0};

	while (commit->ready.first != NULL && group.count < GROUP_MAX)
		objects_put_list_add(&group, list_take(&commit->ready));
	return group;
}

static void
appender_main(void *arg)
{
	struct objects_commit *commit = arg;
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	uv_mutex_lock(&commit->lock);
	for (;;) {
		struct put_list group = take_group(commit);

		if (group.first != NULL) {
			uv_mutex_unlock(&commit->lock);
			group_commit(commit, &group);
			uv_mutex_lock(&commit->lock);
			objects_put_list_join(&commit->done, &group);
			uv_async_send(commit->async);
		} else if (commit->fresh.first != NULL && context != NULL) {
			hash_some(commit, context);
		} else if (commit->stop) {
			break;
		} else {
			uv_cond_wait(&commit->append_wake, &commit->lock);
		}
	}
	uv_mutex_unlock(&commit->lock);
	EVP_MD_CTX_free(context);
}

/* ---- from the loop ---------------------------------------------------------------------- */

int
objects_commit_start(struct objects_commit *commit, struct cairn_error *err)
{
	commit->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (commit->sha256 == NULL)
		return cairn_error_set(err, CAIRN_EUNSUPPORTED, "OpenSSL has no SHA-256");
	if (uv_mutex_init(&commit->lock) != 0 || uv_cond_init(&commit->hash_wake) != 0 ||
	    uv_cond_init(&commit->append_wake) != 0)
		return cairn_error_set(err, CAIRN_ENOMEM, "cannot make the store's locks");
	if (uv_thread_create(&commit->hasher, hasher_main, commit) == 0)
		commit->threads = 1;
	if (commit->threads == 1 && uv_thread_create(&commit->appender, appender_main, commit) == 0)
		commit->threads = 2;
	if (commit->threads == 2)
		return 0;
	objects_commit_stop(commit);
	return cairn_error_set(err, CAIRN_ENOMEM, "cannot start the store's threads");
}

void
objects_commit_stop(struct objects_commit *commit)
{
	if (commit->sha256 == NULL)
		return;
	uv_mutex_lock(&commit->lock);
	commit->stop = true;
	uv_cond_signal(&commit->hash_wake);
	uv_cond_signal(&commit->append_wake);
	uv_mutex_unlock(&commit->lock);
	if (commit->threads > 0)
		uv_thread_join(&commit->hasher);
	if (commit->threads > 1)
		uv_thread_join(&commit->appender);
	uv_cond_destroy(&commit->append_wake);
	uv_cond_destroy(&commit->hash_wake);
	uv_mutex_destroy(&commit->lock);
	objects_tail_close(&commit->tail);
	EVP_MD_free(commit->sha256);
	commit->sha256 = NULL;
}

void
objects_commit_push(struct objects_commit *commit, struct objects_put *put)
{
	uv_mutex_lock(&commit->lock);
	objects_put_list_add(&commit->fresh, put);
	uv_cond_signal(&commit->hash_wake);
	if (commit->fresh.count > 1) /* the hasher is behind: the appender may help */
		uv_cond_signal(&commit->append_wake);
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
