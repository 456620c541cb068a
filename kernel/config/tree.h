/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

/*
 * A YAML file as a small tree that knows its lines.  Only what configuration needs: scalars, lists
 * and maps with plain keys.  Anchors, aliases, tags, directives, duplicate keys and a second
 * document are refused with file and line, and so is what exceeds the limits below.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#define TREE_FILE_MAX (1u << 20)
#define TREE_DEPTH_MAX 16
#define TREE_NODES_MAX 10000
#define TREE_KEY_MAX 128
#define TREE_FOUND_MAX 64

enum tree_kind { TREE_SCALAR, TREE_LIST, TREE_MAP };

struct tree_node {
	enum tree_kind kind;
	unsigned line;                         /* from 1 */
	char *key;                             /* of a map's child, else NULL */
	char *text;                            /* SCALAR; holds no zero byte */
	size_t length;                         /* of the text */
	bool plain;                            /* written without quotes */
	struct tree_node *first, *last, *next; /* children of a LIST or MAP, in order */
	size_t count;
	struct tree_node *made_before; /* every node, for tree_free() */
};

struct tree {
	char *origin;           /* what messages call the file */
	struct tree_node *root; /* an empty file is an empty MAP */
	struct tree_node *newest;
	size_t node_count;
};

/* `origin` is the file's name in messages; NULL means `path`. */
int tree_read(const char *path, const char *origin, struct tree **ret, struct cairn_error *err);
int tree_parse(const void *bytes, size_t length, const char *origin, struct tree **ret,
    struct cairn_error *err);
void tree_free(struct tree *tree);

/* "ORIGIN:LINE: text"; returns CAIRN_EINVAL. */
int tree_error(const struct tree *tree, const struct tree_node *node, struct cairn_error *err,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

const struct tree_node *tree_find(const struct tree_node *map, const char *key);
/* A key without a value, or `null` or `~` without quotes. */
bool tree_is_null(const struct tree_node *node);
/* What stands there, for a message: "the text 'abc'", "a list", "nothing". */
const char *tree_found(const struct tree_node *node, char ret[TREE_FOUND_MAX]);

/* Values of an unquoted scalar: 0, or CAIRN_EINVAL when it does not read as one. */
int tree_integer(const struct tree_node *node, int64_t *ret);
int tree_number(const struct tree_node *node, double *ret);
int tree_bool(const struct tree_node *node, bool *ret);

#endif
