/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening: the index is taken as true up to its watermark, and the log is read from there.  An index
 * that cannot be used, or that does not fit the segments, is thrown away and made again from all of
 * them.  Behind the last good record of the last segment is what a stopped writer had not finished:
 * it is cut off.  Damage before that stays where it is and is only stepped over.
 */

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
#include "objects/scan.h"

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
	int fd = objects_dirs_segment(&recovery->objects->dirs, file->id, file->generation, O_RDWR);
	int code = fd < 0 ? CAIRN_EIO : objects_scan_init(scan, fd, UINT64_MAX);

	if (code == 0 && (scan->header.id != file->id || scan->header.generation != file->generation))
		code = CAIRN_ECORRUPT;
	if (code != 0)
		file_close(&fd);
	return code;
}

/* The segment after it says where a segment ends: what a failed sync left behind does not count. */
static uint64_t
segment_end(const struct recovery *recovery, size_t index)
{
	struct scan next;
	uint64_t end;

	if (index + 1 >= recovery->count || recovery->segments[index].generation != 0 ||
	    recovery->segments[index + 1].id != recovery->segments[index].id + 1 ||
	    open_segment(recovery, index + 1, &next) != 0)
		return UINT64_MAX;
	end = next.header.previous_end;
	close(next.fd);
	return end == 0 ? UINT64_MAX : end;
}

/* ---- records ---------------------------------------------------------------------------- */

static int
check_object(struct recovery *recovery, const struct scan *scan, const struct record *record,
    bool verify)
{
	const struct objects_dirs *dirs = &recovery->objects->dirs;
	uint8_t *meta = NULL;
	int code = objects_scan_meta(scan->fd, record, &meta);

	if (code == 0 && record->kind == RECORD_OBJECT && verify)
		code = objects_scan_digest(scan->fd, record->at + RECORD_HEADER_SIZE, record->length,
		    record->sha256);
	if (code == 0 && record->kind == RECORD_FILE)
		code = objects_files_finish(dirs, record->target, (const char *)meta);
	if (code == CAIRN_ENOTFOUND)
		code = CAIRN_ECORRUPT;
	free(meta);
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
		item->dead = RECORD_HEADER_SIZE;
	}
	recovery->batch->watermark = (struct objects_cursor){.segment = segment,
	    .offset = record->logical + objects_record_size(record)};
	return recovery->batch->count < BATCH_ITEMS ? 0 : flush(recovery);
}

static int
read_segment(struct recovery *recovery, size_t index, struct scan *scan)
{
	uint32_t id = recovery->segments[index].id;
	/* All but the last were synced before the next was begun. */
	bool verify = !recovery->whole || index + 2 >= recovery->count;
	struct record record;
	int code;

	while ((code = objects_scan_good(scan, &record, &recovery->damaged)) == 0) {
		bool last = index + 1 == recovery->count;

		if (id == recovery->from.segment && record.logical < recovery->from.offset) {
			recovery->tail = last ? scan->at : recovery->tail;
			continue;
		}
		code = check_object(recovery, scan, &record, verify);
		if (code == CAIRN_ECORRUPT) {
			recovery->damaged += objects_record_size(&record);
			continue;
		}
		if (code == 0)
			code = take_record(recovery, id, &record);
		if (code != 0)
			return code;
		recovery->tail = last ? scan->at : recovery->tail;
	}
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

static int
read_log(struct recovery *recovery)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < recovery->count; i++) {
		struct scan scan;
		uint64_t end = segment_end(recovery, i);

		if (recovery->segments[i].id < recovery->from.segment)
			continue;
		code = open_segment(recovery, i, &scan);
		if (code != 0)
			return code;
		/* What is taken into the index now must outlive it. */
		if (recovery->objects->io.datasync(scan.fd) != 0) {
			close(scan.fd);
			return CAIRN_EIO;
		}
		if (end < scan.end)
			scan.end = end;
		recovery->tail = SEGMENT_HEADER_SIZE;
		if (recovery->segments[i].id == recovery->from.segment &&
		    recovery->segments[i].generation == 0 && recovery->from.offset <= scan.end) {
			scan.at = recovery->from.offset;
			recovery->tail = scan.at;
		}
		code = read_segment(recovery, i, &scan);
		close(scan.fd);
	}
	return code;
}

/* Cuts the last segment behind its last good record, makes it durable and appends there. */
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
	code = open_segment(recovery, recovery->count - 1, &scan);
	if (code != 0)
		return code;
	if (recovery->tail < scan.end) {
		log_warning("objects", "cutting %llu unfinished bytes off segment %u",
		    (unsigned long long)(scan.end - recovery->tail), last->id);
		if (ftruncate(scan.fd, (off_t)recovery->tail) != 0)
			code = CAIRN_EIO;
	}
	if (code != 0 || objects->io.datasync(scan.fd) != 0) {
		close(scan.fd);
		return CAIRN_EIO;
	}
	close(scan.fd);
	tail->fd = objects_dirs_segment(&objects->dirs, last->id, last->generation,
	    O_RDWR | O_APPEND);
	tail->id = last->id;
	tail->salt = scan.header.salt;
	tail->at = recovery->tail;
	objects->durable = (struct objects_cursor){.segment = last->id, .offset = tail->at};
	recovery->batch->watermark = objects->durable;
	return tail->fd < 0 ? CAIRN_EIO : 0;
}

/* ---- the index -------------------------------------------------------------------------- */

/* Does what the index says fit the segments? */
static bool
index_fits(struct recovery *recovery)
{
	struct objects *objects = recovery->objects;
	struct objects_cursor mark;
	struct scan scan;
	bool fits = false;
	int code = objects_index_read_begin(objects->read);

	if (code != 0)
		return false;
	code = objects_index_watermark(objects->read, &mark);
	objects_index_read_end(objects->read);
	if (code == CAIRN_ENOTFOUND) /* a new index: right only if there is no log */
		return recovery->count == 0;
	for (size_t i = 0; code == 0 && i < recovery->count; i++) {
		if (recovery->segments[i].id != mark.segment || open_segment(recovery, i, &scan) != 0)
			continue;
		fits = recovery->segments[i].generation != 0 || mark.offset <= scan.end;
		close(scan.fd);
	}
	if (fits)
		recovery->from = mark;
	return fits;
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
		log_warning("objects", "index of %s is missing or damaged, rebuilding it from %zu "
		    "segments", objects->dirs.path, recovery->count);
	recovery->whole = true;
	recovery->from = (struct objects_cursor){0};
	return new_index(objects, err);
}

static int
recover(struct recovery *recovery, struct cairn_error *err)
{
	struct objects *objects = recovery->objects;
	int code = list_segments(recovery);

	if (code != 0)
		return cairn_error_set(err, code, "cannot list the segments of %s",
		    objects->dirs.path);
	code = settle_index(recovery, err);
	if (code != 0)
		return code;
	code = read_log(recovery);
	if (code == 0)
		code = adopt_tail(recovery);
	if (code == 0)
		code = flush(recovery);
	if (code == 0)
		code = objects_files_clean(&objects->dirs);
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
