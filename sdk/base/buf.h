/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

/* A growing byte buffer with a stated maximum.  Zero-initialised plus a max is a valid empty one.
 */

#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;
	size_t length;
	size_t capacity;
	size_t max; /* growing past it is CAIRN_ELIMIT */
};

void buf_init(struct buf *buf, size_t max);
void buf_fini(struct buf *buf);  /* frees; the buffer is empty and usable afterwards */
void buf_clear(struct buf *buf); /* length 0, keeps the memory */

/* Makes room for `extra` more bytes.  0, CAIRN_ENOMEM or CAIRN_ELIMIT; unchanged on failure. */
int buf_reserve(struct buf *buf, size_t extra);
int buf_append(struct buf *buf, const void *bytes, size_t length);
int buf_append_zero(struct buf *buf, size_t length);
int buf_append_text(struct buf *buf, const char *text); /* without the terminating zero */
int buf_append_format(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Drops `length` bytes (at most all) from the front. */
void buf_consume(struct buf *buf, size_t length);
/* The contents as a string: a zero is put after the last byte. NULL when out of memory or room. */
const char *buf_text(struct buf *buf);

#define BUF_AUTO __attribute__((cleanup(buf_fini))) struct buf

#endif
