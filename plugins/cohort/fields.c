/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked: the table of the cohort language as a message.  Nothing of it comes from the
 * index, so that it says nothing about a patient and needs no permission. */
#include "answer.h"

#include "cohort/expr.h"

#define OPERATORS (CAIRN__LEAF__OPERATOR__LIKE + 1)

struct field {
	Cairn__CohortField message;
	Cairn__Leaf__Operator operators[OPERATORS];
	Cairn__Scalar min, max;
};

/* Messages want what they only read without const. */
static char *
borrowed(const char *text)
{
	return (char *)(uintptr_t)text;
}

static void
set_codes(Cairn__CohortField *message, const struct cohort_attribute *attribute)
{
	if (attribute->codes == NULL)
		return;
	message->codes = (char **)(uintptr_t)attribute->codes;
	while (attribute->codes[message->n_codes] != NULL)
		message->n_codes++;
}

static void
set_range(struct field *field, const struct cohort_attribute *attribute)
{
	if (attribute->type == COHORT_CODE)
		return;
	cohort_range_end(attribute, attribute->min, &field->min);
	cohort_range_end(attribute, attribute->max, &field->max);
	field->message.min = &field->min;
	field->message.max = &field->max;
}

static void
set_field(struct field *field, const struct cohort_attribute *attribute)
{
	Cairn__CohortField *message = &field->message;

	cairn__cohort_field__init(message);
	message->name = borrowed(attribute->name);
	message->level = cohort_entity_level(attribute->entity);
	message->entity = borrowed(cohort_entity_name(attribute->entity));
	message->type = (Cairn__CohortField__Type)attribute->type;
	message->unit = borrowed(attribute->unit);
	message->unit_name = borrowed(attribute->unit_name);
	message->help = borrowed(attribute->help);
	message->example = borrowed(attribute->example);
	message->operators = field->operators;
	for (unsigned i = 0; i < OPERATORS; i++)
		if (cohort_attribute_takes(attribute, (Cairn__Leaf__Operator)i))
			field->operators[message->n_operators++] = (Cairn__Leaf__Operator)i;
	set_codes(message, attribute);
	set_range(field, attribute);
}

int
answer_fields(struct buf *ret, struct cairn_error *err)
{
	struct field fields[COHORT_ATTRIBUTES];
	Cairn__CohortField *messages[COHORT_ATTRIBUTES];
	Cairn__FieldsAnswer answer = CAIRN__FIELDS_ANSWER__INIT;

	answer.fields = messages;
	for (size_t i = 0; i < COHORT_ATTRIBUTES; i++) {
		const struct cohort_attribute *attribute = cohort_attribute_at(i);

		if (attribute->withheld)
			continue;
		set_field(&fields[answer.n_fields], attribute);
		messages[answer.n_fields] = &fields[answer.n_fields].message;
		answer.n_fields++;
	}
	return answer_pack(&answer.base, ret, err);
}
