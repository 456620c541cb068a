/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups.  One with a single member means what the member means: it becomes a note on the member,
 * so that it is written again.  A note on a node is {"in": [outer, ..., inner], "as": ITSELF},
 * where a group stands without its children.
 */
#include <stdlib.h>
#include <string.h>

#include "cohort/lens_private.h"

struct reading {
	const struct dialect *dialect;
	struct cairn_error *err;
};

const char *
lens_operand(Cairn__Expression__Operand operand)
{
	static const char *const names[] = {NULL, "AND", "OR", "XOR", "NOT"};

	return (unsigned)operand < sizeof names / sizeof names[0] ? names[operand] : NULL;
}

static int
fail(const struct reading *r, int code)
{
	return cairn_error_set(r->err, code, "%s",
	    code == CAIRN_ELIMIT ? "a member of the Lens query is too long to be kept"
				 : cairn_code_text(code));
}

/* The object with a placeholder for what the tree holds. */
static json_t *
template_of(const json_t *json, const char *member, json_t *placeholder)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)json);

	json_object_set_new(copy, member, placeholder);
	return copy;
}

/* Whether the note is what would be written without one. */
static bool
is_usual(const json_t *as, const json_t *fresh)
{
	char *x = maker_dump(as), *y = maker_dump(fresh);
	bool same = x != NULL && y != NULL && strcmp(x, y) == 0;

	free(x);
	free(y);
	return same;
}

static int
note_leaf(const struct reading *r, const json_t *json, Cairn__Leaf *leaf)
{
	JSON_AUTO fresh = NULL;
	int code;

	if (lens_write_leaf(r->dialect, leaf, &fresh, NULL) == 0 && is_usual(json, fresh))
		return 0;
	code = maker_set_note(&leaf->note, json);
	return code != 0 ? fail(r, code) : 0;
}

static int
note_group(
    const struct reading *r, const json_t *json, const char *operand, Cairn__Expression *node)
{
	JSON_AUTO as = template_of(json, "children", json_array());
	JSON_AUTO fresh = json_pack("{s:s, s:[]}", "operand", operand, "children");
	JSON_AUTO note = NULL;
	int code;

	if (is_usual(as, fresh))
		return 0;
	note = json_pack("{s:O}", "as", as);
	code = maker_set_note(&node->note, note);
	return code != 0 ? fail(r, code) : 0;
}

/* Puts a group of one around the node. */
static int
note_around(const struct reading *r, const json_t *json, Cairn__Expression *node)
{
	JSON_AUTO note = maker_note(&node->note);
	json_t *in;
	int code;

	if (note == NULL)
		note = json_object();
	in = json_object_get(note, "in");
	if (in == NULL) {
		in = json_array();
		json_object_set_new(note, "in", in);
	}
	json_array_insert_new(in, 0, template_of(json, "children", json_array()));
	code = maker_set_note(&node->note, note);
	return code != 0 ? fail(r, code) : 0;
}

static int read_node(
    const struct reading *r, const json_t *json, unsigned depth, bool top, Cairn__Expression **ret);

static int
find_operand(const struct reading *r, const json_t *json, Cairn__Expression__Operand *ret)
{
	const char *name = json_string_value(json_object_get(json, "operand"));

	for (unsigned i = CAIRN__EXPRESSION__OPERAND__AND; i <= CAIRN__EXPRESSION__OPERAND__NOT;
	     i++) {
		*ret = (Cairn__Expression__Operand)i;
		if (name != NULL && strcmp(name, lens_operand(*ret)) == 0)
			return 0;
	}
	return cairn_error_set(r->err, CAIRN_EINVAL,
	    "unknown operand \"%.40s\" in the Lens query: expected AND, OR, XOR or NOT",
	    name != NULL ? name : "");
}

/* A query without any criterion is about everyone; an empty group beside others says nothing. */
static int
read_empty(const struct reading *r, const json_t *json, bool top,
    Cairn__Expression__Operand operand, Cairn__Expression **ret)
{
	if (!top || operand > CAIRN__EXPRESSION__OPERAND__OR)
		return cairn_error_set(r->err, CAIRN_EINVAL,
		    "the Lens query has an empty %s group beside others, or inside NOT: it could "
		    "mean "
		    "everyone or no one",
		    lens_operand(operand));
	*ret = maker_node(CAIRN__EXPRESSION__OPERAND__ALL);
	return *ret == NULL ? fail(r, CAIRN_ENOMEM) : note_group(r, json, "OR", *ret);
}

static int
read_group(
    const struct reading *r, const json_t *json, unsigned depth, bool top, Cairn__Expression **ret)
{
	const json_t *children = json_object_get(json, "children");
	Cairn__Expression__Operand operand = CAIRN__EXPRESSION__OPERAND__AND;
	bool not ;
	int code = find_operand(r, json, &operand);

	if (code != 0)
		return code;
	not = operand == CAIRN__EXPRESSION__OPERAND__NOT;
	if (!json_is_array(children))
		return cairn_error_set(
		    r->err, CAIRN_EINVAL, "a group of the Lens query has no \"children\"");
	if (json_array_size(children) == 0)
		return read_empty(r, json, top, operand, ret);
	if (not &&json_array_size(children) != 1)
		return cairn_error_set(r->err, CAIRN_EINVAL,
		    "NOT of several in the Lens query: put them in one AND or OR");
	if (!not &&json_array_size(children) == 1) {
		code = read_node(r, json_array_get(children, 0), depth + 1, top, ret);
		return code != 0 ? code : note_around(r, json, *ret);
	}
	*ret = maker_node(operand);
	if (*ret == NULL)
		return fail(r, CAIRN_ENOMEM);
	for (size_t i = 0; i < json_array_size(children) && code == 0; i++) {
		TREE_AUTO child = NULL;

		code = read_node(r, json_array_get(children, i), depth + 1, false, &child);
		if (code == 0 && maker_add(*ret, &child) != 0)
			code = fail(r, CAIRN_ENOMEM);
	}
	return code != 0 ? code : note_group(r, json, lens_operand(operand), *ret);
}

/* `*ret` may be set although this failed; the caller frees it. */
static int
read_node(
    const struct reading *r, const json_t *json, unsigned depth, bool top, Cairn__Expression **ret)
{
	int code;

	if (depth > LENS_DEPTH_MAX)
		return cairn_error_set(r->err, CAIRN_ELIMIT,
		    "the Lens query is nested deeper than %d", LENS_DEPTH_MAX);
	if (json_object_get(json, "operand") != NULL)
		return read_group(r, json, depth, top, ret);
	code = lens_read_leaf(r->dialect, json, ret, r->err);
	return code != 0 ? code : note_leaf(r, json, (*ret)->leaf);
}

/* {"ast": ..., "id": ...}, or a criterion without a group around it: both are unusual. */
static int
note_top(
    const struct reading *r, const json_t *json, bool wrapped, bool bare, Cairn__Expression *node)
{
	JSON_AUTO note = maker_note(&node->note);
	int code;

	if (!wrapped && !bare)
		return 0;
	if (note == NULL)
		note = json_object();
	if (bare && json_object_get(note, "in") == NULL)
		json_object_set_new(note, "in", json_array());
	if (wrapped)
		json_object_set_new(note, "envelope", template_of(json, "ast", json_null()));
	code = maker_set_note(&node->note, note);
	return code != 0 ? fail(r, code) : 0;
}

int
lens_parse(const struct dialect *dialect, const char *text, size_t length, Cairn__Expression **ret,
    struct cairn_error *err)
{
	const struct reading r = {dialect, err};
	TREE_AUTO node = NULL;
	JSON_AUTO json = NULL;
	const json_t *ast;
	json_error_t wrong;
	int code;

	if (length > LENS_BYTES_MAX)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "the Lens query is longer than %d bytes", LENS_BYTES_MAX);
	json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &wrong);
	if (json == NULL)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "the Lens query is no JSON: line %d, column %d: %.100s", wrong.line,
		    wrong.column, wrong.text);
	ast = json_object_get(json, "ast") != NULL ? json_object_get(json, "ast") : json;
	code = read_node(&r, ast, 1, true, &node);
	if (code == 0)
		code =
		    note_top(&r, json, ast != json, json_object_get(ast, "operand") == NULL, node);
	if (code == 0)
		code = cohort_check(node, err);
	if (code != 0)
		return code;
	*ret = node;
	node = NULL;
	return 0;
}
