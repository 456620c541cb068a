/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_FRAMES_H
#define NODE_FRAMES_H

/* The control socket's framing: a 4-byte big-endian length, then that many bytes. */

#include <stdbool.h>

#include "base/buf.h"

#define FRAMES_HEADER_BYTES 4

/* One whole frame, valid during the call.  False: take no more. */
typedef bool (*frames_fn)(void *arg, const uint8_t *bytes, size_t length);

/* Hands out the whole frames at the front of `in` and drops them; a part of one stays.  0,
 * CAIRN_ECANCELLED when `each` said so, CAIRN_EPROTO with the length for a frame longer than `max`;
 * then nothing more must be taken. */
int frames_take(struct buf *in, size_t max, frames_fn each, void *arg, size_t *ret_length);

void frames_header(uint8_t ret[FRAMES_HEADER_BYTES], size_t length);

#endif
