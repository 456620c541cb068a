/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading beside the writer.  What the index does not have yet is read from the log behind its
 * watermark; the reader remembers how far it got and what it saw there.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "objects/engine.h"
#include "objects/files.h"
#include "objects/scan.h"
#include "objects/spill.h"

#define PIECE ((size_t)256 * 1024)
#define RECENT_MAX ((size_t)1 << 20)
/* Compaction or a rebuilt index can overtake a reader; it looks again, but not for ever. */
#define ATTEMPTS 4

struct recent {
	char key[OBJECTS_KEY_MAX + 1];
	bool late; /* the entry's digest is not known yet */
	struct index_entry entry;
};

struct objects_reader {
	struct objects_dirs dirs;
	struct objects_index *index;
	struct index_read *read;
	bool shared;      /* the index is the writer's */
	struct scan scan; /* the segment last used */
	bool open;
	struct recent *recent; /* records behind the watermark, in their order */
	size_t count;
	size_t room;
	struct objects_cursor at; /* read up to here */
};

/* ---- opening ---------------------------------------------------------------------------- */

static void
drop_index(struct objects_reader *reader)
{
	objects_index_read_free(reader->read);
	reader->read = NULL;
	if (!reader->shared)
		objects_index_close(reader->index);
	reader->index = NULL;
}

static int
use_index(struct objects_reader *reader, struct cairn_error *err)
{
	int code;

	if (reader->index != NULL && !reader->shared && objects_index_replaced(reader->index))
		drop_index(reader);
	if (reader->index == NULL) {
		reader->count = 0;
		reader->at = (struct objects_cursor){0};
		code = objects_index_open(&reader->index, reader->dirs.path, false, err);
		if (code != 0)
			return code;
	}
	if (reader->read != NULL)
		return 0;
	code = objects_index_read_new(reader->index, &reader->read);
	return code == 0 ? 0 : cairn_error_set(err, code, "cannot read the object index");
}

static int
reader_new(struct objects_reader **ret, const char *dir, struct objects_index *index,
    struct cairn_error *err)
{
	struct objects_reader *reader = calloc(1, sizeof *reader);
	int code;

	if (reader == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for an object reader");
	reader->index = index;
	reader->shared = index != NULL;
	code = objects_dirs_open(&reader->dirs, dir, false, err);
	if (code == 0)
		code = use_index(reader, err);
	if (code != 0) {
		objects_reader_close(reader);
		return code;
	}
	*ret = reader;
	return 0;
}

int
objects_reader_open(struct objects_reader **ret, const char *dir, struct cairn_error *err)
{
	return reader_new(ret, dir, NULL, err);
}

int
objects_reader_share(struct objects_reader **ret, struct objects *objects, struct cairn_error *err)
{
	return reader_new(ret, objects->dirs.path, objects->index, err);
}

void
objects_reader_close(struct objects_reader *reader)
{
	if (reader == NULL)
		return;
	drop_index(reader);
	if (reader->open)
		close(reader->scan.fd);
	objects_dirs_close(&reader->dirs);
	free(reader->recent);
	free(reader);
}

/* ---- finding ---------------------------------------------------------------------------- */

/* To the start again, and to the end as it is now. */
static int
rewind_segment(struct scan *scan)
{
	struct stat st;

	if (fstat(scan->fd, &st) != 0)
		return CAIRN_EIO;
	scan->at = SEGMENT_HEADER_SIZE;
	scan->end = (uint64_t)st.st_size;
	return 0;
}

/* Leaves reader->scan on the segment; within a read of the index. */
static int
use_segment(struct objects_reader *reader, uint32_t id)
{
	uint32_t generation = 0;
	int code = objects_index_generation(reader->read, id, &generation);

	if (code != 0)
		return code;
	if (reader->open && reader->scan.header.id == id &&
	    reader->scan.header.generation == generation)
		return rewind_segment(&reader->scan);
	if (reader->open)
		close(reader->scan.fd);
	code = objects_dirs_scan(&reader->dirs, id, generation, O_RDONLY, &reader->scan);
	reader->open = code == 0;
	return code;
}

static int
remember(struct objects_reader *reader, const struct record *record, uint32_t segment)
{
	struct recent *recent;

	if (reader->count == reader->room) {
		size_t room = reader->room == 0 ? 256 : reader->room * 2;
		struct recent *more = NULL;

		if (room <= RECENT_MAX)
			more = realloc(reader->recent, room * sizeof *more);
		if (more == NULL)
			return CAIRN_ENOMEM;
		reader->recent = more;
		reader->room = room;
	}
	recent = &reader->recent[reader->count++];
	memcpy(recent->key, record->key, sizeof recent->key);
	recent->late = record->late;
	objects_index_entry(record, segment, &recent->entry);
	return 0;
}

/* Forgets what the index knows by now. */
static void
forget(struct objects_reader *reader, const struct objects_cursor *mark)
{
	size_t kept = 0;

	for (size_t i = 0; i < reader->count; i++) {
		const struct index_entry *entry = &reader->recent[i].entry;

		if (entry->segment > mark->segment ||
		    (entry->segment == mark->segment && entry->logical >= mark->offset))
			reader->recent[kept++] = reader->recent[i];
	}
	reader->count = kept;
	if (reader->at.segment < mark->segment ||
	    (reader->at.segment == mark->segment && reader->at.offset < mark->offset))
		reader->at = *mark;
	if (reader->at.segment == 0)
		reader->at = (struct objects_cursor){.segment = 1, .offset = SEGMENT_HEADER_SIZE};
}

/* The end of a segment that has a successor, which is then finished.  Within a read. */
static bool
has_successor(struct objects_reader *reader, uint32_t id, uint64_t *ret_end)
{
	uint32_t generation = 0;
	char name[SEGMENT_NAME_MAX];
	struct stat st;

	if (objects_index_generation(reader->read, id + 1, &generation) != 0)
		return false;
	objects_segment_name(id + 1, generation, name);
	if (fstatat(reader->dirs.segments, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    st.st_size < SEGMENT_HEADER_SIZE)
		return false;
	*ret_end = objects_dirs_end(&reader->dirs, id + 1, generation);
	return true;
}

/* Reads on in one segment.  Where the writer may be at work, the first thing that is no whole
 * record is the end; in a finished segment it is damage. */
static int
read_segment(struct objects_reader *reader, bool finished)
{
	uint32_t id = reader->at.segment;
	uint64_t start = reader->at.offset, damaged = 0;
	struct record record;
	int code;

	if (reader->scan.header.generation == 0 && start >= SEGMENT_HEADER_SIZE)
		reader->scan.at = start;
	for (;;) {
		code = finished ? objects_scan_good(&reader->scan, &record, &damaged)
				: objects_scan_next(&reader->scan, &record);
		if (code != 0)
			break;
		if (record.logical < start)
			continue;
		code = remember(reader, &record, id);
		if (code != 0)
			break;
		reader->at.offset = record.logical + objects_record_size(&record);
	}
	return code == CAIRN_ENOTFOUND || code == CAIRN_ECORRUPT ? 0 : code;
}

static int
read_on(struct objects_reader *reader)
{
	for (;;) {
		uint64_t end = UINT64_MAX;
		/* Asked first: records that came before the successor are all there then. */
		bool finished = has_successor(reader, reader->at.segment, &end);
		int code = use_segment(reader, reader->at.segment);

		if (code == CAIRN_ENOTFOUND && !finished)
			return 0;
		if (code == 0 && reader->scan.header.generation == 0 && end < reader->scan.end)
			reader->scan.end = end;
		if (code == 0)
			code = read_segment(reader, finished);
		if (code != 0 && code != CAIRN_ENOTFOUND && code != CAIRN_ECORRUPT)
			return code;
		if (!finished)
			return 0;
		reader->at = (struct objects_cursor){
		    .segment = reader->at.segment + 1, .offset = SEGMENT_HEADER_SIZE};
	}
}

/* The writer has not got to the digest, or not told the index. */
static int
fill_late(struct objects_reader *reader, struct recent *recent)
{
	struct record record;
	int code = use_segment(reader, recent->entry.segment);

	if (code != 0)
		return code;
	reader->scan.at = recent->entry.physical;
	code = objects_scan_next(&reader->scan, &record);
	if (code == 0 && (record.kind != RECORD_OBJECT || record.logical != recent->entry.logical))
		code = CAIRN_ECORRUPT;
	if (code == 0)
		code = objects_scan_object(reader->scan.fd, &record);
	if (code != 0)
		return code == CAIRN_ENOTFOUND ? CAIRN_ECORRUPT : code;
	memcpy(recent->entry.sha256, record.sha256, 32);
	recent->late = false;
	return 0;
}

/* Index, then log.  Within a read. */
static int
locate(struct objects_reader *reader, const char *key, struct index_entry *ret)
{
	struct objects_cursor mark = {0};
	int code = objects_index_watermark(reader->read, &mark);

	if (code != 0 && code != CAIRN_ENOTFOUND)
		return code;
	code = objects_index_get(reader->read, key, ret);
	if (code != CAIRN_ENOTFOUND)
		return code;
	forget(reader, &mark);
	code = read_on(reader);
	if (code != 0)
		return code;
	for (size_t i = reader->count; i > 0; i--) {
		struct recent *recent = &reader->recent[i - 1];

		if (strcmp(recent->key, key) != 0)
			continue;
		if (recent->entry.kind == RECORD_TOMBSTONE)
			return CAIRN_ENOTFOUND;
		code = recent->late ? fill_late(reader, recent) : 0;
		if (code != 0)
			return code;
		*ret = recent->entry;
		return 0;
	}
	return CAIRN_ENOTFOUND;
}

int
objects_reader_find(struct objects_reader *reader, const char *key, struct objects_ref *ret,
    struct cairn_error *err)
{
	struct index_entry entry;
	int code = objects_key_valid(key, strlen(key)) ? use_index(reader, err) : CAIRN_ENOTFOUND;

	if (code == 0)
		code = objects_index_read_begin(reader->read);
	if (code == 0) {
		code = locate(reader, key, &entry);
		objects_index_read_end(reader->read);
	}
	if (code != 0)
		return cairn_error_set(err, code, "object %.64s: %s", key, cairn_code_text(code));
	objects_index_ref(key, &entry, ret);
	return 0;
}

/* ---- reading ---------------------------------------------------------------------------- */

struct source {
	int fd;
	bool owned;
	uint64_t offset;
};

/* The record at the entry's place, if it is the one that the entry speaks of. */
static int
load_record(struct objects_reader *reader, const char *key, const struct index_entry *entry,
    struct record *ret)
{
	int code = use_segment(reader, entry->segment);

	if (code != 0)
		return code == CAIRN_ENOTFOUND ? CAIRN_ECORRUPT : code;
	reader->scan.at = entry->physical;
	code = objects_scan_next(&reader->scan, ret);
	if (code == CAIRN_ENOTFOUND)
		return CAIRN_ECORRUPT;
	if (code == 0 &&
	    (ret->kind != entry->kind || strcmp(ret->key, key) != 0 ||
		ret->length != entry->length || ret->logical != entry->logical ||
		(!ret->late && memcmp(ret->sha256, entry->sha256, 32) != 0)))
		return CAIRN_ECORRUPT;
	return code;
}

static int
open_file(struct objects_reader *reader, const struct record *record, struct source *source)
{
	uint8_t *meta;
	int code = objects_scan_meta(reader->scan.fd, record, &meta);

	if (code != 0)
		return code;
	source->fd = objects_files_open(&reader->dirs, (const char *)meta);
	source->owned = true;
	free(meta);
	return source->fd < 0 ? source->fd : 0;
}

static int
open_blob(struct objects_reader *reader, const struct record *record, struct source *source)
{
	char name[SPILL_NAME_MAX];

	objects_spill_name(record->key, record->target, name);
	source->fd = openat(reader->dirs.blobs, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	source->owned = true;
	if (source->fd < 0)
		return errno == ENOENT ? CAIRN_ENOTFOUND : CAIRN_EIO;
	return 0;
}

static int
open_source(struct objects_reader *reader, const struct objects_ref *ref, struct source *source)
{
	struct index_entry entry;
	struct record record;
	int code = locate(reader, ref->key, &entry);

	if (code == 0 &&
	    (entry.segment != ref->segment || entry.logical + RECORD_HEADER_SIZE != ref->offset))
		return CAIRN_ENOTFOUND;
	if (code == 0)
		code = load_record(reader, ref->key, &entry, &record);
	if (code != 0)
		return code;
	if (record.kind == RECORD_OBJECT) {
		*source = (struct source){
		    .fd = reader->scan.fd, .offset = record.at + RECORD_HEADER_SIZE};
		return 0;
	}
	code = record.kind == RECORD_FILE ? open_file(reader, &record, source)
					  : open_blob(reader, &record, source);
	return code == CAIRN_ENOTFOUND ? CAIRN_ECORRUPT : code;
}

static int
find_source(struct objects_reader *reader, const struct objects_ref *ref, struct source *source,
    struct cairn_error *err)
{
	int code = CAIRN_ECORRUPT;

	for (int i = 0; i < ATTEMPTS && code == CAIRN_ECORRUPT; i++) {
		code = use_index(reader, err);
		if (code == 0)
			code = objects_index_read_begin(reader->read);
		if (code != 0)
			break;
		code = open_source(reader, ref, source);
		objects_index_read_end(reader->read);
	}
	return code;
}

static int
copy_pieces(const struct source *source, uint64_t length, EVP_MD_CTX *context, uint8_t *piece,
    int (*sink)(void *arg, const uint8_t *bytes, size_t length), void *arg)
{
	uint64_t offset = source->offset;
	int code = 0;

	while (code == 0 && length > 0) {
		size_t part = length < PIECE ? (size_t)length : PIECE;

		code = objects_read_at(source->fd, piece, part, offset);
		if (code == CAIRN_ENOTFOUND)
			return CAIRN_ECORRUPT;
		if (code == 0 && EVP_DigestUpdate(context, piece, part) != 1)
			return CAIRN_EINTERNAL;
		if (code == 0)
			code = sink(arg, piece, part);
		offset += part;
		length -= part;
	}
	return code;
}

static int
copy_checked(const struct source *source, const struct objects_ref *ref,
    int (*sink)(void *arg, const uint8_t *bytes, size_t length), void *arg)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t *piece = malloc(PIECE);
	uint8_t digest[EVP_MAX_MD_SIZE];
	int code = context == NULL || piece == NULL ? CAIRN_ENOMEM : 0;

	if (code == 0 && EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
		code = CAIRN_EINTERNAL;
	if (code == 0)
		code = copy_pieces(source, ref->length, context, piece, sink, arg);
	if (code == 0 && EVP_DigestFinal_ex(context, digest, NULL) != 1)
		code = CAIRN_EINTERNAL;
	if (code == 0 && memcmp(digest, ref->sha256, 32) != 0)
		code = CAIRN_ECORRUPT;
	free(piece);
	EVP_MD_CTX_free(context);
	return code;
}

int
objects_reader_get(struct objects_reader *reader, const struct objects_ref *ref,
    int (*sink)(void *arg, const uint8_t *bytes, size_t length), void *arg, struct cairn_error *err)
{
	struct source source = {.fd = -1};
	int code = find_source(reader, ref, &source, err);

	if (code == 0) {
		code = copy_checked(&source, ref, sink, arg);
		if (source.owned)
			close(source.fd);
	}
	if (code == CAIRN_ECORRUPT)
		return cairn_error_set(
		    err, code, "object %.64s is damaged: throw away what was read", ref->key);
	if (code != 0)
		return cairn_error_set(
		    err, code, "cannot read object %.64s: %s", ref->key, cairn_code_text(code));
	return 0;
}
