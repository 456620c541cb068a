/* SPDX-License-Identifier: Apache-2.0 */
/* A mapping meets a table's header; and goes. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mapping.h"

static void
free_column(struct mapping_column *column)
{
	free(column->name);
}

static void
free_fact(struct mapping_fact *fact)
{
	free_column(&fact->column);
	free(fact->value);
	free(fact->prefix);
	free(fact->date);
	free(fact->unit);
	for (size_t i = 0; i < fact->code_count; i++) {
		free(fact->codes[i].from);
		free(fact->codes[i].to);
	}
	free(fact->codes);
}

void
mapping_free(struct mapping *mapping)
{
	if (mapping == NULL)
		return;
	for (size_t g = 0; g < mapping->group_count; g++) {
		struct mapping_group *group = &mapping->groups[g];

		for (size_t i = 0; i < group->fact_count; i++)
			free_fact(&group->facts[i]);
		for (size_t i = 0; i < group->key_count; i++)
			free_column(&group->keys[i]);
		free(group->facts);
		free(group->keys);
		free(group->name);
	}
	for (size_t i = 0; i < mapping->missing_count; i++)
		free(mapping->missing[i]);
	free(mapping->missing);
	free_column(&mapping->patient);
	free_column(&mapping->issuer_column);
	free(mapping->issuer);
	free(mapping->sheet);
	free(mapping->path);
	free(mapping);
}

static const char *
cell_at(const void *arg, size_t index)
{
	const struct row *header = arg;

	return index < header->count ? header->cells[index].text : NULL;
}

static int
bind_column(const struct mapping *mapping, const struct row *header, struct mapping_column *column,
    struct cairn_error *err)
{
	const char *meant;

	column->index = MAPPING_NO_COLUMN;
	if (column->name == NULL)
		return 0;
	for (size_t i = 0; i < header->count; i++) {
		if (strcmp(header->cells[i].text, column->name) != 0)
			continue;
		if (column->index != MAPPING_NO_COLUMN)
			return cairn_error_set(err, CAIRN_EINVAL,
			    "%s:%u: the header has the column '%.60s' twice; rename one",
			    mapping->path, column->line, column->name);
		column->index = i;
	}
	if (column->index != MAPPING_NO_COLUMN)
		return 0;
	meant = text_suggest(column->name, cell_at, header);
	return cairn_error_set(err, CAIRN_EINVAL, "%s:%u: the table has no column '%.60s'%s%.60s%s",
	    mapping->path, column->line, column->name,
	    meant != NULL ? "; did you mean '" : "; is the separator right?",
	    meant != NULL ? meant : "", meant != NULL ? "'?" : "");
}

int
mapping_bind(struct mapping *mapping, const struct row *header, struct cairn_error *err)
{
	int code = bind_column(mapping, header, &mapping->patient, err);

	if (code == 0)
		code = bind_column(mapping, header, &mapping->issuer_column, err);
	for (size_t g = 0; g < mapping->group_count; g++) {
		struct mapping_group *group = &mapping->groups[g];

		for (size_t i = 0; code == 0 && i < group->fact_count; i++)
			code = bind_column(mapping, header, &group->facts[i].column, err);
		for (size_t i = 0; code == 0 && i < group->key_count; i++)
			code = bind_column(mapping, header, &group->keys[i], err);
	}
	return code;
}
