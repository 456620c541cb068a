/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client of the control socket may send: the bytes, in pieces whose sizes the first byte
 * chooses, give the same frames as all at once, and each frame is an Envelope or is refused.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "cairn/bus.pb-c.h"
#include "depth.h"
#include "node/frames.h"
#include "runtime/arena.h"

#define FRAME_MAX ((size_t)1 << 16)
#define ARENA_MAX ((size_t)1 << 22)

struct seen {
	struct arena arena;
	uint64_t hash;
	size_t count;
};

static bool
see(void *arg, const uint8_t *bytes, size_t length)
{
	struct seen *seen = arg;
	ProtobufCMessage *message =
	    proto_unpack(&cairn__envelope__descriptor, &seen->arena.allocator, bytes, length);

	seen->hash = seen->hash * 31 + length + (message != NULL);
	for (size_t i = 0; i < length; i++)
		seen->hash = seen->hash * 31 + bytes[i];
	seen->count++;
	arena_reset(&seen->arena);
	return message != NULL;
}

static int
feed(struct seen *seen, const uint8_t *data, size_t size, size_t piece)
{
	BUF_AUTO in = {.max = FRAME_MAX + 65536 + FRAMES_HEADER_BYTES};
	size_t length;
	int code = 0;

	arena_init(&seen->arena, ARENA_MAX);
	for (size_t at = 0; at < size && code == 0; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		if (buf_append(&in, data + at, n) != 0)
			__builtin_trap(); /* a frame's part never outgrows the buffer */
		code = frames_take(&in, FRAME_MAX, see, seen, &length);
	}
	arena_fini(&seen->arena);
	return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole = {0}, pieces = {0};

	if (size == 0 || size > 65536)
		return 0;
	if (feed(&whole, data + 1, size - 1, size) !=
		feed(&pieces, data + 1, size - 1, 1 + data[0]) ||
	    whole.hash != pieces.hash || whole.count != pieces.count)
		__builtin_trap();
	return 0;
}
