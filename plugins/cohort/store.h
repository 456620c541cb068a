/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_STORE_H
#define COHORT_STORE_H

/*
 * The index's tables, private to this directory.
 *
 *   names       level, parent (0 for patients and instances), identifier -> entity number
 *   records     level, entity number -> struct entity_record or instance_record, then the
 *               identifier
 *   statements  series, n -> references, then the facts: what instances of the series state
 *   entries     patient, source -> the facts of the patient that the source states;
 *               patient, source, digest of kind and id -> an entry of the record (entry.c)
 *   aliases     a pseudonym that was replaced -> struct alias_record, then its successor
 *   columns     column, chunk -> 32-bit values by entity number
 *   postings    posting_key() -> container
 *   attributes  type, name -> struct attribute_record
 *   values      attribute, folded text -> the value's number, then the text as it was first stated
 *   sources     name -> struct source_record
 *   meta        "counters" -> struct counters; "identity", "rebuild": see identity.c
 */

#include <lmdb.h>

#include "index.h"
#include "term.h"

#define STORE_FORMAT 3U
#define STORE_NONE UINT32_MAX
#define STORE_NAME_KEY_MAX (5 + INDEX_NAME_MAX)

struct counters {
	uint32_t format;
	uint32_t entities[TERM_LEVELS]; /* the next number of each level */
	uint32_t values;
	uint32_t attributes;
	uint32_t sources;
	uint32_t aliases; /* how many */
};

struct entity_record {
	uint32_t parent;
};

struct instance_record {
	uint64_t offset, length;
	uint32_t series, statement;
	uint32_t segment, has_object;
	uint8_t sha256[32];
};

struct attribute_record {
	uint16_t id;
	uint16_t levels; /* bit per term_level at which it was ever stated */
};

struct alias_record {
	int64_t days; /* to add to what is stated under it */
};

struct source_record {
	uint16_t number;
	uint16_t images; /* it has stated instances */
};

enum store_column {
	COLUMN_STUDY_PATIENT,
	COLUMN_SERIES_STUDY,
	COLUMN_INSTANCE_SERIES,
	COLUMN_SERIES_INSTANCES, /* how many */
	COLUMN_STUDY_DAY,        /* the earliest stated, see column_day() */
	COLUMN_ENTRY_PATIENT,
	COLUMN_ENTRY_DAY,
	COLUMN_PATIENT_LOW, /* a digest of the pseudonym: patients.c */
	COLUMN_PATIENT_HIGH,
	COLUMN_COUNT,
};

/* 4,080 bytes and LMDB's header fill one page exactly. */
#define COLUMN_CHUNK 1020U

struct index {
	MDB_env *env;
	MDB_dbi names, records, statements, entries, aliases, columns, postings, attributes, values;
	MDB_dbi sources, meta;
	size_t query_bytes;
	uint32_t discarded; /* format of the index that was found and made anew; 0: none */
	struct hierarchy *hierarchy;
};

/* LMDB's code as ours, with words. */
int store_error(int rc, const char *doing, struct cairn_error *err);
int store_corrupt(const char *what, struct cairn_error *err);

/* 0 or CAIRN_ENOTFOUND (err untouched), or another code with words. */
int store_get(MDB_txn *txn, MDB_dbi dbi, const void *key, size_t length, MDB_val *ret,
    struct cairn_error *err);
int store_put(MDB_txn *txn, MDB_dbi dbi, const void *key, size_t length, const MDB_val *value,
    struct cairn_error *err);
int store_delete(
    MDB_txn *txn, MDB_dbi dbi, const void *key, size_t length, struct cairn_error *err);

int counters_read(
    const struct index *index, MDB_txn *txn, struct counters *ret, struct cairn_error *err);
int counters_write(const struct index *index, MDB_txn *txn, const struct counters *counters,
    struct cairn_error *err);

/* identity.c: makes the index's identity where it has none yet. */
int identity_ensure(const struct index *index, MDB_txn *txn, struct cairn_error *err);
int identity_read(const struct index *index, MDB_txn *txn, char *ret, struct cairn_error *err);
/* Notes that an index that had facts was discarded, so that no count is given for now. */
int identity_lost(const struct index *index, MDB_txn *txn, struct cairn_error *err);

/* ---- names and records ------------------------------------------------------------------- */

int name_find(const struct index *index, MDB_txn *txn, enum term_level level, uint32_t parent,
    const char *name, uint32_t *ret);
int name_put(const struct index *index, MDB_txn *txn, enum term_level level, uint32_t parent,
    const char *name, uint32_t id);
int name_delete(const struct index *index, MDB_txn *txn, enum term_level level, uint32_t parent,
    const char *name);

/* The children of `parent` at `level`, ascending by name.  `*cursor` begins as NULL;
 * CAIRN_ENOTFOUND after the last; the caller closes the cursor. */
int name_each(const struct index *index, MDB_txn *txn, enum term_level level, uint32_t parent,
    MDB_cursor **cursor, uint32_t *ret);

/* The successor of a pseudonym, which may have one in turn.  CAIRN_ENOTFOUND: it has none. */
int alias_get(const struct index *index, MDB_txn *txn, const char *name, struct alias_record *ret,
    char ret_name[INDEX_NAME_MAX + 1]);
int alias_put(const struct index *index, MDB_txn *txn, const char *name,
    const struct alias_record *record, const char *successor);
/* The pseudonym that a patient has now, and the days to add to what is stated under `name`.
 * `ret_days` may be NULL. */
int alias_find(const struct index *index, MDB_txn *txn, const struct counters *counters,
    const char *name, char ret[INDEX_NAME_MAX + 1], int64_t *ret_days);

/* Copies the fixed part (`size` bytes) and, where `name` is not NULL, the identifier. */
int record_get(const struct index *index, MDB_txn *txn, enum term_level level, uint32_t id,
    void *ret_fixed, size_t size, char name[INDEX_NAME_MAX + 1]);
int record_put(const struct index *index, MDB_txn *txn, enum term_level level, uint32_t id,
    const void *fixed, size_t size, const char *name);
int record_delete(const struct index *index, MDB_txn *txn, enum term_level level, uint32_t id);

/* ---- attributes and values --------------------------------------------------------------- */

int attribute_find(const struct index *index, MDB_txn *txn, enum term_type type, const char *name,
    struct attribute_record *ret);
int attribute_put(const struct index *index, MDB_txn *txn, enum term_type type, const char *name,
    const struct attribute_record *record);
/* Folds ASCII case.  `ret` has room for STORE_VALUE_KEY_MAX; 0 when the text is longer than any
 * that could have been stored. */
#define STORE_VALUE_KEY_MAX (2 + INDEX_TEXT_MAX)
size_t value_key(uint16_t attribute, const char *text, uint8_t *ret);
/* Folds ASCII case.  0, CAIRN_ENOTFOUND, or another code. */
int value_find(
    const struct index *index, MDB_txn *txn, uint16_t attribute, const char *text, uint32_t *ret);
int value_put(
    const struct index *index, MDB_txn *txn, uint16_t attribute, const char *text, uint32_t value);

/* ---- columns ----------------------------------------------------------------------------- */

/* One chunk in memory: reading follows, writing collects until another chunk is wanted. */
struct column_chunk {
	uint32_t number; /* STORE_NONE: nothing loaded */
	bool dirty;
	uint32_t values[COLUMN_CHUNK];
};

/* A day as a column has it; STORE_NONE for one that no calendar has. */
uint32_t column_day(int64_t day);
void column_key(enum store_column column, uint32_t chunk, uint8_t ret[5]);
int column_get(const struct index *index, MDB_txn *txn, struct column_chunk *chunk,
    enum store_column column, uint32_t id, uint32_t *ret);
int column_set(const struct index *index, MDB_txn *txn, struct column_chunk *chunk,
    enum store_column column, uint32_t id, uint32_t value);
int column_flush(
    const struct index *index, MDB_txn *txn, struct column_chunk *chunk, enum store_column column);

#endif
