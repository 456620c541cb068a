/* SPDX-License-Identifier: Apache-2.0 */
/* One value against one option: type, range, choices. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "config/schema.h"

#define RANGE_TEXT_MAX 96
#define CHOICES_TEXT_MAX 300

struct check {
	const struct tree *tree;
	const struct tree_node *node;
	const struct config_option *option;
	struct cairn_error *err;
};

const char *
schema_type_text(enum config_type type)
{
	static const char *const texts[] = {
	    "a text", "a whole number", "a number", "true or false", "a list"};

	return texts[type];
}

void
schema_range_text(const struct config_option *option, char *ret, size_t size)
{
	if (option->has_min && option->has_max)
		snprintf(ret, size, "from %.15g to %.15g", option->min, option->max);
	else if (option->has_min)
		snprintf(ret, size, "at least %.15g", option->min);
	else if (option->has_max)
		snprintf(ret, size, "at most %.15g", option->max);
	else
		ret[0] = 0;
}

static int
wrong_type(const struct check *c)
{
	char found[TREE_FOUND_MAX];
	const char *hint = "";

	if (c->option->type == CONFIG_LIST)
		hint = "; a list is written [a, b] or with '- ' lines";
	else if (c->option->type == CONFIG_STRING && tree_is_null(c->node))
		hint = "; an empty text is written \"\"";
	else if (c->node->kind == TREE_SCALAR && !c->node->plain)
		hint = "; remove the quotes";
	return tree_error(c->tree, c->node, c->err, "'%s' must be %s, found %s%s", c->option->key,
	    schema_type_text(c->option->type), tree_found(c->node, found), hint);
}

static int
check_range(const struct check *c, double value, const char *of)
{
	const struct config_option *option = c->option;
	char range[RANGE_TEXT_MAX];

	if ((!option->has_min || value >= option->min) &&
	    (!option->has_max || value <= option->max))
		return 0;
	schema_range_text(option, range, sizeof range);
	return tree_error(c->tree, c->node, c->err, "'%s' must %s %s%s, found %.15g", option->key,
	    *of == 0 ? "be" : "have", range, of, value);
}

static int
check_choice(const struct check *c, const struct tree_node *node)
{
	BUF_AUTO list = {.max = CHOICES_TEXT_MAX};
	char *const *choices = c->option->choices;
	char advice[SCHEMA_ADVICE_MAX];
	const char *text;

	for (size_t i = 0; choices != NULL && choices[i] != NULL; i++) {
		if (strcmp(choices[i], node->text) == 0)
			return 0;
		/* What does not fit into the message is in the example file. */
		if (buf_append_format(&list, "%s%s", i == 0 ? "" : ", ", choices[i]) != 0)
			break;
	}
	if (choices == NULL)
		return 0;
	text = buf_text(&list);
	return tree_error(c->tree, node, c->err, "'%s' takes %s, not '%.40s'%s", c->option->key,
	    text == NULL ? "" : text, node->text,
	    schema_advice(node->text, schema_next_word, choices, advice));
}

static int
no_memory(const struct check *c)
{
	return cairn_error_set(c->err, CAIRN_ENOMEM, "%s: out of memory", c->tree->origin);
}

static int
check_string(const struct check *c, struct config_value *ret)
{
	int code;

	if (c->node->kind != TREE_SCALAR || tree_is_null(c->node))
		return wrong_type(c);
	code = check_range(c, (double)c->node->length, " characters");
	if (code == 0)
		code = check_choice(c, c->node);
	if (code != 0)
		return code;
	ret->text = strdup(c->node->text);
	return ret->text == NULL ? no_memory(c) : 0;
}

static int
check_scalar(const struct check *c, struct config_value *ret)
{
	switch (c->option->type) {
	case CONFIG_INTEGER:
		if (tree_integer(c->node, &ret->integer) != 0)
			return wrong_type(c);
		return check_range(c, (double)ret->integer, "");
	case CONFIG_NUMBER:
		if (tree_number(c->node, &ret->number) != 0)
			return wrong_type(c);
		return check_range(c, ret->number, "");
	case CONFIG_BOOL:
		return tree_bool(c->node, &ret->boolean) != 0 ? wrong_type(c) : 0;
	default:
		return check_string(c, ret);
	}
}

static int
check_item(const struct check *c, const struct tree_node *item)
{
	char found[TREE_FOUND_MAX];

	if (item->kind != TREE_SCALAR || tree_is_null(item))
		return tree_error(c->tree, item, c->err,
		    "the items of '%s' must be texts, found %s", c->option->key,
		    tree_found(item, found));
	return check_choice(c, item);
}

static int
check_list(const struct check *c, struct config_value *ret)
{
	int code;

	if (c->node->kind != TREE_LIST)
		return wrong_type(c);
	code = check_range(c, (double)c->node->count, " items");
	if (code != 0)
		return code;
	ret->items = calloc(c->node->count + 1, sizeof *ret->items);
	if (ret->items == NULL)
		return no_memory(c);
	for (const struct tree_node *item = c->node->first; item != NULL; item = item->next) {
		code = check_item(c, item);
		if (code != 0)
			return code;
		ret->items[ret->item_count] = strdup(item->text);
		if (ret->items[ret->item_count] == NULL)
			return no_memory(c);
		ret->item_count++;
	}
	return 0;
}

void
schema_value_fini(struct config_value *value)
{
	free(value->text);
	for (size_t i = 0; i < value->item_count; i++)
		free(value->items[i]);
	free(value->items);
	*value = (struct config_value){0};
}

int
schema_check(const struct tree *tree, const struct tree_node *node,
    const struct config_option *option, struct config_value *ret, struct cairn_error *err)
{
	struct check c = {tree, node, option, err};
	struct config_value value = {.option = option, .line = node->line};
	int code = option->type == CONFIG_LIST ? check_list(&c, &value) : check_scalar(&c, &value);

	if (code != 0)
		schema_value_fini(&value);
	else
		*ret = value;
	return code;
}
