/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request around filters and variant.  The note of the root is {"beacon": REQUEST, "flat":
 * BOOL}, the request without its filters and variant; a filter's note is the filter as it came.
 */
#include "cohort/beacon.h"

#include <stdlib.h>
#include <string.h>

#include "cohort/beacon_private.h"

static bool
same_text(const json_t *a, const json_t *b)
{
	char *x = maker_dump(a), *y = maker_dump(b);
	bool same = x != NULL && y != NULL && strcmp(x, y) == 0;

	free(x);
	free(y);
	return same;
}

static int
set_note(ProtobufCBinaryData *note, const json_t *json, struct cairn_error *err)
{
	int code = maker_set_note(note, json);

	return code == 0
	    ? 0
	    : cairn_error_set(err, code, "a part of the Beacon request is too long to be kept: %s",
		  cairn_code_text(code));
}

/* ---- reading ----------------------------------------------------------------------------- */

static int
read_filters(const json_t *filters, Cairn__Expression *all, struct cairn_error *err)
{
	if (filters != NULL && !json_is_array(filters))
		return cairn_error_set(err, CAIRN_EINVAL, "Beacon \"filters\" is a list");
	if (json_array_size(filters) > BEACON_FILTERS_MAX)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "at most %d Beacon filters", BEACON_FILTERS_MAX);
	for (size_t i = 0; i < json_array_size(filters); i++) {
		const json_t *filter = json_array_get(filters, i);
		TREE_AUTO node = NULL;
		JSON_AUTO fresh = NULL;
		int code = beacon_read_filter(filter, &node, err);

		if (code == 0 &&
		    (beacon_write_filter(node->leaf, &fresh, NULL) != 0 ||
			!same_text(fresh, filter)))
			code = set_note(&node->leaf->note, filter, err);
		if (code == 0 && maker_add(all, &node) != 0)
			code = cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
		if (code != 0)
			return code;
	}
	return 0;
}

/* The variant, in its own object or flat; takes it out of the parameters. */
static int
take_variant(json_t *parameters, json_t **ret, bool *ret_flat, struct cairn_error *err)
{
	json_t *nested = json_object_get(parameters, "g_variant"), *flat = json_object(), *value;
	const char *key;
	void *next;

	json_object_foreach_safe(parameters, next, key, value)
	{
		if (!beacon_is_variant_key(key))
			continue;
		json_object_set(flat, key, value);
		json_object_del(parameters, key);
	}
	*ret_flat = json_object_size(flat) > 0;
	if (nested != NULL && (*ret_flat || !json_is_object(nested))) {
		json_decref(flat);
		return cairn_error_set(err, CAIRN_EINVAL,
		    "the Beacon request has a variant twice, or \"g_variant\" is no object");
	}
	*ret = nested != NULL ? json_incref(nested) : *ret_flat ? json_incref(flat) : NULL;
	json_decref(flat);
	if (nested != NULL)
		json_object_set_new(parameters, "g_variant", json_null());
	return 0;
}

static int
read_parameters(json_t *parameters, Cairn__Expression *all, bool *ret_flat, struct cairn_error *err)
{
	JSON_AUTO variant = NULL;
	JSON_AUTO fresh = NULL;
	TREE_AUTO node = NULL;
	const char *key;
	json_t *value;
	int code;

	if (!json_is_object(parameters))
		return cairn_error_set(
		    err, CAIRN_EINVAL, "Beacon \"requestParameters\" is an object");
	code = take_variant(parameters, &variant, ret_flat, err);
	if (code != 0)
		return code;
	json_object_foreach(parameters, key, value)
	{
		if (strcmp(key, "g_variant") != 0)
			return cairn_error_set(err, CAIRN_EINVAL,
			    "Beacon request parameter \"%.60s\" cannot be evaluated here, and left "
			    "out "
			    "it would widen the answer",
			    key);
	}
	if (variant == NULL)
		return 0;
	code = beacon_read_variant(variant, &node, err);
	if (code == 0 &&
	    (beacon_write_variant(node, &fresh, NULL) != 0 || !same_text(fresh, variant)))
		code = set_note(&node->note, variant, err);
	if (code == 0 && maker_add(all, &node) != 0)
		code = cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	return code;
}

/* One member stands for itself, none for everyone. */
static int
unwrap(Cairn__Expression **all, struct cairn_error *err)
{
	Cairn__Expression *only;

	if ((*all)->n_children > 1)
		return 0;
	if ((*all)->n_children == 1) {
		only = (*all)->children[0];
		(*all)->n_children = 0;
	} else {
		only = maker_node(CAIRN__EXPRESSION__OPERAND__ALL);
		if (only == NULL)
			return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	cairn__expression__free_unpacked(*all, NULL);
	*all = only;
	return 0;
}

/* A variant alone keeps its own note beside the request's. */
static int
note_request(Cairn__Expression *root, const json_t *request, bool flat, struct cairn_error *err)
{
	JSON_AUTO own = maker_note(&root->note);
	JSON_AUTO note = json_pack("{s:O, s:b}", "beacon", request, "flat", flat);

	if (own != NULL)
		json_object_set(note, "variant", own);
	return set_note(&root->note, note, err);
}

static int
read_request(json_t *json, Cairn__Expression **ret, struct cairn_error *err)
{
	json_t *query =
	    json_object_get(json, "query") != NULL ? json_object_get(json, "query") : json;
	json_t *filters = json_is_array(query) ? query : json_object_get(query, "filters");
	json_t *parameters = json_object_get(query, "requestParameters");
	TREE_AUTO all = maker_node(CAIRN__EXPRESSION__OPERAND__AND);
	bool flat = false;
	int code = all == NULL ? cairn_error_set(err, CAIRN_ENOMEM, "out of memory") : 0;

	if (!json_is_array(json) && !json_is_object(query))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "a Beacon request is an object with a \"query\", or a list of filters");
	if (filters == NULL && parameters == NULL && json_object_get(json, "meta") == NULL)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "the Beacon request has neither \"filters\" nor \"requestParameters\"");
	if (code == 0)
		code = read_filters(filters, all, err);
	if (code == 0 && parameters != NULL)
		code = read_parameters(parameters, all, &flat, err);
	if (code == 0)
		code = unwrap(&all, err);
	if (code != 0)
		return code;
	if (filters != NULL && !json_is_array(json))
		json_object_set_new(query, "filters", json_array());
	else if (json_is_array(json))
		json_array_clear(json);
	code = note_request(all, json, flat, err);
	if (code == 0)
		code = cohort_check(all, err);
	if (code != 0)
		return code;
	*ret = all;
	all = NULL;
	return 0;
}

int
beacon_parse(const char *text, size_t length, Cairn__Expression **ret, struct cairn_error *err)
{
	JSON_AUTO json = NULL;
	json_error_t wrong;

	if (length > BEACON_BYTES_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "the Beacon request is longer than %d bytes", BEACON_BYTES_MAX);
	json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &wrong);
	if (json == NULL)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "the Beacon request is no JSON: line %d, column %d: %.100s", wrong.line,
		    wrong.column, wrong.text);
	return read_request(json, ret, err);
}

/* ---- writing ----------------------------------------------------------------------------- */

struct writing {
	json_t *filters;
	json_t *variant; /* NULL: none */
	struct cairn_error *err;
};

static int
write_leaf(struct writing *w, const Cairn__Leaf *leaf)
{
	JSON_AUTO note = maker_note(&leaf->note);
	TREE_AUTO again = NULL;
	json_t *filter = NULL;
	int code;

	if (note != NULL && beacon_read_filter(note, &again, NULL) == 0 &&
	    maker_same_leaf(again->leaf, leaf)) {
		json_array_append(w->filters, note);
		return 0;
	}
	code = beacon_write_filter(leaf, &filter, w->err);
	if (code == 0)
		json_array_append_new(w->filters, filter);
	return code;
}

/* As it came, when that still means what is in the tree. */
static bool
is_still(const json_t *note, const json_t *fresh)
{
	JSON_AUTO again = NULL;
	TREE_AUTO node = NULL;

	return json_is_object(note) && beacon_read_variant(note, &node, NULL) == 0 &&
	    beacon_write_variant(node, &again, NULL) == 0 && json_equal(again, fresh);
}

static int
write_same(struct writing *w, const Cairn__Expression *node)
{
	JSON_AUTO note = maker_note(&node->note);
	const json_t *own =
	    json_object_get(note, "beacon") != NULL ? json_object_get(note, "variant") : note;
	int code;

	if (w->variant != NULL)
		return cairn_error_set(
		    w->err, CAIRN_EINVAL, "Beacon cannot say two variants in one request");
	code = beacon_write_variant(node, &w->variant, w->err);
	if (code == 0 && is_still(own, w->variant)) {
		json_decref(w->variant);
		w->variant = json_deep_copy(own);
	}
	return code;
}

static int
write_node(struct writing *w, const Cairn__Expression *node)
{
	static const char *const names[] = {
	    "", "", "or", "xor", "not", "", "", "within", "at least"};

	switch (node->operand) {
	case CAIRN__EXPRESSION__OPERAND__ALL:
		return 0;
	case CAIRN__EXPRESSION__OPERAND__LEAF:
		return write_leaf(w, node->leaf);
	case CAIRN__EXPRESSION__OPERAND__SAME:
		return write_same(w, node);
	case CAIRN__EXPRESSION__OPERAND__AND:
		for (size_t i = 0; i < node->n_children; i++) {
			int code = write_node(w, node->children[i]);

			if (code != 0)
				return code;
		}
		return 0;
	default:
		return cairn_error_set(w->err, CAIRN_EINVAL,
		    "Beacon cannot say \"%s\": its filters are chained by and alone",
		    names[node->operand]);
	}
}

/* Puts the variant where it was, or into requestParameters. */
static void
put_variant(json_t *query, const json_t *variant, bool flat)
{
	json_t *parameters = json_object_get(query, "requestParameters");

	if (variant == NULL) {
		json_object_del(parameters, "g_variant");
		return;
	}
	if (!json_is_object(parameters)) {
		json_object_set_new(query, "requestParameters", json_object());
		parameters = json_object_get(query, "requestParameters");
	}
	if (flat)
		json_object_update(parameters, (json_t *)(uintptr_t)variant);
	else
		json_object_set(parameters, "g_variant", (json_t *)(uintptr_t)variant);
}

static json_t *
request_json(const json_t *note, const struct writing *w)
{
	const json_t *was = json_object_get(note, "beacon");
	json_t *request, *query;

	if (json_is_array(was) && w->variant == NULL)
		return json_incref(w->filters);
	request = json_is_object(was) ? json_deep_copy(was)
				      : json_pack("{s:{s:s}, s:{s:s}}", "meta", "apiVersion", "2.0",
					    "query", "requestedGranularity", "count");
	query = json_is_object(json_object_get(request, "query"))
	    ? json_object_get(request, "query")
	    : request;
	if (json_array_size(w->filters) > 0 || json_object_get(query, "filters") != NULL)
		json_object_set(query, "filters", w->filters);
	put_variant(query, w->variant, json_is_true(json_object_get(note, "flat")));
	return request;
}

int
beacon_print(const Cairn__Expression *expression, char **ret, struct cairn_error *err)
{
	JSON_AUTO note = NULL;
	JSON_AUTO request = NULL;
	struct writing w = {.filters = json_array(), .err = err};
	char *text;
	int code = cohort_check(expression, err);

	if (code == 0)
		code = write_node(&w, expression);
	if (code == 0) {
		note = maker_note(&expression->note);
		request = request_json(note, &w);
	}
	json_decref(w.filters);
	json_decref(w.variant);
	if (code != 0)
		return code;
	text = maker_dump(request);
	if (text == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	*ret = text;
	return 0;
}
