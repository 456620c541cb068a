/* SPDX-License-Identifier: Apache-2.0 */
#include "pixels.h"

#include <string.h>

#include "dicom/reader.h"

#define ITEM DCM_TAG(0xfffe, 0xe000)
#define SEQUENCE_END DCM_TAG(0xfffe, 0xe0dd)

void
pixels_init(struct pixels *pixels, uint32_t length)
{
	*pixels = (struct pixels){.encapsulated = length == DCM_UNDEFINED};
	if (!pixels->encapsulated) {
		pixels->remaining = length;
		pixels->ended = length == 0;
	}
}

/* Encapsulated transfer syntaxes are all little endian. */
static int
take_head(struct pixels *pixels, struct cairn_error *err)
{
	uint32_t tag =
	    DCM_TAG(dcm_read_u16(pixels->head, false), dcm_read_u16(pixels->head + 2, false));
	uint32_t length = dcm_read_u32(pixels->head + 4, false);

	pixels->head_length = 0;
	if (tag == SEQUENCE_END && length == 0) {
		pixels->ended = true;
		return 0;
	}
	if (tag != ITEM || length == DCM_UNDEFINED)
		return cairn_error_set(err, CAIRN_ECORRUPT,
		    "(%04x,%04x) where a fragment of the pixel data should begin",
		    (unsigned)(tag >> 16), (unsigned)(tag & 0xffff));
	pixels->remaining = length;
	return 0;
}

int
pixels_take(struct pixels *pixels, const uint8_t *bytes, size_t length, size_t *ret_taken,
    struct cairn_error *err)
{
	size_t taken = 0;

	while (taken < length && !pixels->ended) {
		size_t rest = length - taken;

		if (pixels->remaining > 0) {
			size_t part = pixels->remaining < rest ? (size_t)pixels->remaining : rest;

			pixels->remaining -= part;
			taken += part;
			if (pixels->remaining == 0 && !pixels->encapsulated)
				pixels->ended = true;
			continue;
		}
		pixels->head[pixels->head_length++] = bytes[taken++];
		if (pixels->head_length == sizeof pixels->head) {
			int code = take_head(pixels, err);

			if (code != 0)
				return code;
		}
	}
	*ret_taken = taken;
	return 0;
}
