/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_FRAME_H
#define RUNTIME_FRAME_H

/*
 * How a pair0 socket speaks over ipc (the SP protocols' mapping): each side greets with 8 bytes,
 * 0 "SP" 0, the protocol's number in 16 bits big endian, 0 0; then every message is the byte 1, its
 * length in 64 bits big endian, and its body.
 */

#include <stddef.h>
#include <stdint.h>

#define FRAME_GREETING_BYTES 8
#define FRAME_HEADER_BYTES 9

extern const uint8_t frame_greeting[FRAME_GREETING_BYTES];

void frame_header(uint8_t ret[FRAME_HEADER_BYTES], size_t length);

/* What stands at the front of `bytes`: 0 and a whole message's body, CAIRN_EAGAIN and in
 * `*ret_length` how long the body will be (0: not known yet), or CAIRN_EPROTO for what is not a
 * frame or longer than `max`. */
int frame_read(const uint8_t *bytes, size_t available, size_t max, size_t *ret_length);

#endif
