/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/compact.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define BLOCK ((size_t)256 * 1024)

/* One segment on its way to the next generation. */
struct move {
	struct compact *compact;
	struct index_read *read;
	struct scan from;
	int to;
	uint64_t salt;
	struct objects_cursor mark;
	struct objects_cursor applied; /* of the segment that a tombstone aimed at, asked last */
	uint32_t asked;
	uint8_t *block;
	uint64_t written;
};

/* ---- what stays ------------------------------------------------------------------------- */

static bool
before(const struct objects_cursor *a, uint32_t segment, uint64_t offset)
{
	return a->segment < segment || (a->segment == segment && a->offset <= offset);
}

/* A tombstone is needed as long as the record that it killed is still in a file, because an index
 * that is made anew would bring that back. */
static bool
tombstone_needed(struct move *move, const struct record *record)
{
	uint32_t id = move->from.header.id;
	uint32_t generation = 0;
	struct scan target;

	if (record->target_segment == id)
		return false; /* goes in the same step */
	if (move->asked != record->target_segment) {
		move->applied = (struct objects_cursor){0};
		move->asked = record->target_segment;
		if (objects_index_generation(move->read, move->asked, &generation) == 0 &&
		    objects_dirs_scan(
			move->compact->dirs, move->asked, generation, O_RDONLY, &target) == 0) {
			move->applied = target.header.applied;
			close(target.fd);
		}
	}
	return before(&move->applied, id, record->logical);
}

/* 0 to drop, 1 to keep, or a code.  Fills in a late digest. */
static int
keep(struct move *move, struct record *record)
{
	struct index_entry entry;
	int code;

	if (record->kind == RECORD_TOMBSTONE)
		return tombstone_needed(move, record);
	code = objects_index_get(move->read, record->key, &entry);
	if (code == CAIRN_ENOTFOUND)
		return 0;
	if (code != 0)
		return code;
	if (entry.segment != move->from.header.id || entry.logical != record->logical)
		return 0;
	record->late = false; /* the digest is known by now */
	memcpy(record->sha256, entry.sha256, 32);
	return 1;
}

/* ---- copying ---------------------------------------------------------------------------- */

static int
copy_record(struct move *move, const struct record *record)
{
	uint64_t length = objects_record_size(record) - RECORD_HEADER_SIZE;
	uint64_t at = record->at + RECORD_HEADER_SIZE;
	uint8_t header[RECORD_HEADER_SIZE];
	int code;

	objects_record_encode(record, move->salt, header);
	code = file_write_all(move->to, header, sizeof header);
	while (code == 0 && length > 0) {
		size_t piece = length < BLOCK ? (size_t)length : BLOCK;

		code = objects_read_at(move->from.fd, move->block, piece, at);
		if (code == 0)
			code = file_write_all(move->to, move->block, piece);
		at += piece;
		length -= piece;
	}
	move->written += objects_record_size(record);
	return code;
}

static int
copy_live(struct move *move)
{
	struct record record;
	int code;

	/* No stepping over damage here: a segment that has any stays as it is. */
	while ((code = objects_scan_next(&move->from, &record)) == 0) {
		int verdict = keep(move, &record);

		if (verdict == 1)
			verdict = copy_record(move, &record);
		if (verdict != 0)
			return verdict;
	}
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

static int
write_generation(struct move *move, const char *temporary, const char *name)
{
	struct segment_header header = move->from.header;
	uint8_t bytes[SEGMENT_HEADER_SIZE];
	int segments = move->compact->dirs->segments;
	int code;

	header.generation++;
	header.salt = move->salt;
	header.applied = move->mark;
	objects_segment_encode(&header, bytes);
	move->written = sizeof bytes;
	code = file_write_all(move->to, bytes, sizeof bytes);
	if (code == 0)
		code = copy_live(move);
	if (code == 0 && move->compact->io->datasync(move->to) != 0)
		code = CAIRN_EIO;
	if (code == 0 && renameat(segments, temporary, segments, name) != 0)
		code = CAIRN_EIO;
	if (code == 0 && fsync(segments) != 0)
		code = CAIRN_EIO;
	return code;
}

static int
move_segment(struct move *move)
{
	const struct objects_dirs *dirs = move->compact->dirs;
	char temporary[SEGMENT_NAME_MAX + 8], name[SEGMENT_NAME_MAX];
	int code;

	objects_segment_name(move->from.header.id, move->from.header.generation + 1, name);
	snprintf(temporary, sizeof temporary, "%s.new", name);
	move->to =
	    openat(dirs->segments, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (move->to < 0 || getrandom(&move->salt, sizeof move->salt, 0) != sizeof move->salt) {
		file_close(&move->to);
		return CAIRN_EIO;
	}
	code = write_generation(move, temporary, name);
	close(move->to);
	if (code != 0)
		unlinkat(dirs->segments, temporary, 0);
	return code;
}

/* ---- the index -------------------------------------------------------------------------- */

static int
follow_records(struct index_write *write, struct scan *scan)
{
	struct record record;
	uint64_t damaged = 0;
	int code;

	while ((code = objects_scan_good(scan, &record, &damaged)) == 0) {
		struct index_entry entry;

		code = objects_index_look(write, record.key, &entry);
		if (code == CAIRN_ENOTFOUND)
			continue;
		if (code == 0 && entry.segment == scan->header.id &&
		    entry.logical == record.logical) {
			entry.physical = record.at;
			code = objects_index_put(write, record.key, &entry);
		}
		if (code != 0)
			return code;
	}
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

int
objects_compact_switch(
    const struct objects_dirs *dirs, struct objects_index *index, uint32_t id, uint32_t generation)
{
	struct index_write *write;
	struct scan scan;
	int code = objects_dirs_scan(dirs, id, generation, O_RDONLY, &scan);

	if (code != 0)
		return code;
	code = objects_index_write_begin(index, &write);
	if (code != 0) {
		close(scan.fd);
		return code;
	}
	code = follow_records(write, &scan);
	close(scan.fd);
	if (code == 0)
		code = objects_index_set_generation(write, id, generation);
	if (code == 0)
		code = objects_index_set_dead(write, id, 0);
	if (code != 0) {
		objects_index_abort(write);
		return code;
	}
	return objects_index_commit(write);
}

/* ---- all of them ------------------------------------------------------------------------ */

static int
compact_segment(struct move *move, uint32_t id, uint32_t generation, uint64_t size)
{
	struct compact *compact = move->compact;
	char name[SEGMENT_NAME_MAX];
	int code = objects_dirs_scan(compact->dirs, id, generation, O_RDONLY, &move->from);

	if (code != 0)
		return code;
	if (move->from.salvaged)
		code = CAIRN_ECORRUPT;
	if (code == 0 && generation == 0) {
		uint32_t next = 0;
		uint64_t end = UINT64_MAX;

		code = objects_index_generation(move->read, id + 1, &next);
		if (code == 0)
			end = objects_dirs_end(compact->dirs, id + 1, next);
		if (end < move->from.end)
			move->from.end = end;
	}
	if (code == 0)
		code = move_segment(move);
	close(move->from.fd);
	if (code == 0)
		code = objects_compact_switch(compact->dirs, compact->index, id, generation + 1);
	if (code != 0)
		return code;
	objects_segment_name(id, generation, name);
	unlinkat(compact->dirs->segments, name, 0);
	compact->result.segments++;
	compact->result.bytes += size > move->written ? size - move->written : 0;
	return 0;
}

static int
consider(struct move *move, const struct segment_file *file)
{
	uint64_t dead = 0, size;
	uint32_t generation = 0;
	struct scan scan;
	int code = objects_index_read_begin(move->read);

	if (code != 0)
		return code;
	code = objects_index_watermark(move->read, &move->mark);
	if (code == 0)
		code = objects_index_dead(move->read, file->id, &dead);
	if (code == 0)
		code = objects_index_generation(move->read, file->id, &generation);
	if (code == 0 && file->id < move->mark.segment && generation == file->generation &&
	    dead > 0 &&
	    objects_dirs_scan(move->compact->dirs, file->id, generation, O_RDONLY, &scan) == 0) {
		size = scan.end;
		close(scan.fd);
		if (dead * 100 / size >= move->compact->dead_percent)
			code = compact_segment(move, file->id, generation, size);
	}
	objects_index_read_end(move->read);
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

int
objects_compact_run(struct compact *compact)
{
	struct move move = {.compact = compact, .block = malloc(BLOCK)};
	struct segment_file *files = NULL;
	size_t count = 0;
	int code = move.block == NULL ? CAIRN_ENOMEM : 0;

	if (code == 0)
		code = objects_index_read_new(compact->index, &move.read);
	if (code == 0)
		code = objects_dirs_list(compact->dirs, false, &files, &count);
	for (size_t i = 0; code == 0 && i < count; i++) {
		move.asked = 0;
		code = consider(&move, &files[i]);
		if (code != CAIRN_ECORRUPT)
			continue;
		log_error("objects", "segment %u is damaged, leaving it as it is", files[i].id);
		code = 0;
	}
	free(files);
	objects_index_read_free(move.read);
	free(move.block);
	return code;
}
