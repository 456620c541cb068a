/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include <stdlib.h>
#include <string.h>

#include "cohort/expr.h"
#include "term.h"

/* ---- requests ---------------------------------------------------------------------------- */

/* A well-formed tree within its limits, or words. */
int
answer_check(const Cairn__Expression *expression, struct cairn_error *err)
{
	if (expression == NULL)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "the request has no expression; \"*\" selects everything");
	return cohort_check(expression, err);
}

void
answer_message_free(ProtobufCMessage **message)
{
	if (*message != NULL)
		protobuf_c_message_free_unpacked(*message, NULL);
}

/* The request in the question's body, whose depth is looked at first. */
int
answer_unpack(const ProtobufCMessageDescriptor *descriptor, const struct answer_question *q,
    ProtobufCMessage **ret, struct cairn_error *err)
{
	int code = cohort_check_packed(q->body, q->length, err);

	if (code != 0)
		return code;
	*ret = protobuf_c_message_unpack(descriptor, NULL, q->length, q->body);
	if (*ret == NULL)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "the request is not a well-formed message");
	return 0;
}

int
answer_pack(const ProtobufCMessage *answer, struct buf *ret, struct cairn_error *err)
{
	size_t size = protobuf_c_message_get_packed_size(answer);
	int code = buf_reserve(ret, size + 1); /* an answer may pack to nothing */

	if (code != 0)
		return cairn_error_set(
		    err, code, "the answer does not fit into a message; ask for less at a time");
	ret->length += protobuf_c_message_pack(answer, ret->data + ret->length);
	return 0;
}

/* ---- counting ---------------------------------------------------------------------------- */

uint64_t
answer_rounded(uint64_t count, const struct answer_rules *rules)
{
	uint64_t multiple = rules->round, result = (count + multiple / 2) / multiple * multiple;

	return result == 0 && rules->min_cell > 0 ? multiple : result;
}

/* What may be told of `count`, which is of `expression`, beside what was told before. */
static int
hold_once(struct index *index, const struct answer_question *q, const Cairn__Expression *expression,
    const struct release_question *asked, struct release_answer *ret, struct cairn_error *err)
{
	struct release_question question = *asked;
	struct index_count patients = {0};
	struct index_stats stats;
	struct patient_set set;
	int code;

	patient_set_init(&set);
	code = index_patients(
	    index, expression, &q->asking, release_secret(q->release), &patients, &set, err);
	if (code == 0)
		code = index_stats(index, &stats, err);
	if (code == 0) {
		question.set = &set;
		question.all = stats.entities[TERM_PATIENT];
		code = release_admit(q->release, &question, ret, err);
	}
	index_count_fini(&patients);
	patient_set_fini(&set);
	return code;
}

bool
answer_is_held(const struct answer_rules *rules)
{
	return rules->difference > 0 || rules->noise > 0;
}

int
answer_hold(struct index *index, const struct answer_question *q, Cairn__Level level,
    const Cairn__Expression *expression, uint64_t *count, bool *ret_suppressed,
    struct cairn_error *err)
{
	struct release_question question = {.level = level,
	    .count = *count,
	    .difference = q->rules.difference,
	    .noise = q->rules.noise,
	    .min_cell = q->rules.min_cell};
	Cairn__Expression everybody = CAIRN__EXPRESSION__INIT;
	struct release_answer answer = {0};
	struct index_count whole = {0};
	int code = hold_once(index, q, expression, &question, &answer, err);

	if (code == 0 && answer.everybody) {
		everybody.operand = CAIRN__EXPRESSION__OPERAND__ALL;
		code = index_count(index, &everybody, level, &q->asking, &whole, err);
		question.count = whole.count;
		index_count_fini(&whole);
		if (code == 0)
			code = hold_once(index, q, &everybody, &question, &answer, err);
		if (code == 0 && answer.everybody)
			code = cairn_error_set(err, CAIRN_EAGAIN,
			    "patients are being added at this moment; ask again");
	}
	if (code != 0)
		return code;
	*ret_suppressed = answer.suppressed;
	*count = answer.count;
	return 0;
}

static void
fill_answer(const struct index_count *count, const struct answer_rules *rules, bool suppressed,
    Cairn__CountAnswer *ret)
{
	if (count->criteria_count > 0) {
		ret->kind = CAIRN__COUNT_ANSWER__KIND__UNSUPPORTED;
		ret->criteria = count->criteria;
		ret->n_criteria = count->criteria_count;
	} else if (suppressed) {
		ret->kind = CAIRN__COUNT_ANSWER__KIND__SUPPRESSED;
		ret->min_cell = rules->min_cell;
	} else if (rules->round > 1) {
		ret->kind = CAIRN__COUNT_ANSWER__KIND__ROUNDED;
		ret->count = answer_rounded(count->count, rules);
		ret->rounded_to = rules->round;
	} else {
		ret->kind = CAIRN__COUNT_ANSWER__KIND__EXACT;
		ret->count = count->count;
	}
}

int
answer_count(
    struct index *index, const struct answer_question *q, struct buf *ret, struct cairn_error *err)
{
	Cairn__CountAnswer answer = CAIRN__COUNT_ANSWER__INIT;
	const Cairn__CountRequest *request;
	MESSAGE_AUTO message = NULL;
	struct index_count count = {0};
	bool suppressed;
	int code = answer_unpack(&cairn__count_request__descriptor, q, &message, err);

	if (code != 0)
		return code;
	request = (const Cairn__CountRequest *)message;
	code = answer_check(request->expression, err);
	if (code == 0)
		code = index_count(
		    index, request->expression, request->level, &q->asking, &count, err);
	if (code != 0)
		return code;
	suppressed = count.patients < q->rules.min_cell;
	if (count.criteria_count == 0 && answer_is_held(&q->rules))
		code = answer_hold(
		    index, q, request->level, request->expression, &count.count, &suppressed, err);
	answer.level = request->level;
	fill_answer(&count, &q->rules, suppressed, &answer);
	if (code == 0)
		code = answer_pack(&answer.base, ret, err);
	index_count_fini(&count);
	return code;
}

/* ---- selecting --------------------------------------------------------------------------- */

/* One more instance; what was made of it is freed with the answer when this fails. */
static int
add_instance(void *arg, const struct index_instance *from)
{
	Cairn__SelectAnswer *answer = arg;
	Cairn__SelectedInstance *to = malloc(sizeof *to);

	if (to == NULL)
		return CAIRN_ENOMEM;
	cairn__selected_instance__init(to);
	answer->instances[answer->n_instances++] = to;
	to->patient = strdup(from->patient);
	to->study = strdup(from->study);
	to->series = strdup(from->series);
	to->instance = strdup(from->instance);
	if (to->patient == NULL || to->study == NULL || to->series == NULL || to->instance == NULL)
		return CAIRN_ENOMEM;
	if (!from->has_object)
		return 0;
	to->sha256.data = malloc(sizeof from->sha256);
	if (to->sha256.data == NULL)
		return CAIRN_ENOMEM;
	to->sha256.len = sizeof from->sha256;
	memcpy(to->sha256.data, from->sha256, sizeof from->sha256);
	to->segment = from->segment;
	to->offset = from->offset;
	to->length = from->length;
	return 0;
}

static int
fill_select(struct index *index, const Cairn__SelectRequest *request,
    const struct answer_question *q, Cairn__SelectAnswer *answer, struct cairn_error *err)
{
	struct index_page page = {.after = request->after,
	    .limit = request->limit,
	    .min_patients = q->rules.min_cell,
	    .each = add_instance,
	    .arg = answer};
	struct index_count count = {0};
	int code;

	answer->instances = calloc(INDEX_PAGE_MAX, sizeof(void *));
	if (answer->instances == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	code = index_select(index, request->expression, &q->asking, &page, &count, err);
	if (code != 0)
		return code;
	answer->next = page.next;
	answer->criteria = count.criteria; /* moved */
	answer->n_criteria = count.criteria_count;
	answer->level = CAIRN__LEVEL__INSTANCE;
	answer->kind = count.criteria_count > 0 ? CAIRN__COUNT_ANSWER__KIND__UNSUPPORTED
						: CAIRN__COUNT_ANSWER__KIND__EXACT;
	if (page.too_few)
		return cairn_error_set(err, CAIRN_EDENIED,
		    "the selection has fewer than %u patients, or none", q->rules.min_cell);
	return 0;
}

int
answer_select(
    struct index *index, const struct answer_question *q, struct buf *ret, struct cairn_error *err)
{
	const Cairn__SelectRequest *request;
	Cairn__SelectAnswer *answer;
	MESSAGE_AUTO message = NULL;
	MESSAGE_AUTO reply = NULL;
	int code = answer_unpack(&cairn__select_request__descriptor, q, &message, err);

	if (code != 0)
		return code;
	request = (const Cairn__SelectRequest *)message;
	code = answer_check(request->expression, err);
	if (code != 0)
		return code;
	answer = malloc(sizeof *answer);
	if (answer == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	cairn__select_answer__init(answer);
	reply = &answer->base;
	code = fill_select(index, request, q, answer, err);
	return code != 0 ? code : answer_pack(reply, ret, err);
}
