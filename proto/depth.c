/* SPDX-License-Identifier: Apache-2.0 */
#include "depth.h"

#include <stdbool.h>
#include <stdint.h>

#define TAG_BYTES_MAX 5 /* as protobuf-c reads them; so are lengths */
#define VARINT_BYTES_MAX 10

struct level {
	const ProtobufCMessageDescriptor *type;
	const uint8_t *end;
};

struct walk {
	const uint8_t *at;
	struct level levels[PROTO_DEPTH_MAX];
	unsigned depth; /* levels in use */
};

static bool
read_varint(struct walk *walk, const uint8_t *end, unsigned bytes_max, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes_max && walk->at < end; i++) {
		uint8_t byte = *walk->at++;

		value |= (uint64_t)(byte & 0x7f) << (7 * i); /* of the tenth byte one bit counts */
		if ((byte & 0x80) == 0) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static bool
skip(struct walk *walk, const uint8_t *end, uint64_t length)
{
	if (length > (uint64_t)(end - walk->at))
		return false;
	walk->at += length;
	return true;
}

/* A nested message becomes the new level, everything else is stepped over. */
static enum proto_depth
take_bytes(struct walk *walk, uint32_t number, unsigned max)
{
	const struct level *top = &walk->levels[walk->depth - 1];
	const ProtobufCFieldDescriptor *field =
	    protobuf_c_message_descriptor_get_field(top->type, number);
	uint64_t length;

	if (!read_varint(walk, top->end, TAG_BYTES_MAX, &length) ||
	    length > (uint64_t)(top->end - walk->at))
		return PROTO_DEPTH_MALFORMED;
	if (field == NULL || field->type != PROTOBUF_C_TYPE_MESSAGE) {
		walk->at += length;
		return PROTO_DEPTH_OK;
	}
	if (walk->depth == max)
		return PROTO_DEPTH_TOO_DEEP;
	walk->levels[walk->depth++] = (struct level){field->descriptor, walk->at + length};
	return PROTO_DEPTH_OK;
}

static enum proto_depth
take_field(struct walk *walk, unsigned max)
{
	const uint8_t *end = walk->levels[walk->depth - 1].end;
	uint64_t tag, value;
	bool good = false;

	if (!read_varint(walk, end, TAG_BYTES_MAX, &tag))
		return PROTO_DEPTH_MALFORMED;
	switch (tag & 7) {
	case PROTOBUF_C_WIRE_TYPE_VARINT:
		good = read_varint(walk, end, VARINT_BYTES_MAX, &value);
		break;
	case PROTOBUF_C_WIRE_TYPE_64BIT:
		good = skip(walk, end, 8);
		break;
	case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
		return take_bytes(walk, (uint32_t)(tag >> 3), max);
	case PROTOBUF_C_WIRE_TYPE_32BIT:
		good = skip(walk, end, 4);
		break;
	default: /* groups, which protobuf-c refuses too */
		break;
	}
	return good ? PROTO_DEPTH_OK : PROTO_DEPTH_MALFORMED;
}

enum proto_depth
proto_depth_check(
    const ProtobufCMessageDescriptor *type, const void *bytes, size_t length, unsigned max)
{
	struct walk walk;

	if (length == 0)
		return PROTO_DEPTH_OK;
	if (max == 0 || max > PROTO_DEPTH_MAX)
		return PROTO_DEPTH_TOO_DEEP;
	walk.at = bytes;
	walk.depth = 1;
	walk.levels[0] = (struct level){type, walk.at + length};
	while (walk.depth > 0) {
		enum proto_depth found;

		if (walk.at == walk.levels[walk.depth - 1].end) {
			walk.depth--;
			continue;
		}
		found = take_field(&walk, max);
		if (found != PROTO_DEPTH_OK)
			return found;
	}
	return PROTO_DEPTH_OK;
}

ProtobufCMessage *
proto_unpack(const ProtobufCMessageDescriptor *type, ProtobufCAllocator *allocator,
    const void *bytes, size_t length)
{
	if (proto_depth_check(type, bytes, length, PROTO_DEPTH_MAX) != PROTO_DEPTH_OK)
		return NULL;
	return protobuf_c_message_unpack(type, allocator, length, bytes);
}
