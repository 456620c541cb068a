/* SPDX-License-Identifier: Apache-2.0 */
/* The one variant of a Beacon request. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cohort/beacon_private.h"

static const struct {
	const char *key, *attribute;
} parameters[] = {
    {"geneId", "gene"},
    {"aminoacidChange", "protein_change"},
    {"assemblyId", "assembly"},
    {"referenceName", "chromosome"},
    {"start", "position"},
    {"referenceBases", "reference_allele"},
    {"alternateBases", "alternate_allele"},
};

#define PARAMETERS (sizeof parameters / sizeof parameters[0])
#define POSITION_MAX 4294967295.0

static const char *const unsupported[] = {"end", "variantType", "variantMinLength",
    "variantMaxLength", "mateName", "genomicAlleleShortForm", NULL};

bool
beacon_is_variant_key(const char *key)
{
	for (size_t i = 0; i < PARAMETERS; i++)
		if (strcmp(parameters[i].key, key) == 0)
			return true;
	for (size_t i = 0; unsupported[i] != NULL; i++)
		if (strcmp(unsupported[i], key) == 0)
			return true;
	return false;
}

static int
refuse(const char *key, const char *what, struct cairn_error *err)
{
	return cairn_error_set(err, CAIRN_EINVAL, "Beacon variant, \"%.60s\": %s", key, what);
}

/* One 0-based position, or two that the start is between, the second not included. */
static int
read_start(const json_t *json, Cairn__Leaf *leaf, struct cairn_error *err)
{
	size_t count = json_is_array(json) ? json_array_size(json) : json_is_integer(json);
	double ends[2];

	if (count < 1 || count > 2)
		return refuse("start", "one or two whole numbers", err);
	for (size_t i = 0; i < count; i++) {
		const json_t *end = json_is_array(json) ? json_array_get(json, i) : json;

		ends[i] = (double)json_integer_value(end);
		if (!json_is_integer(end) || ends[i] < 0 || ends[i] >= POSITION_MAX)
			return refuse("start", "one or two whole numbers from 0 on", err);
	}
	leaf->operator_ = count == 2 ? CAIRN__LEAF__OPERATOR__BETWEEN : CAIRN__LEAF__OPERATOR__EQ;
	if (maker_number(leaf, ends[0] + 1) != 0 ||
	    (count == 2 && maker_number(leaf, ends[1]) != 0))
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	return 0;
}

static int
read_text(const char *key, const json_t *json, Cairn__Leaf *leaf, struct cairn_error *err)
{
	const char *text = json_string_value(json);

	if (text == NULL || text[0] == 0)
		return refuse(key, "expected text", err);
	if (strcmp(key, "referenceName") == 0) {
		if (strchr(text, ':') != NULL || strchr(text, '.') != NULL)
			return refuse(
			    key, "expected a chromosome such as 7, not an accession", err);
		text += strncasecmp(text, "chr", 3) == 0 ? 3 : 0;
	}
	return maker_value(leaf, text, true) == 0 ? 0 : refuse(key, "out of memory", err);
}

static int
read_parameter(const char *key, const json_t *json, Cairn__Expression *all, struct cairn_error *err)
{
	struct cairn_error wrong = {0};
	TREE_AUTO leaf = NULL;
	size_t i = 0;
	int code;

	while (i < PARAMETERS && strcmp(parameters[i].key, key) != 0)
		i++;
	if (i == PARAMETERS)
		return refuse(key,
		    "it cannot be evaluated here, and left out it would widen the answer", err);
	leaf = maker_leaf(parameters[i].attribute, CAIRN__LEAF__OPERATOR__EQ);
	if (leaf == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	code = strcmp(key, "start") == 0 ? read_start(json, leaf->leaf, err)
					 : read_text(key, json, leaf->leaf, err);
	if (code == 0 && cohort_check_leaf(leaf->leaf, &wrong) != 0)
		code = refuse(key, wrong.text, err);
	if (code == 0 && maker_add(all, &leaf) != 0)
		code = cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	return code;
}

/* `same variant (..)` of one criterion or of several with and. */
static int
close_variant(Cairn__Expression **all, Cairn__Expression **ret, struct cairn_error *err)
{
	TREE_AUTO same = maker_node(CAIRN__EXPRESSION__OPERAND__SAME);
	TREE_AUTO one = NULL;
	Cairn__Expression **child = all;

	if (same != NULL)
		same->entity = strdup("variant");
	if (same == NULL || same->entity == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	if ((*all)->n_children == 1) {
		one = (*all)->children[0];
		(*all)->n_children = 0;
		child = &one;
	}
	if (maker_add(same, child) != 0)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	*ret = same;
	same = NULL;
	return 0;
}

int
beacon_read_variant(const json_t *json, Cairn__Expression **ret, struct cairn_error *err)
{
	TREE_AUTO all = maker_node(CAIRN__EXPRESSION__OPERAND__AND);
	const char *key;
	json_t *value;

	if (all == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	json_object_foreach((json_t *)(uintptr_t)json, key, value)
	{
		int code = read_parameter(key, value, all, err);

		if (code != 0)
			return code;
	}
	if (all->n_children == 0)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "the Beacon request has an empty variant");
	return close_variant(&all, ret, err);
}

/* ---- writing ----------------------------------------------------------------------------- */

static int
cannot(const char *what, const char *why, struct cairn_error *err)
{
	return cairn_error_set(
	    err, CAIRN_EINVAL, "Beacon cannot say \"%s\" of a variant: %s", what, why);
}

static json_t *
start_json(const Cairn__Leaf *leaf)
{
	json_t *list = json_array();

	for (size_t i = 0; i < leaf->n_values; i++)
		json_array_append_new(
		    list, json_integer((json_int_t)leaf->values[i]->number - (i == 0)));
	return list;
}

/* Both ends of a bracket, and whole bases. */
static bool
is_start(const Cairn__Leaf *leaf)
{
	if (leaf->operator_ != CAIRN__LEAF__OPERATOR__EQ &&
	    leaf->operator_ != CAIRN__LEAF__OPERATOR__BETWEEN)
		return false;
	for (size_t i = 0; i < leaf->n_values; i++)
		if (leaf->values[i]->value_case != CAIRN__SCALAR__VALUE_NUMBER ||
		    leaf->values[i]->number != floor(leaf->values[i]->number) ||
		    leaf->values[i]->number >= POSITION_MAX)
			return false;
	return true;
}

static int
write_parameter(const Cairn__Expression *node, json_t *variant, struct cairn_error *err)
{
	const Cairn__Leaf *leaf = node->leaf;
	size_t i = 0;

	if (leaf == NULL)
		return cannot("same variant", "its parameters are criteria chained by and", err);
	while (i < PARAMETERS && strcmp(parameters[i].attribute, leaf->attribute) != 0)
		i++;
	if (i == PARAMETERS)
		return cannot(leaf->attribute, "there is no such parameter", err);
	if (json_object_get(variant, parameters[i].key) != NULL)
		return cannot(leaf->attribute, "it stands there twice", err);
	if (strcmp(leaf->attribute, "position") == 0 && is_start(leaf)) {
		json_object_set_new(variant, parameters[i].key, start_json(leaf));
		return 0;
	}
	if (leaf->operator_ != CAIRN__LEAF__OPERATOR__EQ ||
	    leaf->values[0]->value_case != CAIRN__SCALAR__VALUE_TEXT ||
	    leaf->values[0]->text[0] == 0)
		return cannot(leaf->attribute, "the parameter takes one value", err);
	json_object_set_new(variant, parameters[i].key, json_string(leaf->values[0]->text));
	return 0;
}

int
beacon_write_variant(const Cairn__Expression *same, json_t **ret, struct cairn_error *err)
{
	const Cairn__Expression *inside = same->children[0];
	bool many = inside->operand == CAIRN__EXPRESSION__OPERAND__AND;
	json_t *variant = json_object();
	int code = 0;

	if (strcmp(same->entity, "variant") != 0)
		code = cannot(same->entity, "only a variant has parameters of its own", err);
	for (size_t i = 0; code == 0 && i < (many ? inside->n_children : 1); i++)
		code = write_parameter(many ? inside->children[i] : inside, variant, err);
	if (code != 0) {
		json_decref(variant);
		return code;
	}
	*ret = variant;
	return 0;
}
