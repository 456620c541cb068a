/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening: the index is taken as true up to its watermark, and the log is read from there.  An
 * index that cannot be used, or that does not fit the segments, is thrown away and made again from
 * all of them.  Behind the last good record of the last segment is what a stopped writer had not
 * finished: it is cut off.  Damage before that stays where it is and is only stepped over.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "objects/engine.h"
#include "objects/files.h"
#include "objects/spill.h"

#define BATCH_ITEMS 8192

struct recovery {
	struct objects *objects;
	struct segment_file *segments;
	size_t count;
	struct objects_cursor from; /* nothing before needs to be read */
	struct checkpoint_batch *batch;
	bool whole;       /* the index is made from nothing */
	uint64_t damaged; /* bytes */
	uint64_t tail;    /* end of the last good record of the last segment */
};

static void
recovery_fini(struct recovery *recovery)
{
	free(recovery->segments);
	objects_batch_free(recovery->batch);
}

static int
flush(struct recovery *recovery)
{
	int code = objects_batch_apply(recovery->batch, recovery->objects->index);

	recovery->batch->count = 0;
	return code;
}

/* ---- the segment files ------------------------------------------------------------------ */

/* One file per id: the highest generation.  A last file that is not even a header is what a stop
 * in the middle of making it left. */
static int
list_segments(struct recovery *recovery)
{
	const struct objects_dirs *dirs = &recovery->objects->dirs;
	struct segment_file *list;
	size_t count, kept = 0;
	struct stat st;
	int code = objects_dirs_list(dirs, true, &list, &count);
	char name[SEGMENT_NAME_MAX];

	if (code != 0)
		return code;
	for (size_t i = 0; i < count; i++) {
		objects_segment_name(list[i].id, list[i].generation, name);
		if (i + 1 < count && list[i + 1].id == list[i].id)
			unlinkat(dirs->segments, name, 0);
		else if (i + 1 == count && fstatat(dirs->segments, name, &st, 0) == 0 &&
		    st.st_size < SEGMENT_HEADER_SIZE)
			unlinkat(dirs->segments, name, 0);
		else
			list[kept++] = list[i];
	}
	recovery->segments = list;
	recovery->count = kept;
	return 0;
}

static int
open_segment(const struct recovery *recovery, size_t index, struct scan *scan)
{
	const struct segment_file *file = &recovery->segments[index];

	return objects_dirs_scan(
	    &recovery->objects->dirs, file->id, file->generation, O_RDWR, scan);
}

/* The segment after it says where a segment ends: what a failed sync left behind does not count. */
static uint64_t
segment_end(const struct recovery *recovery, size_t index)
{
	const struct segment_file *file = &recovery->segments[index];

	if (index + 1 >= recovery->count || file->generation != 0 || file[1].id != file->id + 1)
		return UINT64_MAX;
	return objects_dirs_end(&recovery->objects->dirs, file[1].id, file[1].generation);
}

/* Without opening it: it may be damaged.  0 when it is not there. */
static uint64_t
segment_size(const struct recovery *recovery, const struct segment_file *file)
{
	char name[SEGMENT_NAME_MAX];
	struct stat st;

	objects_segment_name(file->id, file->generation, name);
	if (fstatat(recovery->objects->dirs.segments, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return 0;
	return (uint64_t)st.st_size;
}

/* ---- records ---------------------------------------------------------------------------- */

/* CAIRN_ENOTFOUND when the file is gone, which an erasure that comes later in the log explains. */
static int
check_blob(const struct objects_dirs *dirs, const struct record *record, bool verify)
{
	char name[SPILL_NAME_MAX];
	struct stat st;
	FD_AUTO fd = -1;

	objects_spill_name(record->key, record->target, name);
	fd = openat(dirs->blobs, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? CAIRN_ENOTFOUND : CAIRN_EIO;
	if (fstat(fd, &st) != 0 || (uint64_t)st.st_size != record->length)
		return CAIRN_ECORRUPT;
	return verify ? objects_scan_digest(fd, 0, record->length, record->sha256) : 0;
}

/* Will a later record of the log have a file in this place? */
static bool
path_comes_again(
    const struct recovery *recovery, size_t index, const struct scan *from, const char *path)
{
	bool found = false;

	for (size_t i = index; !found && i < recovery->count; i++) {
		struct scan scan;
		struct record record;
		uint64_t damaged = 0;

		if (open_segment(recovery, i, &scan) != 0)
			continue;
		if (i == index)
			scan.at = from->at;
		while (!found && objects_scan_good(&scan, &record, &damaged) == 0) {
			uint8_t *meta = NULL;

			if (record.kind == RECORD_FILE &&
			    objects_scan_meta(scan.fd, &record, &meta) == 0)
				found = strcmp((const char *)meta, path) == 0;
			free(meta);
		}
		close(scan.fd);
	}
	return found;
}

/* Finishes what belongs to a record outside the segment.  Only erasures near the end can have been
 * interrupted before they removed their file. */
static int
check_meta(
    struct recovery *recovery, size_t index, const struct scan *scan, const struct record *record)
{
	const struct objects_dirs *dirs = &recovery->objects->dirs;
	bool recent = !recovery->whole || index + 1 == recovery->count;
	const char *path;
	uint8_t *meta;
	int code = objects_scan_meta(scan->fd, record, &meta);

	if (code != 0)
		return code;
	path = (const char *)meta;
	if (record->kind == RECORD_FILE)
		code = objects_files_finish(dirs, record->target, path);
	else if (record->kind == RECORD_TOMBSTONE && record->path_length > 0 && recent &&
	    !path_comes_again(recovery, index, scan, path))
		code = objects_files_remove(dirs, path);
	free(meta);
	return code;
}

static int
check_record(
    struct recovery *recovery, size_t index, const struct scan *scan, struct record *record)
{
	/* All segments but the last were synced before the next was begun; the one before it is
	 * looked at to be sure. */
	bool verify = !recovery->whole || index + 2 >= recovery->count;
	int code = check_meta(recovery, index, scan, record);

	if (code == 0 && record->kind == RECORD_OBJECT && (verify || record->late))
		code = objects_scan_object(scan->fd, record);
	if (code == 0 && record->kind == RECORD_BLOB)
		code = check_blob(&recovery->objects->dirs, record, verify);
	return code;
}

static int
take_record(struct recovery *recovery, uint32_t segment, const struct record *record)
{
	struct checkpoint_item *item = objects_batch_add(recovery->batch);

	if (item == NULL)
		return CAIRN_ENOMEM;
	memcpy(item->key, record->key, sizeof item->key);
	objects_index_entry(record, segment, &item->entry);
	if (record->kind == RECORD_TOMBSTONE) {
		item->erase = true;
		item->entry.segment = record->target_segment;
		item->entry.logical = record->target;
	}
	recovery->batch->watermark = (struct objects_cursor){
	    .segment = segment, .offset = record->logical + objects_record_size(record)};
	return recovery->batch->count < BATCH_ITEMS ? 0 : flush(recovery);
}

static int
read_segment(struct recovery *recovery, size_t index, struct scan *scan)
{
	uint32_t id = recovery->segments[index].id;
	struct record record;
	int code;

	while ((code = objects_scan_good(scan, &record, &recovery->damaged)) == 0) {
		if (id == recovery->from.segment && record.logical < recovery->from.offset)
			continue;
		code = check_record(recovery, index, scan, &record);
		if (code == CAIRN_ECORRUPT)
			recovery->damaged += objects_record_size(&record);
		if (code == CAIRN_ECORRUPT || code == CAIRN_ENOTFOUND)
			continue;
		if (code == 0)
			code = take_record(recovery, id, &record);
		if (code != 0)
			return code;
		recovery->tail = scan->at;
	}
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

static int
read_from(struct recovery *recovery, size_t index, struct scan *scan)
{
	const struct segment_file *file = &recovery->segments[index];
	uint64_t end = segment_end(recovery, index);

	/* What is taken into the index now must outlive it. */
	if (recovery->objects->io.datasync(scan->fd) != 0)
		return CAIRN_EIO;
	if (end < scan->end)
		scan->end = end;
	recovery->tail = SEGMENT_HEADER_SIZE;
	if (file->id == recovery->from.segment && file->generation == 0 &&
	    recovery->from.offset <= scan->end && recovery->from.offset >= scan->at) {
		scan->at = recovery->from.offset;
		recovery->tail = scan->at;
	}
	return read_segment(recovery, index, scan);
}

static int
read_log(struct recovery *recovery)
{
	for (size_t i = 0; i < recovery->count; i++) {
		struct scan scan;
		int code;

		if (recovery->segments[i].id < recovery->from.segment)
			continue;
		code = open_segment(recovery, i, &scan);
		if (code == CAIRN_ECORRUPT) {
			recovery->damaged += segment_size(recovery, &recovery->segments[i]);
			continue;
		}
		if (code != 0)
			return code;
		code = read_from(recovery, i, &scan);
		close(scan.fd);
		if (code != 0)
			return code;
	}
	return 0;
}

static int
cut(struct recovery *recovery, const struct scan *scan)
{
	if (recovery->tail < scan->end) {
		if (!objects_scan_blank(scan, recovery->tail))
			log_warning("objects", "cutting %llu unfinished bytes off segment %u",
			    (unsigned long long)(scan->end - recovery->tail), scan->header.id);
		if (ftruncate(scan->fd, (off_t)recovery->tail) != 0)
			return CAIRN_EIO;
	}
	return recovery->objects->io.datasync(scan->fd) != 0 ? CAIRN_EIO : 0;
}

/* Cuts the last segment behind its last good record, makes it durable and appends there.  One whose
 * header is damaged is left alone, and the next is begun. */
static int
adopt_tail(struct recovery *recovery)
{
	struct objects *objects = recovery->objects;
	struct objects_tail *tail = &objects->commit.tail;
	const struct segment_file *last;
	struct scan scan;
	int code;

	if (recovery->count == 0)
		return 0;
	last = &recovery->segments[recovery->count - 1];
	tail->id = last->id;
	tail->generation = last->generation;
	tail->at = segment_size(recovery, last);
	code = open_segment(recovery, recovery->count - 1, &scan);
	if (code == 0) {
		code = cut(recovery, &scan);
		tail->salt = scan.header.salt;
		tail->at = recovery->tail;
		if (code == 0 && !scan.salvaged)
			tail->fd = objects_dirs_segment(
			    &objects->dirs, last->id, last->generation, O_RDWR);
		close(scan.fd);
	}
	if (code != 0 && code != CAIRN_ECORRUPT)
		return code;
	objects->durable = (struct objects_cursor){.segment = last->id, .offset = tail->at};
	recovery->batch->watermark = objects->durable;
	return 0;
}

/* ---- the index -------------------------------------------------------------------------- */

/* Does what the index says fit the segments? */
static bool
index_fits(struct recovery *recovery)
{
	struct objects *objects = recovery->objects;
	struct objects_cursor mark;
	int code = objects_index_read_begin(objects->read);

	if (code != 0)
		return false;
	code = objects_index_watermark(objects->read, &mark);
	objects_index_read_end(objects->read);
	if (code == CAIRN_ENOTFOUND) /* a new index: right only if there is no log */
		return recovery->count == 0;
	for (size_t i = 0; code == 0 && i < recovery->count; i++) {
		const struct segment_file *file = &recovery->segments[i];

		if (file->id != mark.segment ||
		    (file->generation == 0 && mark.offset > segment_size(recovery, file)))
			continue;
		recovery->from = mark;
		return true;
	}
	return false;
}

/* A compaction that was stopped between the file and the index. */
static int
settle_generations(struct recovery *recovery)
{
	struct objects *objects = recovery->objects;

	for (size_t i = 0; i < recovery->count; i++) {
		const struct segment_file *file = &recovery->segments[i];
		uint32_t known = 0;
		int code = objects_index_read_begin(objects->read);

		if (code == 0) {
			code = objects_index_generation(objects->read, file->id, &known);
			objects_index_read_end(objects->read);
		}
		if (code == 0 && known != file->generation)
			code = objects_compact_switch(
			    &objects->dirs, objects->index, file->id, file->generation);
		if (code != 0 && code != CAIRN_ECORRUPT)
			return code;
	}
	return 0;
}

static int
open_index(struct objects *objects, struct cairn_error *err)
{
	int code = objects_index_open(&objects->index, objects->dirs.path, true, err);

	if (code == 0 && objects_index_read_new(objects->index, &objects->read) != 0)
		code = cairn_error_set(err, CAIRN_EIO, "cannot read the object index");
	return code;
}

static int
new_index(struct objects *objects, struct cairn_error *err)
{
	int code;

	objects_index_read_free(objects->read);
	objects_index_close(objects->index);
	objects->read = NULL;
	objects->index = NULL;
	code = objects_index_remove(objects->dirs.path, err);
	return code != 0 ? code : open_index(objects, err);
}

static int
settle_index(struct recovery *recovery, struct cairn_error *err)
{
	struct objects *objects = recovery->objects;
	int code = open_index(objects, err);

	if (code != 0 && code != CAIRN_ECORRUPT)
		return code;
	if (code == 0 && index_fits(recovery))
		return 0;
	if (recovery->count > 0)
		log_warning("objects",
		    "index of %s is missing or damaged, rebuilding it from %zu "
		    "segments",
		    objects->dirs.path, recovery->count);
	recovery->whole = true;
	recovery->from = (struct objects_cursor){0};
	return new_index(objects, err);
}

/* ---- blobs without a record ------------------------------------------------------------- */

/* KEY-BLOB; the key may hold hyphens too. */
static bool
blob_is_known(struct objects *objects, const char *name)
{
	char key[OBJECTS_KEY_MAX + 1] = {0}, again[SPILL_NAME_MAX];
	const char *hyphen = strrchr(name, '-');
	struct index_entry entry;

	if (hyphen == NULL || hyphen == name || hyphen - name > OBJECTS_KEY_MAX)
		return false;
	memcpy(key, name, (size_t)(hyphen - name));
	if (objects_index_get(objects->read, key, &entry) != 0 || entry.kind != RECORD_BLOB)
		return false;
	objects_spill_name(key, entry.target, again);
	return strcmp(again, name) == 0;
}

/* What an interrupted put or erasure left. */
static int
clean_blobs(struct objects *objects)
{
	int fd = openat(objects->dirs.blobs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int code;

	if (dir == NULL) {
		file_close(&fd);
		return CAIRN_EIO;
	}
	code = objects_index_read_begin(objects->read);
	while (code == 0 && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' && !blob_is_known(objects, entry->d_name))
			unlinkat(objects->dirs.blobs, entry->d_name, 0);
	if (code == 0)
		objects_index_read_end(objects->read);
	closedir(dir);
	return code;
}

static int
recover(struct recovery *recovery, struct cairn_error *err)
{
	struct objects *objects = recovery->objects;
	int code = list_segments(recovery);

	if (code != 0)
		return cairn_error_set(
		    err, code, "cannot list the segments of %s", objects->dirs.path);
	code = settle_index(recovery, err);
	if (code != 0)
		return code;
	code = settle_generations(recovery);
	if (code == 0)
		code = read_log(recovery);
	if (code == 0)
		code = adopt_tail(recovery);
	if (code == 0)
		code = flush(recovery);
	if (code == 0)
		code = objects_files_clean(&objects->dirs);
	if (code == 0)
		code = clean_blobs(objects);
	if (code != 0)
		return cairn_error_set(err, code, "cannot recover object store %s: %s",
		    objects->dirs.path, cairn_code_text(code));
	if (recovery->damaged > 0)
		log_warning("objects", "%llu bytes of %s are damaged",
		    (unsigned long long)recovery->damaged, objects->dirs.path);
	return 0;
}

int
objects_recover(struct objects *objects, struct cairn_error *err)
{
	struct recovery recovery = {.objects = objects};
	int code;

	recovery.batch = calloc(1, sizeof *recovery.batch);
	if (recovery.batch == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for recovery");
	code = recover(&recovery, err);
	recovery_fini(&recovery);
	if (code != 0)
		return code;
	code = objects_index_read_begin(objects->read);
	if (code == 0) {
		code = objects_index_count(objects->read, &objects->count);
		objects_index_read_end(objects->read);
	}
	return code == 0 ? 0 : cairn_error_set(err, code, "cannot read the object index");
}
