/* SPDX-License-Identifier: Apache-2.0 */
#include "conflict.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#define FIRST 1024

struct conflict_slot {
	uint64_t who, what; /* digests of patient and attribute, of the value; who 0: free */
	uint64_t line;
};

void
conflict_fini(struct conflicts *conflicts)
{
	free(conflicts->slots);
	*conflicts = (struct conflicts){0};
}

static uint64_t
digest(const char *const *texts, size_t count)
{
	uint8_t bytes[SHA256_DIGEST_LENGTH] = {0};
	BUF_AUTO all = {.max = CSV_ROW_MAX};
	uint64_t number;

	for (size_t i = 0; i < count; i++)
		buf_append(&all, texts[i], strlen(texts[i]) + 1);
	SHA256(all.data, all.length, bytes);
	memcpy(&number, bytes, sizeof number);
	return number == 0 ? 1 : number;
}

static struct conflict_slot *
slot_of(struct conflict_slot *slots, size_t capacity, uint64_t who)
{
	size_t at = (size_t)who & (capacity - 1);

	while (slots[at].who != 0 && slots[at].who != who)
		at = (at + 1) & (capacity - 1);
	return &slots[at];
}

static bool
grow(struct conflicts *conflicts)
{
	size_t capacity = conflicts->capacity == 0 ? FIRST : conflicts->capacity * 2;
	struct conflict_slot *slots;

	if (conflicts->count * 2 < conflicts->capacity)
		return true;
	if (capacity > CONFLICT_SLOTS_MAX)
		return false;
	slots = calloc(capacity, sizeof *slots);
	if (slots == NULL)
		return false;
	for (size_t i = 0; i < conflicts->capacity; i++) {
		if (conflicts->slots[i].who != 0)
			*slot_of(slots, capacity, conflicts->slots[i].who) = conflicts->slots[i];
	}
	free(conflicts->slots);
	conflicts->slots = slots;
	conflicts->capacity = capacity;
	return true;
}

static uint64_t
digest_value(const struct value *value)
{
	uint64_t number;

	if (value->text != NULL)
		return digest((const char *const[]){value->text}, 1);
	memcpy(&number, &value->number, sizeof number);
	return value->attribute->type == COHORT_DAY ? (uint64_t)(uint32_t)value->day : number;
}

static const struct mapping_column *
column_of(const struct table *table, const struct cohort_attribute *attribute)
{
	const struct mapping_group *group = &table->mapping->groups[0];

	for (size_t i = 0; i < group->fact_count; i++) {
		if (group->facts[i].attribute == attribute)
			return &group->facts[i].column;
	}
	return NULL;
}

int
conflict_check(struct conflicts *conflicts, const struct table *table, const struct taken *taken,
    struct report *report)
{
	const struct taken_group *group = &taken->groups[0];
	int code = 0;

	for (size_t i = 0; i < group->count; i++) {
		const struct value *value = &group->values[i];
		const char *const who[] = {
		    taken->issuer, taken->identifier, value->attribute->name};
		uint64_t name = digest(who, 3), what = digest_value(value);
		const struct mapping_column *column = column_of(table, value->attribute);
		struct conflict_slot *slot;

		if (!grow(conflicts)) {
			conflicts->full = true;
			return code;
		}
		slot = slot_of(conflicts->slots, conflicts->capacity, name);
		if (slot->who == 0) {
			*slot = (struct conflict_slot){name, what, taken->line};
			conflicts->count++;
		} else if (slot->what != what && column != NULL) {
			report_add(report,
			    (struct report_place){taken->line, column->index + 1,
				column->name == NULL ? "" : column->name},
			    "correct one of the two rows",
			    "%s is another one than line %" PRIu64 " says of the same patient",
			    value->attribute->name, slot->line);
			code = CAIRN_EINVAL;
		}
	}
	return code;
}
