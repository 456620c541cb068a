/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/segment.h"

#include <string.h>

#include "objects/crc32c.h"
#include "objects/le.h"

#define FORMAT_VERSION 1

static const char segment_magic[8] = {'C', 'A', 'I', 'R', 'N', 'S', 'E', 'G'};

bool
objects_key_valid(const char *key, size_t length)
{
	if (length == 0 || length > OBJECTS_KEY_MAX || key[0] == '.')
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = key[i];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			c == '.' || c == '_' || c == '-'))
			return false;
	}
	return true;
}

void
objects_segment_encode(const struct segment_header *header, uint8_t ret[SEGMENT_HEADER_SIZE])
{
	memset(ret, 0, SEGMENT_HEADER_SIZE);
	memcpy(ret, segment_magic, sizeof segment_magic);
	le_put(ret + 8, 4, FORMAT_VERSION);
	le_put(ret + 12, 4, header->id);
	le_put(ret + 16, 4, header->generation);
	le_put(ret + 24, 8, header->salt);
	le_put(ret + 32, 8, header->previous_end);
	le_put(ret + 40, 4, header->applied.segment);
	le_put(ret + 48, 8, header->applied.offset);
	le_put(ret + 60, 4, objects_crc32c(0, ret, 60));
}

int
objects_segment_decode(const uint8_t bytes[SEGMENT_HEADER_SIZE], struct segment_header *ret)
{
	if (memcmp(bytes, segment_magic, sizeof segment_magic) != 0 ||
	    le_get(bytes + 60, 4) != objects_crc32c(0, bytes, 60))
		return CAIRN_ECORRUPT;
	if (le_get(bytes + 8, 4) != FORMAT_VERSION)
		return CAIRN_EUNSUPPORTED;
	ret->id = (uint32_t)le_get(bytes + 12, 4);
	ret->generation = (uint32_t)le_get(bytes + 16, 4);
	ret->salt = le_get(bytes + 24, 8);
	ret->previous_end = le_get(bytes + 32, 8);
	ret->applied.segment = (uint32_t)le_get(bytes + 40, 4);
	ret->applied.offset = le_get(bytes + 48, 8);
	return 0;
}

void
objects_record_encode(const struct record *record, uint64_t salt, uint8_t ret[RECORD_HEADER_SIZE])
{
	size_t key_length = strlen(record->key);

	memset(ret, 0, RECORD_HEADER_SIZE);
	le_put(ret, 8, salt);
	le_put(ret + 8, 2, FORMAT_VERSION);
	ret[10] = (uint8_t)record->kind;
	ret[11] = (uint8_t)key_length;
	le_put(ret + 12, 2, record->path_length);
	le_put(ret + 16, 4, record->note_length);
	le_put(ret + 20, 4, record->meta_crc);
	le_put(ret + 24, 8, record->length);
	le_put(ret + 32, 8, record->logical);
	if (record->late)
		le_put(ret + 40, 4, record->object_crc);
	else
		memcpy(ret + 40, record->sha256, 32);
	ret[96] = record->late;
	le_put(ret + 72, 4, record->target_segment);
	le_put(ret + 80, 8, record->target);
	le_put(ret + 88, 8, record->wall_ms);
	memcpy(ret + 120, record->key, key_length);
	le_put(ret + 188, 4, objects_crc32c(0, ret, 188));
}

static int
record_check(const struct record *record)
{
	bool tombstone = record->kind == RECORD_TOMBSTONE;

	if (record->kind < RECORD_OBJECT || record->kind > RECORD_TOMBSTONE)
		return CAIRN_ECORRUPT;
	if (record->length > RECORD_OBJECT_MAX || (tombstone && record->length != 0))
		return CAIRN_ECORRUPT;
	if (record->note_length > OBJECTS_NOTE_MAX || record->path_length > RECORD_PATH_MAX)
		return CAIRN_ECORRUPT;
	if (record->late && record->kind != RECORD_OBJECT)
		return CAIRN_ECORRUPT;
	if ((record->path_length > 0) != (record->kind == RECORD_FILE) &&
	    !(tombstone && record->path_length > 0))
		return CAIRN_ECORRUPT;
	if (record->logical < SEGMENT_HEADER_SIZE || record->logical > RECORD_OBJECT_MAX ||
	    record->logical % RECORD_ALIGN != 0)
		return CAIRN_ECORRUPT;
	return 0;
}

int
objects_record_decode(const uint8_t bytes[RECORD_HEADER_SIZE], uint64_t salt, struct record *ret)
{
	struct record record = {0};
	size_t key_length = bytes[11];
	int code;

	if (le_get(bytes, 8) != salt || le_get(bytes + 188, 4) != objects_crc32c(0, bytes, 188))
		return CAIRN_ECORRUPT;
	if (le_get(bytes + 8, 2) != FORMAT_VERSION || key_length > OBJECTS_KEY_MAX ||
	    !objects_key_valid((const char *)bytes + 120, key_length))
		return CAIRN_ECORRUPT;
	record.kind = bytes[10];
	record.path_length = (uint16_t)le_get(bytes + 12, 2);
	record.note_length = (uint32_t)le_get(bytes + 16, 4);
	record.meta_crc = (uint32_t)le_get(bytes + 20, 4);
	record.length = le_get(bytes + 24, 8);
	record.logical = le_get(bytes + 32, 8);
	record.late = bytes[96] != 0;
	if (record.late)
		record.object_crc = (uint32_t)le_get(bytes + 40, 4);
	else
		memcpy(record.sha256, bytes + 40, 32);
	record.target_segment = (uint32_t)le_get(bytes + 72, 4);
	record.target = le_get(bytes + 80, 8);
	record.wall_ms = le_get(bytes + 88, 8);
	memcpy(record.key, bytes + 120, key_length);
	code = record_check(&record);
	if (code == 0)
		*ret = record;
	return code;
}

uint64_t
objects_record_inline(const struct record *record)
{
	return record->kind == RECORD_OBJECT ? record->length : 0;
}

uint64_t
objects_record_meta(const struct record *record)
{
	uint64_t before = RECORD_HEADER_SIZE + objects_record_inline(record);
	uint64_t end = before + record->path_length + record->note_length;

	return (end + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN - before;
}

uint64_t
objects_record_size(const struct record *record)
{
	return RECORD_HEADER_SIZE + objects_record_inline(record) + objects_record_meta(record);
}
