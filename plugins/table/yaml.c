/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

unsigned
yaml_line(const yaml_node_t *node)
{
	return (unsigned)node->start_mark.line + 1;
}

void
yaml_wrong(struct yaml_file *file, const yaml_node_t *node, const char *format, ...)
{
	char text[400];
	va_list arguments;

	if (file->code != 0)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	file->code = cairn_error_set(
	    file->err, CAIRN_EINVAL, "%s:%u: %s", file->path, yaml_line(node), text);
}

const char *
yaml_text(struct yaml_file *file, const yaml_node_t *node, const char *what)
{
	if (node->type != YAML_SCALAR_NODE) {
		yaml_wrong(file, node, "%s is to be a text", what);
		return "";
	}
	if (strlen((const char *)node->data.scalar.value) != node->data.scalar.length) {
		yaml_wrong(file, node, "%s has a zero byte", what);
		return "";
	}
	return (const char *)node->data.scalar.value;
}

bool
yaml_flag(struct yaml_file *file, const yaml_node_t *node, const char *what)
{
	const char *text = yaml_text(file, node, what);

	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		yaml_wrong(file, node, "%s is to be true or false", what);
	return strcmp(text, "true") == 0;
}

bool
yaml_pair(struct yaml_file *file, const yaml_node_t *map, size_t index, const yaml_node_t **ret_key,
    const yaml_node_t **ret_value)
{
	const yaml_node_pair_t *pair = map->data.mapping.pairs.start + index;

	if (map->type != YAML_MAPPING_NODE || pair >= map->data.mapping.pairs.top)
		return false;
	*ret_key = yaml_document_get_node(&file->document, pair->key);
	*ret_value = yaml_document_get_node(&file->document, pair->value);
	return true;
}

const yaml_node_t *
yaml_value(struct yaml_file *file, const yaml_node_t *map, const char *key)
{
	const yaml_node_t *name, *value;

	for (size_t i = 0; yaml_pair(file, map, i, &name, &value); i++) {
		if (name->type == YAML_SCALAR_NODE &&
		    strcmp((const char *)name->data.scalar.value, key) == 0)
			return value;
	}
	return NULL;
}

const yaml_node_t *
yaml_item(struct yaml_file *file, const yaml_node_t *list, size_t index)
{
	const yaml_node_item_t *item = list->data.sequence.items.start + index;

	if (list->type != YAML_SEQUENCE_NODE || item >= list->data.sequence.items.top)
		return NULL;
	return yaml_document_get_node(&file->document, *item);
}

bool
yaml_is_list(struct yaml_file *file, const yaml_node_t *node, const char *what)
{
	if (node->type != YAML_SEQUENCE_NODE)
		yaml_wrong(file, node, "%s is to be a list", what);
	return node->type == YAML_SEQUENCE_NODE;
}

static const char *
word_at(const void *arg, size_t index)
{
	return ((const char *const *)arg)[index];
}

const char *
yaml_suggest(const char *word, const char *const *words)
{
	return text_suggest(word, word_at, words);
}

static bool
known(const char *name, const char *const *keys)
{
	for (size_t i = 0; keys[i] != NULL; i++) {
		if (strcmp(keys[i], name) == 0)
			return true;
	}
	return false;
}

void
yaml_keys(struct yaml_file *file, const yaml_node_t *map, const char *const *keys, const char *what)
{
	const yaml_node_t *key, *value;

	if (map->type != YAML_MAPPING_NODE) {
		yaml_wrong(file, map, "%s is to be a map (key: value)", what);
		return;
	}
	for (size_t i = 0; yaml_pair(file, map, i, &key, &value); i++) {
		const char *name = yaml_text(file, key, "a key");
		const char *meant = yaml_suggest(name, keys);

		if (!known(name, keys))
			yaml_wrong(file, key, "unknown key '%.60s' in %s%s%s%s", name, what,
			    meant != NULL ? "; did you mean '" : "", meant != NULL ? meant : "",
			    meant != NULL ? "'?" : "");
		else if (yaml_value(file, map, name) != value)
			yaml_wrong(file, key, "the key '%.60s' is there twice in %s", name, what);
	}
}

char *
yaml_copy(struct yaml_file *file, const char *text)
{
	char *copy = file->code == 0 ? strdup(text) : NULL;

	if (copy == NULL && file->code == 0)
		file->code = cairn_error_set(file->err, CAIRN_ENOMEM, "out of memory");
	return copy;
}
