/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_ANSWER_H
#define COHORT_ANSWER_H

/*
 * From the bytes of a request to the bytes of a typed answer, with disclosure control.  Runs on any
 * thread.
 *
 * min_cell: when fewer distinct patients than this stand behind the answer, at whatever level it
 * counts, it is SUPPRESSED, and zero looks like any other small number.
 * round: a count that is given is rounded to the nearest multiple, halves up.  Without min_cell a
 * small count may so become 0, like a true zero; under min_cell, where a given count is never zero,
 * it is at least one multiple.
 * difference, noise: what release.h says; then a set near one that was answered before gets that
 * one's answer, SUPPRESSED or not.
 */

#include "base/buf.h"
#include "index.h"
#include "release.h"

#define ANSWER_BYTES_MAX ((size_t)15 << 20)

struct answer_rules {
	uint32_t min_cell;          /* 0: not asked for */
	uint32_t round;             /* 0: not asked for */
	uint32_t difference, noise; /* the same; not of selections */
};

struct answer_question {
	const void *body; /* packed CountRequest or SelectRequest, from outside */
	size_t length;
	struct answer_rules rules;
	struct index_asking asking;
	struct release *release; /* may be NULL where neither difference nor noise is asked for */
};

/* Packed CountAnswer into `ret`. */
int answer_count(struct index *index, const struct answer_question *question, struct buf *ret,
    struct cairn_error *err);

/* Packed SelectAnswer.  CAIRN_EDENIED when min_cell is not reached. */
int answer_select(struct index *index, const struct answer_question *question, struct buf *ret,
    struct cairn_error *err);

/* Packed BreakdownAnswer, DistributionAnswer (answer_table.c): min_cell hides cells, and others
 * that would give them away. */
int answer_breakdown(struct index *index, const struct answer_question *question, struct buf *ret,
    struct cairn_error *err);
int answer_distribution(struct index *index, const struct answer_question *question,
    struct buf *ret, struct cairn_error *err);

/* Packed ExplainAnswer (explain.c). */
int answer_explain(struct index *index, const struct answer_question *question, struct buf *ret,
    struct cairn_error *err);

/* Packed FieldsAnswer: what can be asked. */
int answer_fields(struct buf *ret, struct cairn_error *err);

/* ---- what answers are made with ----------------------------------------------------------- */

/* The request in the question's body, whose depth is looked at first. */
int answer_unpack(const ProtobufCMessageDescriptor *descriptor,
    const struct answer_question *question, ProtobufCMessage **ret, struct cairn_error *err);
/* A well-formed tree within its limits, or words. */
int answer_check(const Cairn__Expression *expression, struct cairn_error *err);
/* Do the rules hold answers against each other (release.h)?  Then puts into `count`, which is of
 * `expression`, what may be told in its place; `*ret_suppressed`: nothing. */
bool answer_is_held(const struct answer_rules *rules);
int answer_hold(struct index *index, const struct answer_question *question, Cairn__Level level,
    const Cairn__Expression *expression, uint64_t *count, bool *ret_suppressed,
    struct cairn_error *err);
uint64_t answer_rounded(uint64_t count, const struct answer_rules *rules);
void answer_message_free(ProtobufCMessage **message);
#define MESSAGE_AUTO __attribute__((cleanup(answer_message_free))) ProtobufCMessage *

/* Adds the packed message to `ret`. */
int answer_pack(const ProtobufCMessage *answer, struct buf *ret, struct cairn_error *err);

#endif
