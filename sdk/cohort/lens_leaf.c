/* SPDX-License-Identifier: Apache-2.0 */
/* A criterion of Lens to a leaf: which field the key and its value mean, and how. */
#include "cohort/lens_private.h"

#include <stdio.h>
#include <string.h>

#include "cohort/systems.h"

#define SHOWN "%.80s"

struct criterion {
	const struct dialect *dialect;
	const char *key, *type;
	const json_t *value;
	struct cairn_error *err;
};

static int
refuse(const struct criterion *c, const char *what, const char *found)
{
	return cairn_error_set(c->err, CAIRN_EINVAL,
	    "Lens criterion \"" SHOWN "\": %s%s" SHOWN "%s", c->key, what,
	    found != NULL ? " \"" : "", found != NULL ? found : "", found != NULL ? "\"" : "");
}

static int
failed(const struct criterion *c, int code, const char *value)
{
	if (code == CAIRN_ENOMEM)
		return cairn_error_set(c->err, code, "out of memory");
	return refuse(c, "the value is no number, or no date:", value);
}

/* ---- what one value means ---------------------------------------------------------------- */

struct meaning {
	const char *attribute;
	Cairn__Leaf__Operator how; /* EQ, UNDER, LIKE */
};

static bool
ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), want = strlen(end);

	return length >= want && strcmp(text + length - want, end) == 0;
}

/* "C50.1", "C50": ICD without its system, as catalogues write it. */
static bool
is_bare_icd(const char *text)
{
	return text[0] >= 'A' && text[0] <= 'Z' && strspn(text + 1, "0123456789") >= 2 &&
	    strchr(text, ':') == NULL && strchr(text, '|') == NULL;
}

/* A value of a field, in our spelling: % has a meaning. */
static int
own_value(const struct criterion *c, const struct cohort_attribute *field, const char *value,
    struct meaning *ret, Cairn__Leaf *leaf)
{
	char text[COHORT_VALUE_MAX + 1];
	int code;

	*ret = (struct meaning){field->name, CAIRN__LEAF__OPERATOR__EQ};
	if (strlen(value) > COHORT_VALUE_MAX - 8)
		return refuse(c, "the value is too long", NULL);
	snprintf(
	    text, sizeof text, "%s%s", field->coded && is_bare_icd(value) ? "icd10:" : "", value);
	if (field->type == COHORT_CODE && field->coded && ends_with(text, ".%")) {
		ret->how = CAIRN__LEAF__OPERATOR__UNDER;
		text[strlen(text) - 2] = 0;
	} else if (field->type == COHORT_CODE && strchr(text, '%') != NULL) {
		ret->how = CAIRN__LEAF__OPERATOR__LIKE;
	}
	code = maker_value(leaf, text, ret->how != CAIRN__LEAF__OPERATOR__LIKE);
	return code != 0 ? failed(c, code, value) : 0;
}

static int
unknown_value(const struct criterion *c, const char *value)
{
	return refuse(c, "its table has no value", value);
}

/* A key of the table takes the values of the table; a coded field's key also codes of another
 * system. */
static int
table_value(const struct criterion *c, const char *value, struct meaning *ret, Cairn__Leaf *leaf)
{
	const struct dialect_row *row = dialect_find(c->dialect, c->key, value);
	const struct cohort_attribute *field;

	if (row != NULL) {
		*ret = (struct meaning){row->attribute, row->how};
		for (size_t i = 0; i < row->value_count; i++) {
			int code = maker_value(leaf, row->values[i], true);

			if (code != 0)
				return failed(c, code, row->values[i]);
		}
		return 0;
	}
	for (size_t i = 0; (row = dialect_at(c->dialect, i)) != NULL; i++)
		if (strcmp(row->key, c->key) == 0)
			break;
	field = row != NULL ? cohort_attribute_find(row->attribute) : NULL;
	if (field == NULL || (!field->coded && !row->range))
		return unknown_value(c, value);
	if (field->coded && !is_bare_icd(value) && strchr(value, ':') == NULL)
		return unknown_value(c, value);
	return own_value(c, field, value, ret, leaf);
}

/* ---- values ------------------------------------------------------------------------------ */

static int
scalar_text(const struct criterion *c, const json_t *json, char *ret, size_t size)
{
	Cairn__Scalar number = CAIRN__SCALAR__INIT;

	if (json_is_string(json)) {
		if (strlen(json_string_value(json)) >= size)
			return refuse(c, "the value is too long", NULL);
		snprintf(ret, size, "%s", json_string_value(json));
		return 0;
	}
	if (!json_is_number(json))
		return refuse(c, "a value is neither text nor a number", NULL);
	number.number = json_number_value(json);
	number.value_case = CAIRN__SCALAR__VALUE_NUMBER;
	cohort_scalar_text(&number, ret);
	return 0;
}

static int
add_value(const struct criterion *c, const json_t *json, Cairn__Leaf *leaf, struct meaning *ret)
{
	const struct cohort_attribute *field = cohort_attribute_find(c->key);
	char text[COHORT_VALUE_MAX + 1];
	int code = scalar_text(c, json, text, sizeof text);

	if (code != 0)
		return code;
	return dialect_has_key(c->dialect, c->key) ? table_value(c, text, ret, leaf)
						   : own_value(c, field, text, ret, leaf);
}

/* EQUALS, NOT_EQUALS and IN: one value or a list, all with one meaning. */
static int
read_equals(const struct criterion *c, Cairn__Leaf *leaf)
{
	bool list = json_is_array(c->value), in = strcmp(c->type, "IN") == 0;
	bool not = strcmp(c->type, "NOT_EQUALS") == 0;
	size_t count = list ? json_array_size(c->value) : 1;
	struct meaning first = {0}, next;

	if (count == 0 || (not &&count > 1))
		return refuse(c, count == 0 ? "an empty list" : "NOT_EQUALS takes one value", NULL);
	for (size_t i = 0; i < count; i++) {
		int code = add_value(c, list ? json_array_get(c->value, i) : c->value, leaf, &next);

		if (code != 0)
			return code;
		if (i > 0 &&
		    (strcmp(first.attribute, next.attribute) != 0 || first.how != next.how))
			return refuse(c, "the values of the list do not mean the same field", NULL);
		first = next;
	}
	if (not &&first.how != CAIRN__LEAF__OPERATOR__EQ)
		return refuse(c, "NOT_EQUALS of what stands for many codes; use NOT", NULL);
	leaf->operator_ = first.how;
	if (first.how == CAIRN__LEAF__OPERATOR__EQ)
		leaf->operator_ = not ? CAIRN__LEAF__OPERATOR__NE
		    : list || in      ? CAIRN__LEAF__OPERATOR__IN
				      : CAIRN__LEAF__OPERATOR__EQ;
	return 0;
}

static int
add_end(const struct criterion *c, const json_t *end, Cairn__Leaf *leaf)
{
	char text[COHORT_VALUE_MAX + 1];
	int code = end != NULL ? scalar_text(c, end, text, sizeof text) : 0;

	if (code != 0)
		return code;
	code = maker_value(leaf, end != NULL ? text : NULL, true);
	return code != 0 ? failed(c, code, text) : 0;
}

/* Open at both ends, it asks for any value. */
static int
read_between(const struct criterion *c, Cairn__Leaf *leaf)
{
	const json_t *min = json_object_get(c->value, "min"),
		     *max = json_object_get(c->value, "max");
	size_t ends = (size_t)(min != NULL) + (max != NULL ? 1 : 0);
	int code;

	if (!json_is_object(c->value) || json_object_size(c->value) != ends)
		return refuse(c, "BETWEEN takes {\"min\", \"max\"}", NULL);
	if (ends == 0) {
		leaf->operator_ = CAIRN__LEAF__OPERATOR__EXISTS;
		return 0;
	}
	leaf->operator_ = CAIRN__LEAF__OPERATOR__BETWEEN;
	code = add_end(c, min, leaf);
	return code != 0 ? code : add_end(c, max, leaf);
}

static int
read_contains(const struct criterion *c, Cairn__Leaf *leaf)
{
	const char *text = json_string_value(c->value);
	char pattern[COHORT_VALUE_MAX + 1];
	int code;

	if (text == NULL || strchr(text, '%') != NULL || strlen(text) > COHORT_VALUE_MAX - 2)
		return refuse(c, "CONTAINS takes text without %", NULL);
	snprintf(pattern, sizeof pattern, "%%%s%%", text);
	leaf->operator_ = CAIRN__LEAF__OPERATOR__LIKE;
	code = maker_value(leaf, pattern, false);
	return code != 0 ? failed(c, code, text) : 0;
}

static int
read_value(const struct criterion *c, Cairn__Leaf *leaf)
{
	if (strcmp(c->type, "EQUALS") == 0 || strcmp(c->type, "IN") == 0 ||
	    strcmp(c->type, "NOT_EQUALS") == 0)
		return read_equals(c, leaf);
	if (strcmp(c->type, "BETWEEN") == 0)
		return read_between(c, leaf);
	if (strcmp(c->type, "CONTAINS") == 0)
		return read_contains(c, leaf);
	if (strcmp(c->type, "LOWER_THAN") == 0)
		leaf->operator_ = CAIRN__LEAF__OPERATOR__LT;
	else if (strcmp(c->type, "GREATER_THAN") == 0)
		leaf->operator_ = CAIRN__LEAF__OPERATOR__GT;
	else
		return refuse(c, "unknown type", c->type);
	return c->value != NULL ? add_end(c, c->value, leaf) : refuse(c, "no value", NULL);
}

/* ---- keys -------------------------------------------------------------------------------- */

/* The field that a key means; by the value, where it means several. */
static int
find_field(const struct criterion *c, const char **ret)
{
	const struct dialect_row *row = dialect_find(c->dialect, c->key, NULL);
	const json_t *one = json_is_array(c->value) ? json_array_get(c->value, 0) : c->value;
	const struct cohort_attribute *field = cohort_attribute_find(c->key);
	const char *near;

	if (row == NULL && json_is_string(one))
		row = dialect_find(c->dialect, c->key, json_string_value(one));
	for (size_t i = 0; row == NULL && dialect_at(c->dialect, i) != NULL; i++)
		if (strcmp(dialect_at(c->dialect, i)->key, c->key) == 0)
			row = dialect_at(c->dialect, i);
	if (row != NULL) {
		*ret = row->attribute;
		return 0;
	}
	if (field != NULL && !field->withheld) {
		*ret = field->name;
		return 0;
	}
	near = dialect_suggest_key(c->dialect, c->key);
	return cairn_error_set(c->err, CAIRN_EINVAL,
	    "unknown Lens key \"" SHOWN "\"%s%s%s; nothing is left out of a question, because that "
	    "would widen its answer",
	    c->key, near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
	    near != NULL ? "\"?" : "");
}

/* A range or CONTAINS needs a key that is one field, and the right kind of field. */
static int
check_field(const struct criterion *c, const char *name)
{
	const struct cohort_attribute *field = cohort_attribute_find(name);
	bool equals = strstr(c->type, "EQUALS") != NULL || strcmp(c->type, "IN") == 0;
	const struct dialect_row *row;

	if (equals)
		return 0;
	for (size_t i = 0; (row = dialect_at(c->dialect, i)) != NULL; i++)
		if (strcmp(row->key, c->key) == 0 && strcmp(row->attribute, name) != 0)
			return refuse(c,
			    "the key means several fields, and only a value tells "
			    "which: use EQUALS",
			    NULL);
	if ((strcmp(c->type, "CONTAINS") == 0) != (field->type == COHORT_CODE))
		return refuse(c, "this type does not go with the field", name);
	return 0;
}

int
lens_read_leaf(const struct dialect *dialect, const json_t *json, Cairn__Expression **ret,
    struct cairn_error *err)
{
	struct criterion c = {.dialect = dialect,
	    .key = json_string_value(json_object_get(json, "key")),
	    .type = json_string_value(json_object_get(json, "type")),
	    .value = json_object_get(json, "value"),
	    .err = err};
	TREE_AUTO node = NULL;
	struct cairn_error wrong = {0};
	const char *field = NULL;
	int code;

	if (c.key == NULL || c.type == NULL)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "a Lens criterion has a \"key\", a \"type\" and a \"value\", a group an "
		    "\"operand\" "
		    "and \"children\"");
	code = find_field(&c, &field);
	if (code == 0)
		code = check_field(&c, field);
	if (code != 0)
		return code;
	node = maker_leaf(field, CAIRN__LEAF__OPERATOR__EQ);
	if (node == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	code = read_value(&c, node->leaf);
	if (code == 0 && cohort_check_leaf(node->leaf, &wrong) != 0)
		code = refuse(&c, wrong.text, NULL);
	if (code != 0)
		return code;
	*ret = node;
	node = NULL;
	return 0;
}
