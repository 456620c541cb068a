/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FACTS_PRIVATE_H
#define FACTS_PRIVATE_H

/*
 * The parts of the library:
 *
 *   check.c record.c difference.c wire.c   what is said of a patient, as bytes; no disk
 *   store.c apply.c                        the database; what a statement changes in it
 *   work.c                                 steps on a worker thread, many in one transaction
 *   state.c set.c place.c                  statements; sets: staged, committed, put in place
 *   sender.c walk.c                        to the queue; all of it for a new index
 *   consumer.c                             which index that is
 *   facts.c                                open, close, how it is
 *
 * Tables: `said` (patient, 0, part -> record), `parts` (part, 0, patient -> generation), `stage`
 * (patient -> record), `queue` (number -> PatientFacts to be told), `meta`.
 */

#include <lmdb.h>
#include <uv.h>

#include "facts.h"
#include "record.h"

#define FACTS_IDENTITY_DIGITS 16
#define FACTS_KEY_MAX (FACTS_PATIENT_MAX + FACTS_PART_MAX + 1)
#define FACTS_PARTS_MAX 256             /* with something about one patient */
#define FACTS_CHUNK ((size_t)512 << 10) /* of what is told at once about one patient */

/* One step on the worker thread.  `run` may be called again after its transaction was given up.
 * `after` is called on the loop and may free the step. */
struct facts_step {
	struct facts_step *next;
	int (*run)(struct facts *facts, MDB_txn *txn, struct facts_step *step);
	void (*after)(struct facts *facts, struct facts_step *step);
	int code;
	struct cairn_error err;
};

/* Kept in `meta`, written with each transaction that changes it. */
struct facts_totals {
	uint32_t format, reserved;
	uint64_t patients; /* of whom something is kept */
	uint64_t next;     /* number of the next change in `queue` */
	uint64_t queued;
	uint64_t generation;                  /* of the last set */
	char identity[FACTS_IDENTITY_DIGITS]; /* of this database, for the jobs' keys */
};

/* What is under way to the kernel. */
#define SENDER_JOBS_MAX 48 /* a patient of FACTS_KEPT_MAX fits */
struct facts_sender {
	uv_timer_t timer;
	struct facts_step gather, forget;
	struct buf bodies[SENDER_JOBS_MAX];
	size_t body_count;
	bool busy, complete;
	bool walk_wanted, walk_next, walking;
	uint64_t first, last; /* numbers in `queue` */
	uint64_t slice;       /* of a walk */
	/* Of a walk: for which index, behind which patient, and where it is when the kernel has
	 * what is under way.  `cursor` is the loop's; the others stand still while something is. */
	char index[FACTS_IDENTITY_DIGITS + 1];
	char cursor[FACTS_PATIENT_MAX + 1], from[FACTS_PATIENT_MAX + 1];
	char reached[FACTS_PATIENT_MAX + 1];
	uint64_t failing_since_ms;
	char failure[160];
};

struct facts_consumer {
	uv_timer_t timer;
	struct facts_step note;
	bool noting, first, again;
	bool nothing; /* is kept: nothing has to be handed over */
	unsigned retry_ms;
	char heard[FACTS_IDENTITY_DIGITS + 1]; /* stands still while it is noted */
	char begun[FACTS_IDENTITY_DIGITS + 1]; /* the index that is getting all */
	char has[FACTS_IDENTITY_DIGITS + 1];   /* the index that has got it */
};

/* In `meta`: "place", the set that is to be put in place; "set", 0, NAME, one that is. */
struct place_note {
	uint64_t generation, committed_ms;
	struct facts_set_counts counts;
	char name[FACTS_PART_MAX + 8];
};
struct set_note {
	uint64_t generation, committed_ms, patients;
};

/* The set that is being put in place. */
struct facts_place {
	struct facts_step step;
	bool under_way, vanishing;
	uint64_t generation, committed_ms;
	char name[FACTS_PART_MAX + 1];
	char cursor[FACTS_PATIENT_MAX + 1];
	struct facts_set_counts counts;
	/* The worker's: what is so when its slice is committed. */
	bool slice_vanishing, slice_finished;
	char slice_cursor[FACTS_PATIENT_MAX + 1];
	struct facts_set_counts slice;
	facts_set_fn *placed;
	void *arg;
};

struct facts {
	struct cairn *cairn;
	char source[64];
	MDB_env *env;
	MDB_dbi said, parts, stage, queue, meta;

	struct facts_step *waiting, **waiting_end; /* for the next turn of the worker */
	struct facts_step *turn;
	bool working;
	size_t waiting_bytes;

	/* The worker's, while it works; `shown` is the loop's copy. */
	struct facts_totals totals, shown;
	bool totals_dirty, stage_bad;

	struct facts_set *set; /* being staged */
	struct facts_place place;
	struct facts_sender sender;
	struct facts_consumer consumer;

	uv_timer_t retry;           /* of a turn for which there was no worker */
	void (*between)(void *arg); /* tests: after each turn of the worker */
	void *between_arg;
	bool closing, retry_closed, closed;
	unsigned handles, calls; /* open, and awaited */
	void (*on_closed)(void *arg);
	void *closed_arg;
};

/* ---- store.c ------------------------------------------------------------------------------ */

int store_open(struct facts *facts, const char *dir, uint64_t disk_max, struct cairn_error *err);
int store_error(int rc, const char *doing, struct cairn_error *err);
/* CAIRN_ENOTFOUND without words where there is none. */
int store_get(MDB_txn *txn, MDB_dbi dbi, const void *key, size_t length, MDB_val *ret,
    struct cairn_error *err);
int store_put(MDB_txn *txn, MDB_dbi dbi, const void *key, size_t length, const void *value,
    size_t value_length, struct cairn_error *err);
int store_delete(
    MDB_txn *txn, MDB_dbi dbi, const void *key, size_t length, struct cairn_error *err);
int state_pack(struct facts *facts, Cairn__PatientFacts *const *patients, size_t count,
    struct buf *ret, struct cairn_error *err); /* state.c: framed */
int store_totals_write(struct facts *facts, MDB_txn *txn, struct cairn_error *err);
/* "a", 0, "b"; returns its length. */
size_t store_pair(char ret[FACTS_KEY_MAX], const char *a, const char *b);
/* Text behind the zero of such a key into `ret`; CAIRN_ECORRUPT. */
int store_second(const MDB_val *key, size_t first_length, char *ret, size_t size);
/* Appends a change to `queue`. */
int store_tell(
    struct facts *facts, MDB_txn *txn, const void *bytes, size_t length, struct cairn_error *err);
void store_number(uint8_t ret[8], uint64_t number);
uint64_t store_number_get(const MDB_val *key);
int store_meta_text(struct facts *facts, MDB_txn *txn, const char *name, char *ret, size_t size,
    struct cairn_error *err); /* "" where there is none */

/* ---- apply.c ------------------------------------------------------------------------------ */

struct facts_change {
	const char *patient;
	const char *part;
	const void *bytes; /* packed PatientFacts; NULL for none */
	size_t length;
	bool whole; /* what the part had goes */
	bool under; /* what the part had wins */
	bool again; /* `bytes` has one item, which is told in any case */
};

/* Notes what is said now and the change that it makes; `*ret_changed` when there is one. */
int apply_change(struct facts *facts, MDB_txn *txn, const struct facts_change *change,
    bool *ret_changed, struct cairn_error *err);

/* What is kept of a patient.  Bytes are the database's: valid until something is written. */
struct facts_parts {
	size_t count;
	struct facts_part {
		char name[FACTS_PART_MAX + 1];
		MDB_val bytes;
	} parts[FACTS_PARTS_MAX];
};
int parts_read(struct facts *facts, MDB_txn *txn, const char *patient, struct facts_parts *ret,
    struct cairn_error *err);
/* All parts as one record, settled. */
int parts_join(const struct facts_parts *parts, struct record *record, struct cairn_error *err);

int apply_withdraw(struct facts *facts, MDB_txn *txn, const char *patient, struct cairn_error *err);
int apply_merge(
    struct facts *facts, MDB_txn *txn, const char *from, const char *to, struct cairn_error *err);

/* ---- work.c ------------------------------------------------------------------------------- */

void work_add(struct facts *facts, struct facts_step *step);
/* Ends the closing of `facts` when nothing is under way any more. */
void work_rest(struct facts *facts);
void work_close_timer(struct facts *facts, uv_timer_t *timer);
void facts_free(struct facts *facts); /* facts.c */

/* ---- set.c, place.c, sender.c, walk.c, consumer.c ---------------------------------------------
 */

/* A 4-byte length, then the bytes: how messages lie one behind the other in a buffer. */
int framed_put(struct buf *buf, const void *bytes, size_t length);
/* The next one behind `*at`; false at the end. */
bool framed_next(const struct buf *buf, size_t *at, struct record_span *ret);

int place_resume(struct facts *facts, struct cairn_error *err);
void place_begin(struct facts *facts);
int place_clear_stage(struct facts *facts, MDB_txn *txn, struct facts_step *step);

void sender_open(struct facts *facts);
void sender_close(struct facts *facts);
void sender_kick(struct facts *facts); /* there may be changes, or a walk */
void sender_start_timer(struct facts *facts, unsigned ms);
/* Fills the bodies with what is kept, from the cursor on. */
int walk_gather(struct facts *facts, MDB_txn *txn, struct cairn_error *err);

int consumer_open(struct facts *facts, struct cairn_error *err);
void consumer_close(struct facts *facts);
void consumer_complete(struct facts *facts); /* the kernel has all of it */

#endif
