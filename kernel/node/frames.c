/* SPDX-License-Identifier: Apache-2.0 */
#include "node/frames.h"

#include <cairn/error.h>

#define KEPT_BYTES ((size_t)1 << 20) /* a buffer that grew beyond this is given back */

void
frames_header(uint8_t ret[FRAMES_HEADER_BYTES], size_t length)
{
	for (unsigned i = 0; i < FRAMES_HEADER_BYTES; i++)
		ret[i] = (uint8_t)(length >> (24 - 8 * i));
}

static size_t
read_length(const uint8_t *head)
{
	return (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
}

int
frames_take(struct buf *in, size_t max, frames_fn each, void *arg, size_t *ret_length)
{
	size_t at = 0;

	while (in->length - at >= FRAMES_HEADER_BYTES) {
		size_t length = read_length(in->data + at);

		if (length > max) {
			*ret_length = length;
			return CAIRN_EPROTO;
		}
		if (in->length - at - FRAMES_HEADER_BYTES < length)
			break;
		if (!each(arg, in->data + at + FRAMES_HEADER_BYTES, length))
			return CAIRN_ECANCELLED;
		at += FRAMES_HEADER_BYTES + length;
	}
	buf_consume(in, at);
	if (in->length == 0 && in->capacity > KEPT_BYTES)
		buf_fini(in);
	return 0;
}
