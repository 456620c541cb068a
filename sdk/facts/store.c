/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "base/file.h"
#include "base/text.h"
#include "private.h"

#define FORMAT 1
#define TOTALS "totals"

int
store_error(int rc, const char *doing, struct cairn_error *err)
{
	if (rc == MDB_MAP_FULL)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "%s: the folder of facts has reached its maximum size", doing);
	if (rc == ENOSPC)
		return cairn_error_set(err, CAIRN_EIO, "%s: the disk is full", doing);
	if (rc == ENOMEM)
		return cairn_error_set(err, CAIRN_ENOMEM, "%s: out of memory", doing);
	if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID ||
	    rc == MDB_VERSION_MISMATCH)
		return cairn_error_set(err, CAIRN_ECORRUPT, "%s: %s", doing, mdb_strerror(rc));
	return cairn_error_set(err, CAIRN_EIO, "%s: %s", doing, mdb_strerror(rc));
}

int
store_get(MDB_txn *txn, MDB_dbi dbi, const void *key, size_t length, MDB_val *ret,
    struct cairn_error *err)
{
	MDB_val name = {length, (void *)(uintptr_t)key};
	int rc = mdb_get(txn, dbi, &name, ret);

	if (rc == MDB_NOTFOUND)
		return CAIRN_ENOTFOUND;
	return rc == 0 ? 0 : store_error(rc, "reading what was stated", err);
}

int
store_put(MDB_txn *txn, MDB_dbi dbi, const void *key, size_t length, const void *value,
    size_t value_length, struct cairn_error *err)
{
	MDB_val name = {length, (void *)(uintptr_t)key};
	MDB_val bytes = {value_length, (void *)(uintptr_t)value};
	int rc = mdb_put(txn, dbi, &name, &bytes, 0);

	return rc == 0 ? 0 : store_error(rc, "keeping what is stated", err);
}

int
store_delete(MDB_txn *txn, MDB_dbi dbi, const void *key, size_t length, struct cairn_error *err)
{
	MDB_val name = {length, (void *)(uintptr_t)key};
	int rc = mdb_del(txn, dbi, &name, NULL);

	return rc == 0 || rc == MDB_NOTFOUND ? 0 : store_error(rc, "keeping what is stated", err);
}

size_t
store_pair(char ret[FACTS_KEY_MAX], const char *a, const char *b)
{
	size_t first = strlen(a), second = strlen(b);

	memcpy(ret, a, first + 1);
	memcpy(ret + first + 1, b, second);
	return first + 1 + second;
}

int
store_second(const MDB_val *key, size_t first_length, char *ret, size_t size)
{
	size_t length;

	if (key->mv_size < first_length + 1)
		return CAIRN_ECORRUPT;
	length = key->mv_size - first_length - 1;
	if (length >= size)
		return CAIRN_ECORRUPT;
	memcpy(ret, (const char *)key->mv_data + first_length + 1, length);
	ret[length] = 0;
	return 0;
}

void
store_number(uint8_t ret[8], uint64_t number)
{
	for (unsigned i = 0; i < 8; i++)
		ret[i] = (uint8_t)(number >> (8 * (7 - i)));
}

uint64_t
store_number_get(const MDB_val *key)
{
	const uint8_t *at = key->mv_data;
	uint64_t number = 0;

	for (size_t i = 0; i < 8 && i < key->mv_size; i++)
		number = number << 8 | at[i];
	return number;
}

int
store_tell(
    struct facts *facts, MDB_txn *txn, const void *bytes, size_t length, struct cairn_error *err)
{
	uint8_t key[8];
	int code;

	store_number(key, facts->totals.next);
	code = store_put(txn, facts->queue, key, sizeof key, bytes, length, err);
	if (code != 0)
		return code;
	facts->totals.next++;
	facts->totals.queued++;
	facts->totals_dirty = true;
	return 0;
}

int
store_meta_text(struct facts *facts, MDB_txn *txn, const char *name, char *ret, size_t size,
    struct cairn_error *err)
{
	MDB_val value;
	int code = store_get(txn, facts->meta, name, strlen(name), &value, err);

	if (code == CAIRN_ENOTFOUND) {
		ret[0] = 0;
		return 0;
	}
	if (code == 0 && value.mv_size >= size)
		return cairn_error_set(err, CAIRN_ECORRUPT, "the note '%s' is too long", name);
	if (code == 0) {
		memcpy(ret, value.mv_data, value.mv_size);
		ret[value.mv_size] = 0;
	}
	return code;
}

int
store_totals_write(struct facts *facts, MDB_txn *txn, struct cairn_error *err)
{
	int code = 0;

	if (facts->totals_dirty)
		code = store_put(txn, facts->meta, TOTALS, strlen(TOTALS), &facts->totals,
		    sizeof facts->totals, err);
	facts->totals_dirty = false;
	return code;
}

/* A new database has another identity, so that its jobs are not taken for those of a lost one. */
static int
totals_read(struct facts *facts, MDB_txn *txn, struct cairn_error *err)
{
	uint8_t random[FACTS_IDENTITY_DIGITS / 2];
	char digits[FACTS_IDENTITY_DIGITS + 1];
	MDB_val value;
	int code = store_get(txn, facts->meta, TOTALS, strlen(TOTALS), &value, err);

	if (code == CAIRN_ENOTFOUND) {
		if (RAND_bytes(random, sizeof random) != 1)
			return cairn_error_set(err, CAIRN_EIO, "no random numbers");
		text_hex(random, sizeof random, digits);
		facts->totals = (struct facts_totals){.format = FORMAT, .next = 1};
		memcpy(facts->totals.identity, digits, FACTS_IDENTITY_DIGITS);
		facts->totals_dirty = true;
		return store_totals_write(facts, txn, err);
	}
	if (code != 0)
		return code;
	if (value.mv_size != sizeof facts->totals)
		return cairn_error_set(err, CAIRN_ECORRUPT, "what was stated is not readable");
	memcpy(&facts->totals, value.mv_data, sizeof facts->totals);
	if (facts->totals.format != FORMAT)
		return cairn_error_set(err, CAIRN_EUNSUPPORTED,
		    "what was stated is kept in format %u, this build reads %d",
		    facts->totals.format, FORMAT);
	return 0;
}

static int
open_tables(struct facts *facts, struct cairn_error *err)
{
	const struct {
		const char *name;
		MDB_dbi *dbi;
	} tables[] = {{"said", &facts->said}, {"parts", &facts->parts}, {"stage", &facts->stage},
	    {"queue", &facts->queue}, {"meta", &facts->meta}};
	MDB_txn *txn;
	int rc = mdb_txn_begin(facts->env, NULL, 0, &txn), code;

	if (rc != 0)
		return store_error(rc, "opening what was stated", err);
	for (size_t i = 0; rc == 0 && i < sizeof tables / sizeof tables[0]; i++)
		rc = mdb_dbi_open(txn, tables[i].name, MDB_CREATE, tables[i].dbi);
	code = rc != 0 ? store_error(rc, "opening what was stated", err)
		       : totals_read(facts, txn, err);
	if (code != 0) {
		mdb_txn_abort(txn);
		return code;
	}
	rc = mdb_txn_commit(txn);
	facts->shown = facts->totals;
	return rc == 0 ? 0 : store_error(rc, "opening what was stated", err);
}

int
store_open(struct facts *facts, const char *dir, uint64_t disk_max, struct cairn_error *err)
{
	int dead, rc, code = file_mkdirs(dir, 0700, err);

	if (code != 0)
		return code;
	rc = mdb_env_create(&facts->env);
	if (rc == 0)
		rc = mdb_env_set_mapsize(facts->env, disk_max);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(facts->env, 8);
	if (rc == 0)
		rc = mdb_env_open(facts->env, dir, MDB_NOTLS, 0600);
	if (rc == 0)
		rc = mdb_reader_check(facts->env, &dead);
	return rc == 0 ? open_tables(facts, err) : store_error(rc, "opening what was stated", err);
}
