/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#define KIND_FIXED64 1
#define KIND_FIXED32 5
#define VARINT_MAX 10

static int
take_varint(struct wire *wire, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < VARINT_MAX && wire->at != wire->end; i++) {
		uint8_t byte = *wire->at++;

		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if ((byte & 0x80) == 0) {
			*ret = value;
			return 0;
		}
	}
	return CAIRN_ECORRUPT;
}

static int
skip(struct wire *wire, uint64_t length)
{
	if (length > (uint64_t)(wire->end - wire->at))
		return CAIRN_ECORRUPT;
	wire->at += length;
	return 0;
}

int
wire_next(struct wire *wire, struct wire_field *ret)
{
	struct wire_field field = {.whole.at = wire->at};
	uint64_t tag, length;
	int code = take_varint(wire, &tag);

	if (code != 0 || tag >> 3 == 0 || tag >> 3 > 1000)
		return CAIRN_ECORRUPT;
	field.number = (unsigned)(tag >> 3);
	switch (tag & 7) {
	case WIRE_VARINT:
		code = take_varint(wire, &field.value);
		break;
	case WIRE_BYTES:
		code = take_varint(wire, &length);
		field.bytes.at = wire->at;
		if (code == 0)
			code = skip(wire, length);
		field.bytes.length = (size_t)(wire->at - field.bytes.at);
		break;
	case KIND_FIXED64:
		code = skip(wire, 8);
		break;
	case KIND_FIXED32:
		code = skip(wire, 4);
		break;
	default:
		code = CAIRN_ECORRUPT;
	}
	field.whole.length = (size_t)(wire->at - field.whole.at);
	if (code == 0)
		*ret = field;
	return code;
}

static int
put_varint(struct buf *buf, uint64_t value)
{
	uint8_t bytes[VARINT_MAX];
	size_t length = 0;

	for (; value > 0x7f; value >>= 7)
		bytes[length++] = (uint8_t)(value | 0x80);
	bytes[length++] = (uint8_t)value;
	return buf_append(buf, bytes, length);
}

int
wire_put_bytes(struct buf *buf, unsigned field, const void *bytes, size_t length)
{
	int code = put_varint(buf, (uint64_t)field << 3 | WIRE_BYTES);

	if (code == 0)
		code = put_varint(buf, length);
	return code != 0 ? code : buf_append(buf, bytes, length);
}

int
wire_put_number(struct buf *buf, unsigned field, uint64_t number)
{
	int code = put_varint(buf, (uint64_t)field << 3 | WIRE_VARINT);

	return code != 0 ? code : put_varint(buf, number);
}
