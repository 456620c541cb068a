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

/* 0 where the set says nothing of the patient. */
static int
generation_of(struct facts *facts, MDB_txn *txn, const char *part, const char *patient,
    uint64_t *ret, struct cairn_error *err)
{
	char key[FACTS_KEY_MAX];
	MDB_val value;
	int code = store_get(txn, facts->parts, key, store_pair(key, part, patient), &value, err);

	*ret = 0;
	if (code == 0)
		*ret = store_number_get(&value);
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

/* A set may be on its way into place: of what it said of both, the older is stale. */
static int
move_part(struct facts *facts, MDB_txn *txn, const char *from, struct facts_change *change,
    struct cairn_error *err)
{
	char key[FACTS_KEY_MAX];
	uint64_t of_from = 0, of_to = 0;
	uint8_t number[8];
	bool changed;
	int code = 0;

	if (change->part[0] != 0) {
		code = generation_of(facts, txn, change->part, from, &of_from, err);
		if (code == 0)
			code =
			    generation_of(facts, txn, change->part, change->patient, &of_to, err);
	}
	if (code != 0 || of_from < of_to)
		return code;
	change->whole = of_from > of_to;
	code = apply_change(facts, txn, change, &changed, err);
	if (code != 0 || change->part[0] == 0)
		return code;
	store_number(number, of_from);
	return store_put(txn, facts->parts, key, store_pair(key, change->part, change->patient),
	    number, sizeof number, err);
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

		code = move_part(facts, txn, from, &change, err);
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
