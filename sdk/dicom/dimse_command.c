/* SPDX-License-Identifier: Apache-2.0 */
#include "dicom/dimse_command.h"

#include <string.h>

#include <cairn/error.h>

enum kind { US, UID, TEXT };

/* One row per attribute, in the order of tags, serves both ways. */
static const struct attribute {
	uint16_t element;
	unsigned has;
	enum kind kind;
	size_t offset;
	size_t size; /* of the member, for text with its zero */
} attributes[] = {
#define ROW(element, has, kind, member)                                     \
	{                                                                   \
		element, has, kind, offsetof(struct dimse_command, member), \
		    sizeof(((struct dimse_command *)0)->member)             \
	}
    ROW(0x0002, DIMSE_HAS_AFFECTED_CLASS, UID, affected_class),
    ROW(0x0003, DIMSE_HAS_REQUESTED_CLASS, UID, requested_class),
    ROW(0x0100, DIMSE_HAS_FIELD, US, field),
    ROW(0x0110, DIMSE_HAS_MESSAGE_ID, US, message_id),
    ROW(0x0120, DIMSE_HAS_RESPONDED_ID, US, responded_id),
    ROW(0x0700, DIMSE_HAS_PRIORITY, US, priority),
    ROW(0x0800, DIMSE_HAS_DATA_SET_TYPE, US, data_set_type),
    ROW(0x0900, DIMSE_HAS_STATUS, US, status),
    ROW(0x0902, DIMSE_HAS_COMMENT, TEXT, comment),
    ROW(0x1000, DIMSE_HAS_AFFECTED_INSTANCE, UID, affected_instance),
    ROW(0x1030, DIMSE_HAS_MOVE_ORIGINATOR, TEXT, move_originator),
    ROW(0x1031, DIMSE_HAS_MOVE_ID, US, move_id),
#undef ROW
};
#define ATTRIBUTES (sizeof attributes / sizeof *attributes)

#define ELEMENT_HEADER_SIZE 8
#define GROUP_LENGTH_SIZE 12

static uint16_t
read_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t
read_u32(const uint8_t *at)
{
	return (uint32_t)read_u16(at) | (uint32_t)read_u16(at + 2) << 16;
}

static const struct attribute *
find(uint16_t element)
{
	for (size_t i = 0; i < ATTRIBUTES; i++)
		if (attributes[i].element == element)
			return &attributes[i];
	return NULL;
}

/* Without leading spaces and trailing spaces and zeros; left "" when it does not fit. */
static void
take_text(const uint8_t *value, size_t length, char *ret, size_t size)
{
	while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == 0))
		length--;
	while (length > 0 && *value == ' ') {
		value++;
		length--;
	}
	if (length >= size || memchr(value, 0, length) != NULL)
		return;
	memcpy(ret, value, length);
	ret[length] = 0;
}

static int
take(struct dimse_command *command, uint16_t element, const uint8_t *value, size_t length)
{
	const struct attribute *attribute = find(element);
	char *member;

	if (attribute == NULL)
		return 0;
	member = (char *)command + attribute->offset;
	if (attribute->kind == US) {
		uint16_t number;

		if (length != sizeof number)
			return CAIRN_EPROTO;
		number = read_u16(value);
		memcpy(member, &number, sizeof number);
	} else {
		take_text(value, length, member, attribute->size);
	}
	command->has |= attribute->has;
	return 0;
}

int
dimse_command_parse(const uint8_t *bytes, size_t length, struct dimse_command *ret)
{
	struct dimse_command command = {0};
	int32_t last = -1;

	while (length > 0) {
		uint32_t value_length;
		int code;

		if (length < ELEMENT_HEADER_SIZE || read_u16(bytes) != 0 ||
		    read_u16(bytes + 2) <= last)
			return CAIRN_EPROTO;
		last = read_u16(bytes + 2);
		value_length = read_u32(bytes + 4);
		if (value_length > length - ELEMENT_HEADER_SIZE)
			return CAIRN_EPROTO;
		code = take(&command, (uint16_t)last, bytes + ELEMENT_HEADER_SIZE, value_length);
		if (code != 0)
			return code;
		bytes += ELEMENT_HEADER_SIZE + value_length;
		length -= ELEMENT_HEADER_SIZE + value_length;
	}
	if ((command.has & DIMSE_HAS_FIELD) == 0)
		return CAIRN_EPROTO;
	*ret = command;
	return 0;
}

static int
put_header(struct buf *out, uint16_t element, uint32_t length)
{
	const uint8_t header[ELEMENT_HEADER_SIZE] = {0, 0, (uint8_t)element,
	    (uint8_t)(element >> 8), (uint8_t)length, (uint8_t)(length >> 8),
	    (uint8_t)(length >> 16), (uint8_t)(length >> 24)};

	return buf_append(out, header, sizeof header);
}

static int
put(struct buf *out, const struct attribute *attribute, const struct dimse_command *command)
{
	const char *member = (const char *)command + attribute->offset;
	size_t length = attribute->kind == US ? sizeof(uint16_t) : strlen(member);
	uint8_t pad = attribute->kind == UID ? 0 : ' ';
	uint16_t number;
	int code = put_header(out, attribute->element, (uint32_t)(length + length % 2));

	if (code != 0)
		return code;
	if (attribute->kind == US) {
		memcpy(&number, member, sizeof number);
		return buf_append(
		    out, (const uint8_t[]){(uint8_t)number, (uint8_t)(number >> 8)}, 2);
	}
	code = buf_append(out, member, length);
	return code != 0 || length % 2 == 0 ? code : buf_append(out, &pad, 1);
}

int
dimse_command_build(struct buf *out, const struct dimse_command *command)
{
	size_t start = out->length;
	uint32_t length;
	int code = put_header(out, 0, 4);

	if (code == 0)
		code = buf_append_zero(out, 4);
	for (size_t i = 0; code == 0 && i < ATTRIBUTES; i++)
		if ((command->has & attributes[i].has) != 0)
			code = put(out, &attributes[i], command);
	if (code != 0)
		return code;
	length = (uint32_t)(out->length - start - GROUP_LENGTH_SIZE);
	for (size_t i = 0; i < 4; i++)
		out->data[start + ELEMENT_HEADER_SIZE + i] = (uint8_t)(length >> (8 * i));
	return 0;
}
