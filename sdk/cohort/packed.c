/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nesting of a packed expression, read from its bytes without unpacking it.  An Expression
 * nests through its field 2 only; the message around it holds it in field 1.
 */
#include "cohort/private.h"

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct reader {
	const uint8_t *at, *end;
};

static bool
read_varint(struct reader *reader, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		if (reader->at == reader->end)
			return false;
		value |= shift < 64 ? (uint64_t)(*reader->at & 0x7f) << shift : 0;
		if ((*reader->at++ & 0x80) == 0) {
			*ret = value;
			return true;
		}
	}
	return false;
}

/* Steps over one field.  `ret_inside` is the contents of a length-delimited one, else empty. */
static bool
read_field(struct reader *reader, uint64_t *ret_number, struct reader *ret_inside)
{
	uint64_t tag, value;
	size_t left, step;

	if (!read_varint(reader, &tag))
		return false;
	*ret_number = tag >> 3;
	*ret_inside = (struct reader){reader->at, reader->at};
	if ((tag & 7) == WIRE_VARINT)
		return read_varint(reader, &value);
	left = (size_t)(reader->end - reader->at);
	if ((tag & 7) == WIRE_BYTES) {
		if (!read_varint(reader, &value))
			return false;
		left = (size_t)(reader->end - reader->at);
		if (value > left)
			return false;
		*ret_inside = (struct reader){reader->at, reader->at + value};
		reader->at += value;
		return true;
	}
	step = (tag & 7) == WIRE_64 ? 8 : (tag & 7) == WIRE_32 ? 4 : 0;
	if (step == 0 || step > left)
		return false;
	reader->at += step;
	return true;
}

int
cohort_check_packed(const void *bytes, size_t length, struct cairn_error *err)
{
	struct reader stack[COHORT_DEPTH_MAX + 1];
	size_t depth = 1;

	if (length == 0)
		return 0;
	stack[0] = (struct reader){bytes, (const uint8_t *)bytes + length};
	while (depth > 0) {
		struct reader *top = &stack[depth - 1], inside;
		uint64_t number;

		if (top->at == top->end) {
			depth--;
			continue;
		}
		if (!read_field(top, &number, &inside))
			return cairn_error_set(
			    err, CAIRN_EINVAL, "the request is not a well-formed message");
		if (number != (depth == 1 ? 1U : 2U) || inside.at == inside.end)
			continue;
		if (depth == COHORT_DEPTH_MAX + 1)
			return cairn_error_set(err, CAIRN_ELIMIT,
			    "the expression is deeper than %d", COHORT_DEPTH_MAX);
		stack[depth++] = inside;
	}
	return 0;
}
