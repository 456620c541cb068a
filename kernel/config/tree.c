/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds the tree from libyaml's parser events.  The parser keeps its own stack on the heap, and
 * so do we (a fixed one): no input can make us recurse.
 */
#include "config/tree.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"

struct builder {
	yaml_parser_t parser;
	struct tree *tree;
	struct tree_node *open[TREE_DEPTH_MAX]; /* lists and maps that have not ended */
	size_t depth;
	char *key; /* read, its value not yet */
	unsigned key_line;
	bool in_document;
	struct cairn_error *err;
};

void
tree_free(struct tree *tree)
{
	if (tree == NULL)
		return;
	while (tree->newest != NULL) {
		struct tree_node *node = tree->newest;

		tree->newest = node->made_before;
		free(node->key);
		free(node->text);
		free(node);
	}
	free(tree->origin);
	free(tree);
}

int
tree_error(const struct tree *tree, const struct tree_node *node, struct cairn_error *err,
    const char *format, ...)
{
	char text[CAIRN_ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return cairn_error_set(err, CAIRN_EINVAL, "%s:%u: %s", tree->origin, node->line, text);
}

static int
refuse(const struct builder *b, unsigned line, const char *what)
{
	return cairn_error_set(b->err, CAIRN_EINVAL, "%s:%u: %s", b->tree->origin, line, what);
}

static int
no_memory(const struct builder *b)
{
	return cairn_error_set(b->err, CAIRN_ENOMEM, "%s: out of memory", b->tree->origin);
}

/* ---- nodes ------------------------------------------------------------------------------ */

static struct tree_node *
make_node(struct tree *tree, enum tree_kind kind, unsigned line)
{
	struct tree_node *node = calloc(1, sizeof *node);

	if (node == NULL)
		return NULL;
	node->kind = kind;
	node->line = line;
	node->made_before = tree->newest;
	tree->newest = node;
	tree->node_count++;
	return node;
}

static int
attach(struct builder *b, struct tree_node *node)
{
	struct tree_node *parent;

	if (b->depth == 0) {
		b->tree->root = node;
		return 0;
	}
	parent = b->open[b->depth - 1];
	if (parent->kind == TREE_MAP) {
		if (b->key == NULL)
			return refuse(b, node->line, "a key must be a single word");
		node->key = b->key;
		node->line = b->key_line;
		b->key = NULL;
	}
	if (parent->last == NULL)
		parent->first = node;
	else
		parent->last->next = node;
	parent->last = node;
	parent->count++;
	return 0;
}

static int
add_node(struct builder *b, enum tree_kind kind, unsigned line, struct tree_node **ret)
{
	struct tree_node *node;
	int code;

	if (b->tree->node_count >= TREE_NODES_MAX)
		return refuse(b, line, "more than 10000 values in one file");
	node = make_node(b->tree, kind, line);
	if (node == NULL)
		return no_memory(b);
	code = attach(b, node);
	if (code == 0)
		*ret = node;
	return code;
}

static int
open_node(struct builder *b, enum tree_kind kind, unsigned line)
{
	struct tree_node *node;
	int code;

	if (b->depth == TREE_DEPTH_MAX)
		return refuse(b, line, "nested deeper than 16 levels");
	code = add_node(b, kind, line, &node);
	if (code == 0)
		b->open[b->depth++] = node;
	return code;
}

/* ---- events ----------------------------------------------------------------------------- */

static int
take_key(struct builder *b, const yaml_event_t *event, unsigned line)
{
	const struct tree_node *map = b->open[b->depth - 1];
	const char *text = (const char *)event->data.scalar.value;
	size_t length = event->data.scalar.length;
	const struct tree_node *twin;

	if (length == 0 || length > TREE_KEY_MAX || memchr(text, 0, length) != NULL)
		return refuse(b, line, "a key must have 1 to 128 characters");
	twin = tree_find(map, text);
	if (twin != NULL) {
		return cairn_error_set(b->err, CAIRN_EINVAL,
		    "%s:%u: duplicate key '%s'; it is already on line %u", b->tree->origin, line,
		    text, twin->line);
	}
	b->key = strdup(text);
	b->key_line = line;
	return b->key == NULL ? no_memory(b) : 0;
}

static int
take_scalar(struct builder *b, const yaml_event_t *event, unsigned line)
{
	struct tree_node *node;
	int code;

	if (b->depth > 0 && b->open[b->depth - 1]->kind == TREE_MAP && b->key == NULL)
		return take_key(b, event, line);
	if (memchr(event->data.scalar.value, 0, event->data.scalar.length) != NULL)
		return refuse(b, line, "a text must not hold a zero byte");
	code = add_node(b, TREE_SCALAR, line, &node);
	if (code != 0)
		return code;
	node->text = strdup((const char *)event->data.scalar.value);
	node->length = event->data.scalar.length;
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return node->text == NULL ? no_memory(b) : 0;
}

static int
start_document(struct builder *b, const yaml_event_t *event, unsigned line)
{
	if (b->in_document)
		return refuse(b, line, "a second document; one file holds one");
	if (event->data.document_start.version_directive != NULL ||
	    event->data.document_start.tag_directives.start !=
		event->data.document_start.tag_directives.end)
		return refuse(b, line, "directives (%) are not allowed here");
	b->in_document = true;
	return 0;
}

static int
take_event(struct builder *b, const yaml_event_t *event)
{
	static const char no_tags[] = "tags (!) and anchors (&) are not allowed here";
	unsigned line = (unsigned)event->start_mark.line + 1;

	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return start_document(b, event, line);
	case YAML_ALIAS_EVENT:
		return refuse(b, line,
		    "aliases (*) are not allowed here; a text that begins with "
		    "'*' needs quotes");
	case YAML_SCALAR_EVENT:
		if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL)
			return refuse(b, line, no_tags);
		return take_scalar(b, event, line);
	case YAML_SEQUENCE_START_EVENT:
		if (event->data.sequence_start.anchor != NULL ||
		    event->data.sequence_start.tag != NULL)
			return refuse(b, line, no_tags);
		return open_node(b, TREE_LIST, line);
	case YAML_MAPPING_START_EVENT:
		if (event->data.mapping_start.anchor != NULL ||
		    event->data.mapping_start.tag != NULL)
			return refuse(b, line, no_tags);
		return open_node(b, TREE_MAP, line);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		return 0;
	default:
		return 0;
	}
}

static int
parser_problem(const struct builder *b)
{
	const yaml_parser_t *parser = &b->parser;
	const char *problem = parser->problem == NULL ? "not YAML" : parser->problem;
	const char *hint = "";

	if (parser->error == YAML_MEMORY_ERROR)
		return no_memory(b);
	if (strstr(problem, "cannot start any token") != NULL)
		hint = " (a tab, '@', '`' or '%': indent with spaces, quote texts)";
	return cairn_error_set(b->err, CAIRN_EINVAL, "%s:%zu: not valid YAML: %s%s",
	    b->tree->origin, parser->problem_mark.line + 1, problem, hint);
}

static int
run_parser(struct builder *b)
{
	bool more = true;

	while (more) {
		yaml_event_t event;
		int code;

		if (yaml_parser_parse(&b->parser, &event) == 0)
			return parser_problem(b);
		code = take_event(b, &event);
		more = event.type != YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
		if (code != 0)
			return code;
	}
	if (b->tree->root == NULL || tree_is_null(b->tree->root))
		b->tree->root = make_node(b->tree, TREE_MAP, 1);
	return b->tree->root == NULL ? no_memory(b) : 0;
}

int
tree_parse(const void *bytes, size_t length, const char *origin, struct tree **ret,
    struct cairn_error *err)
{
	struct builder b = {.err = err};
	int code;

	if (length > TREE_FILE_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "%s: larger than 1 MiB", origin);
	b.tree = calloc(1, sizeof *b.tree);
	if (b.tree == NULL || (b.tree->origin = strdup(origin)) == NULL ||
	    yaml_parser_initialize(&b.parser) == 0) {
		tree_free(b.tree);
		return cairn_error_set(err, CAIRN_ENOMEM, "%s: out of memory", origin);
	}
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, bytes, length);
	code = run_parser(&b);
	yaml_parser_delete(&b.parser);
	free(b.key);
	if (code != 0)
		tree_free(b.tree);
	else
		*ret = b.tree;
	return code;
}

int
tree_read(const char *path, const char *origin, struct tree **ret, struct cairn_error *err)
{
	BUF_AUTO buf = {.max = TREE_FILE_MAX};
	int code = file_read(path, &buf, err);

	if (code != 0)
		return code;
	return tree_parse(buf.length == 0 ? (const uint8_t *)"" : buf.data, buf.length,
	    origin == NULL ? path : origin, ret, err);
}

/* ---- reading the tree ------------------------------------------------------------------- */

const struct tree_node *
tree_find(const struct tree_node *map, const char *key)
{
	for (const struct tree_node *at = map->first; at != NULL; at = at->next) {
		if (strcmp(at->key, key) == 0)
			return at;
	}
	return NULL;
}

bool
tree_is_null(const struct tree_node *node)
{
	return node->kind == TREE_SCALAR && node->plain &&
	    (node->length == 0 || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

const char *
tree_found(const struct tree_node *node, char ret[TREE_FOUND_MAX])
{
	int64_t integer;

	if (node->kind != TREE_SCALAR)
		return node->kind == TREE_LIST ? "a list" : "a map of keys";
	if (tree_is_null(node))
		return "nothing";
	if (tree_integer(node, &integer) == 0)
		snprintf(ret, TREE_FOUND_MAX, "%" PRId64, integer);
	else
		snprintf(ret, TREE_FOUND_MAX, "the text '%.40s'%s", node->text,
		    node->length > 40 ? "..." : "");
	return ret;
}

int
tree_integer(const struct tree_node *node, int64_t *ret)
{
	if (node->kind != TREE_SCALAR || !node->plain)
		return CAIRN_EINVAL;
	return text_to_integer(node->text, INT64_MIN, INT64_MAX, ret);
}

int
tree_number(const struct tree_node *node, double *ret)
{
	if (node->kind != TREE_SCALAR || !node->plain)
		return CAIRN_EINVAL;
	return text_to_number(node->text, ret);
}

int
tree_bool(const struct tree_node *node, bool *ret)
{
	if (node->kind != TREE_SCALAR || !node->plain)
		return CAIRN_EINVAL;
	if (strcmp(node->text, "true") != 0 && strcmp(node->text, "false") != 0)
		return CAIRN_EINVAL;
	*ret = node->text[0] == 't';
	return 0;
}
