/* SPDX-License-Identifier: Apache-2.0 */
/* The environment, and get and put with errors in words. */
#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cohort/expr.h"
#include "cohort/hierarchy.h"

#define MAP_SIZE_DEFAULT ((size_t)16 << 30)
#define QUERY_BYTES_DEFAULT ((size_t)256 << 20)

int
store_error(int rc, const char *doing, struct cairn_error *err)
{
	if (rc == MDB_MAP_FULL)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "%s: the cohort index is full; raise map_size_mb", doing);
	if (rc == ENOMEM)
		return cairn_error_set(err, CAIRN_ENOMEM, "%s: out of memory", doing);
	if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID)
		return cairn_error_set(err, CAIRN_ECORRUPT, "%s: %s", doing, mdb_strerror(rc));
	return cairn_error_set(err, CAIRN_EIO, "%s: %s", doing, mdb_strerror(rc));
}

int
store_corrupt(const char *what, struct cairn_error *err)
{
	return cairn_error_set(err, CAIRN_ECORRUPT,
	    "the cohort index is damaged (%s); stop the node, move state/cohort away and start: "
	    "it is made anew from the images held",
	    what);
}

int
store_get(MDB_txn *txn, MDB_dbi dbi, const void *key, size_t length, MDB_val *ret,
    struct cairn_error *err)
{
	MDB_val name = {length, (void *)(uintptr_t)key};
	int rc = mdb_get(txn, dbi, &name, ret);

	if (rc == MDB_NOTFOUND)
		return CAIRN_ENOTFOUND;
	return rc == 0 ? 0 : store_error(rc, "reading the cohort index", err);
}

int
store_put(MDB_txn *txn, MDB_dbi dbi, const void *key, size_t length, const MDB_val *value,
    struct cairn_error *err)
{
	MDB_val name = {length, (void *)(uintptr_t)key};
	MDB_val copy = *value;
	int rc = mdb_put(txn, dbi, &name, &copy, 0);

	return rc == 0 ? 0 : store_error(rc, "writing the cohort index", err);
}

int
store_delete(MDB_txn *txn, MDB_dbi dbi, const void *key, size_t length, struct cairn_error *err)
{
	MDB_val name = {length, (void *)(uintptr_t)key};
	int rc = mdb_del(txn, dbi, &name, NULL);

	return rc == 0 || rc == MDB_NOTFOUND ? 0 : store_error(rc, "writing the cohort index", err);
}

int
counters_read(
    const struct index *index, MDB_txn *txn, struct counters *ret, struct cairn_error *err)
{
	MDB_val value;
	int code = store_get(txn, index->meta, "counters", 8, &value, err);

	if (code == CAIRN_ENOTFOUND) {
		*ret = (struct counters){.format = STORE_FORMAT, .attributes = 1};
		return 0;
	}
	if (code != 0)
		return code;
	if (value.mv_size != sizeof *ret)
		return store_corrupt("counters", err);
	memcpy(ret, value.mv_data, sizeof *ret);
	return 0;
}

int
counters_write(const struct index *index, MDB_txn *txn, const struct counters *counters,
    struct cairn_error *err)
{
	MDB_val value = {sizeof *counters, (void *)(uintptr_t)counters};

	return store_put(txn, index->meta, "counters", 8, &value, err);
}

/* The attributes of the language are there from the start, so that asking for one that nobody has
 * stated yet is an empty answer and not an unsupported one. */
static int
put_known_attributes(struct index *index, MDB_txn *txn, struct counters *counters)
{
	const struct cohort_attribute *known;

	for (size_t i = 0; (known = cohort_attribute_at(i)) != NULL; i++) {
		struct attribute_record record;
		int code =
		    attribute_find(index, txn, (enum term_type)known->type, known->name, &record);

		if (code == CAIRN_ENOTFOUND) {
			record.id = (uint16_t)(counters->attributes++ << 2 | known->type);
			record.levels =
			    strcmp(known->name, "study_day") == 0 ? 1U << TERM_STUDY : 0;
			code = attribute_put(
			    index, txn, (enum term_type)known->type, known->name, &record);
		}
		if (code != 0)
			return code;
	}
	return 0;
}

#define TABLES 11

/* An index of another format cannot be read, and need not be: what it had can be handed over again.
 * All of it goes, and that it went is noted with its successor's identity. */
static int
discard_other_format(
    struct index *index, MDB_txn *txn, const MDB_dbi tables[TABLES], struct cairn_error *err)
{
	MDB_val value;
	uint32_t format;
	int code = store_get(txn, index->meta, "counters", 8, &value, err), rc = 0;

	if (code != 0)
		return code == CAIRN_ENOTFOUND ? 0 : code;
	if (value.mv_size < sizeof format)
		return store_corrupt("counters", err);
	memcpy(&format, value.mv_data, sizeof format);
	if (format == STORE_FORMAT)
		return 0;
	for (size_t i = 0; rc == 0 && i < TABLES; i++)
		rc = mdb_drop(txn, tables[i], 0);
	if (rc != 0)
		return store_error(rc, "discarding an index of another format", err);
	index->discarded = format;
	return identity_lost(index, txn, err);
}

static int
open_tables(struct index *index, MDB_txn *txn, struct cairn_error *err)
{
	const struct {
		const char *name;
		MDB_dbi *dbi;
	} tables[TABLES] = {{"names", &index->names}, {"records", &index->records},
	    {"statements", &index->statements}, {"entries", &index->entries},
	    {"aliases", &index->aliases}, {"columns", &index->columns},
	    {"postings", &index->postings}, {"attributes", &index->attributes},
	    {"values", &index->values}, {"sources", &index->sources}, {"meta", &index->meta}};
	MDB_dbi opened[TABLES];
	struct counters counters;
	int rc = 0, code;

	for (size_t i = 0; rc == 0 && i < TABLES; i++) {
		rc = mdb_dbi_open(txn, tables[i].name, MDB_CREATE, tables[i].dbi);
		opened[i] = *tables[i].dbi;
	}
	if (rc != 0)
		return store_error(rc, "opening the cohort index", err);
	code = discard_other_format(index, txn, opened, err);
	if (code == 0)
		code = counters_read(index, txn, &counters, err);
	if (code == 0)
		code = put_known_attributes(index, txn, &counters);
	if (code == 0)
		code = counters_write(index, txn, &counters, err);
	if (code == 0)
		code = identity_ensure(index, txn, err);
	return code;
}

static int
open_or_make(struct index *index, struct cairn_error *err)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(index->env, NULL, 0, &txn), code;

	if (rc != 0)
		return store_error(rc, "opening the cohort index", err);
	code = open_tables(index, txn, err);
	if (code != 0) {
		mdb_txn_abort(txn);
		return code;
	}
	rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : store_error(rc, "opening the cohort index", err);
}

static int
open_environment(struct index *index, const struct index_options *options, struct cairn_error *err)
{
	size_t map_size = options->map_size != 0 ? options->map_size : MAP_SIZE_DEFAULT;
	int dead, rc = mdb_env_create(&index->env);

	if (rc == 0)
		rc = mdb_env_set_mapsize(index->env, map_size);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(index->env, 16);
	if (rc == 0)
		rc = mdb_env_open(index->env, options->dir, MDB_NOTLS, 0600);
	if (rc == 0)
		rc = mdb_reader_check(index->env, &dead);
	return rc == 0 ? open_or_make(index, err)
		       : store_error(rc, "opening the cohort index", err);
}

int
index_open(struct index **ret, const struct index_options *options, struct cairn_error *err)
{
	struct index *index;
	int code = file_mkdirs(options->dir, 0700, err);

	if (code != 0)
		return code;
	index = calloc(1, sizeof *index);
	if (index == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	index->query_bytes = options->query_bytes != 0 ? options->query_bytes : QUERY_BYTES_DEFAULT;
	code =
	    hierarchy_open(&index->hierarchy, options->hierarchies, options->hierarchy_count, err);
	if (code == 0)
		code = open_environment(index, options, err);
	if (code != 0) {
		index_close(index);
		return code;
	}
	*ret = index;
	return 0;
}

unsigned
index_discarded(const struct index *index)
{
	return index->discarded;
}

void
index_close(struct index *index)
{
	if (index == NULL)
		return;
	if (index->env != NULL)
		mdb_env_close(index->env);
	hierarchy_free(index->hierarchy);
	free(index);
}
