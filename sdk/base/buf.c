/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cairn/error.h>

void
buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf){.max = max};
}

void
buf_fini(struct buf *buf)
{
	free(buf->data);
	buf_init(buf, buf->max);
}

void
buf_clear(struct buf *buf)
{
	buf->length = 0;
}

int
buf_reserve(struct buf *buf, size_t extra)
{
	size_t need, capacity;
	uint8_t *data;

	if (__builtin_add_overflow(buf->length, extra, &need) || need > buf->max)
		return CAIRN_ELIMIT;
	if (need <= buf->capacity)
		return 0;
	capacity = buf->capacity < 128 ? 128 : buf->capacity;
	while (capacity < need)
		capacity = capacity > buf->max / 2 ? buf->max : capacity * 2;
	if (capacity > buf->max)
		capacity = buf->max;
	data = realloc(buf->data, capacity);
	if (data == NULL)
		return CAIRN_ENOMEM;
	buf->data = data;
	buf->capacity = capacity;
	return 0;
}

int
buf_append(struct buf *buf, const void *bytes, size_t length)
{
	int code = buf_reserve(buf, length);

	if (code != 0 || length == 0)
		return code;
	memcpy(buf->data + buf->length, bytes, length);
	buf->length += length;
	return 0;
}

int
buf_append_zero(struct buf *buf, size_t length)
{
	int code = buf_reserve(buf, length);

	if (code != 0 || length == 0)
		return code;
	memset(buf->data + buf->length, 0, length);
	buf->length += length;
	return 0;
}

int
buf_append_text(struct buf *buf, const char *text)
{
	return buf_append(buf, text, strlen(text));
}

int
buf_append_format(struct buf *buf, const char *format, ...)
{
	va_list args, again;
	int length, code;

	va_start(args, format);
	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	code = length < 0 ? CAIRN_EINVAL : buf_reserve(buf, (size_t)length + 1);
	if (code == 0) {
		vsnprintf((char *)buf->data + buf->length, (size_t)length + 1, format, again);
		buf->length += (size_t)length;
	}
	va_end(again);
	return code;
}

void
buf_consume(struct buf *buf, size_t length)
{
	if (length >= buf->length) {
		buf->length = 0;
		return;
	}
	memmove(buf->data, buf->data + length, buf->length - length);
	buf->length -= length;
}

const char *
buf_text(struct buf *buf)
{
	if (buf_reserve(buf, 1) != 0)
		return NULL;
	buf->data[buf->length] = 0;
	return (const char *)buf->data;
}
