/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FACTS_FACTS_H
#define FACTS_FACTS_H

/*
 * What a connector has stated about patients, and the way of it to the cohort engine.
 *
 * Statements are kept in the plugin's state folder (LMDB).  One transaction notes a statement and
 * the change that it makes; the changes are then put on the queue `facts`, in order, a batch at a
 * time, and forgotten when the kernel has them.  So
 *   - a statement that equals the kept one costs nothing, and another one is told as a change;
 *   - a plugin or kernel that is killed loses nothing that was said to be durable, and what is told
 *     twice is told with the same meaning;
 *   - when the cohort index is another one (cohort.index is asked every few seconds), all that is
 *     kept is handed over again.
 *
 * A statement belongs to a part: facts_state()'s are of the part "", a set (facts_set_begin) is a
 * part of its own that is replaced as a whole (a table, a file).  What the engine hears of a
 * patient is the union of the parts; of two parts with the same entry or the same attribute of the
 * patient the one with the name that sorts last wins.
 *
 * All functions are called from the plugin's loop and return at once; the disk is waited for on a
 * worker thread.  The manifest needs `put:facts` and `call:cohort.index`.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/plugin.h>

#include "cairn/facts.pb-c.h"

#define FACTS_PATIENT_MAX 128                   /* bytes of a pseudonym */
#define FACTS_ID_MAX 128                        /* bytes of an entry's kind, and of its id */
#define FACTS_PART_MAX 64                       /* bytes of a set's name */
#define FACTS_STATEMENT_MAX ((size_t)2 << 20)   /* packed bytes of one PatientFacts */
#define FACTS_KEPT_MAX ((size_t)16 << 20)       /* packed bytes of all about one patient */
#define FACTS_WAITING_MAX ((size_t)32 << 20)    /* packed bytes that wait for the disk */
#define FACTS_DISK_DEFAULT ((uint64_t)64 << 30) /* sparse: what is used is what it takes */

struct facts;
struct facts_set;

struct facts_options {
	const char *source; /* FactBatch.source: the plugin's name */
	const char *dir;    /* NULL: `facts` in the plugin's state folder */
	uint64_t disk_max;  /* bytes of the database; 0: FACTS_DISK_DEFAULT */
};

/* Opens and goes on with what the last run left: changes that the kernel does not have yet, a set
 * that was committed, a handing over.  CAIRN_ECORRUPT, CAIRN_EIO, CAIRN_ENOMEM, CAIRN_ELIMIT. */
int facts_open(struct facts **ret, struct cairn *cairn, const struct facts_options *options,
    struct cairn_error *err);

/* To be called once, from stop().  What waits for the disk is finished, `done` functions are called
 * and then `closed`; `facts` is gone then.  Sets must have been committed or dropped. */
void facts_close(struct facts *facts, void (*closed)(void *arg), void *arg);

/* Called once, on the loop, later: 0 when it is durable; else nothing of it was kept, and `why`
 * (for people, valid during the call) says why.  The node may still stop before the queue has it:
 * the next run puts it then. */
typedef void facts_done_fn(void *arg, int code, const char *why);

/* States all of `count` patients' facts in one durable step: all or nothing.  Copies.
 * An entry replaces the kept one of its patient, kind and id; a fact of the patient those of its
 * attribute; an observation is added unless the same one is kept.  `withdrawn` of an entry drops
 * it; `withdrawn` of a PatientFacts drops what was kept in this part and states the rest anew:
 * stating a patient whole, each time, is this with `withdrawn` set, and costs nothing when nothing
 * changed. The same patient may come more than once: in order. CAIRN_EINVAL (a field is missing or
 * too long; the message says which), CAIRN_ELIMIT (more waits for the disk than FACTS_WAITING_MAX:
 * try again from a `done`), CAIRN_ENOMEM; then `done` is not called. */
int facts_state(struct facts *facts, Cairn__PatientFacts *const *patients, size_t count,
    facts_done_fn *done, void *arg, struct cairn_error *err);

/* Takes back all that is kept of a patient, of every part. */
int facts_withdraw(struct facts *facts, const char *patient, facts_done_fn *done, void *arg,
    struct cairn_error *err);

/* `from` was `to` all along (an A40): what is kept of `from` is kept of `to`, whose own statements
 * win, and the engine hears that `to` replaces `from`; also when nothing is kept of either. */
int facts_merge(struct facts *facts, const char *from, const char *to, facts_done_fn *done,
    void *arg, struct cairn_error *err);

/* ---- sets --------------------------------------------------------------------------------- */

/* A set of any size that is stated as a whole: what is added is staged on disk, in bounded memory,
 * and counts for nothing until it is committed in one durable step; after a crash before that it is
 * dropped.  Then it is put in place of the set of that name, also by the next run: patients and
 * entries that vanished are taken back.  One at a time: CAIRN_EAGAIN while another one is being
 * staged or put in place. */
int facts_set_begin(
    struct facts_set **ret, struct facts *facts, const char *name, struct cairn_error *err);

/* As facts_state(); the same patient again adds to what was staged.  `done` says that more can be
 * added: wait for it, or be told CAIRN_ELIMIT.  A failure leaves the set to be dropped. */
int facts_set_add(struct facts_set *set, Cairn__PatientFacts *const *patients, size_t count,
    facts_done_fn *done, void *arg, struct cairn_error *err);

/* What a set would change, or has. */
struct facts_set_counts {
	uint64_t patients; /* in the set */
	uint64_t entries;  /* in the set */
	uint64_t changed;  /* patients of whom another thing is told now, or who are new */
	uint64_t gone;     /* patients of whom the set of that name no longer says anything */
};
typedef void facts_set_fn(
    void *arg, int code, const char *why, const struct facts_set_counts *counts);

/* `durable` is called as any `done`, once the set is certain to be put in place; NULL: not wanted.
 * `placed` when it is (all of its changes are on their way), with the counts; it is not called when
 * the plugin stops before.  After this the set is not to be used. */
int facts_set_commit(struct facts_set *set, facts_done_fn *durable, facts_set_fn *placed, void *arg,
    struct cairn_error *err);
void facts_set_drop(struct facts_set *set); /* also after a failure; NULL is fine */

/* The names of the sets that are in place; `next` is called for each, then once with NULL.  For
 * health and for listing. */
typedef void facts_sets_fn(void *arg, const char *name, uint64_t patients, uint64_t committed_ms);
int facts_sets(struct facts *facts, facts_sets_fn *next, void *arg, struct cairn_error *err);

/* Takes a whole set back, as an empty one in its place.  CAIRN_EAGAIN as above. */
int facts_set_withdraw(struct facts *facts, const char *name, facts_set_fn *placed, void *arg,
    struct cairn_error *err);

/* ---- how it is ------------------------------------------------------------------------------ */

struct facts_status {
	uint64_t patients;         /* of whom something is kept */
	uint64_t queued;           /* changes that the kernel does not have yet */
	bool placing;              /* a set is being put in place */
	bool again;                /* all is being handed over to a new index */
	uint64_t failing_since_ms; /* monotonic; 0: the kernel takes what it is given */
	char failure[160];
};
void facts_status_get(const struct facts *facts, struct facts_status *ret);

/* Findings about these, for a plugin's health(). */
void facts_health(const struct facts *facts, struct cairn_findings *findings);

#endif
