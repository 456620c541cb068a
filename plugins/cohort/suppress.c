/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secondary suppression.  A table whose margins can be asked for gives a hidden cell away when it
 * is the only one of its row or column, or, more generally, when it is the only link between two
 * parts of the graph whose nodes are rows and columns and whose edges are hidden cells: exactly
 * then it follows from sums.  So more cells are hidden, the smallest first, until there is no such
 * one; where none is left that would help, the whole table is.  A line of fewer patients than
 * `min_cell` has no total that anybody can know: such lines are linked with each other.
 */
#include <stdlib.h>
#include <string.h>

#include "table.h"

struct table {
	const uint64_t *cells;
	size_t rows, columns;
	uint64_t min_cell;
	bool *hidden;
	size_t *queue; /* of nodes: rows, then columns, then one for all unknown totals */
	bool *seen;
};

static bool
is_hidden(const struct table *t, size_t cell)
{
	return t->hidden[cell] && t->cells[cell] > 0;
}

/* The smallest cell of a line that is shown; false when none is. */
static bool
smallest_shown(const struct table *t, size_t first, size_t step, size_t count, size_t *ret)
{
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		size_t cell = first + i * step;

		if (t->hidden[cell] || t->cells[cell] == 0)
			continue;
		if (!found || t->cells[cell] < t->cells[*ret])
			*ret = cell;
		found = true;
	}
	return found;
}

/* Returns whether another cell was hidden. */
static bool
protect_line(struct table *t, size_t first, size_t step, size_t count)
{
	uint64_t sum = 0;
	size_t hidden = 0, cell = 0;

	for (size_t i = 0; i < count; i++) {
		if (!is_hidden(t, first + i * step))
			continue;
		sum += t->cells[first + i * step];
		hidden++;
	}
	if (hidden == 0 || (hidden > 1 && sum >= t->min_cell))
		return false;
	if (!smallest_shown(t, first, step, count, &cell))
		return false;
	t->hidden[cell] = true;
	return true;
}

static bool
protect_lines(struct table *t)
{
	bool changed = false;

	for (size_t c = 0; c < t->columns; c++)
		changed |= protect_line(t, c, t->columns, t->rows);
	for (size_t r = 0; t->columns > 1 && r < t->rows; r++)
		changed |= protect_line(t, r * t->columns, 1, t->columns);
	return changed;
}

/* Whether the total of a row or column, by its node, can be asked for. */
static bool
has_total(const struct table *t, size_t node)
{
	bool is_row = node < t->rows;
	size_t count = is_row ? t->columns : t->rows;
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += t->cells[is_row ? node * t->columns + i : i * t->columns + node - t->rows];
	return sum >= t->min_cell;
}

static void
visit(struct table *t, size_t node, size_t *end)
{
	if (t->seen[node])
		return;
	t->seen[node] = true;
	t->queue[(*end)++] = node;
}

static void
visit_neighbours(struct table *t, size_t node, size_t without, size_t *end)
{
	bool is_row = node < t->rows;
	size_t count = is_row ? t->columns : t->rows;

	for (size_t i = 0; i < count; i++) {
		size_t cell = is_row ? node * t->columns + i : i * t->columns + node - t->rows;

		if (cell != without && is_hidden(t, cell))
			visit(t, is_row ? t->rows + i : i, end);
	}
	if (!has_total(t, node))
		visit(t, t->rows + t->columns, end);
}

/* Whether the row is linked to the column in another way than by `without`. */
static bool
linked(struct table *t, size_t row, size_t column, size_t without)
{
	size_t end = 0, lines = t->rows + t->columns;

	memset(t->seen, 0, (lines + 1) * sizeof t->seen[0]);
	visit(t, row, &end);
	for (size_t begin = 0; begin < end; begin++) {
		if (t->queue[begin] < lines) {
			visit_neighbours(t, t->queue[begin], without, &end);
			continue;
		}
		for (size_t line = 0; line < lines; line++)
			if (!has_total(t, line))
				visit(t, line, &end);
	}
	return t->seen[t->rows + column];
}

static bool
protect_links(struct table *t)
{
	for (size_t cell = 0; cell < t->rows * t->columns; cell++) {
		size_t row = cell / t->columns, column = cell % t->columns, more = 0;

		if (!is_hidden(t, cell) || linked(t, row, column, cell))
			continue;
		if (!smallest_shown(t, row * t->columns, 1, t->columns, &more) &&
		    !smallest_shown(t, column, t->columns, t->rows, &more)) {
			memset(t->hidden, true, t->rows * t->columns * sizeof t->hidden[0]);
			return false;
		}
		t->hidden[more] = true;
		return true;
	}
	return false;
}

int
table_suppress(
    const uint64_t *cells, size_t rows, size_t columns, uint64_t min_cell, bool *ret_hidden)
{
	struct table t = {cells, rows, columns, min_cell, ret_hidden, NULL, NULL};

	for (size_t i = 0; i < rows * columns; i++)
		ret_hidden[i] = cells[i] < min_cell;
	t.queue = calloc(rows + columns + 2, sizeof t.queue[0]);
	t.seen = calloc(rows + columns + 2, sizeof t.seen[0]);
	if (t.queue != NULL && t.seen != NULL)
		while (protect_lines(&t) || (columns > 1 && protect_links(&t)))
			;
	free(t.queue);
	free(t.seen);
	return t.queue != NULL && t.seen != NULL ? 0 : CAIRN_ENOMEM;
}
