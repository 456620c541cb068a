/* SPDX-License-Identifier: Apache-2.0 */
/* Reads schemas.  They come out of plugins' manifests, so nothing about them is taken on trust. */
#include "config/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

#define FALLBACK_TEXT_MAX 4096

/* ---- words ------------------------------------------------------------------------------ */

bool
schema_text_is_plain(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	/* Controls, and what YAML 1.1 takes for line ends besides them: NEL, LS and PS. */
	for (; *at != 0; at++) {
		if (*at < 0x20 || *at == 0x7f)
			return false;
		if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f)
			return false;
		if (at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9))
			return false;
	}
	return true;
}

const char *
schema_next_word(const void *arg, size_t index)
{
	return ((const char *const *)arg)[index];
}

const char *
schema_advice(const char *word, const char *(*next)(const void *arg, size_t index), const void *arg,
    char ret[SCHEMA_ADVICE_MAX])
{
	const char *meant = text_suggest(word, next, arg);

	ret[0] = 0;
	if (meant != NULL)
		snprintf(ret, SCHEMA_ADVICE_MAX, "; did you mean '%s'?", meant);
	return ret;
}

int
schema_unknown_key(const struct tree *tree, const struct tree_node *node, const char *const *known,
    const char *where, struct cairn_error *err)
{
	char in[SCHEMA_KEY_MAX + 8] = "";
	char advice[SCHEMA_ADVICE_MAX];

	if (where != NULL)
		snprintf(in, sizeof in, " in '%s'", where);
	if (*schema_advice(node->key, schema_next_word, known, advice) == 0 &&
	    strchr(node->key, '.') != NULL)
		snprintf(advice, sizeof advice, "; write 'a.b: 1' as 'a: {b: 1}'");
	return tree_error(tree, node, err, "unknown key '%s'%s%s", node->key, in, advice);
}

int
schema_known_keys(const struct tree *tree, const struct tree_node *map, const char *const *known,
    const char *where, struct cairn_error *err)
{
	for (const struct tree_node *at = map->first; at != NULL; at = at->next) {
		size_t i = 0;

		while (known[i] != NULL && strcmp(known[i], at->key) != 0)
			i++;
		if (known[i] == NULL)
			return schema_unknown_key(tree, at, known, where, err);
	}
	return 0;
}

static int
no_memory(const struct tree *tree, struct cairn_error *err)
{
	return cairn_error_set(err, CAIRN_ENOMEM, "%s: out of memory", tree->origin);
}

/* ---- keys ------------------------------------------------------------------------------- */

/* Words of a-z, 0-9 and _ that begin with a letter, with dots between them. */
static bool
key_is_good(const char *key)
{
	bool start = true;

	if (strlen(key) > SCHEMA_KEY_MAX)
		return false;
	for (; *key != 0; key++) {
		bool letter = *key >= 'a' && *key <= 'z';

		if (start ? !letter
			  : !letter && *key != '_' && *key != '.' && !(*key >= '0' && *key <= '9'))
			return false;
		start = *key == '.';
	}
	return !start;
}

static int
check_key(const struct tree *tree, const struct tree_node *node, const struct config_schema *schema,
    struct cairn_error *err)
{
	size_t length = strlen(node->key);

	if (!key_is_good(node->key))
		return tree_error(tree, node, err,
		    "option '%s': a key is made of a-z, 0-9 and '_', with dots between words",
		    node->key);
	for (size_t i = 0; i < schema->count; i++) {
		const char *other = schema->options[i].key;
		size_t shorter = strlen(other) < length ? strlen(other) : length;

		if (strncmp(other, node->key, shorter) == 0 &&
		    (other[shorter] == '.' || node->key[shorter] == '.'))
			return tree_error(tree, node, err,
			    "option '%s' cannot be beside option '%s', which would hold it",
			    node->key, other);
	}
	return 0;
}

/* ---- one option ------------------------------------------------------------------------- */

static int
parse_type(const struct tree *tree, const struct tree_node *map, struct config_option *option,
    struct cairn_error *err)
{
	static const char *const types[] = {"string", "integer", "number", "bool", "list", NULL};
	const struct tree_node *node = tree_find(map, "type");
	char advice[SCHEMA_ADVICE_MAX];

	if (node == NULL || node->kind != TREE_SCALAR)
		return tree_error(tree, map, err, "option '%s' has no type", option->key);
	for (size_t i = 0; types[i] != NULL; i++) {
		if (strcmp(types[i], node->text) == 0) {
			option->type = (enum config_type)i;
			return 0;
		}
	}
	return tree_error(tree, node, err,
	    "option '%s': a type is string, integer, number, bool or list, not '%.40s'%s",
	    option->key, node->text, schema_advice(node->text, schema_next_word, types, advice));
}

static int
parse_limit(const struct tree *tree, const struct tree_node *node, struct config_option *option,
    bool *ret_has, double *ret, struct cairn_error *err)
{
	if (node == NULL)
		return 0;
	if (option->type == CONFIG_BOOL || tree_number(node, ret) != 0)
		return tree_error(tree, node, err, "option '%s': '%s' must be a number%s",
		    option->key, node->key,
		    option->type == CONFIG_BOOL ? ", and a bool has none" : "");
	*ret_has = true;
	return 0;
}

static int
parse_range(const struct tree *tree, const struct tree_node *map, struct config_option *option,
    struct cairn_error *err)
{
	int code =
	    parse_limit(tree, tree_find(map, "min"), option, &option->has_min, &option->min, err);

	if (code == 0)
		code = parse_limit(
		    tree, tree_find(map, "max"), option, &option->has_max, &option->max, err);
	if (code == 0 && option->has_min && option->has_max && option->min > option->max)
		return tree_error(tree, map, err, "option '%s': min %.15g is more than max %.15g",
		    option->key, option->min, option->max);
	return code;
}

static int
parse_choices(const struct tree *tree, const struct tree_node *map, struct config_option *option,
    struct cairn_error *err)
{
	const struct tree_node *node = tree_find(map, "choices");
	size_t count = 0;

	if (node == NULL)
		return 0;
	if (option->type != CONFIG_STRING && option->type != CONFIG_LIST)
		return tree_error(
		    tree, node, err, "option '%s': only string and list have choices", option->key);
	if (node->kind != TREE_LIST || node->count == 0 || node->count > SCHEMA_CHOICES_MAX)
		return tree_error(tree, node, err,
		    "option '%s': choices must be a list of 1 to 256", option->key);
	option->choices = calloc(node->count + 1, sizeof *option->choices);
	if (option->choices == NULL)
		return no_memory(tree, err);
	for (const struct tree_node *at = node->first; at != NULL; at = at->next) {
		if (at->kind != TREE_SCALAR || !schema_text_is_plain(at->text))
			return tree_error(tree, at, err,
			    "option '%s': each choice must be a printable text", option->key);
		option->choices[count] = strdup(at->text);
		if (option->choices[count++] == NULL)
			return no_memory(tree, err);
	}
	return 0;
}

static int
parse_help(const struct tree *tree, const struct tree_node *map, struct config_option *option,
    struct cairn_error *err)
{
	const struct tree_node *node = tree_find(map, "help");

	if (node == NULL)
		return 0;
	if (node->kind != TREE_SCALAR || !schema_text_is_plain(node->text))
		return tree_error(
		    tree, node, err, "option '%s': help must be one line of text", option->key);
	option->help = strdup(node->text);
	return option->help == NULL ? no_memory(tree, err) : 0;
}

/* ---- defaults, kept as YAML text -------------------------------------------------------- */

static bool
is_safe_plain(const struct tree_node *node)
{
	return node->plain && node->length > 0 &&
	    strspn(node->text,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789_./+-") == node->length;
}

static int
append_scalar(struct buf *buf, const struct tree_node *node)
{
	int code;

	if (node->kind != TREE_SCALAR || !schema_text_is_plain(node->text))
		return CAIRN_EINVAL;
	if (is_safe_plain(node))
		return buf_append_text(buf, node->text);
	code = buf_append_text(buf, "\"");
	for (const char *at = node->text; *at != 0 && code == 0; at++) {
		if (*at == '"' || *at == '\\')
			code = buf_append_text(buf, "\\");
		if (code == 0)
			code = buf_append(buf, at, 1);
	}
	return code == 0 ? buf_append_text(buf, "\"") : code;
}

static int
append_default(struct buf *buf, const struct tree_node *node)
{
	int code;

	if (node->kind != TREE_LIST)
		return append_scalar(buf, node);
	code = buf_append_text(buf, "[");
	for (const struct tree_node *at = node->first; at != NULL && code == 0; at = at->next) {
		if (at != node->first)
			code = buf_append_text(buf, ", ");
		if (code == 0)
			code = append_scalar(buf, at);
	}
	return code == 0 ? buf_append_text(buf, "]") : code;
}

static int
parse_default(const struct tree *tree, const struct tree_node *map, struct config_option *option,
    struct cairn_error *err)
{
	const struct tree_node *node = tree_find(map, "default");
	BUF_AUTO buf = {.max = FALLBACK_TEXT_MAX};
	struct config_value value = {0};
	const char *text;
	int code;

	if (node == NULL)
		return 0;
	code = schema_check(tree, node, option, &value, err);
	if (code != 0)
		return code;
	schema_value_fini(&value);
	code = append_default(&buf, node);
	text = code == 0 ? buf_text(&buf) : NULL;
	if (text == NULL)
		return tree_error(tree, node, err,
		    "option '%s': the default must be printable and at most 4,096 bytes",
		    option->key);
	option->fallback = strdup(text);
	return option->fallback == NULL ? no_memory(tree, err) : 0;
}

static int
parse_option(const struct tree *tree, const struct tree_node *node, struct config_option *option,
    struct cairn_error *err)
{
	static const char *const known[] = {
	    "type", "default", "min", "max", "choices", "help", NULL};
	int code;

	option->key = strdup(node->key);
	if (option->key == NULL)
		return no_memory(tree, err);
	if (node->kind != TREE_MAP)
		return tree_error(tree, node, err,
		    "option '%s' must be a map such as {type: integer, default: 1}", node->key);
	code = schema_known_keys(tree, node, known, node->key, err);
	if (code == 0)
		code = parse_type(tree, node, option, err);
	if (code == 0)
		code = parse_range(tree, node, option, err);
	if (code == 0)
		code = parse_choices(tree, node, option, err);
	if (code == 0)
		code = parse_help(tree, node, option, err);
	return code == 0 ? parse_default(tree, node, option, err) : code;
}

/* ---- the schema ------------------------------------------------------------------------- */

int
schema_parse(const struct tree *tree, const struct tree_node *map, struct config_schema *ret,
    struct cairn_error *err)
{
	struct config_schema schema = {0};
	int code = 0;

	if (map->kind != TREE_MAP)
		return tree_error(tree, map, err, "the schema must be a map of options");
	if (map->count > SCHEMA_OPTIONS_MAX)
		return tree_error(tree, map, err, "more than 256 options");
	schema.options = calloc(map->count + 1, sizeof *schema.options);
	if (schema.options == NULL)
		return no_memory(tree, err);
	for (const struct tree_node *at = map->first; at != NULL && code == 0; at = at->next) {
		code = check_key(tree, at, &schema, err);
		if (code == 0)
			code = parse_option(tree, at, &schema.options[schema.count++], err);
	}
	if (code != 0)
		schema_fini(&schema);
	else
		*ret = schema;
	return code;
}

void
schema_fini(struct config_schema *schema)
{
	for (size_t i = 0; i < schema->count; i++) {
		struct config_option *option = &schema->options[i];

		for (size_t j = 0; option->choices != NULL && option->choices[j] != NULL; j++)
			free(option->choices[j]);
		free(option->choices);
		free(option->key);
		free(option->help);
		free(option->fallback);
	}
	free(schema->options);
	*schema = (struct config_schema){0};
}
