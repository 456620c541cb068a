/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TABLE_YAML_H
#define TABLE_YAML_H

/* A YAML document with the words for what is wrong in it. */

#include <yaml.h>

#include <stdbool.h>
#include <stddef.h>

#include <cairn/error.h>

struct yaml_file {
	const char *path; /* for messages */
	yaml_document_t document;
	struct cairn_error *err;
	int code; /* of the first thing that is wrong; nothing is done after it */
};

/* "PATH:LINE: ..."; keeps the first. */
void yaml_wrong(struct yaml_file *file, const yaml_node_t *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

unsigned yaml_line(const yaml_node_t *node);
/* The text of a scalar; "" and wrong otherwise. */
const char *yaml_text(struct yaml_file *file, const yaml_node_t *node, const char *what);
bool yaml_flag(struct yaml_file *file, const yaml_node_t *node, const char *what);
/* The value of a key; NULL where it is not there. */
const yaml_node_t *yaml_value(struct yaml_file *file, const yaml_node_t *map, const char *key);
/* Only these keys (ends with NULL), each once, in a map. */
void yaml_keys(
    struct yaml_file *file, const yaml_node_t *map, const char *const *keys, const char *what);
/* Item of a list, NULL behind the last. */
const yaml_node_t *yaml_item(struct yaml_file *file, const yaml_node_t *list, size_t index);
/* The index-th pair of a map; false behind the last. */
bool yaml_pair(struct yaml_file *file, const yaml_node_t *map, size_t index,
    const yaml_node_t **ret_key, const yaml_node_t **ret_value);
bool yaml_is_list(struct yaml_file *file, const yaml_node_t *node, const char *what);
/* The word of `words` (ends with NULL) that was meant, or NULL. */
const char *yaml_suggest(const char *word, const char *const *words);
/* A copy; wrong when memory is out. */
char *yaml_copy(struct yaml_file *file, const char *text);

#endif
