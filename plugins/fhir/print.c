/* SPDX-License-Identifier: Apache-2.0 */
#include "print.h"

#include "base/clock.h"

static void
print_fact(FILE *to, const struct map_fact *fact)
{
	int year, month, day;

	fprintf(to, "  %s%s = ", fact->of_patient ? "patient: " : "", fact->attribute);
	if (fact->kind == FACT_TEXT) {
		fputs(fact->text, to);
	} else if (fact->kind == FACT_NUMBER) {
		fprintf(to, "%.15g", fact->number);
	} else {
		clock_date(fact->day, &year, &month, &day);
		fprintf(to, "%04d-%02d-%02d", year, month, day);
	}
	fputc('\n', to);
}

void
print_result(FILE *to, const struct map_result *result)
{
	if (result->block == NULL) {
		fprintf(to, "%s/%s: nothing is taken of a %s\n", result->type, result->id,
		    result->type);
		return;
	}
	fprintf(to, "%s/%s: %s%s%s%s\n", result->type, result->id, result->block->entity,
	    result->withdrawn ? ", withdrawn" : "", result->subject[0] == 0 ? "" : " of ",
	    result->subject);
	for (size_t i = 0; i < result->count; i++)
		print_fact(to, &result->facts[i]);
	if (result->more)
		fputs("  ... and more than can be kept of one resource\n", to);
}
