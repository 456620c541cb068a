/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_INDEX_H
#define OBJECTS_INDEX_H

/*
 * The LMDB index: key -> place, and how far in the log it is complete (the watermark).
 *
 * It is written seldom, in batches, by one background thread, each batch a synced transaction that
 * moves the watermark too.  An LMDB written without syncing may be damaged as a whole by a power
 * cut and has no checksums to find out; this one is always a true picture of the log up to its
 * watermark, and whatever is behind that is read from the log.
 */

#include <stdbool.h>

#include <lmdb.h>

#include "objects/segment.h"

struct objects_index;

struct index_entry {
	enum record_kind kind;
	uint32_t segment;
	uint64_t logical;  /* of the record */
	uint64_t physical; /* of the record */
	uint64_t length;
	uint8_t sha256[32];
	uint64_t target; /* blob */
};

void objects_index_entry(const struct record *record, uint32_t segment, struct index_entry *ret);
void objects_index_ref(const char *key, const struct index_entry *entry, struct objects_ref *ret);

/* `fd_dir` is OBJECTS_DIR.  A writer creates what is missing.  CAIRN_ECORRUPT when the files are no
 * usable index: throw them away (objects_index_remove) and rebuild. */
int objects_index_open(
    struct objects_index **ret, const char *dir, bool writer, struct cairn_error *err);
void objects_index_close(struct objects_index *index);
int objects_index_remove(const char *dir, struct cairn_error *err);
bool objects_index_replaced(const struct objects_index *index); /* the file was exchanged */

/* Reading; from any one thread at a time per `txn`.  Between begin and reset all answers belong to
 * one state. */
struct index_read;
int objects_index_read_new(struct objects_index *index, struct index_read **ret);
void objects_index_read_free(struct index_read *read);
int objects_index_read_begin(struct index_read *read);
void objects_index_read_end(struct index_read *read);
int objects_index_get(struct index_read *read, const char *key, struct index_entry *ret);
int objects_index_watermark(struct index_read *read, struct objects_cursor *ret);
int objects_index_cursor(struct index_read *read, const char *name, struct objects_cursor *ret);
/* 0 when the segment was never compacted. */
int objects_index_generation(struct index_read *read, uint32_t segment, uint32_t *ret);
int objects_index_dead(struct index_read *read, uint32_t segment, uint64_t *ret);
int objects_index_count(struct index_read *read, uint64_t *ret);

/* Writing: one transaction, by one thread.  All return LMDB's trouble as CAIRN_EIO, or CAIRN_ELIMIT
 * when the map is full; after a failure abort it. */
struct index_write;
int objects_index_write_begin(struct objects_index *index, struct index_write **ret);
int objects_index_put(struct index_write *write, const char *key, const struct index_entry *entry);
/* Removes `key` if it is in the place that `segment` and `logical` say. */
int objects_index_delete(
    struct index_write *write, const char *key, uint32_t segment, uint64_t logical);
int objects_index_look(struct index_write *write, const char *key, struct index_entry *ret);
int objects_index_set_watermark(struct index_write *write, const struct objects_cursor *watermark);
int objects_index_set_cursor(
    struct index_write *write, const char *name, const struct objects_cursor *cursor);
int objects_index_set_generation(struct index_write *write, uint32_t segment, uint32_t generation);
int objects_index_add_dead(struct index_write *write, uint32_t segment, uint64_t bytes);
int objects_index_set_dead(struct index_write *write, uint32_t segment, uint64_t bytes);
int objects_index_commit(struct index_write *write); /* gone, whatever is returned */
void objects_index_abort(struct index_write *write);

#endif
