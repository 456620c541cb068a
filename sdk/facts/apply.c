/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a statement changes.  Everything is computed first, from bytes of the database, and written
 * then: a write moves what was read.
 */
#include <stdlib.h>
#include <string.h>

#include "private.h"

#define TOLD_MAX (2 * FACTS_KEPT_MAX)

int
framed_put(struct buf *buf, const void *bytes, size_t length)
{
	uint32_t size = (uint32_t)length;
	int code = buf_append(buf, &size, sizeof size);

	return code != 0 ? code : buf_append(buf, bytes, length);
}

bool
framed_next(const struct buf *buf, size_t *at, struct record_span *ret)
{
	uint32_t size;

	if (buf->length - *at < sizeof size)
		return false;
	memcpy(&size, buf->data + *at, sizeof size);
	*ret = (struct record_span){buf->data + *at + sizeof size, size};
	*at += sizeof size + size;
	return true;
}

/* ---- the parts ------------------------------------------------------------------------------ */

static int
part_take(const MDB_val *key, const MDB_val *value, size_t patient_length,
    struct facts_parts *parts, struct cairn_error *err)
{
	struct facts_part *part = &parts->parts[parts->count];

	if (parts->count == FACTS_PARTS_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "more than %d sets state something about one patient", FACTS_PARTS_MAX);
	if (store_second(key, patient_length, part->name, sizeof part->name) != 0)
		return cairn_error_set(err, CAIRN_ECORRUPT, "a kept statement has no readable key");
	part->bytes = *value;
	parts->count++;
	return 0;
}

int
parts_read(struct facts *facts, MDB_txn *txn, const char *patient, struct facts_parts *ret,
    struct cairn_error *err)
{
	char first[FACTS_KEY_MAX];
	MDB_val key = {store_pair(first, patient, ""), first}, value;
	size_t length = strlen(patient);
	MDB_cursor *cursor;
	int code = 0, rc = mdb_cursor_open(txn, facts->said, &cursor);

	if (rc != 0)
		return store_error(rc, "reading what was stated", err);
	ret->count = 0;
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	while (rc == 0 && code == 0 && key.mv_size > length &&
	    memcmp(key.mv_data, patient, length + 1) == 0) {
		code = part_take(&key, &value, length, ret, err);
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	if (code == 0 && rc != 0 && rc != MDB_NOTFOUND)
		code = store_error(rc, "reading what was stated", err);
	return code;
}

static int
unreadable(int code, struct cairn_error *err)
{
	if (code == CAIRN_ELIMIT)
		return cairn_error_set(err, code,
		    "more than %u things are stated about one patient", RECORD_ITEMS_MAX);
	return cairn_error_set(err, code, "what was stated about a patient is not readable: %s",
	    cairn_code_text(code));
}

int
parts_join(const struct facts_parts *parts, struct record *record, struct cairn_error *err)
{
	size_t bytes = 0;

	for (size_t i = 0; i < parts->count; i++) {
		const MDB_val *value = &parts->parts[i].bytes;
		int code = record_add(record, value->mv_data, value->mv_size, (uint16_t)i, NULL);

		if (code != 0)
			return unreadable(code, err);
		bytes += value->mv_size;
	}
	if (bytes > FACTS_KEPT_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "more than %zu MiB is stated about one patient", FACTS_KEPT_MAX >> 20);
	record_settle(record);
	return 0;
}

/* ---- one change ------------------------------------------------------------------------------ */

struct applying {
	const struct facts_change *change;
	struct facts_parts parts;
	struct record own, before, now, statement;
	struct buf own_bytes; /* the part, as it is to be */
	struct buf told;      /* framed */
	bool was_empty;
};

static int
tell(void *arg, const struct buf *message, struct cairn_error *err)
{
	struct applying *applying = arg;
	int code = framed_put(&applying->told, message->data, message->length);

	return code == 0 ? 0 : cairn_error_set(err, code, "a change: %s", cairn_code_text(code));
}

/* The place of the part among the others, which are in the order of their names. */
static size_t
part_place(const struct facts_parts *parts, const char *name, bool *ret_there)
{
	size_t i = 0;

	while (i < parts->count && strcmp(parts->parts[i].name, name) < 0)
		i++;
	*ret_there = i < parts->count && strcmp(parts->parts[i].name, name) == 0;
	return i;
}

static int
make_own(struct applying *applying, const struct facts_part *had, struct cairn_error *err)
{
	const struct facts_change *change = applying->change;
	int code = 0;

	if (had != NULL && !change->whole)
		code = record_add(&applying->own, had->bytes.mv_data, had->bytes.mv_size,
		    change->under ? 1 : 0, NULL);
	if (code == 0 && change->bytes != NULL)
		code = record_add(
		    &applying->own, change->bytes, change->length, change->under ? 0 : 1, NULL);
	if (code != 0)
		return unreadable(code, err);
	record_settle(&applying->own);
	code = record_write(&applying->own, &applying->own_bytes);
	return code == 0
	    ? 0
	    : cairn_error_set(
		  err, code, "more than %zu MiB is stated about one patient", FACTS_KEPT_MAX >> 20);
}

/* Puts the part as it is to be among the others. */
static int
replace_part(struct applying *applying, size_t place, bool there, struct cairn_error *err)
{
	struct facts_parts *parts = &applying->parts;
	bool empty = applying->own_bytes.length == 0;
	size_t behind = parts->count - place - (there ? 1 : 0);

	if (!there && !empty && parts->count == FACTS_PARTS_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "more than %d sets state something about one patient", FACTS_PARTS_MAX);
	if (there && empty) {
		memmove(&parts->parts[place], &parts->parts[place + 1],
		    behind * sizeof parts->parts[0]);
		parts->count--;
	} else if (!there && !empty) {
		memmove(&parts->parts[place + 1], &parts->parts[place],
		    behind * sizeof parts->parts[0]);
		parts->count++;
	}
	if (!empty) {
		memcpy(parts->parts[place].name, applying->change->part,
		    strlen(applying->change->part) + 1);
		parts->parts[place].bytes =
		    (MDB_val){applying->own_bytes.length, applying->own_bytes.data};
	}
	return 0;
}

static int
compute(struct facts *facts, MDB_txn *txn, struct applying *applying, struct cairn_error *err)
{
	const struct facts_change *change = applying->change;
	struct record_difference difference = {
	    .patient = change->patient, .chunk = FACTS_CHUNK, .tell = tell, .arg = applying};
	size_t place;
	bool there;
	int code = parts_read(facts, txn, change->patient, &applying->parts, err);

	if (code != 0)
		return code;
	applying->was_empty = applying->parts.count == 0;
	place = part_place(&applying->parts, change->part, &there);
	code = make_own(applying, there ? &applying->parts.parts[place] : NULL, err);
	if (code == 0)
		code = parts_join(&applying->parts, &applying->before, err);
	if (code == 0)
		code = replace_part(applying, place, there, err);
	if (code == 0)
		code = parts_join(&applying->parts, &applying->now, err);
	if (code == 0 && change->again) {
		code = record_add(&applying->statement, change->bytes, change->length, 0, NULL);
		difference.again =
		    applying->statement.count == 0 ? NULL : applying->statement.items;
	}
	return code != 0 ? code
			 : record_differ(&applying->before, &applying->now, &difference, err);
}

static int
commit(struct facts *facts, MDB_txn *txn, struct applying *applying, struct cairn_error *err)
{
	const struct facts_change *change = applying->change;
	char key[FACTS_KEY_MAX];
	size_t length = store_pair(key, change->patient, change->part), at = 0;
	struct record_span message;
	bool is_empty = applying->parts.count == 0;
	int code = applying->own_bytes.length == 0
	    ? store_delete(txn, facts->said, key, length, err)
	    : store_put(txn, facts->said, key, length, applying->own_bytes.data,
		  applying->own_bytes.length, err);

	while (code == 0 && framed_next(&applying->told, &at, &message))
		code = store_tell(facts, txn, message.at, message.length, err);
	if (code == 0 && is_empty != applying->was_empty) {
		facts->totals.patients += is_empty ? UINT64_MAX : 1;
		facts->totals_dirty = true;
	}
	return code;
}

int
apply_change(struct facts *facts, MDB_txn *txn, const struct facts_change *change,
    bool *ret_changed, struct cairn_error *err)
{
	struct applying *applying = calloc(1, sizeof *applying);
	int code;

	if (applying == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	applying->change = change;
	buf_init(&applying->own_bytes, FACTS_KEPT_MAX);
	buf_init(&applying->told, TOLD_MAX);
	code = compute(facts, txn, applying, err);
	if (code == 0)
		code = commit(facts, txn, applying, err);
	if (code == 0)
		*ret_changed = applying->told.length > 0;
	record_fini(&applying->own);
	record_fini(&applying->before);
	record_fini(&applying->now);
	record_fini(&applying->statement);
	buf_fini(&applying->own_bytes);
	buf_fini(&applying->told);
	free(applying);
	return code;
}
