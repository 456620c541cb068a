/* SPDX-License-Identifier: Apache-2.0 */
/* Names, records, attributes, values and columns: keys and layouts. */
#include "store.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "cohort/expr.h"

/* ---- names ------------------------------------------------------------------------------- */

static size_t
name_key(enum term_level level, uint32_t parent, const char *name, uint8_t *ret)
{
	uint32_t big = htobe32(parent);
	size_t length = strnlen(name, INDEX_NAME_MAX);

	ret[0] = (uint8_t)level;
	memcpy(ret + 1, &big, sizeof big);
	memcpy(ret + 5, name, length);
	return 5 + length;
}

int
name_find(const struct index *index, MDB_txn *txn, enum term_level level, uint32_t parent,
    const char *name, uint32_t *ret)
{
	uint8_t key[STORE_NAME_KEY_MAX];
	MDB_val value;
	int code =
	    store_get(txn, index->names, key, name_key(level, parent, name, key), &value, NULL);

	if (code != 0)
		return code;
	if (value.mv_size != sizeof *ret)
		return CAIRN_ECORRUPT;
	memcpy(ret, value.mv_data, sizeof *ret);
	return 0;
}

int
name_put(const struct index *index, MDB_txn *txn, enum term_level level, uint32_t parent,
    const char *name, uint32_t id)
{
	uint8_t key[STORE_NAME_KEY_MAX];
	MDB_val value = {sizeof id, &id};

	return store_put(txn, index->names, key, name_key(level, parent, name, key), &value, NULL);
}

int
name_delete(const struct index *index, MDB_txn *txn, enum term_level level, uint32_t parent,
    const char *name)
{
	uint8_t key[STORE_NAME_KEY_MAX];

	return store_delete(txn, index->names, key, name_key(level, parent, name, key), NULL);
}

int
name_each(const struct index *index, MDB_txn *txn, enum term_level level, uint32_t parent,
    MDB_cursor **cursor, uint32_t *ret)
{
	uint8_t prefix[STORE_NAME_KEY_MAX];
	size_t length = name_key(level, parent, "", prefix);
	MDB_val key = {length, prefix}, value;
	bool first = *cursor == NULL;
	int rc = first ? mdb_cursor_open(txn, index->names, cursor) : 0;

	if (rc == 0)
		rc = mdb_cursor_get(*cursor, &key, &value, first ? MDB_SET_RANGE : MDB_NEXT);
	if (rc == MDB_NOTFOUND)
		return CAIRN_ENOTFOUND;
	if (rc != 0)
		return store_error(rc, "reading the cohort index", NULL), CAIRN_EIO;
	if (key.mv_size < length || memcmp(key.mv_data, prefix, length) != 0)
		return CAIRN_ENOTFOUND;
	if (value.mv_size != sizeof *ret)
		return CAIRN_ECORRUPT;
	memcpy(ret, value.mv_data, sizeof *ret);
	return 0;
}

/* ---- aliases ----------------------------------------------------------------------------- */

int
alias_get(const struct index *index, MDB_txn *txn, const char *name, struct alias_record *ret,
    char ret_name[INDEX_NAME_MAX + 1])
{
	MDB_val value;
	size_t length;
	int code = store_get(txn, index->aliases, name, strlen(name), &value, NULL);

	if (code != 0)
		return code;
	if (value.mv_size < sizeof *ret || value.mv_size - sizeof *ret > INDEX_NAME_MAX)
		return CAIRN_ECORRUPT;
	length = value.mv_size - sizeof *ret;
	memcpy(ret, value.mv_data, sizeof *ret);
	memcpy(ret_name, (const char *)value.mv_data + sizeof *ret, length);
	ret_name[length] = 0;
	return 0;
}

int
alias_put(const struct index *index, MDB_txn *txn, const char *name,
    const struct alias_record *record, const char *successor)
{
	uint8_t bytes[sizeof *record + INDEX_NAME_MAX];
	size_t length = strnlen(successor, INDEX_NAME_MAX);
	MDB_val value = {sizeof *record + length, bytes};

	memcpy(bytes, record, sizeof *record);
	memcpy(bytes + sizeof *record, successor, length);
	return store_put(txn, index->aliases, name, strlen(name), &value, NULL);
}

/* A replaced pseudonym's successor may be replaced in turn, but never by itself. */
int
alias_find(const struct index *index, MDB_txn *txn, const struct counters *counters,
    const char *name, char ret[INDEX_NAME_MAX + 1], int64_t *ret_days)
{
	struct alias_record record;
	int64_t days = 0;
	int code = 0;

	snprintf(ret, INDEX_NAME_MAX + 1, "%s", name);
	for (uint32_t i = 0; i < counters->aliases && code == 0; i++) {
		code = alias_get(index, txn, ret, &record, ret);
		if (code == 0)
			days += record.days;
	}
	if (code != 0 && code != CAIRN_ENOTFOUND)
		return code;
	if (ret_days != NULL)
		*ret_days = days;
	return 0;
}

/* ---- records ----------------------------------------------------------------------------- */

static void
record_key(enum term_level level, uint32_t id, uint8_t ret[5])
{
	uint32_t big = htobe32(id);

	ret[0] = (uint8_t)level;
	memcpy(ret + 1, &big, sizeof big);
}

int
record_get(const struct index *index, MDB_txn *txn, enum term_level level, uint32_t id,
    void *ret_fixed, size_t size, char name[INDEX_NAME_MAX + 1])
{
	uint8_t key[5];
	MDB_val value;
	int code;

	record_key(level, id, key);
	code = store_get(txn, index->records, key, sizeof key, &value, NULL);
	if (code != 0)
		return code;
	if (value.mv_size < size || value.mv_size - size > INDEX_NAME_MAX)
		return CAIRN_ECORRUPT;
	memcpy(ret_fixed, value.mv_data, size);
	if (name != NULL) {
		memcpy(name, (const char *)value.mv_data + size, value.mv_size - size);
		name[value.mv_size - size] = 0;
	}
	return 0;
}

/* wide: where a record goes, and its two parts */
int
record_put(const struct index *index, MDB_txn *txn, enum term_level level, uint32_t id,
    const void *fixed, size_t size, const char *name)
{
	uint8_t key[5], bytes[sizeof(struct instance_record) + INDEX_NAME_MAX];
	size_t length = strnlen(name, INDEX_NAME_MAX);
	MDB_val value = {size + length, bytes};

	record_key(level, id, key);
	memcpy(bytes, fixed, size);
	memcpy(bytes + size, name, length);
	return store_put(txn, index->records, key, sizeof key, &value, NULL);
}

int
record_delete(const struct index *index, MDB_txn *txn, enum term_level level, uint32_t id)
{
	uint8_t key[5];

	record_key(level, id, key);
	return store_delete(txn, index->records, key, sizeof key, NULL);
}

/* ---- attributes and values --------------------------------------------------------------- */

static size_t
attribute_key(enum term_type type, const char *name, uint8_t ret[1 + COHORT_NAME_MAX])
{
	size_t length = strnlen(name, COHORT_NAME_MAX);

	ret[0] = (uint8_t)type;
	memcpy(ret + 1, name, length);
	return 1 + length;
}

int
attribute_find(const struct index *index, MDB_txn *txn, enum term_type type, const char *name,
    struct attribute_record *ret)
{
	uint8_t key[1 + COHORT_NAME_MAX];
	MDB_val value;
	int code =
	    store_get(txn, index->attributes, key, attribute_key(type, name, key), &value, NULL);

	if (code != 0)
		return code;
	if (value.mv_size != sizeof *ret)
		return CAIRN_ECORRUPT;
	memcpy(ret, value.mv_data, sizeof *ret);
	return 0;
}

int
attribute_put(const struct index *index, MDB_txn *txn, enum term_type type, const char *name,
    const struct attribute_record *record)
{
	uint8_t key[1 + COHORT_NAME_MAX];
	MDB_val value = {sizeof *record, (void *)(uintptr_t)record};

	return store_put(txn, index->attributes, key, attribute_key(type, name, key), &value, NULL);
}

size_t
value_key(uint16_t attribute, const char *text, uint8_t *ret)
{
	uint16_t big = htobe16(attribute);
	size_t length = strlen(text);

	if (length > INDEX_TEXT_MAX)
		return 0;
	memcpy(ret, &big, sizeof big);
	for (size_t i = 0; i < length; i++)
		ret[2 + i] = (uint8_t)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
	return 2 + length;
}

int
value_find(
    const struct index *index, MDB_txn *txn, uint16_t attribute, const char *text, uint32_t *ret)
{
	uint8_t key[STORE_VALUE_KEY_MAX];
	size_t length = value_key(attribute, text, key);
	MDB_val value;
	int code = length == 0 ? CAIRN_ENOTFOUND
			       : store_get(txn, index->values, key, length, &value, NULL);

	if (code != 0)
		return code;
	if (value.mv_size < sizeof *ret)
		return CAIRN_ECORRUPT;
	memcpy(ret, value.mv_data, sizeof *ret);
	return 0;
}

int
value_put(
    const struct index *index, MDB_txn *txn, uint16_t attribute, const char *text, uint32_t value)
{
	uint8_t key[STORE_VALUE_KEY_MAX], stored[sizeof value + INDEX_TEXT_MAX];
	size_t length = value_key(attribute, text, key),
	       text_length = strnlen(text, INDEX_TEXT_MAX);
	MDB_val bytes = {sizeof value + text_length, stored};

	memcpy(stored, &value, sizeof value);
	memcpy(stored + sizeof value, text, text_length);

	return store_put(txn, index->values, key, length, &bytes, NULL);
}

/* ---- columns ----------------------------------------------------------------------------- */

uint32_t
column_day(int64_t day)
{
	if (day < COHORT_DAY_MIN || day > COHORT_DAY_MAX)
		return STORE_NONE;
	return (uint32_t)(day - COHORT_DAY_MIN);
}

void
column_key(enum store_column column, uint32_t chunk, uint8_t ret[5])
{
	uint32_t big = htobe32(chunk);

	ret[0] = (uint8_t)column;
	memcpy(ret + 1, &big, sizeof big);
}

int
column_flush(
    const struct index *index, MDB_txn *txn, struct column_chunk *chunk, enum store_column column)
{
	uint8_t key[5];
	MDB_val value = {sizeof chunk->values, chunk->values};
	int code;

	if (!chunk->dirty)
		return 0;
	column_key(column, chunk->number, key);
	code = store_put(txn, index->columns, key, sizeof key, &value, NULL);
	if (code == 0)
		chunk->dirty = false;
	return code;
}

static int
load_chunk(const struct index *index, MDB_txn *txn, struct column_chunk *chunk,
    enum store_column column, uint32_t number)
{
	uint8_t key[5];
	MDB_val value;
	int code = chunk->number == number ? 0 : column_flush(index, txn, chunk, column);

	if (code != 0 || chunk->number == number)
		return code;
	column_key(column, number, key);
	code = store_get(txn, index->columns, key, sizeof key, &value, NULL);
	if (code == CAIRN_ENOTFOUND) {
		memset(chunk->values, column == COLUMN_SERIES_INSTANCES ? 0 : 0xff,
		    sizeof chunk->values);
	} else if (code != 0) {
		return code;
	} else if (value.mv_size != sizeof chunk->values) {
		return CAIRN_ECORRUPT;
	} else {
		memcpy(chunk->values, value.mv_data, sizeof chunk->values);
	}
	chunk->number = number;
	return 0;
}

int
column_get(const struct index *index, MDB_txn *txn, struct column_chunk *chunk,
    enum store_column column, uint32_t id, uint32_t *ret)
{
	int code = load_chunk(index, txn, chunk, column, id / COLUMN_CHUNK);

	if (code == 0)
		*ret = chunk->values[id % COLUMN_CHUNK];
	return code;
}

int
column_set(const struct index *index, MDB_txn *txn, struct column_chunk *chunk,
    enum store_column column, uint32_t id, uint32_t value)
{
	int code = load_chunk(index, txn, chunk, column, id / COLUMN_CHUNK);

	if (code != 0)
		return code;
	chunk->values[id % COLUMN_CHUNK] = value;
	chunk->dirty = true;
	return 0;
}
