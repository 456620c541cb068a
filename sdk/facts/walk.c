/* SPDX-License-Identifier: Apache-2.0 */
/* All that is kept, a slice of the patients at a time, for an index that has none of it. */
#include <stdlib.h>
#include <string.h>

#include "private.h"

#define SLICE_PATIENTS 256
#define SLICE_BYTES ((size_t)1 << 20)
#define BODY_BYTES ((size_t)1 << 20)
#define BODY_MAX ((size_t)4 << 20)

/* Begins another job when the last one is full. */
static int
body_for(struct facts *facts, size_t length, struct buf **ret)
{
	struct facts_sender *sender = &facts->sender;
	struct buf *body = sender->body_count == 0 ? NULL : &sender->bodies[sender->body_count - 1];

	if (body != NULL && body->length + length <= BODY_BYTES) {
		*ret = body;
		return 0;
	}
	if (sender->body_count == SENDER_JOBS_MAX)
		return CAIRN_ELIMIT;
	body = &sender->bodies[sender->body_count++];
	buf_init(body, BODY_MAX);
	*ret = body;
	return wire_put_bytes(body, 1, facts->source, strlen(facts->source));
}

static int
tell(void *arg, const struct buf *message, struct cairn_error *err)
{
	struct buf *body;
	int code = body_for(arg, message->length, &body);

	if (code == 0)
		code = wire_put_bytes(body, 3, message->data, message->length);
	return code == 0
	    ? 0
	    : cairn_error_set(err, code, "handing over again: %s", cairn_code_text(code));
}

static int
tell_patient(struct facts *facts, MDB_txn *txn, const char *patient, struct cairn_error *err)
{
	static const struct record nothing = {0};
	const struct record_difference difference = {
	    .patient = patient, .chunk = FACTS_CHUNK, .tell = tell, .arg = facts};
	struct facts_parts *parts = malloc(sizeof *parts);
	struct record record = {0};
	int code;

	if (parts == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	code = parts_read(facts, txn, patient, parts, err);
	if (code == 0)
		code = parts_join(parts, &record, err);
	if (code == 0)
		code = record_differ(&nothing, &record, &difference, err);
	record_fini(&record);
	free(parts);
	return code;
}

/* The first patient behind `cursor`, into it. */
static int
next_patient(
    struct facts *facts, MDB_txn *txn, char cursor[FACTS_PATIENT_MAX + 1], struct cairn_error *err)
{
	char behind[FACTS_PATIENT_MAX + 2];
	size_t length = strlen(cursor), name;
	MDB_val key = {length + 1, behind}, value;
	MDB_cursor *at;
	int rc = mdb_cursor_open(txn, facts->said, &at);

	if (rc != 0)
		return store_error(rc, "reading what was stated", err);
	memcpy(behind, cursor, length);
	behind[length] = 1; /* behind all keys that go on with the zero */
	rc = mdb_cursor_get(at, &key, &value, length == 0 ? MDB_FIRST : MDB_SET_RANGE);
	mdb_cursor_close(at);
	if (rc == MDB_NOTFOUND)
		return CAIRN_ENOTFOUND;
	if (rc != 0)
		return store_error(rc, "reading what was stated", err);
	name = strnlen(key.mv_data, key.mv_size);
	if (name == key.mv_size || name > FACTS_PATIENT_MAX)
		return cairn_error_set(err, CAIRN_ECORRUPT, "a kept statement has no readable key");
	memcpy(cursor, key.mv_data, name + 1);
	return 0;
}

/* Which index it is for, and how much there is; `complete` on the last. */
static int
label(struct facts *facts)
{
	struct facts_sender *sender = &facts->sender;
	const char *index = sender->index;
	int code = 0;

	for (size_t i = 0; code == 0 && i < sender->body_count; i++) {
		struct buf *body = &sender->bodies[i];

		code = wire_put_bytes(body, 4, index, strlen(index));
		if (code == 0)
			code = wire_put_number(body, 5, facts->totals.patients);
		if (code == 0 && sender->complete && i == sender->body_count - 1)
			code = wire_put_number(body, 6, 1);
	}
	return code;
}

int
walk_gather(struct facts *facts, MDB_txn *txn, struct cairn_error *err)
{
	struct facts_sender *sender = &facts->sender;
	struct buf *body;
	size_t count = 0, bytes = 0;
	int code = 0;

	memcpy(sender->reached, sender->from, sizeof sender->reached);
	while (code == 0 && count++ < SLICE_PATIENTS && bytes < SLICE_BYTES) {
		code = next_patient(facts, txn, sender->reached, err);
		if (code == 0)
			code = tell_patient(facts, txn, sender->reached, err);
		bytes = 0;
		for (size_t i = 0; i < sender->body_count; i++)
			bytes += sender->bodies[i].length;
	}
	sender->complete = code == CAIRN_ENOTFOUND;
	if (code == CAIRN_ENOTFOUND)
		code = body_for(facts, 0, &body);
	if (code == 0)
		code = label(facts);
	return code;
}
