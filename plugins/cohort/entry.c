/* SPDX-License-Identifier: Apache-2.0 */
#include "entry.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>

#define KEY_MAX (4 + 2 + ENTRY_DIGEST)

int
entry_digest(const char *kind, const char *id, uint8_t ret[ENTRY_DIGEST])
{
	uint8_t bytes[16 + 1 + INDEX_NAME_MAX], digest[SHA256_DIGEST_LENGTH];
	size_t kind_length = strnlen(kind, 16), id_length = strnlen(id, INDEX_NAME_MAX);

	memcpy(bytes, kind, kind_length);
	bytes[kind_length] = 0;
	memcpy(bytes + kind_length + 1, id, id_length);
	if (SHA256(bytes, kind_length + 1 + id_length, digest) == NULL)
		return CAIRN_EINTERNAL;
	memcpy(ret, digest, ENTRY_DIGEST);
	return 0;
}

/* ---- keys -------------------------------------------------------------------------------- */

static size_t
pack_key(const struct entry_key *key, uint8_t ret[KEY_MAX])
{
	uint32_t patient = htobe32(key->patient);
	uint16_t source = htobe16(key->source);

	memcpy(ret, &patient, sizeof patient);
	memcpy(ret + 4, &source, sizeof source);
	if (!key->has_digest)
		return 6;
	memcpy(ret + 6, key->digest, ENTRY_DIGEST);
	return KEY_MAX;
}

static bool
unpack_key(const MDB_val *packed, struct entry_key *ret)
{
	const uint8_t *bytes = packed->mv_data;
	uint32_t patient;
	uint16_t source;

	if (packed->mv_size != 6 && packed->mv_size != KEY_MAX)
		return false;
	memcpy(&patient, bytes, sizeof patient);
	memcpy(&source, bytes + 4, sizeof source);
	*ret = (struct entry_key){be32toh(patient), be16toh(source), packed->mv_size > 6, {0}};
	if (ret->has_digest)
		memcpy(ret->digest, bytes + 6, ENTRY_DIGEST);
	return true;
}

/* ---- values: number, kind, then facts as short as their types allow ----------------------- */

static int
pack(const struct entry *entry, struct buf *ret)
{
	int code;

	buf_clear(ret);
	code = buf_append(ret, &entry->number, sizeof entry->number);
	if (code == 0)
		code = buf_append(ret, &entry->kind, sizeof entry->kind);
	for (size_t i = 0; i < entry->count && code == 0; i++) {
		const struct fact *fact = &entry->facts[i];
		uint32_t number = (uint32_t)fact->key;

		code = buf_append(ret, &fact->attribute, sizeof fact->attribute);
		if (code == 0)
			code = TERM_TYPE(fact->attribute) == TERM_CODE
			    ? buf_append(ret, &number, sizeof number)
			    : buf_append(ret, &fact->key, sizeof fact->key);
	}
	return code;
}

static bool
unpack_fact(const uint8_t **at, const uint8_t *end, struct fact *ret)
{
	uint32_t number;
	size_t length;

	if (end - *at < 2)
		return false;
	memcpy(&ret->attribute, *at, 2);
	*at += 2;
	length = TERM_TYPE(ret->attribute) == TERM_CODE ? sizeof number : sizeof ret->key;
	if ((size_t)(end - *at) < length)
		return false;
	if (length == sizeof number) {
		memcpy(&number, *at, sizeof number);
		ret->key = number;
	} else {
		memcpy(&ret->key, *at, sizeof ret->key);
	}
	*at += length;
	return true;
}

static int
unpack(const MDB_val *value, struct entry *ret)
{
	const uint8_t *at = value->mv_data, *end = at + value->mv_size;

	if (value->mv_size < 5)
		return CAIRN_ECORRUPT;
	memcpy(&ret->number, at, sizeof ret->number);
	ret->kind = at[4];
	ret->count = 0;
	for (at += 5; at < end; ret->count++)
		if (ret->count == INDEX_FACTS_MAX ||
		    !unpack_fact(&at, end, &ret->facts[ret->count]))
			return CAIRN_ECORRUPT;
	return 0;
}

/* ---- the table --------------------------------------------------------------------------- */

int
entry_get(struct index_write *w, const struct entry_key *key, struct entry *ret)
{
	uint8_t packed[KEY_MAX];
	MDB_val value;
	int code =
	    store_get(w->txn, w->index->entries, packed, pack_key(key, packed), &value, NULL);

	return code != 0 ? code : unpack(&value, ret);
}

int
entry_put(struct index_write *w, const struct entry_key *key, const struct entry *entry)
{
	uint8_t packed[KEY_MAX];
	MDB_val value;
	int code = pack(entry, &w->statement);

	if (code != 0)
		return code;
	value = (MDB_val){w->statement.length, w->statement.data};
	return store_put(w->txn, w->index->entries, packed, pack_key(key, packed), &value, NULL);
}

int
entry_delete(struct index_write *w, const struct entry_key *key)
{
	uint8_t packed[KEY_MAX];

	return store_delete(w->txn, w->index->entries, packed, pack_key(key, packed), NULL);
}

int
entry_next(
    struct index_write *w, struct entry_key *key, uint16_t source, bool first, struct entry *ret)
{
	uint8_t packed[KEY_MAX];
	struct entry_key at = *key;
	MDB_val wanted = {pack_key(key, packed), packed}, found = wanted, value;
	int rc = mdb_cursor_get(w->entries, &found, &value, MDB_SET_RANGE);

	if (rc == 0 && !first && found.mv_size == wanted.mv_size &&
	    memcmp(found.mv_data, packed, wanted.mv_size) == 0)
		rc = mdb_cursor_get(w->entries, &found, &value, MDB_NEXT);
	if (rc == MDB_NOTFOUND)
		return CAIRN_ENOTFOUND;
	if (rc != 0)
		return CAIRN_EIO;
	if (!unpack_key(&found, &at))
		return CAIRN_ECORRUPT;
	if (at.patient != key->patient || (source != 0 && at.source != source))
		return CAIRN_ENOTFOUND;
	*key = at;
	return unpack(&value, ret);
}

int
entry_any(struct index_write *w, uint32_t patient, bool *ret)
{
	struct entry_key key = {.patient = patient};
	struct entry entry;
	int code = entry_next(w, &key, 0, true, &entry);

	if (code == 0 || code == CAIRN_ENOTFOUND)
		*ret = code == 0;
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

uint32_t
entry_day(const struct index_write *w, const struct entry *entry)
{
	uint16_t date = entry->kind < ENTRY_KINDS_MAX ? w->entry_dates[entry->kind] : 0;
	uint32_t earliest = STORE_NONE;

	for (size_t i = 0; date != 0 && i < entry->count; i++) {
		uint32_t day;

		if (entry->facts[i].attribute != date)
			continue;
		day = column_day((int64_t)term_number(entry->facts[i].key));
		if (day < earliest)
			earliest = day;
	}
	return earliest;
}

int
entry_post(struct index_write *w, const struct entry *entry, bool set)
{
	struct posting presence =
	    posting_make(TERM_UNIVERSE, TERM_ENTRY, 0, KIND_KEY(entry->kind), entry->number);
	int code = postings_change(w, &presence, set);

	for (size_t i = 0; i < entry->count && code == 0; i++)
		code = postings_change_fact(w, &entry->facts[i], TERM_ENTRY, entry->number, set);
	return code;
}

/* ---- sources and pseudonyms -------------------------------------------------------------- */

int
source_number(
    struct index_write *w, const char *name, bool images, uint16_t *ret, struct cairn_error *err)
{
	struct source_record record = {.images = images};
	MDB_val value;
	size_t length = strlen(name);
	int code;

	if (length > INDEX_NAME_MAX)
		return cairn_error_set(err, CAIRN_EINVAL, "the source's name is too long");
	/* A key cannot be empty. */
	code = length == 0 ? store_get(w->txn, w->index->sources, "?", 1, &value, err)
			   : store_get(w->txn, w->index->sources, name, length, &value, err);
	if (code != 0 && code != CAIRN_ENOTFOUND)
		return code;
	if (code == 0 && value.mv_size != sizeof record)
		return CAIRN_ECORRUPT;
	if (code == 0)
		memcpy(&record, value.mv_data, sizeof record);
	*ret = record.number;
	if (code == 0 && (record.images != 0 || !images))
		return 0;
	if (code == CAIRN_ENOTFOUND && w->counters.sources == UINT16_MAX - 1)
		return cairn_error_set(err, CAIRN_ELIMIT, "too many different sources");
	if (code == CAIRN_ENOTFOUND)
		record.number = (uint16_t)++w->counters.sources;
	record.images |= images;
	*ret = record.number;
	w->changed = true;
	value = (MDB_val){sizeof record, &record};
	return store_put(w->txn, w->index->sources, length == 0 ? "?" : name,
	    length == 0 ? 1 : length, &value, err);
}

int
alias_resolve(
    struct index_write *w, const char *name, char ret[INDEX_NAME_MAX + 1], int64_t *ret_days)
{
	return alias_find(w->index, w->txn, &w->counters, name, ret, ret_days);
}
