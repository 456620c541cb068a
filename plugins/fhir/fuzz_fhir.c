/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a Bundle and as NDJSON through the mapping that is built in; what comes out has the
 * forms that are promised. The first byte chooses. */
#include <stdlib.h>
#include <string.h>

#include "cohort/expr.h"
#include "person.h"
#include "source.h"

#define must(condition)                   \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
look(void *arg, const struct map_result *result, const char *url, struct cairn_error *err)
{
	const struct state_person person = {"p", 100, -3000, 1, {0}};
	BUF_AUTO packed = {.max = 1 << 20};
	Cairn__PatientFacts *facts;

	(void)arg, (void)err;
	must(url != NULL && result->count <= MAP_FACTS_MAX);
	for (size_t i = 0; i < result->count; i++) {
		const struct map_fact *fact = &result->facts[i];
		const struct cohort_attribute *known = cohort_attribute_find(fact->attribute);

		must(known != NULL);
		must((known->type == COHORT_CODE) == (fact->kind == FACT_TEXT));
		must(fact->kind != FACT_TEXT || strlen(fact->text) < COHORT_VALUE_MAX);
	}
	if (result->block == NULL)
		return 0;
	must(person_pack(result, "id", &packed) == 0);
	facts = cairn__patient_facts__unpack(NULL, packed.length, packed.data);
	if (facts == NULL)
		return 0; /* text that is no UTF-8 cannot be: the parser refuses it */
	must(person_apply(facts, &person, 20000) == 0);
	cairn__patient_facts__free_unpacked(facts, NULL);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mapping *mapping;
	struct source source;

	if (mapping == NULL)
		must(mapping_load(
			 &mapping, "fhir.lua", mapping_default, mapping_default_length, NULL) == 0);
	if (size < 1)
		return 0;
	must(source_open(&source, mapping, data[0] == 'n' ? RECORDS_LINES : RECORDS_DOCUMENT, look,
		 NULL, NULL) == 0);
	if (source_feed(&source, data + 1, size - 1, NULL) == 0)
		(void)source_end(&source, NULL);
	source_close(&source);
	return 0;
}
