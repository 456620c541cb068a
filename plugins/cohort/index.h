/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_INDEX_H
#define COHORT_INDEX_H

/*
 * The cohort index: who has which fact, kept in LMDB as sets of dense entity numbers.
 *
 * Entities are patients, studies, series and instances, each with a number of its own that is never
 * used again.  A study belongs to one patient and a series to one study: the same UID under another
 * parent is another entity.  An instance is known by its UID alone; when it comes again with other
 * facts or another parent, the new statement replaces the old one.  What is known of a study, say,
 * is the union of what its present instances state about it.
 *
 * Counting at a level L: a leaf selects the L-entities that have a matching fact themselves, belong
 * to an entity that has one, or contain one that has.  and, or, xor and not are set operations
 * among the L-entities; `same study (...)` is evaluated among studies and then carried over to L.
 *
 * A patient is there with its first instance, or when a source states facts or entries of it.  The
 * facts of the patient are kept for each source; entries (conditions, observations, ...) are
 * entities below the patient, each with one statement of its source.
 *
 * One writer at a time, from any thread; readers run beside it, from any thread, and see the state
 * of the last commit.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#include "cairn/cohort.pb-c.h"
#include "cairn/facts.pb-c.h"

#define INDEX_NAME_MAX 128  /* bytes of an identifier */
#define INDEX_TEXT_MAX 256  /* bytes of a fact's text */
#define INDEX_FACTS_MAX 256 /* facts of one instance at one level */
#define INDEX_ATTRIBUTES_MAX 4096
#define INDEX_PAGE_MAX 10000 /* instances of one page of a selection */

struct index;
struct index_write;

struct index_options {
	const char *dir;    /* made when absent */
	size_t map_size;    /* bytes the index may grow to; 0 means 16 GiB */
	size_t query_bytes; /* memory one query may use; 0 means 256 MiB */
	/* Files that say which codes are below which (cohort/hierarchy.h), beside what is built in.
	 */
	const char *const *hierarchies;
	size_t hierarchy_count;
};

int index_open(struct index **ret, const struct index_options *options, struct cairn_error *err);
void index_close(struct index *index);
/* The format of the index that was found by index_open() and, because this build cannot read it,
 * discarded; 0 when there was none.  Its facts have to be handed over again. */
unsigned index_discarded(const struct index *index);

/* ---- writing ---------------------------------------------------------------------------- */

/* What became of the items of a batch. */
struct index_applied {
	uint64_t changed;
	uint64_t unchanged; /* stated before, word for word */
	uint64_t refused;   /* broken items; the others of the batch were applied */
	char reason[128];   /* why the first refused item was refused; names no patient */
};

int index_begin(struct index *index, struct index_write **ret, struct cairn_error *err);

/* Adds to `*applied`.  After an error the transaction must be aborted. */
int index_apply(struct index_write *write, const Cairn__FactBatch *batch,
    struct index_applied *applied, struct cairn_error *err);

/* CAIRN_ENOTFOUND when there is no such thing; the transaction goes on.  With a patient go all
 * images, entries and facts, whoever stated them, and the pseudonyms it had before. */
int index_erase_instance(struct index_write *write, const char *instance, struct cairn_error *err);
int index_erase_patient(struct index_write *write, const char *patient, struct cairn_error *err);

/* Both free `write`.  After a commit that returned 0 the change survives a power cut. */
int index_commit(struct index_write *write, struct cairn_error *err);
void index_abort(struct index_write *write);

/* ---- reading ---------------------------------------------------------------------------- */

/* What else a question needs; all of it may be absent, and so may the struct. */
struct index_asking {
	const atomic_bool *cancel;       /* setting it ends the query soon with CAIRN_ECANCELLED */
	const struct carriers *carriers; /* carriers.h */
};

struct index_count {
	uint64_t count;    /* entities of the level asked for */
	uint64_t patients; /* distinct patients they belong to */
	/* Attributes that cannot be evaluated here; when there are any, nothing was counted. */
	char **criteria;
	size_t criteria_count;
};

/* `expression` has passed cohort_check(). */
int index_count(struct index *index, const Cairn__Expression *expression, Cairn__Level level,
    const struct index_asking *asking, struct index_count *ret, struct cairn_error *err);
/* The same of a part of an expression (a node in its tree): what `asking` has for the whole is
 * looked up in the whole. */
int index_count_part(struct index *index, const Cairn__Expression *whole,
    const Cairn__Expression *part, Cairn__Level level, const struct index_asking *asking,
    struct index_count *ret, struct cairn_error *err);
void index_count_fini(struct index_count *count);

struct index_instance {
	const char *patient, *study, *series, *instance;
	bool has_object;
	uint8_t sha256[32];
	uint32_t segment;
	uint64_t offset, length;
};

struct index_page {
	uint64_t after;        /* in: where to begin, 0 for the first page */
	uint32_t limit;        /* in: instances at most, INDEX_PAGE_MAX at most */
	uint64_t min_patients; /* in: with fewer distinct patients in the whole selection, none */
	/* Strings live during the call.  Non-zero ends the selection with that code. */
	int (*each)(void *arg, const struct index_instance *instance);
	void *arg;
	uint64_t next; /* out: `after` of the next page, 0 when this is the last one */
	bool too_few;  /* out: min_patients was not reached; nothing was handed out */
};

/* The instances for which the expression holds at the level of instances, in the order in which
 * they came.  `ret->criteria` as above; `ret->count` and `ret->patients` of the whole selection. */
int index_select(struct index *index, const Cairn__Expression *expression,
    const struct index_asking *asking, struct index_page *page, struct index_count *ret,
    struct cairn_error *err);

struct index_stats {
	uint64_t entities[4]; /* present now, by level */
	uint64_t entries;     /* of patients' records */
	uint64_t used_bytes;  /* of the map */
};

int index_stats(struct index *index, struct index_stats *ret, struct cairn_error *err);

#endif
