/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include <stdlib.h>
#include <string.h>

#include "facts.h"
#include "wire.h"

#define FIELD_PATIENT 1
#define FIELD_FACT 2
#define FIELD_OBSERVATION 3
#define FIELD_REPLACES 4
#define FIELD_ENTRY 5
#define FIELD_WITHDRAWN 6
#define ENTRY_WITHDRAWN 4

void
record_fini(struct record *record)
{
	free(record->items);
	*record = (struct record){0};
}

size_t
record_entries(const struct record *record)
{
	size_t count = 0;

	for (size_t i = 0; i < record->count; i++)
		count += record->items[i].field == FIELD_ENTRY;
	return count;
}

/* ---- adding ------------------------------------------------------------------------------- */

static int
add_item(struct record *record, const struct record_item *item)
{
	struct record_item *grown;
	size_t capacity;

	if (record->count == RECORD_ITEMS_MAX)
		return CAIRN_ELIMIT;
	if (record->count == record->capacity) {
		capacity = record->capacity == 0 ? 32 : record->capacity * 2;
		grown = realloc(record->items, capacity * sizeof *grown);
		if (grown == NULL)
			return CAIRN_ENOMEM;
		record->items = grown;
		record->capacity = capacity;
	}
	record->items[record->count] = *item;
	record->items[record->count].order = (uint32_t)record->count;
	record->count++;
	return 0;
}

/* The key of a fact is its attribute, its first field. */
static int
fact_key(struct record_span payload, struct record_item *item)
{
	struct wire wire = {payload.at, payload.at + payload.length};
	struct wire_field field;

	if (wire_next(&wire, &field) != 0 || field.number != 1)
		return CAIRN_ECORRUPT;
	item->key = field.bytes;
	return 0;
}

/* That of an entry is its kind and id: the bytes of its first two fields. */
static int
entry_key(struct record_span payload, struct record_item *item)
{
	struct wire wire = {payload.at, payload.at + payload.length};
	struct wire_field field;

	if (wire_next(&wire, &field) != 0 || field.number != 1 || wire_next(&wire, &field) != 0 ||
	    field.number != 2)
		return CAIRN_ECORRUPT;
	item->key = (struct record_span){payload.at, (size_t)(wire.at - payload.at)};
	while (wire.at != wire.end) {
		if (wire_next(&wire, &field) != 0)
			return CAIRN_ECORRUPT;
		if (field.number == ENTRY_WITHDRAWN && field.value != 0)
			item->withdrawn = true;
	}
	return 0;
}

static int
take_item(struct record *record, const struct wire_field *field, uint16_t round)
{
	struct record_item item = {.field = (uint8_t)field->number,
	    .round = round,
	    .whole = field->whole,
	    .key = field->bytes};
	int code = 0;

	if (field->number == FIELD_FACT)
		code = fact_key(field->bytes, &item);
	else if (field->number == FIELD_ENTRY)
		code = entry_key(field->bytes, &item);
	return code != 0 ? code : add_item(record, &item);
}

int
record_add(struct record *record, const void *bytes, size_t length, uint16_t round,
    struct record_head *ret_head)
{
	struct wire wire = {bytes, (const uint8_t *)bytes + length};
	struct record_head head = {0};
	struct wire_field field;
	int code = 0;

	while (code == 0 && wire.at != wire.end) {
		code = wire_next(&wire, &field);
		if (code != 0)
			break;
		if (field.number == FIELD_PATIENT)
			head.patient = field.bytes;
		else if (field.number == FIELD_WITHDRAWN)
			head.withdrawn = field.value != 0;
		else if (field.number <= FIELD_ENTRY && field.bytes.at != NULL)
			code = take_item(record, &field, round);
		else
			code = CAIRN_ECORRUPT;
	}
	if (code == 0 && ret_head != NULL)
		*ret_head = head;
	return code;
}

/* ---- what counts -------------------------------------------------------------------------- */

static int
compare_spans(struct record_span a, struct record_span b)
{
	size_t shorter = a.length < b.length ? a.length : b.length;
	int order = shorter == 0 ? 0 : memcmp(a.at, b.at, shorter);

	if (order != 0)
		return order;
	return a.length < b.length ? -1 : a.length > b.length;
}

static int
compare_keys(const struct record_item *a, const struct record_item *b)
{
	if (a->field != b->field)
		return a->field < b->field ? -1 : 1;
	return compare_spans(a->key, b->key);
}

static int
compare_items(const void *left, const void *right)
{
	const struct record_item *a = left, *b = right;
	int order = compare_keys(a, b);

	if (order != 0)
		return order;
	if (a->round != b->round)
		return a->round < b->round ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* The end of the items with the key of the one at `begin`. */
static size_t
group_end(const struct record *record, size_t begin)
{
	size_t end = begin + 1;

	while (end < record->count && compare_keys(&record->items[begin], &record->items[end]) == 0)
		end++;
	return end;
}

/* An attribute of the patient may be stated with several values at once. */
static size_t
settle_facts(struct record_item *items, size_t begin, size_t end, size_t kept)
{
	size_t first = kept;

	while (items[begin].round != items[end - 1].round)
		begin++;
	for (size_t i = begin; i < end; i++) {
		bool known = false;

		for (size_t k = first; k < kept && !known; k++)
			known = compare_spans(items[k].whole, items[i].whole) == 0;
		if (!known)
			items[kept++] = items[i];
	}
	return kept;
}

void
record_settle(struct record *record)
{
	struct record_item *items = record->items;
	size_t kept = 0;

	if (record->count > 1)
		qsort(items, record->count, sizeof *items, compare_items);
	for (size_t begin = 0, end; begin < record->count; begin = end) {
		end = group_end(record, begin);
		if (items[begin].field == FIELD_FACT)
			kept = settle_facts(items, begin, end, kept);
		else if (!items[end - 1].withdrawn)
			items[kept++] = items[end - 1];
	}
	record->count = kept;
	for (size_t i = 0; i < kept; i++)
		items[i].order = (uint32_t)i;
}

int
record_write(const struct record *record, struct buf *buf)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < record->count; i++)
		code = buf_append(buf, record->items[i].whole.at, record->items[i].whole.length);
	return code;
}
