/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a table of identifiers: rows whose identifiers have a type and a value, or errors
 * with a line of the file; and any text as a type and an assigning authority. */
#include <stdlib.h>
#include <string.h>

#include "cli/linktable.h"
#include "link/issuers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
look_at_identifier(const Cairn__PatientIdentifier *identifier)
{
	char table_entry[] = "A=B", *table[] = {table_entry, NULL};
	char type[ISSUER_TYPE_MAX + 1], buffer[ISSUER_MAX + 1], again[ISSUER_MAX + 1];
	const char *issuer, *same;

	if (identifier->identifier_type[0] == 0 || identifier->identifier[0] == 0)
		abort();
	(void)issuers_type(identifier->identifier_type, type);
	if (issuers_canonical(table, false, identifier->issuer, buffer, &issuer) == 0 &&
	    (issuers_canonical(table, false, issuer, again, &same) != 0 || same[0] == 0) &&
	    issuer[0] != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct linktable table;
	char *text = calloc(1, size + 1);
	uint32_t lines = 1;

	if (text == NULL)
		return 0;
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n' || data[i] == '\r';
	if (size > 0)
		memcpy(text, data, size);
	if (linktable_parse(text, size, &table, NULL) != 0)
		return 0;
	for (size_t i = 0; i < table.request.n_rows; i++) {
		const Cairn__PatientLinkRow *row = table.request.rows[i];

		if (row->line == 0 || row->line > lines)
			abort();
		for (size_t j = 0; j < row->n_identifiers; j++)
			look_at_identifier(row->identifiers[j]);
	}
	for (size_t i = 0; i < table.error_count; i++) {
		if (table.items[i].line == 0 || table.items[i].line > lines)
			abort();
	}
	linktable_fini(&table);
	return 0;
}
