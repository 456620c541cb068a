/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is below a code.  A question collects all terms of the files that are below its ancestors in
 * one walk; a code is then looked up, and where its system says so, what is above it as well.
 */
#include "cohort/hierarchy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cohort/graph.h"
#include "cohort/prefix.h"

/* The diagnoses of EUCAIM's catalogue: as SNOMED CT, as ICD-10 and as EUCAIM's own terms. */
static const struct {
	const char *parent, *child;
} built_in[] = {
    {"snomed:363358000", "icd10:C34"},
    {"snomed:254837009", "icd10:C50"},
    {"snomed:363406005", "icd10:C18"},
    {"snomed:399068003", "icd10:C61"},
    {"snomed:363484005", "icd10:C76.3"},
    {"snomed:363358000", "eucaim:CLIN1000057"},
    {"snomed:254837009", "eucaim:CLIN1000060"},
    {"snomed:363406005", "eucaim:CLIN1000065"},
    {"snomed:399068003", "eucaim:CLIN1000075"},
    {"snomed:363484005", "eucaim:CLIN1000087"},
};

static int
read_all(struct hierarchy *h, const char *const *files, size_t count, struct cairn_error *err)
{
	int code = 0;

	for (size_t i = 0; i < sizeof built_in / sizeof built_in[0] && code == 0; i++)
		code = graph_add(h, built_in[i].child, built_in[i].parent, 0, 0);
	if (code != 0)
		return cairn_error_set(err, code, "%s", cairn_code_text(code));
	h->built_in_edges = h->edge_count;
	for (size_t i = 0; i < count && code == 0; i++)
		code = hierarchy_file_read(h, files[i], (uint32_t)i, err);
	h->file_edges = h->edge_count - h->built_in_edges;
	return code != 0 ? code : graph_finish(h, files, err);
}

int
hierarchy_open(
    struct hierarchy **ret, const char *const *files, size_t count, struct cairn_error *err)
{
	struct hierarchy *h;
	int code;

	if (count > HIERARCHY_FILES_MAX)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "at most %d hierarchy files", HIERARCHY_FILES_MAX);
	h = calloc(1, sizeof *h);
	if (h == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	code = read_all(h, files, count, err);
	if (code != 0) {
		hierarchy_free(h);
		return code;
	}
	*ret = h;
	return 0;
}

void
hierarchy_free(struct hierarchy *h)
{
	if (h == NULL)
		return;
	free(h->text);
	free(h->names);
	free(h->slots);
	free(h->edges);
	free(h->first);
	free(h->children);
	free(h);
}

size_t
hierarchy_terms(const struct hierarchy *h)
{
	return h->terms;
}

size_t
hierarchy_edges(const struct hierarchy *h)
{
	return h->file_edges;
}

bool
hierarchy_knows(const struct hierarchy *h, const char *code)
{
	char folded[COHORT_VALUE_MAX + 1];

	return graph_fold(code, folded) &&
	    (prefix_system(folded) || graph_find(h, folded) != GRAPH_NONE);
}

/* ---- what is below ----------------------------------------------------------------------- */

struct hierarchy_below {
	const struct hierarchy *hierarchy;
	uint8_t *seen;   /* a byte for each term */
	uint32_t *queue; /* the terms seen */
	size_t seen_count;
	/* Ancestors that are no term, and blocks, also those that are terms. */
	char **roots;
	size_t root_count, root_room;
};

static int
add_root(struct hierarchy_below *below, const char *folded)
{
	if (below->root_count == below->root_room) {
		size_t room = below->root_room * 2 + 16;
		char **roots = realloc(below->roots, room * sizeof *roots);

		if (roots == NULL)
			return CAIRN_ENOMEM;
		below->roots = roots;
		below->root_room = room;
	}
	below->roots[below->root_count] = strdup(folded);
	if (below->roots[below->root_count] == NULL)
		return CAIRN_ENOMEM;
	below->root_count++;
	return 0;
}

static void
see(struct hierarchy_below *below, uint32_t term)
{
	if (below->seen[term])
		return;
	below->seen[term] = 1;
	below->queue[below->seen_count++] = term;
}

/* The terms of a block, which no edge names. */
static int
see_block(struct hierarchy_below *below, const char *block)
{
	const struct hierarchy *h = below->hierarchy;

	for (uint32_t i = 0; i < h->terms; i++)
		if (prefix_in_block(block, graph_name(h, i)))
			see(below, i);
	return add_root(below, block);
}

static int
see_ancestor(struct hierarchy_below *below, const char *ancestor)
{
	char folded[COHORT_VALUE_MAX + 1];
	uint32_t term;

	if (!graph_fold(ancestor, folded))
		return CAIRN_ELIMIT;
	term = graph_find(below->hierarchy, folded);
	if (term != GRAPH_NONE)
		see(below, term);
	else if (prefix_is_block(folded))
		return see_block(below, folded);
	else
		return add_root(below, folded);
	return 0;
}

static int
see_all(struct hierarchy_below *below, const char *const *ancestors, size_t count)
{
	const struct hierarchy *h = below->hierarchy;
	int code = 0;

	for (size_t i = 0; i < count && code == 0; i++)
		code = see_ancestor(below, ancestors[i]);
	for (size_t at = 0; at < below->seen_count && code == 0; at++) {
		uint32_t term = below->queue[at];

		if (prefix_is_block(graph_name(h, term)))
			code = see_block(below, graph_name(h, term));
		for (uint32_t c = h->first[term]; c < h->first[term + 1]; c++)
			see(below, h->children[c]);
	}
	return code;
}

int
hierarchy_below_new(const struct hierarchy *h, const char *const *ancestors, size_t count,
    struct hierarchy_below **ret, struct cairn_error *err)
{
	struct hierarchy_below *below = calloc(1, sizeof *below);
	int code = CAIRN_ENOMEM;

	if (below != NULL) {
		below->hierarchy = h;
		below->seen = calloc(h->terms + 1, 1);
		below->queue = calloc(h->terms + 1, sizeof *below->queue);
		if (below->seen != NULL && below->queue != NULL)
			code = see_all(below, ancestors, count);
	}
	if (code != 0) {
		hierarchy_below_free(below);
		return cairn_error_set(err, code, "what is below a code cannot be collected: %s",
		    cairn_code_text(code));
	}
	*ret = below;
	return 0;
}

void
hierarchy_below_free(struct hierarchy_below *below)
{
	if (below == NULL)
		return;
	for (size_t i = 0; i < below->root_count; i++)
		free(below->roots[i]);
	free(below->roots);
	free(below->seen);
	free(below->queue);
	free(below);
}

static bool
is_seen(const struct hierarchy_below *below, const char *folded)
{
	uint32_t term = graph_find(below->hierarchy, folded);

	if (term != GRAPH_NONE && below->seen[term])
		return true;
	for (size_t i = 0; i < below->root_count; i++)
		if (strcmp(below->roots[i], folded) == 0 ||
		    prefix_in_block(below->roots[i], folded))
			return true;
	return false;
}

bool
hierarchy_below_has(const struct hierarchy_below *below, const char *code)
{
	char folded[COHORT_VALUE_MAX + 1];

	if (!graph_fold(code, folded))
		return false;
	do
		if (is_seen(below, folded))
			return true;
	while (prefix_parent(folded));
	return false;
}

/* Whether the scan from a shorter code finds this one. */
static bool
is_scanned(const struct hierarchy_below *below, const char *code)
{
	char parent[COHORT_VALUE_MAX + 1];

	return graph_fold(code, parent) && prefix_parent(parent) &&
	    hierarchy_below_has(below, parent);
}

static int
each_root(const struct hierarchy_below *below, const char *root,
    int (*each)(void *arg, const char *code, bool prefix), void *arg)
{
	char start[COHORT_VALUE_MAX + 1];

	if (!prefix_is_block(root))
		return is_scanned(below, root) ? 0 : each(arg, root, prefix_system(root));
	snprintf(start, sizeof start, "%.*s", (int)prefix_of_block(root), root);
	return each(arg, start, true);
}

int
hierarchy_below_each(const struct hierarchy_below *below,
    int (*each)(void *arg, const char *code, bool prefix), void *arg)
{
	int code = 0;

	for (size_t i = 0; i < below->root_count && code == 0; i++)
		code = each_root(below, below->roots[i], each, arg);
	for (size_t i = 0; i < below->seen_count && code == 0; i++) {
		const char *name = graph_name(below->hierarchy, below->queue[i]);

		if (!prefix_is_block(name) && !is_scanned(below, name))
			code = each(arg, name, prefix_system(name));
	}
	return code;
}

bool
hierarchy_covers(const struct hierarchy *h, const char *ancestor, const char *code)
{
	struct hierarchy_below *below = NULL;
	bool covers = false;

	if (hierarchy_below_new(h, &ancestor, 1, &below, NULL) == 0)
		covers = hierarchy_below_has(below, code);
	hierarchy_below_free(below);
	return covers;
}
