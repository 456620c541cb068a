/* SPDX-License-Identifier: Apache-2.0 */
/* One filter of Beacon v2. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cohort/beacon_private.h"
#include "cohort/systems.h"

static int
refuse(const json_t *filter, const char *what, const char *found, struct cairn_error *err)
{
	const char *id = json_string_value(json_object_get(filter, "id"));

	return cairn_error_set(err, CAIRN_EINVAL, "Beacon filter \"%.80s\": %s%s%.80s%s",
	    id != NULL ? id : "", what, found != NULL ? " \"" : "", found != NULL ? found : "",
	    found != NULL ? "\"" : "");
}

/* ---- terms ------------------------------------------------------------------------------- */

/* Terms that mean a value of a field. */
static const struct {
	const char *id, *attribute, *value;
} terms[] = {
    {"NCIT:C16576", "sex", "female"},
    {"NCIT:C20197", "sex", "male"},
    {"NCIT:C17998", "sex", "unknown"},
};

/* The field that a term of a code system is about. */
static const struct {
	const char *prefix, *attribute;
} fields[] = {
    {"icd10", "diagnosis"},
    {"snomed", "diagnosis"},
    {"mondo", "diagnosis"},
    {"ncit", "diagnosis"},
    {"eucaim", "diagnosis"},
    {"loinc", "observation"},
    {"hp", "observation"},
    {"atc", "medication"},
    {"rxnorm", "medication"},
};

#define TERMS (sizeof terms / sizeof terms[0])
#define FIELDS (sizeof fields / sizeof fields[0])

static const char *
field_of_code(const char *code)
{
	size_t length = strcspn(code, ":");

	for (size_t i = 0; i < FIELDS; i++)
		if (strlen(fields[i].prefix) == length &&
		    strncasecmp(fields[i].prefix, code, length) == 0)
			return fields[i].attribute;
	return NULL;
}

static int
make_leaf(const json_t *filter, const char *attribute, Cairn__Leaf__Operator operator_,
    const char *text, Cairn__Expression **ret, struct cairn_error *err)
{
	struct cairn_error wrong = {0};
	TREE_AUTO node = maker_leaf(attribute, operator_);
	int code = node != NULL
	    ? maker_value(node->leaf, text, operator_ != CAIRN__LEAF__OPERATOR__LIKE)
	    : CAIRN_ENOMEM;

	if (code == CAIRN_ENOMEM)
		return cairn_error_set(err, code, "out of memory");
	if (code != 0)
		return refuse(filter, "the value is no number, or no date:", text, err);
	if (cohort_check_leaf(node->leaf, &wrong) != 0)
		return refuse(filter, wrong.text, NULL, err);
	*ret = node;
	node = NULL;
	return 0;
}

static int
read_term(const json_t *filter, const char *id, Cairn__Expression **ret, struct cairn_error *err)
{
	const json_t *below = json_object_get(filter, "includeDescendantTerms");
	char code[COHORT_VALUE_MAX];
	const char *attribute;

	if (below != NULL && !json_is_boolean(below))
		return refuse(filter, "includeDescendantTerms is true or false", NULL, err);
	for (size_t i = 0; i < TERMS; i++)
		if (strcasecmp(terms[i].id, id) == 0)
			return make_leaf(filter, terms[i].attribute, CAIRN__LEAF__OPERATOR__EQ,
			    terms[i].value, ret, err);
	if (cohort_code_value(id, code) != 0)
		return refuse(filter,
		    "neither a term of a known code system nor a field with an operator and a "
		    "value; "
		    "nothing is left out of a question, because that would widen its answer",
		    NULL, err);
	attribute = field_of_code(code);
	if (attribute == NULL)
		return refuse(filter,
		    "its code system does not say which field is meant; name the field as id, with "
		    "an "
		    "operator and a value",
		    NULL, err);
	return make_leaf(filter, attribute,
	    json_is_false(below) ? CAIRN__LEAF__OPERATOR__EQ : CAIRN__LEAF__OPERATOR__UNDER, code,
	    ret, err);
}

/* ---- fields ------------------------------------------------------------------------------ */

static const struct {
	const char *text;
	Cairn__Leaf__Operator operator_;
} operators[] = {
    {"=", CAIRN__LEAF__OPERATOR__EQ},
    {"!", CAIRN__LEAF__OPERATOR__NE},
    {"<", CAIRN__LEAF__OPERATOR__LT},
    {">", CAIRN__LEAF__OPERATOR__GT},
    {"<=", CAIRN__LEAF__OPERATOR__LE},
    {">=", CAIRN__LEAF__OPERATOR__GE},
};

#define OPERATORS (sizeof operators / sizeof operators[0])

/* ISO 8601: whole years only, since that is what our ages are. */
static bool
read_years(const char *value, char *ret, size_t size)
{
	size_t digits = value[0] == 'P' ? strspn(value + 1, "0123456789") : 0;

	if (digits == 0 || digits > 3 || strcmp(value + 1 + digits, "Y") != 0)
		return false;
	snprintf(ret, size, "%.*s", (int)digits, value + 1);
	return true;
}

static int
read_field(const json_t *filter, const struct cohort_attribute *field,
    Cairn__Leaf__Operator operator_, Cairn__Expression **ret, struct cairn_error *err)
{
	const char *value = json_string_value(json_object_get(filter, "value"));
	char text[COHORT_VALUE_MAX + 1];
	size_t length;

	if (value == NULL || strlen(value) > COHORT_VALUE_MAX)
		return refuse(filter, "\"value\" is text, and not too long", NULL, err);
	length = strlen(value);
	memcpy(text, value, length + 1);
	if (strcmp(field->unit, "a") == 0 && value[0] == 'P' &&
	    !read_years(value, text, sizeof text))
		return refuse(
		    filter, "an age is a number, or whole years such as P70Y:", value, err);
	if (field->type != COHORT_CODE || strchr(text, '%') == NULL)
		return make_leaf(filter, field->name, operator_, text, ret, err);
	if (operator_ != CAIRN__LEAF__OPERATOR__EQ)
		return refuse(filter, "% goes with = only", NULL, err);
	if (field->coded && length > 2 && strcmp(text + length - 2, ".%") == 0) {
		text[length - 2] = 0;
		return make_leaf(filter, field->name, CAIRN__LEAF__OPERATOR__UNDER, text, ret, err);
	}
	return make_leaf(filter, field->name, CAIRN__LEAF__OPERATOR__LIKE, text, ret, err);
}

static int
read_alphanumeric(
    const json_t *filter, const char *id, Cairn__Expression **ret, struct cairn_error *err)
{
	const char *name = json_string_value(json_object_get(filter, "operator"));
	const struct cohort_attribute *field = cohort_attribute_find(id);
	const char *near;

	if (field == NULL || field->withheld) {
		near = cohort_attribute_suggest(id);
		return refuse(filter,
		    near != NULL && strcmp(near, id) != 0 ? "unknown field; did you mean"
							  : "unknown field",
		    near != NULL && strcmp(near, id) != 0 ? near : NULL, err);
	}
	for (size_t i = 0; i < OPERATORS; i++)
		if (name != NULL && strcmp(operators[i].text, name) == 0)
			return read_field(filter, field, operators[i].operator_, ret, err);
	return refuse(
	    filter, "the operator is one of = ! < > <= >=, not", name != NULL ? name : "", err);
}

/* What would change the answer and is not done here. */
static int
check_members(const json_t *filter, struct cairn_error *err)
{
	const json_t *similarity = json_object_get(filter, "similarity");
	const json_t *scope = json_object_get(filter, "scope");
	const char *key;
	json_t *value;

	if (similarity != NULL &&
	    (!json_is_string(similarity) || strcmp(json_string_value(similarity), "exact") != 0))
		return refuse(filter, "similarity is \"exact\" or nothing", NULL, err);
	if (scope != NULL &&
	    (!json_is_string(scope) || strncmp(json_string_value(scope), "individual", 10) != 0))
		return refuse(filter, "the scope is individuals, or nothing", NULL, err);
	json_object_foreach((json_t *)(uintptr_t)filter, key, value)
	{
		if (strcmp(key, "id") != 0 && strcmp(key, "operator") != 0 &&
		    strcmp(key, "value") != 0 && strcmp(key, "scope") != 0 &&
		    strcmp(key, "similarity") != 0 && strcmp(key, "includeDescendantTerms") != 0)
			return refuse(filter, "unknown member", key, err);
	}
	return 0;
}

int
beacon_read_filter(const json_t *filter, Cairn__Expression **ret, struct cairn_error *err)
{
	const char *id = json_string_value(json_object_get(filter, "id"));
	bool alphanumeric =
	    json_object_get(filter, "operator") != NULL || json_object_get(filter, "value") != NULL;
	int code;

	if (id == NULL)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "a Beacon filter is an object with an \"id\"");
	code = check_members(filter, err);
	if (code != 0)
		return code;
	return alphanumeric ? read_alphanumeric(filter, id, ret, err)
			    : read_term(filter, id, ret, err);
}

/* ---- writing ----------------------------------------------------------------------------- */

static int
cannot(const Cairn__Leaf *leaf, const char *why, struct cairn_error *err)
{
	return cairn_error_set(
	    err, CAIRN_EINVAL, "Beacon cannot say \"%s\": %s", leaf->attribute, why);
}

static json_t *
field_json(const char *attribute, const char *operator_, const char *value)
{
	return json_pack("{s:s, s:s, s:s}", "id", attribute, "operator", operator_, "value", value);
}

/* "ICD10:C34"; NULL where the system would not lead back to the field. */
static json_t *
term_json(const Cairn__Leaf *leaf, const char *code)
{
	const char *field = field_of_code(code);
	char id[COHORT_VALUE_MAX + 1];
	bool exact = leaf->operator_ == CAIRN__LEAF__OPERATOR__EQ;

	if (field == NULL || strcmp(field, leaf->attribute) != 0 || strchr(code, '|') != NULL)
		return NULL;
	snprintf(id, sizeof id, "%s", code);
	for (size_t i = 0; id[i] != ':'; i++)
		id[i] = id[i] >= 'a' && id[i] <= 'z' ? (char)(id[i] - 32) : id[i];
	for (size_t i = 0; i < TERMS; i++)
		if (strcasecmp(terms[i].id, id) == 0)
			return NULL;
	return exact ? json_pack("{s:s, s:b}", "id", id, "includeDescendantTerms", 0)
		     : json_pack("{s:s}", "id", id);
}

static int
write_code(const Cairn__Leaf *leaf, const char *text, json_t **ret, struct cairn_error *err)
{
	bool coded = cohort_attribute_find(leaf->attribute)->coded;
	bool under = leaf->operator_ == CAIRN__LEAF__OPERATOR__UNDER;
	bool like = leaf->operator_ == CAIRN__LEAF__OPERATOR__LIKE;
	bool percent = strchr(text, '%') != NULL;
	size_t length = strlen(text);
	char below[COHORT_VALUE_MAX + 3];

	if (like != percent)
		return cannot(leaf,
		    like ? "a pattern without % is = there" : "% stands for any characters there",
		    err);
	if (like && coded && length > 2 && strcmp(text + length - 2, ".%") == 0)
		return cannot(leaf, "a code that ends with .% is all below it there", err);
	*ret = NULL;
	if (coded && !like && leaf->operator_ != CAIRN__LEAF__OPERATOR__NE)
		*ret = term_json(leaf, text);
	for (size_t i = 0; i < TERMS && leaf->operator_ == CAIRN__LEAF__OPERATOR__EQ; i++)
		if (strcmp(terms[i].attribute, leaf->attribute) == 0 &&
		    strcmp(terms[i].value, text) == 0)
			*ret = json_pack("{s:s}", "id", terms[i].id);
	if (*ret != NULL)
		return 0;
	snprintf(below, sizeof below, "%s%s", text, under ? ".%" : "");
	*ret = field_json(
	    leaf->attribute, leaf->operator_ == CAIRN__LEAF__OPERATOR__NE ? "!" : "=", below);
	return 0;
}

/* A range is open at one end, or it would take two filters, which two facts could satisfy. */
static int
write_range(const Cairn__Leaf *leaf, json_t **ret, struct cairn_error *err)
{
	const Cairn__Scalar *min = leaf->values[0], *max = leaf->values[1];
	bool low = min->value_case != CAIRN__SCALAR__VALUE__NOT_SET;
	char text[COHORT_SCALAR_MAX];

	if (low && max->value_case != CAIRN__SCALAR__VALUE__NOT_SET)
		return cannot(leaf,
		    "two filters for the two ends of a range could be satisfied by two facts", err);
	cohort_scalar_text(low ? min : max, text);
	*ret = field_json(leaf->attribute, low ? ">=" : "<=", text);
	return 0;
}

int
beacon_write_filter(const Cairn__Leaf *leaf, json_t **ret, struct cairn_error *err)
{
	char text[COHORT_SCALAR_MAX];

	if (cohort_attribute_find(leaf->attribute) == NULL)
		return cannot(leaf, "it is no field that is known here", err);
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__EXISTS)
		return cannot(leaf, "it has no way to ask whether there is any value", err);
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__BETWEEN)
		return write_range(leaf, ret, err);
	if (leaf->n_values > 1)
		return cannot(leaf, "one of several values takes OR, which it has not", err);
	if (leaf->values[0]->value_case == CAIRN__SCALAR__VALUE_TEXT)
		return write_code(leaf, leaf->values[0]->text, ret, err);
	cohort_scalar_text(leaf->values[0], text);
	for (size_t i = 0; i < OPERATORS; i++) {
		if (operators[i].operator_ != leaf->operator_ &&
		    (leaf->operator_ != CAIRN__LEAF__OPERATOR__IN || i > 0))
			continue;
		*ret = field_json(leaf->attribute, operators[i].text, text);
		return 0;
	}
	return cannot(leaf, "there is no such operator", err);
}
