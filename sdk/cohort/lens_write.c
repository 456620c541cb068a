/* SPDX-License-Identifier: Apache-2.0 */
/* A tree as Lens says it, or the reason why Lens cannot. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cohort/lens_private.h"

/* ---- values ------------------------------------------------------------------------------ */

static json_t *
number_json(double number)
{
	return number == floor(number) && fabs(number) < 1e15 ? json_integer((json_int_t)number)
							      : json_real(number);
}

static json_t *
scalar_json(const Cairn__Scalar *value)
{
	char text[COHORT_SCALAR_MAX];

	if (value->value_case == CAIRN__SCALAR__VALUE_TEXT)
		return json_string(value->text);
	if (value->value_case == CAIRN__SCALAR__VALUE_NUMBER)
		return number_json(value->number);
	cohort_scalar_text(value, text);
	return json_string(text);
}

static json_t *
criterion(const char *key, const char *type, json_t *value)
{
	return json_pack("{s:s, s:s, s:o}", "key", key, "type", type, "value", value);
}

static int
cannot(const Cairn__Leaf *leaf, const char *why, struct cairn_error *err)
{
	return cairn_error_set(
	    err, CAIRN_EINVAL, "Lens cannot say \"%s\": %s", leaf->attribute, why);
}

/* ---- by the table ------------------------------------------------------------------------ */

static bool
is_value(const Cairn__Scalar *value, const char *text)
{
	char spelled[COHORT_SCALAR_MAX];

	if (value->value_case == CAIRN__SCALAR__VALUE_TEXT)
		return strcmp(value->text, text) == 0;
	cohort_scalar_text(value, spelled);
	return strcmp(spelled, text) == 0;
}

/* Whether the row's values stand in the leaf from `at` on. */
static bool
row_fits(const struct dialect_row *row, const Cairn__Leaf *leaf, size_t at)
{
	if (row->range || strcmp(row->attribute, leaf->attribute) != 0 ||
	    at + row->value_count > leaf->n_values)
		return false;
	for (size_t i = 0; i < row->value_count; i++)
		if (!is_value(leaf->values[at + i], row->values[i]))
			return false;
	return true;
}

/* The leaf's values in the words of one key; NULL when not all of them have one. */
static json_t *
table_values(const struct dialect *dialect, const Cairn__Leaf *leaf, Cairn__Leaf__Operator how,
    const char **ret_key)
{
	json_t *list = json_array();

	*ret_key = NULL;
	for (size_t at = 0; at < leaf->n_values;) {
		const struct dialect_row *row;
		size_t i = 0;

		while ((row = dialect_at(dialect, i)) != NULL &&
		    (row->how != how || !row_fits(row, leaf, at)))
			i++;
		if (row == NULL || (*ret_key != NULL && strcmp(*ret_key, row->key) != 0)) {
			json_decref(list);
			return NULL;
		}
		*ret_key = row->key;
		json_array_append_new(list, json_string(row->value));
		at += row->value_count;
	}
	return list;
}

static const char *
range_key(const struct dialect *dialect, const char *attribute)
{
	const struct dialect_row *row;

	for (size_t i = 0; (row = dialect_at(dialect, i)) != NULL; i++)
		if (row->range && strcmp(row->attribute, attribute) == 0)
			return row->key;
	return attribute;
}

/* ---- in our own words -------------------------------------------------------------------- */

/* Text with its % as Lens is to understand it; NULL with the reason. */
static json_t *
own_json(const Cairn__Leaf *leaf, const Cairn__Scalar *value, const char **ret_why)
{
	bool coded = cohort_attribute_find(leaf->attribute)->coded;
	const char *text = value->value_case == CAIRN__SCALAR__VALUE_TEXT ? value->text : "";
	bool percent = strchr(text, '%') != NULL;
	size_t length = strlen(text);

	*ret_why = NULL;
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__UNDER)
		return percent ? (*ret_why = "a code has % in it", NULL)
			       : json_sprintf("%s.%%", text);
	if (leaf->operator_ != CAIRN__LEAF__OPERATOR__LIKE)
		return percent ? (*ret_why = "% stands for any characters there", NULL)
			       : scalar_json(value);
	if (!percent)
		*ret_why = "a pattern without % is = there";
	else if (coded && length >= 2 && strcmp(text + length - 2, ".%") == 0)
		*ret_why = "a code that ends with .% is all below it there; use in";
	return *ret_why != NULL ? NULL : json_string(text);
}

static json_t *
own_values(const Cairn__Leaf *leaf, const char **ret_why)
{
	json_t *list = json_array();

	for (size_t i = 0; i < leaf->n_values; i++) {
		json_t *value = own_json(leaf, leaf->values[i], ret_why);

		if (value == NULL) {
			json_decref(list);
			return NULL;
		}
		json_array_append_new(list, value);
	}
	return list;
}

/* ---- leaves ------------------------------------------------------------------------------ */

static int
write_equals(
    const struct dialect *dialect, const Cairn__Leaf *leaf, json_t **ret, struct cairn_error *err)
{
	bool in = leaf->operator_ == CAIRN__LEAF__OPERATOR__IN;
	Cairn__Leaf__Operator how = leaf->operator_ == CAIRN__LEAF__OPERATOR__UNDER ||
		leaf->operator_ == CAIRN__LEAF__OPERATOR__LIKE
	    ? leaf->operator_
	    : CAIRN__LEAF__OPERATOR__EQ;
	const char *key, *why = NULL, *type = "EQUALS";
	json_t *list = table_values(dialect, leaf, how, &key);

	if (list == NULL) {
		key = cohort_attribute_find(leaf->attribute)->type != COHORT_CODE
		    ? range_key(dialect, leaf->attribute)
		    : leaf->attribute;
		list = own_values(leaf, &why);
	}
	if (list == NULL)
		return cannot(leaf, why, err);
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__NE)
		type = "NOT_EQUALS";
	if (in || json_array_size(list) > 1) {
		*ret = criterion(key, "IN", list);
	} else {
		*ret = criterion(key, type, json_incref(json_array_get(list, 0)));
		json_decref(list);
	}
	return 0;
}

/* `>=` and `<=` as a range that is open at the other end. */
static int
write_range(const struct dialect *dialect, const Cairn__Leaf *leaf, json_t **ret)
{
	Cairn__Leaf__Operator operator_ = leaf->operator_;
	const char *key = range_key(dialect, leaf->attribute);
	const Cairn__Scalar *min = leaf->values[0], *max = leaf->values[leaf->n_values - 1];
	json_t *range;

	if (operator_ == CAIRN__LEAF__OPERATOR__LT || operator_ == CAIRN__LEAF__OPERATOR__GT) {
		*ret = criterion(key,
		    operator_ == CAIRN__LEAF__OPERATOR__LT ? "LOWER_THAN" : "GREATER_THAN",
		    scalar_json(min));
		return 0;
	}
	range = json_object();
	if (operator_ != CAIRN__LEAF__OPERATOR__LE &&
	    min->value_case != CAIRN__SCALAR__VALUE__NOT_SET)
		json_object_set_new(range, "min", scalar_json(min));
	if (operator_ != CAIRN__LEAF__OPERATOR__GE &&
	    max->value_case != CAIRN__SCALAR__VALUE__NOT_SET)
		json_object_set_new(range, "max", scalar_json(max));
	*ret = criterion(key, "BETWEEN", range);
	return 0;
}

int
lens_write_leaf(
    const struct dialect *dialect, const Cairn__Leaf *leaf, json_t **ret, struct cairn_error *err)
{
	if (cohort_attribute_find(leaf->attribute) == NULL)
		return cannot(leaf, "it is no field that is known here", err);
	switch (leaf->operator_) {
	case CAIRN__LEAF__OPERATOR__EXISTS:
		return cannot(leaf, "it has no way to ask whether there is any value", err);
	case CAIRN__LEAF__OPERATOR__LT:
	case CAIRN__LEAF__OPERATOR__LE:
	case CAIRN__LEAF__OPERATOR__GT:
	case CAIRN__LEAF__OPERATOR__GE:
	case CAIRN__LEAF__OPERATOR__BETWEEN:
		return write_range(dialect, leaf, ret);
	default:
		return write_equals(dialect, leaf, ret, err);
	}
}

/* As it was read, when that still means the same. */
static int
write_criterion(
    const struct dialect *dialect, const Cairn__Leaf *leaf, json_t **ret, struct cairn_error *err)
{
	JSON_AUTO note = maker_note(&leaf->note);
	TREE_AUTO again = NULL;

	if (note != NULL && lens_read_leaf(dialect, note, &again, NULL) == 0 &&
	    maker_same_leaf(again->leaf, leaf)) {
		*ret = json_incref(note);
		return 0;
	}
	return lens_write_leaf(dialect, leaf, ret, err);
}

/* ---- groups ------------------------------------------------------------------------------ */

static int write_node(const struct dialect *dialect, const Cairn__Expression *node, bool top,
    json_t **ret, struct cairn_error *err);

/* The group as it was read, while it has the same operand. */
static json_t *
group_json(const json_t *as, const char *operand, json_t *children)
{
	const char *was = json_string_value(json_object_get(as, "operand"));
	json_t *group = was != NULL && strcmp(was, operand) == 0
	    ? json_copy((json_t *)(uintptr_t)as)
	    : json_pack("{s:s}", "operand", operand);

	json_object_set_new(group, "children", children);
	return group;
}

static int
write_group(const struct dialect *dialect, const Cairn__Expression *node, const json_t *as,
    json_t **ret, struct cairn_error *err)
{
	const char *operand = lens_operand(node->operand);
	json_t *children;

	if (operand == NULL)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "Lens cannot say \"%s\": it knows criteria, AND, OR, XOR and NOT",
		    node->operand == CAIRN__EXPRESSION__OPERAND__SAME         ? "same"
			: node->operand == CAIRN__EXPRESSION__OPERAND__WITHIN ? "within"
									      : "at least");
	children = json_array();
	for (size_t i = 0; i < node->n_children; i++) {
		json_t *child = NULL;
		int code = write_node(dialect, node->children[i], false, &child, err);

		if (code != 0) {
			json_decref(children);
			return code;
		}
		json_array_append_new(children, child);
	}
	*ret = group_json(as, operand, children);
	return 0;
}

/* Everyone is a query without criteria. */
static int
write_all(const json_t *as, bool top, json_t **ret, struct cairn_error *err)
{
	const char *was = json_string_value(json_object_get(as, "operand"));

	if (!top)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "Lens cannot say \"*\" inside of something else");
	*ret = group_json(as, was != NULL && strcmp(was, "AND") == 0 ? "AND" : "OR", json_array());
	return 0;
}

/* The groups of one that stood around it, innermost first. */
static json_t *
put_around(const json_t *in, json_t *inside)
{
	for (size_t i = json_array_size(in); i > 0; i--) {
		const json_t *around = json_array_get(in, i - 1);
		json_t *group = json_is_object(around) ? json_copy((json_t *)(uintptr_t)around)
						       : json_pack("{s:s}", "operand", "AND");
		json_t *children = json_array();

		json_array_append_new(children, inside);
		json_object_set_new(group, "children", children);
		inside = group;
	}
	return inside;
}

/* Notes come from outside as well: a group of one is AND, OR or XOR. */
static bool
is_around(const json_t *in)
{
	for (size_t i = 0; i < json_array_size(in); i++) {
		const char *operand =
		    json_string_value(json_object_get(json_array_get(in, i), "operand"));

		if (operand == NULL ||
		    (strcmp(operand, "AND") != 0 && strcmp(operand, "OR") != 0 &&
			strcmp(operand, "XOR") != 0))
			return false;
	}
	return json_is_array(in);
}

static int
write_node(const struct dialect *dialect, const Cairn__Expression *node, bool top, json_t **ret,
    struct cairn_error *err)
{
	JSON_AUTO note = maker_note(&node->note);
	const json_t *in = json_object_get(note, "in"), *as = json_object_get(note, "as");
	bool leaf = node->operand == CAIRN__EXPRESSION__OPERAND__LEAF;
	json_t *inside = NULL;
	int code;

	if (leaf)
		code = write_criterion(dialect, node->leaf, &inside, err);
	else if (node->operand == CAIRN__EXPRESSION__OPERAND__ALL)
		code = write_all(as, top, &inside, err);
	else
		code = write_group(dialect, node, as, &inside, err);
	if (code != 0)
		return code;
	if (is_around(in))
		inside = put_around(in, inside);
	else if (top && leaf)
		inside = json_pack("{s:s, s:[o]}", "operand", "AND", "children", inside);
	*ret = inside;
	return 0;
}

int
lens_print(const struct dialect *dialect, const Cairn__Expression *expression, char **ret,
    struct cairn_error *err)
{
	JSON_AUTO note = NULL;
	JSON_AUTO json = NULL;
	char *text;
	int code = cohort_check(expression, err);

	if (code == 0)
		code = write_node(dialect, expression, true, &json, err);
	if (code != 0)
		return code;
	note = maker_note(&expression->note);
	if (json_is_object(json_object_get(note, "envelope"))) {
		json_t *envelope = json_copy(json_object_get(note, "envelope"));

		json_object_set_new(envelope, "ast", json);
		json = envelope;
	}
	text = maker_dump(json);
	if (text == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	*ret = text;
	return 0;
}
