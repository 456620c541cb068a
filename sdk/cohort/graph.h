/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_GRAPH_H
#define COHORT_GRAPH_H

/* The codes and edges of a hierarchy, between its files (hierarchy_file.c) and its questions. */

#include <stddef.h>
#include <stdint.h>

#include "cohort/expr.h"
#include "cohort/hierarchy.h"

#define GRAPH_NONE UINT32_MAX

struct graph_edge {
	uint32_t child, parent;
	uint32_t line; /* 0: none, it is built in */
	uint32_t file;
};

struct hierarchy {
	char *text; /* all codes, lower case, ended by 0 */
	size_t text_length, text_room;
	uint32_t *names; /* where in the text a term begins */
	size_t terms, terms_room;
	uint32_t *slots; /* hash table: term + 1 */
	size_t slot_count;
	struct graph_edge *edges;
	size_t edge_count, edge_room;
	/* Below a term: children[first[term]] to children[first[term + 1] - 1]. */
	uint32_t *first, *children;
	size_t built_in_edges;
	size_t file_edges;
};

static inline const char *
graph_name(const struct hierarchy *h, uint32_t term)
{
	return h->text + h->names[term];
}

/* Lower case, at most COHORT_VALUE_MAX bytes; false when it is longer. */
bool graph_fold(const char *code, char ret[COHORT_VALUE_MAX + 1]);
/* Of a folded code; GRAPH_NONE when unknown. */
uint32_t graph_find(const struct hierarchy *h, const char *folded);
/* CAIRN_ELIMIT, CAIRN_ENOMEM. */
int graph_add(
    struct hierarchy *h, const char *child, const char *parent, uint32_t line, uint32_t file);
/* Adds the edges that codes say themselves, refuses cycles, makes `first` and `children`. */
int graph_finish(struct hierarchy *h, const char *const *files, struct cairn_error *err);

/* Edges of a file of the site, with its line in every error. */
int hierarchy_file_read(
    struct hierarchy *h, const char *path, uint32_t file, struct cairn_error *err);
int hierarchy_owl_read(
    struct hierarchy *h, const char *path, uint32_t file, struct cairn_error *err);

#endif
