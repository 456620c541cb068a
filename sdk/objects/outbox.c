/* SPDX-License-Identifier: Apache-2.0 */
/* Going through the notes in the order of the log. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "objects/engine.h"
#include "objects/scan.h"

/* ---- the log ---------------------------------------------------------------------------- */

static int
generation_of(struct objects *objects, uint32_t id, uint32_t *ret)
{
	int code = objects_index_read_begin(objects->read);

	if (code != 0)
		return code;
	code = objects_index_generation(objects->read, id, ret);
	objects_index_read_end(objects->read);
	return code;
}

static int
open_segment(struct objects *objects, uint32_t id, struct scan *ret)
{
	uint32_t generation = 0;
	int code = generation_of(objects, id, &generation);

	return code != 0 ? code : objects_dirs_scan(&objects->dirs, id, generation, O_RDONLY, ret);
}

/* Where a segment of the first generation ends: the next one says it, or what was answered so far.
 */
static uint64_t
segment_end(struct objects *objects, uint32_t id)
{
	uint32_t generation = 0;

	if (id == objects->durable.segment)
		return objects->durable.offset;
	if (generation_of(objects, id + 1, &generation) != 0)
		return UINT64_MAX;
	return objects_dirs_end(&objects->dirs, id + 1, generation);
}

static int
reseek(struct objects *objects, const struct objects_cursor *cursor)
{
	struct outbox *outbox = &objects->outbox;
	struct scan scan;
	uint64_t end;
	int code;

	objects_outbox_fini(objects);
	code = open_segment(objects, cursor->segment, &scan);
	if (code != 0)
		return code;
	end = segment_end(objects, cursor->segment);
	if (scan.header.generation == 0 && end < scan.end)
		scan.end = end;
	/* In a compacted segment only walking finds the place. */
	if (scan.header.generation == 0 && cursor->offset >= SEGMENT_HEADER_SIZE)
		scan.at = cursor->offset;
	outbox->scan = scan;
	outbox->open = true;
	outbox->sealed = cursor->segment != objects->durable.segment;
	outbox->at = *cursor;
	return 0;
}

/* Positions outbox.scan at the cursor.  The file stays open between calls. */
static int
seek(struct objects *objects, const struct objects_cursor *cursor)
{
	struct outbox *outbox = &objects->outbox;
	bool sealed = cursor->segment != objects->durable.segment;

	if (!outbox->open || outbox->at.segment != cursor->segment ||
	    outbox->at.offset != cursor->offset || outbox->sealed != sealed)
		return reseek(objects, cursor);
	if (!sealed)
		outbox->scan.end = objects->durable.offset;
	return 0;
}

void
objects_outbox_fini(struct objects *objects)
{
	if (objects->outbox.open)
		close(objects->outbox.scan.fd);
	objects->outbox.open = false;
}

static bool
still_there(struct objects *objects, const struct record *record, struct index_entry *ret)
{
	return record->kind != RECORD_TOMBSTONE && objects_locate(objects, record->key, ret) == 0 &&
	    ret->segment == objects->outbox.at.segment && ret->logical == record->logical;
}

/* The next record of the cursor's segment that lies behind it. */
static int
next_in_segment(struct objects *objects, struct objects_cursor *cursor, struct record *record)
{
	uint64_t damaged = 0;
	int code;

	do {
		code = objects_scan_good(&objects->outbox.scan, record, &damaged);
	} while (code == 0 && record->logical < cursor->offset);
	if (damaged > 0)
		log_error("objects", "%llu bytes of segment %u are damaged, ignoring them",
		    (unsigned long long)damaged, cursor->segment);
	if (code == 0) {
		cursor->offset = record->logical + objects_record_size(record);
		objects->outbox.at = *cursor;
	}
	return code;
}

static int
take(struct objects *objects, const struct index_entry *entry, const struct record *record,
    uint8_t **ret_note, struct objects_ref *ret_ref)
{
	uint8_t *meta;
	int code = objects_scan_meta(objects->outbox.scan.fd, record, &meta);

	if (code != 0)
		return code;
	if (ret_ref != NULL)
		objects_index_ref(record->key, entry, ret_ref);
	memmove(meta, meta + record->path_length + 1, record->note_length);
	*ret_note = meta;
	return 0;
}

int
objects_next(struct objects *objects, struct objects_cursor *cursor, struct objects_ref *ret_ref,
    uint8_t **ret_note, size_t *ret_note_length, struct cairn_error *err)
{
	struct objects_cursor at = *cursor;
	struct index_entry entry;
	struct record record;

	if (at.segment == 0)
		at = (struct objects_cursor){.segment = 1};
	while (at.segment <= objects->durable.segment) {
		int code = seek(objects, &at);

		if (code == 0)
			code = next_in_segment(objects, &at, &record);
		if (code == CAIRN_EIO || code == CAIRN_ENOMEM)
			return cairn_error_set(err, code, "cannot read segment %u", at.segment);
		if (code != 0) {
			if (code != CAIRN_ENOTFOUND)
				log_error("objects", "segment %u cannot be read, ignoring it",
				    at.segment);
			if (at.segment == objects->durable.segment)
				break;
			at = (struct objects_cursor){.segment = at.segment + 1};
			continue;
		}
		*cursor = at;
		if (!still_there(objects, &record, &entry))
			continue;
		code = take(objects, &entry, &record, ret_note, ret_ref);
		if (code == 0) {
			*ret_note_length = record.note_length;
			return 0;
		}
		if (code != CAIRN_ECORRUPT)
			return cairn_error_set(err, code, "cannot read a note");
		log_error("objects", "the note of %s is damaged, ignoring it", record.key);
	}
	return cairn_error_set(err, CAIRN_ENOTFOUND, "no more notes");
}

void
objects_on_notes(struct objects *objects, void (*notes)(void *arg), void *arg)
{
	objects->notes = notes;
	objects->notes_arg = arg;
}

/* ---- named cursors ---------------------------------------------------------------------- */

static struct checkpoint_cursor *
find_cursor(struct objects *objects, const char *name)
{
	for (size_t i = 0; i < objects->cursors_count; i++)
		if (strcmp(objects->cursors[i].name, name) == 0)
			return &objects->cursors[i];
	return NULL;
}

int
objects_cursor_get(
    struct objects *objects, const char *name, struct objects_cursor *ret, struct cairn_error *err)
{
	const struct checkpoint_cursor *known = find_cursor(objects, name);
	int code;

	if (known != NULL) {
		*ret = known->cursor;
		return 0;
	}
	code = objects_index_read_begin(objects->read);
	if (code == 0) {
		code = objects_index_cursor(objects->read, name, ret);
		objects_index_read_end(objects->read);
	}
	return code == 0
	    ? 0
	    : cairn_error_set(err, code, "cursor '%.64s': %s", name, cairn_code_text(code));
}

int
objects_cursor_set(struct objects *objects, const char *name, const struct objects_cursor *cursor,
    struct cairn_error *err)
{
	struct checkpoint_cursor *known = find_cursor(objects, name);

	if (known == NULL) {
		if (strlen(name) == 0 || strlen(name) > CURSOR_NAME_MAX)
			return cairn_error_set(err, CAIRN_EINVAL,
			    "a cursor's name is 1 to %d characters", CURSOR_NAME_MAX);
		if (objects->cursors_count == CURSORS_MAX)
			return cairn_error_set(
			    err, CAIRN_ELIMIT, "more than %d cursors", CURSORS_MAX);
		known = &objects->cursors[objects->cursors_count++];
		memcpy(known->name, name, strlen(name) + 1);
	}
	known->cursor = *cursor;
	known->dirty = true;
	objects_flow_schedule(objects);
	return 0;
}
