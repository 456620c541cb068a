/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/frame.h"

#include <cairn/error.h>

#define MESSAGE_TYPE 1

const uint8_t frame_greeting[FRAME_GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x10, 0, 0};

void
frame_header(uint8_t ret[FRAME_HEADER_BYTES], size_t length)
{
	ret[0] = MESSAGE_TYPE;
	for (size_t i = 0; i < 8; i++)
		ret[1 + i] = (uint8_t)((uint64_t)length >> (56 - 8 * i));
}

int
frame_read(const uint8_t *bytes, size_t available, size_t max, size_t *ret_length)
{
	uint64_t length = 0;

	if (available > 0 && bytes[0] != MESSAGE_TYPE)
		return CAIRN_EPROTO;
	if (available < FRAME_HEADER_BYTES) {
		*ret_length = 0;
		return CAIRN_EAGAIN;
	}
	for (size_t i = 0; i < 8; i++)
		length = length << 8 | bytes[1 + i];
	if (length > max)
		return CAIRN_EPROTO;
	*ret_length = (size_t)length;
	return available - FRAME_HEADER_BYTES < length ? CAIRN_EAGAIN : 0;
}
