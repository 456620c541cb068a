/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_EVAL_H
#define COHORT_EVAL_H

/* A query in one read transaction: expression to set, and sets from level to level. */

#include "carriers.h"
#include "set.h"
#include "store.h"

#define EVAL_POOL 8
#define KIND_ANY (-1)

/* Where an expression is evaluated.  Patients, studies, series and instances are one line from
 * coarse to fine; entries are below the patient, beside that line. */
struct context {
	enum term_level level;
	int kind; /* of entries: what the nearest `same` is about, or KIND_ANY */
	enum term_level
	    scope; /* of `at least`: TERM_STUDY inside `same study`, else TERM_PATIENT */
};

struct eval {
	const struct index *index;
	MDB_txn *txn;
	MDB_cursor *postings, *columns;
	struct counters counters;
	const struct index_asking *asking;               /* may be NULL */
	const Cairn__Expression *variants[CARRIERS_MAX]; /* answered by a connector as well */
	size_t variant_count;
	size_t bytes, bytes_max;   /* sets in use, and how much they may use */
	uint64_t *pool[EVAL_POOL]; /* of sets no longer used, all of the size below */
	size_t pool_count, pool_blocks;
	struct cairn_error *err;
};

int eval_begin(struct eval *eval, struct index *index, const struct index_asking *asking,
    struct cairn_error *err);
void eval_end(struct eval *eval);

/* CAIRN_ECANCELLED when the asker has gone. */
int eval_cancelled(const struct eval *eval);

/* Memory beside sets, within the same limit; zeroed.  NULL with words in `err`. */
void *eval_memory(struct eval *eval, size_t count, size_t size);
void eval_memory_free(struct eval *eval, void *memory, size_t count, size_t size);

/* An empty set over the entities of a level; eval_set_free() accepts what was never made. */
int eval_set_new(struct eval *eval, enum term_level level, struct set *ret);
void eval_set_free(struct eval *eval, struct set *set);

/* ---- leaf.c: these add to `set` ----------------------------------------------------------- */

int eval_range(struct eval *eval, struct set *set, uint16_t attribute, enum term_level level,
    uint64_t low, uint64_t high);
int eval_universe(struct eval *eval, struct set *set, enum term_level level);
/* Entries of a kind; KIND_ANY: all. */
int eval_kind(struct eval *eval, struct set *set, int kind);
int eval_leaf(
    struct eval *eval, const Cairn__Leaf *leaf, const struct context *at, struct set *set);
/* The finest level of images at which the leaf's attribute was ever stated; CAIRN_EUNSUPPORTED when
 * there is no such attribute with values of this type. */
int eval_leaf_level(struct eval *eval, const Cairn__Leaf *leaf, enum term_level *ret);
/* exists asks for any type, every other operator for that of its values. */
bool eval_asks_for(const Cairn__Leaf *leaf, enum term_type type);
/* The kind of entries that an attribute of the language's table is about; KIND_ANY otherwise. */
int eval_attribute_kind(const char *attribute);

/* ---- values.c ----------------------------------------------------------------------------- */

/* Adds the entities that have a value of the attribute that is like a pattern, or under a code. */
int eval_like(struct eval *eval, struct set *set, const Cairn__Leaf *leaf, uint16_t attribute,
    enum term_level level);
int eval_under(struct eval *eval, struct set *set, const Cairn__Leaf *leaf, uint16_t attribute,
    enum term_level level);

/* ---- levels.c ----------------------------------------------------------------------------- */

/* Carries a set from its level to another one: to parents, those that contain a member; to
 * children, those that a member contains.  eval_move() replaces `*set`; eval_moved() leaves it and
 * makes a copy when the levels are equal. */
int eval_moved(struct eval *eval, const struct set *set, enum term_level from, enum term_level to,
    struct set *ret);
int eval_move(struct eval *eval, struct set *set, enum term_level from, enum term_level to);
/* How many instances the members of a set of series have. */
int eval_instances(struct eval *eval, const struct set *series, uint64_t *ret);

/* A column, read where it lies: `*chunk` is valid until the next call or the end. */
struct column_reader {
	uint32_t loaded; /* STORE_NONE at first */
	const uint8_t *chunk;
};

int eval_column(struct eval *eval, struct column_reader *reader, enum store_column column,
    uint32_t id, uint32_t *ret);

/* ---- within.c, least.c -------------------------------------------------------------------- */

/* The image level of WITHIN's answer: TERM_STUDY when its first operand selects studies. */
int eval_within_level(struct eval *eval, const Cairn__Expression *node, enum term_level *ret);
int eval_within(
    struct eval *eval, const Cairn__Expression *node, const struct context *at, struct set *ret);
int eval_at_least(
    struct eval *eval, const Cairn__Expression *node, const struct context *at, struct set *ret);
/* The level at which AT_LEAST counts: a study where it stands in one, else the patient. */
enum term_level eval_at_least_level(const Cairn__Expression *node, enum term_level scope);

/* ---- carriers.c --------------------------------------------------------------------------- */

/* Finds the parts that `asking` has carriers of. */
void eval_use_carriers(struct eval *eval, const Cairn__Expression *expression);
/* Adds the carriers of such a part, at a level. */
int eval_carriers(
    struct eval *eval, const Cairn__Expression *node, enum term_level level, struct set *set);

/* ---- eval.c, query.c ---------------------------------------------------------------------- */

/* TERM_ENTRY and its kind, or TERM_STUDY, TERM_SERIES. */
enum term_level eval_entity(const char *entity, int *ret_kind);

/* Attributes in reading order, each once, that cannot be evaluated. */
int eval_criteria(struct eval *eval, const Cairn__Expression *expression, struct index_count *ret);

/* The set of `expression` in a context.  On failure there is no set. */
int eval_in(struct eval *eval, const Cairn__Expression *expression, const struct context *at,
    struct set *ret);

/* The set of `expression` at a level that is `level` or coarser; then the members' descendants at
 * `level` are the answer.  On failure there is no set. */
int eval_expression(struct eval *eval, const Cairn__Expression *expression, enum term_level level,
    enum term_level *ret_level, struct set *ret);

/* How many distinct patients a set has. */
int eval_patients(struct eval *eval, const struct set *set, enum term_level level, uint64_t *ret);
/* Ends the query; an error without words gets some. */
int eval_finish(struct eval *eval, int code, struct index_count *ret);

#endif
