/* SPDX-License-Identifier: Apache-2.0 */
/* Tables under disclosure control. */
#include <stdlib.h>
#include <string.h>

#include "answer.h"
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
	code = pack_distribution(&bins, &q->rules, ret, err);
	unknown =
	    (struct index_count){.criteria = bins.criteria, .criteria_count = bins.criteria_count};
	index_count_fini(&unknown);
	return code;
}
