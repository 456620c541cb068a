/* SPDX-License-Identifier: Apache-2.0 */
#include "cohort/graph.h"

#include <stdlib.h>
#include <string.h>

#include "cohort/prefix.h"

/* ---- terms ------------------------------------------------------------------------------- */

bool
graph_fold(const char *code, char ret[COHORT_VALUE_MAX + 1])
{
	size_t i;

	for (i = 0; code[i] != 0; i++) {
		if (i == COHORT_VALUE_MAX)
			return false;
		ret[i] = code[i] >= 'A' && code[i] <= 'Z' ? (char)(code[i] + 32) : code[i];
	}
	ret[i] = 0;
	return true;
}

/* FNV-1a; a site's own files are no attack on a hash table. */
static uint64_t
hash(const char *text)
{
	uint64_t value = 14695981039346656037U;

	for (; *text != 0; text++)
		value = (value ^ (uint8_t)*text) * 1099511628211U;
	return value;
}

/* Where the code is, or the empty slot where it would be. */
static size_t
find_slot(const struct hierarchy *h, const char *folded)
{
	size_t at = (size_t)(hash(folded) & (h->slot_count - 1));

	while (h->slots[at] != 0 && strcmp(graph_name(h, h->slots[at] - 1), folded) != 0)
		at = (at + 1) & (h->slot_count - 1);
	return at;
}

uint32_t
graph_find(const struct hierarchy *h, const char *folded)
{
	size_t at;

	if (h->slot_count == 0)
		return GRAPH_NONE;
	at = find_slot(h, folded);
	return h->slots[at] == 0 ? GRAPH_NONE : h->slots[at] - 1;
}

/* At most half full. */
static int
grow_slots(struct hierarchy *h)
{
	size_t count = h->slot_count == 0 ? 1024 : h->slot_count * 2;

	if (h->terms * 2 < h->slot_count)
		return 0;
	free(h->slots);
	h->slots = calloc(count, sizeof *h->slots);
	h->slot_count = h->slots != NULL ? count : 0;
	if (h->slots == NULL)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < h->terms; i++)
		h->slots[find_slot(h, graph_name(h, (uint32_t)i))] = (uint32_t)i + 1;
	return 0;
}

/* Room for `more` elements, doubling. */
static int
grow(void **array, size_t *room, size_t length, size_t more, size_t size)
{
	size_t want = *room == 0 ? 1024 : *room;
	void *bigger;

	if (length + more <= *room)
		return 0;
	while (want < length + more)
		want *= 2;
	bigger = realloc(*array, want * size);
	if (bigger == NULL)
		return CAIRN_ENOMEM;
	*array = bigger;
	*room = want;
	return 0;
}

static int
intern(struct hierarchy *h, const char *code, uint32_t *ret)
{
	char folded[COHORT_VALUE_MAX + 1];
	size_t length;
	int status = grow_slots(h);

	if (status != 0)
		return status;
	if (!graph_fold(code, folded))
		return CAIRN_ELIMIT;
	*ret = graph_find(h, folded);
	if (*ret != GRAPH_NONE)
		return 0;
	length = strlen(folded) + 1;
	if (h->terms == HIERARCHY_TERMS_MAX || h->text_length + length > HIERARCHY_BYTES_MAX)
		return CAIRN_ELIMIT;
	status = grow((void **)&h->text, &h->text_room, h->text_length, length, 1);
	if (status == 0)
		status = grow((void **)&h->names, &h->terms_room, h->terms, 1, sizeof *h->names);
	if (status != 0)
		return status;
	*ret = (uint32_t)h->terms++;
	h->names[*ret] = (uint32_t)h->text_length;
	memcpy(h->text + h->text_length, folded, length);
	h->text_length += length;
	h->slots[find_slot(h, folded)] = *ret + 1;
	return 0;
}

int
graph_add(struct hierarchy *h, const char *child, const char *parent, uint32_t line, uint32_t file)
{
	struct graph_edge edge = {.line = line, .file = file};
	int code = intern(h, child, &edge.child);

	if (code == 0)
		code = intern(h, parent, &edge.parent);
	if (code == 0 && h->edge_count == HIERARCHY_EDGES_MAX)
		code = CAIRN_ELIMIT;
	if (code == 0)
		code = grow((void **)&h->edges, &h->edge_room, h->edge_count, 1, sizeof *h->edges);
	if (code == 0)
		h->edges[h->edge_count++] = edge;
	return code;
}

/* ---- edges ------------------------------------------------------------------------------- */

/* A code of ICD or ATC in a file is below the shorter one, which may be below another again.  The
 * terms that this adds are looked at as well. */
static int
add_prefix_edges(struct hierarchy *h)
{
	for (size_t i = 0; i < h->terms; i++) {
		char child[COHORT_VALUE_MAX + 1], parent[COHORT_VALUE_MAX + 1];
		int code;

		graph_fold(graph_name(h, (uint32_t)i), child);
		memcpy(parent, child, sizeof parent);
		if (!prefix_parent(parent))
			continue;
		code = graph_add(h, child, parent, 0, 0);
		if (code != 0)
			return code;
	}
	return 0;
}

static int
index_children(struct hierarchy *h)
{
	uint32_t *next;

	h->first = calloc(h->terms + 2, sizeof *h->first);
	h->children = malloc((h->edge_count + 1) * sizeof *h->children);
	next = calloc(h->terms + 1, sizeof *next);
	if (h->first == NULL || h->children == NULL || next == NULL) {
		free(next);
		return CAIRN_ENOMEM;
	}
	for (size_t i = 0; i < h->edge_count; i++)
		h->first[h->edges[i].parent + 1]++;
	for (size_t i = 0; i < h->terms; i++)
		h->first[i + 1] += h->first[i];
	for (size_t i = 0; i < h->edge_count; i++) {
		uint32_t parent = h->edges[i].parent;

		h->children[h->first[parent] + next[parent]++] = h->edges[i].child;
	}
	free(next);
	return 0;
}

/* ---- cycles ------------------------------------------------------------------------------ */

/* Takes away whatever has no parent left, again and again; `parents` counts those left. */
static void
take_acyclic(const struct hierarchy *h, uint32_t *parents, uint32_t *queue)
{
	size_t head = 0, tail = 0;

	for (size_t i = 0; i < h->edge_count; i++)
		parents[h->edges[i].child]++;
	for (uint32_t i = 0; i < h->terms; i++)
		if (parents[i] == 0)
			queue[tail++] = i;
	while (head < tail) {
		uint32_t term = queue[head++];

		for (uint32_t c = h->first[term]; c < h->first[term + 1]; c++)
			if (--parents[h->children[c]] == 0)
				queue[tail++] = h->children[c];
	}
}

/* Everything left has a parent that is left: going up comes round.  The last line of the circle is
 * the one that closed it. */
static int
refuse_cycle(const struct hierarchy *h, const uint32_t *parents, uint32_t *up,
    const char *const *files, struct cairn_error *err)
{
	const struct graph_edge *worst = NULL;
	uint32_t at = GRAPH_NONE;

	for (size_t i = 0; i < h->edge_count; i++) {
		const struct graph_edge *edge = &h->edges[i];

		if (parents[edge->child] == 0 || parents[edge->parent] == 0)
			continue;
		up[edge->child] = (uint32_t)i;
		at = edge->child;
	}
	for (size_t i = 0; i < h->terms; i++)
		at = h->edges[up[at]].parent;
	for (size_t i = 0; i < h->terms; i++) {
		const struct graph_edge *edge = &h->edges[up[at]];

		if (worst == NULL || edge->line > worst->line)
			worst = edge;
		at = edge->parent;
	}
	return cairn_error_set(err, CAIRN_EINVAL,
	    "%s, line %u: %.100s would be below itself, through %.100s; take out this line or "
	    "another "
	    "of the circle",
	    worst->line > 0 ? files[worst->file] : "the built-in table", (unsigned)worst->line,
	    graph_name(h, worst->child), graph_name(h, worst->parent));
}

static int
check_cycles(struct hierarchy *h, const char *const *files, struct cairn_error *err)
{
	uint32_t *parents = calloc(h->terms + 1, sizeof *parents);
	uint32_t *queue = calloc(h->terms + 1, sizeof *queue);
	int code = 0;

	if (parents == NULL || queue == NULL) {
		code = cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	} else {
		take_acyclic(h, parents, queue);
		for (size_t i = 0; i < h->terms && code == 0; i++)
			if (parents[i] != 0)
				code = refuse_cycle(h, parents, queue, files, err);
	}
	free(parents);
	free(queue);
	return code;
}

int
graph_finish(struct hierarchy *h, const char *const *files, struct cairn_error *err)
{
	int code = add_prefix_edges(h);

	if (code == 0)
		code = index_children(h);
	if (code != 0)
		return cairn_error_set(
		    err, code, "the hierarchies are too large: %s", cairn_code_text(code));
	return check_cycles(h, files, err);
}
