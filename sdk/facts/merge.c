/* SPDX-License-Identifier: Apache-2.0 */
/* A patient is taken back, or turns out to be another one. */
#include <stdlib.h>
#include <string.h>

#include "private.h"

/* Copies what is kept: `names` and `bytes` framed alike. */
struct copied {
	struct buf names, bytes;
	size_t count;
};

static void
copied_fini(struct copied *copied)
{
	buf_fini(&copied->names);
	buf_fini(&copied->bytes);
}

static int
copy(struct facts *facts, MDB_txn *txn, const char *patient, struct copied *ret,
    struct cairn_error *err)
{
	struct facts_parts *parts = malloc(sizeof *parts);
	int code;

	buf_init(&ret->names, FACTS_PARTS_MAX * (FACTS_PART_MAX + 8));
	buf_init(&ret->bytes, 2 * FACTS_KEPT_MAX);
	if (parts == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	code = parts_read(facts, txn, patient, parts, err);
	for (size_t i = 0; code == 0 && i < parts->count; i++) {
		const struct facts_part *part = &parts->parts[i];

		code = framed_put(&ret->names, part->name, strlen(part->name) + 1);
		if (code == 0)
			code = framed_put(&ret->bytes, part->bytes.mv_data, part->bytes.mv_size);
		ret->count++;
	}
	free(parts);
	return code;
}

/* That a set says something of a patient is noted beside it. */
static int
forget_part(struct facts *facts, MDB_txn *txn, const char *patient, const char *part,
    struct cairn_error *err)
{
	char key[FACTS_KEY_MAX];
	int code = store_delete(txn, facts->said, key, store_pair(key, patient, part), err);

	if (code == 0 && part[0] != 0)
		code = store_delete(txn, facts->parts, key, store_pair(key, part, patient), err);
	return code;
}

static int
move_part(struct facts *facts, MDB_txn *txn, const char *from, const char *to, const char *part,
    struct cairn_error *err)
{
	char key[FACTS_KEY_MAX];
	uint8_t generation[8];
	MDB_val value;
	int code;

	if (part[0] == 0)
		return 0;
	code = store_get(txn, facts->parts, key, store_pair(key, part, from), &value, err);
	if (code == CAIRN_ENOTFOUND)
		return 0;
	if (code == 0 && value.mv_size != sizeof generation)
		return cairn_error_set(err, CAIRN_ECORRUPT, "a set's generation is not readable");
	if (code != 0)
		return code;
	memcpy(generation, value.mv_data, sizeof generation);
	return store_put(
	    txn, facts->parts, key, store_pair(key, part, to), generation, sizeof generation, err);
}

int
apply_withdraw(struct facts *facts, MDB_txn *txn, const char *patient, struct cairn_error *err)
{
	BUF_AUTO message = {.max = 1024};
	struct copied kept = {0};
	struct record_span name;
	size_t at = 0;
	int code = copy(facts, txn, patient, &kept, err);

	while (code == 0 && framed_next(&kept.names, &at, &name))
		code = forget_part(facts, txn, patient, (const char *)name.at, err);
	if (code == 0 && kept.count > 0) {
		facts->totals.patients--;
		facts->totals_dirty = true;
		code = wire_put_bytes(&message, 1, patient, strlen(patient));
		if (code == 0)
			code = wire_put_number(&message, 6, 1);
		if (code == 0)
			code = store_tell(facts, txn, message.data, message.length, err);
	}
	copied_fini(&kept);
	return code;
}

static int
say_replaces(
    struct facts *facts, MDB_txn *txn, const char *from, const char *to, struct cairn_error *err)
{
	BUF_AUTO message = {.max = 1024};
	struct facts_change change = {.patient = to, .part = "", .again = true};
	bool changed;
	int code = wire_put_bytes(&message, 4, from, strlen(from));

	if (code != 0)
		return cairn_error_set(err, code, "out of memory");
	change.bytes = message.data;
	change.length = message.length;
	return apply_change(facts, txn, &change, &changed, err);
}

/* That `to` replaces `from` comes first, so that the engine has moved what it knew of `from` when
 * the rest arrives. */
int
apply_merge(
    struct facts *facts, MDB_txn *txn, const char *from, const char *to, struct cairn_error *err)
{
	struct copied kept = {0};
	struct record_span name, bytes;
	size_t at = 0, bytes_at = 0;
	int code = copy(facts, txn, from, &kept, err);

	if (code == 0)
		code = say_replaces(facts, txn, from, to, err);
	while (code == 0 && framed_next(&kept.names, &at, &name) &&
	    framed_next(&kept.bytes, &bytes_at, &bytes)) {
		struct facts_change change = {.patient = to,
		    .part = (const char *)name.at,
		    .bytes = bytes.at,
		    .length = bytes.length,
		    .under = true};
		bool changed;

		code = apply_change(facts, txn, &change, &changed, err);
		if (code == 0)
			code = move_part(facts, txn, from, to, change.part, err);
		if (code == 0)
			code = forget_part(facts, txn, from, change.part, err);
	}
	if (code == 0 && kept.count > 0) {
		facts->totals.patients--;
		facts->totals_dirty = true;
	}
	copied_fini(&kept);
	return code;
}
