/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a peer of a channel may write: frame after frame, each an Envelope or nothing.  A frame that
 * is whole is so at any number of bytes that hold it, and is not before.
 */
#include <stdlib.h>
#include <string.h>

#include <cairn/error.h>

#include "cairn/bus.pb-c.h"
#include "depth.h"
#include "runtime/arena.h"
#include "runtime/frame.h"

#define MESSAGE_MAX ((size_t)1 << 16)
#define ARENA_MAX ((size_t)1 << 22)

/* The shorter prefix's verdict must be the whole one's, or "not yet". */
static void
check_prefixes(const uint8_t *data, size_t size, int code, size_t length)
{
	for (size_t n = 0; n < size && n <= FRAME_HEADER_BYTES + 1; n++) {
		size_t known = 0;
		int early = frame_read(data, n, MESSAGE_MAX, &known);

		if (early == 0 && (code != 0 || n < FRAME_HEADER_BYTES + length))
			__builtin_trap();
		if (early != 0 && early != CAIRN_EAGAIN && early != code)
			__builtin_trap();
	}
}

static void
unpack(struct arena *arena, const uint8_t *body, size_t length)
{
	ProtobufCMessage *message =
	    proto_unpack(&cairn__envelope__descriptor, &arena->allocator, body, length);

	if (message != NULL && protobuf_c_message_get_packed_size(message) > 16 * length + 64)
		__builtin_trap();
	arena_reset(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t header[FRAME_HEADER_BYTES];
	struct arena arena;

	arena_init(&arena, ARENA_MAX);
	for (;;) {
		size_t length = 0;
		int code = frame_read(data, size, MESSAGE_MAX, &length);

		check_prefixes(data, size, code, length);
		if (code != 0)
			break;
		frame_header(header, length);
		if (memcmp(header, data, sizeof header) != 0)
			__builtin_trap();
		unpack(&arena, data + FRAME_HEADER_BYTES, length);
		data += FRAME_HEADER_BYTES + length;
		size -= FRAME_HEADER_BYTES + length;
	}
	arena_fini(&arena);
	return 0;
}
