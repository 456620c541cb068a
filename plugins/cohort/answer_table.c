/* SPDX-License-Identifier: Apache-2.0 */
/* Tables under disclosure control. */
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "carriers.h"
#include "cohort/expr.h"
#include "table.h"

#define VALUES_DEFAULT 20
#define BINS_DEFAULT 10

static int
check_attribute(const char *name, struct cairn_error *err)
{
	const struct cohort_attribute *known = cohort_attribute_find(name);

	if (!cohort_is_attribute_name(name))
		return cairn_error_set(err, CAIRN_EINVAL, "an attribute's name is malformed");
	if (known != NULL && known->withheld)
		return cairn_error_set(
		    err, CAIRN_EDENIED, "%s is kept and cannot be asked for", name);
	return 0;
}

/* The kind of the whole: what the cells are, or that none is left. */
static Cairn__CountAnswer__Kind
table_kind(size_t shown, size_t criteria, const struct answer_rules *rules)
{
	if (criteria > 0)
		return CAIRN__COUNT_ANSWER__KIND__UNSUPPORTED;
	if (shown == 0 && rules->min_cell > 0)
		return CAIRN__COUNT_ANSWER__KIND__SUPPRESSED;
	return rules->round > 1 ? CAIRN__COUNT_ANSWER__KIND__ROUNDED
				: CAIRN__COUNT_ANSWER__KIND__EXACT;
}

static uint64_t
shown_count(uint64_t count, const struct answer_rules *rules)
{
	return rules->round > 1 ? answer_rounded(count, rules) : count;
}

/* ---- breakdown --------------------------------------------------------------------------- */

struct cells {
	Cairn__BreakdownCell *list, **pointers;
	char *(*values)[2];
	bool *hidden;
	size_t count;
};

static void
add_cell(struct cells *cells, const struct index_breakdown *b, size_t i,
    const struct answer_rules *rules)
{
	size_t row = i / b->column_count, column = i % b->column_count;
	Cairn__BreakdownCell *cell = &cells->list[cells->count];

	cairn__breakdown_cell__init(cell);
	cell->values = cells->values[cells->count];
	cell->values[cell->n_values++] = b->rows[row].text;
	if (b->columns != NULL)
		cell->values[cell->n_values++] = b->columns[column].text;
	cell->count = shown_count(b->cells[i], rules);
	cells->pointers[cells->count++] = cell;
}

static int
fill_cells(const struct index_breakdown *b, const struct answer_rules *rules, struct cells *ret)
{
	size_t count = b->row_count * b->column_count;
	int code;

	ret->list = calloc(count + 1, sizeof ret->list[0]);
	ret->pointers = calloc(count + 1, sizeof ret->pointers[0]);
	ret->values = calloc(count + 1, sizeof ret->values[0]);
	ret->hidden = calloc(count + 1, sizeof ret->hidden[0]);
	if (ret->list == NULL || ret->pointers == NULL || ret->values == NULL ||
	    ret->hidden == NULL)
		return CAIRN_ENOMEM;
	code =
	    table_suppress(b->cells, b->row_count, b->column_count, rules->min_cell, ret->hidden);
	for (size_t i = 0; i < count && code == 0; i++)
		if (!ret->hidden[i] && b->cells[i] > 0)
			add_cell(ret, b, i, rules);
	return code;
}

static int
pack_breakdown(const struct index_breakdown *b, const struct answer_rules *rules, struct buf *ret,
    struct cairn_error *err)
{
	Cairn__BreakdownAnswer answer = CAIRN__BREAKDOWN_ANSWER__INIT;
	struct cells cells = {0};
	int code = fill_cells(b, rules, &cells);

	if (code == 0) {
		answer.cells = cells.pointers;
		answer.n_cells = cells.count;
		answer.rounded_to = rules->round > 1 ? rules->round : 0;
		answer.min_cell = rules->min_cell;
		answer.truncated = b->truncated;
		answer.criteria = b->criteria;
		answer.n_criteria = b->criteria_count;
		answer.kind = table_kind(cells.count, b->criteria_count, rules);
		code = answer_pack(&answer.base, ret, err);
	}
	free(cells.list);
	free(cells.pointers);
	free(cells.values);
	free(cells.hidden);
	return code;
}

static bool
has_carriers(const struct answer_question *q)
{
	return q->asking.carriers != NULL && !q->asking.carriers->none;
}

/* A criterion `attribute` `operator_` `value`, in room that the caller has. */
struct criterion {
	Cairn__Expression node;
	Cairn__Leaf leaf;
	Cairn__Scalar scalar, *values[1];
};

/* The value is not there yet. */
static void
criterion_begin(struct criterion *c, const char *attribute, Cairn__Leaf__Operator operator_)
{
	cairn__scalar__init(&c->scalar);
	c->values[0] = &c->scalar;
	cairn__leaf__init(&c->leaf);
	c->leaf.attribute = (char *)(uintptr_t)attribute;
	c->leaf.operator_ = operator_;
	c->leaf.values = c->values;
	c->leaf.n_values = 1;
	cairn__expression__init(&c->node);
	c->node.operand = CAIRN__EXPRESSION__OPERAND__LEAF;
	c->node.leaf = &c->leaf;
}

static void
criterion_number(
    struct criterion *c, const char *attribute, Cairn__Leaf__Operator operator_, double number)
{
	criterion_begin(c, attribute, operator_);
	c->scalar.value_case = CAIRN__SCALAR__VALUE_NUMBER;
	c->scalar.number = number;
}

/* The value of a row or column as the criterion that selects its patients. */
static void
criterion_value(struct criterion *c, const char *attribute, const struct index_value *value)
{
	const struct cohort_attribute *known = cohort_attribute_find(attribute);

	if (known != NULL && known->type == COHORT_NUMBER) {
		criterion_number(
		    c, attribute, CAIRN__LEAF__OPERATOR__EQ, strtod(value->text, NULL));
		return;
	}
	criterion_begin(c, attribute, CAIRN__LEAF__OPERATOR__EQ);
	c->scalar.value_case = CAIRN__SCALAR__VALUE_TEXT;
	c->scalar.text = (char *)(uintptr_t)value->text;
}

/* One cell is a count like any other.  What may not be told is a 1 from then on, which is hidden
 * like any small number. */
static int
hold_cell(struct index *index, const struct answer_question *q,
    const Cairn__BreakdownRequest *request, struct index_breakdown *b, size_t i,
    struct cairn_error *err)
{
	const struct index_value *values[] = {&b->rows[i / b->column_count],
	    b->columns == NULL ? NULL : &b->columns[i % b->column_count]};
	Cairn__Expression cell = CAIRN__EXPRESSION__INIT;
	Cairn__Expression *children[3] = {request->expression};
	struct criterion criteria[2];
	bool suppressed = false;
	int code;

	cell.operand = CAIRN__EXPRESSION__OPERAND__AND;
	cell.children = children;
	cell.n_children = 1 + request->n_attributes;
	for (size_t n = 0; n < request->n_attributes; n++) {
		criterion_value(&criteria[n], request->attributes[n], values[n]);
		children[n + 1] = &criteria[n].node;
	}
	code = answer_hold(index, q, CAIRN__LEVEL__PATIENT, &cell, &b->cells[i], &suppressed, err);
	if (suppressed)
		b->cells[i] = 1;
	return code;
}

static int
hold_cells(struct index *index, const struct answer_question *q,
    const Cairn__BreakdownRequest *request, struct index_breakdown *b, struct cairn_error *err)
{
	int code = 0;

	if (!answer_is_held(&q->rules))
		return 0;
	if (has_carriers(q))
		return cairn_error_set(err, CAIRN_EUNSUPPORTED,
		    "a cohort of who carries a variant is counted as a whole only");
	for (size_t i = 0; i < b->row_count * b->column_count && code == 0; i++)
		if (b->cells[i] > 0)
			code = hold_cell(index, q, request, b, i, err);
	return code;
}

int
answer_breakdown(
    struct index *index, const struct answer_question *q, struct buf *ret, struct cairn_error *err)
{
	const Cairn__BreakdownRequest *request;
	MESSAGE_AUTO message = NULL;
	struct index_breakdown breakdown;
	int code = answer_unpack(&cairn__breakdown_request__descriptor, q, &message, err);

	if (code != 0)
		return code;
	request = (const Cairn__BreakdownRequest *)message;
	code = answer_check(request->expression, err);
	for (size_t i = 0; i < request->n_attributes && code == 0; i++)
		code = check_attribute(request->attributes[i], err);
	if (code == 0)
		code = index_breakdown(index, request->expression, &q->asking,
		    (const char *const *)request->attributes, request->n_attributes,
		    request->limit == 0 ? VALUES_DEFAULT : request->limit, &breakdown, err);
	if (code != 0)
		return code;
	/* Which values are the most frequent says something of the hidden ones; that there are more
	 * of them than were asked for does as well. */
	breakdown.truncated &= q->rules.min_cell == 0;
	code = hold_cells(index, q, request, &breakdown, err);
	if (code == 0)
		code = pack_breakdown(&breakdown, &q->rules, ret, err);
	index_breakdown_fini(&breakdown);
	return code;
}

/* ---- distribution ------------------------------------------------------------------------ */

/* The bins must not follow the data, whose ends are single patients' values. */
static int
set_bins(const Cairn__DistributionRequest *request, struct index_bins *ret, struct cairn_error *err)
{
	const struct cohort_attribute *known = cohort_attribute_find(request->attribute);

	ret->from = request->from;
	ret->to = request->to;
	ret->count = request->bins == 0 ? BINS_DEFAULT : request->bins;
	if (request->from != 0 || request->to != 0)
		return 0;
	if (known == NULL || known->type != COHORT_NUMBER)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "no range is known of %s: say from and to", request->attribute);
	ret->from = known->min;
	ret->to = known->max;
	return 0;
}

static int
pack_distribution(const struct index_bins *bins, const struct answer_rules *rules, struct buf *ret,
    struct cairn_error *err)
{
	Cairn__DistributionAnswer answer = CAIRN__DISTRIBUTION_ANSWER__INIT;
	Cairn__DistributionBin list[DISTRIBUTION_BINS_MAX], *pointers[DISTRIBUTION_BINS_MAX];
	bool hidden[DISTRIBUTION_BINS_MAX];
	size_t shown = 0;
	int code = table_suppress(bins->patients, bins->count, 1, rules->min_cell, hidden);

	if (code != 0)
		return code;
	for (size_t i = 0; i < bins->count; i++) {
		cairn__distribution_bin__init(&list[i]);
		pointers[i] = &list[i];
		list[i].from = index_bin_end(bins, i);
		list[i].to = index_bin_end(bins, i + 1);
		list[i].kind =
		    hidden[i] ? CAIRN__COUNT_ANSWER__KIND__SUPPRESSED : table_kind(1, 0, rules);
		list[i].count = hidden[i] ? 0 : shown_count(bins->patients[i], rules);
		shown += !hidden[i];
	}
	answer.bins = pointers;
	answer.n_bins = bins->criteria_count > 0 ? 0 : bins->count;
	answer.rounded_to = rules->round > 1 ? rules->round : 0;
	answer.min_cell = rules->min_cell;
	answer.criteria = bins->criteria;
	answer.n_criteria = bins->criteria_count;
	answer.kind = table_kind(shown, bins->criteria_count, rules);
	return answer_pack(&answer.base, ret, err);
}

/* Both ends are of one number: of one entity, where a patient may have several. */
static int
hold_bin(struct index *index, const struct answer_question *q,
    const Cairn__DistributionRequest *request, struct index_bins *bins, size_t i,
    struct cairn_error *err)
{
	const struct cohort_attribute *known = cohort_attribute_find(request->attribute);
	bool last = i + 1 == bins->count, suppressed = false;
	struct criterion low, high;
	Cairn__Expression *ends[] = {&low.node, &high.node};
	Cairn__Expression range = CAIRN__EXPRESSION__INIT, same = CAIRN__EXPRESSION__INIT;
	Cairn__Expression *within[] = {&range}, *parts[] = {request->expression, &range};
	Cairn__Expression bin = CAIRN__EXPRESSION__INIT;
	int code;

	criterion_number(
	    &low, request->attribute, CAIRN__LEAF__OPERATOR__GE, index_bin_end(bins, i));
	criterion_number(&high, request->attribute,
	    last ? CAIRN__LEAF__OPERATOR__LE : CAIRN__LEAF__OPERATOR__LT,
	    index_bin_end(bins, i + 1));
	range.operand = bin.operand = CAIRN__EXPRESSION__OPERAND__AND;
	range.children = ends;
	bin.children = parts;
	range.n_children = bin.n_children = 2;
	if (known->entity != COHORT_PATIENT) {
		same.operand = CAIRN__EXPRESSION__OPERAND__SAME;
		same.entity = (char *)(uintptr_t)cohort_entity_name(known->entity);
		same.children = within;
		same.n_children = 1;
		parts[1] = &same;
	}
	code = answer_hold(
	    index, q, CAIRN__LEVEL__PATIENT, &bin, &bins->patients[i], &suppressed, err);
	if (suppressed)
		bins->patients[i] = 1;
	return code;
}

static int
hold_bins(struct index *index, const struct answer_question *q,
    const Cairn__DistributionRequest *request, struct index_bins *bins, struct cairn_error *err)
{
	int code = 0;

	if (!answer_is_held(&q->rules) || bins->criteria_count > 0)
		return 0;
	if (cohort_attribute_find(request->attribute) == NULL || has_carriers(q))
		return cairn_error_set(err, CAIRN_EUNSUPPORTED,
		    "under this policy only a field that cairn cohort fields lists is divided, and "
		    "no cohort of who carries a variant");
	for (size_t i = 0; i < bins->count && code == 0; i++)
		if (bins->patients[i] > 0)
			code = hold_bin(index, q, request, bins, i, err);
	return code;
}

int
answer_distribution(
    struct index *index, const struct answer_question *q, struct buf *ret, struct cairn_error *err)
{
	const Cairn__DistributionRequest *request;
	MESSAGE_AUTO message = NULL;
	struct index_bins bins = {0};
	struct index_count unknown;
	int code = answer_unpack(&cairn__distribution_request__descriptor, q, &message, err);

	if (code != 0)
		return code;
	request = (const Cairn__DistributionRequest *)message;
	code = answer_check(request->expression, err);
	if (code == 0)
		code = check_attribute(request->attribute, err);
	if (code == 0)
		code = set_bins(request, &bins, err);
	if (code == 0)
		code = index_distribution(
		    index, request->expression, &q->asking, request->attribute, &bins, err);
	if (code != 0)
		return code;
	code = hold_bins(index, q, request, &bins, err);
	if (code == 0)
		code = pack_distribution(&bins, &q->rules, ret, err);
	unknown =
	    (struct index_count){.criteria = bins.criteria, .criteria_count = bins.criteria_count};
	index_count_fini(&unknown);
	return code;
}
