/* SPDX-License-Identifier: Apache-2.0 */
/* A statement is checked and packed once, where the connector hands it over. */
#include <string.h>

#include "facts.h"
#include "record.h"

static int
check_text(const char *text, size_t max, const char *what, struct cairn_error *err)
{
	size_t length = text == NULL ? 0 : strlen(text);

	if (length == 0)
		return cairn_error_set(err, CAIRN_EINVAL, "a statement has no %s", what);
	if (length > max)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "a statement's %s is longer than %zu bytes", what, max);
	return 0;
}

static int
check_fact(const Cairn__Fact *fact, struct cairn_error *err)
{
	int code = check_text(fact->attribute, FACTS_ID_MAX, "attribute", err);

	if (code == 0 && fact->value_case == CAIRN__FACT__VALUE__NOT_SET)
		code = cairn_error_set(
		    err, CAIRN_EINVAL, "a statement's '%.60s' has no value", fact->attribute);
	return code;
}

static int
check_entry(const Cairn__EntryFacts *entry, struct cairn_error *err)
{
	int code = check_text(entry->kind, FACTS_ID_MAX, "kind of entry", err);

	if (code == 0)
		code = check_text(entry->id, FACTS_ID_MAX, "id of an entry", err);
	for (size_t i = 0; code == 0 && i < entry->n_facts; i++)
		code = check_fact(entry->facts[i], err);
	return code;
}

static int
check(const Cairn__PatientFacts *patient, struct cairn_error *err)
{
	int code = check_text(patient->patient, FACTS_PATIENT_MAX, "patient", err);

	for (size_t i = 0; code == 0 && i < patient->n_facts; i++)
		code = check_fact(patient->facts[i], err);
	for (size_t i = 0; code == 0 && i < patient->n_replaces; i++)
		code = check_text(patient->replaces[i], FACTS_PATIENT_MAX, "replaced patient", err);
	for (size_t i = 0; code == 0 && i < patient->n_entries; i++)
		code = check_entry(patient->entries[i], err);
	return code;
}

int
record_pack(const Cairn__PatientFacts *patient, struct buf *buf, struct cairn_error *err)
{
	size_t length;
	int code = check(patient, err);

	if (code != 0)
		return code;
	length = cairn__patient_facts__get_packed_size(patient);
	if (length > FACTS_STATEMENT_MAX)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "a statement about one patient is larger than %zu KiB: state it in parts",
		    FACTS_STATEMENT_MAX >> 10);
	code = buf_reserve(buf, length);
	if (code != 0)
		return cairn_error_set(err, code, "a statement: %s", cairn_code_text(code));
	cairn__patient_facts__pack(patient, buf->data + buf->length);
	buf->length += length;
	return 0;
}
