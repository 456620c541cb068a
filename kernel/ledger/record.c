/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/record.h"

#include <stdlib.h>
#include <string.h>

/* protobuf-c reads strings and never writes them, though its struct says `char *`. */
static char *
text(const char *string)
{
	return (char *)(uintptr_t)(string == NULL ? "" : string);
}

static void
fill(Cairn__Record *record, const struct ledger_entry *entry)
{
	record->kind = text(entry->kind);
	record->request_id = text(entry->request_id);
	record->subject = text(entry->subject);
	record->principal = text(entry->principal);
	record->purpose = text(entry->purpose);
	record->verdict = text(entry->verdict);
	record->rule = text(entry->rule);
	record->reason = text(entry->reason);
}

int
record_pack_body(const struct ledger_entry *entry, size_t skip, uint8_t **ret, size_t *ret_length,
    struct cairn_error *err)
{
	Cairn__Record record = CAIRN__RECORD__INIT;
	Cairn__Field fields[RECORD_FIELDS_MAX];
	Cairn__Field *pointers[RECORD_FIELDS_MAX];
	uint8_t *bytes;
	size_t length;

	if (entry->field_count > RECORD_FIELDS_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "a ledger record with %zu fields (at most %d)", entry->field_count,
		    RECORD_FIELDS_MAX);
	fill(&record, entry);
	for (size_t i = 0; i < entry->field_count; i++) {
		cairn__field__init(&fields[i]);
		fields[i].name = text(entry->fields[i].name);
		fields[i].value = text(entry->fields[i].value);
		pointers[i] = &fields[i];
	}
	record.n_fields = entry->field_count;
	record.fields = pointers;
	length = cairn__record__get_packed_size(&record);
	if (length > RECORD_BODY_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "a ledger record of %zu bytes (at most %d)", length, RECORD_BODY_MAX);
	bytes = malloc(skip + length);
	if (bytes == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for a ledger record");
	cairn__record__pack(&record, bytes + skip);
	*ret = bytes;
	*ret_length = length;
	return 0;
}

/* At most 2 * 11 + 34 bytes. */
size_t
record_pack_head(
    uint64_t index, uint64_t time_ms, const uint8_t *previous, uint8_t ret[RECORD_HEAD_MAX])
{
	Cairn__Record record = CAIRN__RECORD__INIT;

	record.index = index;
	record.time_ms = time_ms;
	if (previous != NULL) {
		record.previous.data = (uint8_t *)(uintptr_t)previous;
		record.previous.len = MERKLE_HASH;
	}
	return cairn__record__pack(&record, ret);
}

int
record_unpack(const void *bytes, size_t length, Cairn__Record **ret, struct cairn_error *err)
{
	Cairn__Record *record = NULL;

	if (length <= RECORD_MAX)
		record = cairn__record__unpack(NULL, length, bytes);
	if (record == NULL)
		return cairn_error_set(err, CAIRN_ECORRUPT, "its bytes are not a record");
	*ret = record;
	return 0;
}

int
record_check(const void *bytes, size_t length, uint64_t index, const uint8_t *previous,
    struct cairn_error *err)
{
	Cairn__Record *record = NULL;
	size_t expected = previous == NULL ? 0 : MERKLE_HASH;
	int code = record_unpack(bytes, length, &record, err);

	if (code != 0)
		return code;
	if (record->index != index)
		code = cairn_error_set(err, CAIRN_ECORRUPT, "it says that it is record %llu",
		    (unsigned long long)record->index);
	else if (record->previous.len != expected ||
	    (expected > 0 && memcmp(record->previous.data, previous, expected) != 0))
		code = cairn_error_set(err, CAIRN_ECORRUPT,
		    "it does not carry the hash of the record before: one of the two was changed");
	cairn__record__free_unpacked(record, NULL);
	return code;
}
