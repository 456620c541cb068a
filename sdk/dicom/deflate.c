/* SPDX-License-Identifier: Apache-2.0 */
/* Raw deflate streams (RFC 1951, PS3.5 A.5) through zlib, in chunks that the buffer's max bounds.
 */
#include <limits.h>
#include <zlib.h>

#include "dicom/part10.h"
#include "dicom/reader.h"

#define CHUNK 65536u
#define RAW_WINDOW (-15)

/* Gives zlib the next part of the input: its counters are of 32 bits. */
static void
feed(z_stream *stream, const uint8_t *data, size_t length, size_t *taken)
{
	size_t rest = length - *taken;
	uInt part = rest > INT_MAX ? INT_MAX : (uInt)rest;

	if (stream->avail_in > 0 || part == 0)
		return;
	stream->next_in = (z_const Bytef *)(uintptr_t)(data + *taken);
	stream->avail_in = part;
	*taken += part;
}

/* Room for the next chunk of output, less where the max is near. */
static int
make_room(z_stream *stream, struct buf *out)
{
	size_t left = out->max - out->length;
	size_t room = left < CHUNK ? left : CHUNK;
	int code = room == 0 ? CAIRN_ELIMIT : buf_reserve(out, room);

	if (code != 0)
		return code;
	stream->next_out = out->data + out->length;
	stream->avail_out = (uInt)room;
	return 0;
}

/* Runs the stream to its end and says how much of the input lies behind it. */
static int
run(z_stream *stream, int (*step)(z_stream *, int), const uint8_t *data, size_t length,
    struct buf *out, size_t *ret_rest)
{
	size_t taken = 0;

	for (;;) {
		int status, flush;
		uInt room;
		int code = make_room(stream, out);

		if (code != 0)
			return code;
		room = stream->avail_out;
		feed(stream, data, length, &taken);
		flush = taken == length ? Z_FINISH : Z_NO_FLUSH;
		status = step(stream, flush);
		out->length += room - stream->avail_out;
		if (status == Z_STREAM_END)
			break;
		if (status == Z_MEM_ERROR)
			return CAIRN_ENOMEM;
		if (status != Z_OK && status != Z_BUF_ERROR)
			return CAIRN_ECORRUPT;
		if (stream->avail_in == 0 && taken == length && stream->avail_out > 0)
			return CAIRN_ECORRUPT;
	}
	*ret_rest = length - taken + stream->avail_in;
	return 0;
}

static uint32_t
checksum(const uint8_t *data, size_t length)
{
	uLong crc = crc32(0, NULL, 0);

	while (length > 0) {
		uInt part = length > INT_MAX ? INT_MAX : (uInt)length;

		crc = crc32(crc, data, part);
		data += part;
		length -= part;
	}
	return (uint32_t)crc;
}

/* Behind the stream may be a byte that pads it to even length, and before that the checksum and
 * length that gzip puts there, which some writers leave; anything else nobody would ever read. */
static bool
rest_is_known(const uint8_t *rest, size_t length, const uint8_t *plain, size_t plain_length)
{
	if (length <= 1)
		return true;
	return (length == 8 || length == 9) &&
	    dcm_read_u32(rest, false) == checksum(plain, plain_length) &&
	    dcm_read_u32(rest + 4, false) == (uint32_t)plain_length;
}

int
dcm_inflate(const uint8_t *data, size_t length, struct buf *out, struct cairn_error *err)
{
	z_stream stream = {0};
	size_t start = out->length, rest = 0;
	int code;

	if (inflateInit2(&stream, RAW_WINDOW) != Z_OK)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory to inflate");
	code = run(&stream, inflate, data, length, out, &rest);
	inflateEnd(&stream);
	if (code == 0 &&
	    !rest_is_known(data + length - rest, rest, out->data + start, out->length - start))
		code = CAIRN_ECORRUPT;
	if (code == 0)
		return 0;
	out->length = start;
	if (code == CAIRN_ELIMIT)
		return cairn_error_set(err, code,
		    "the deflated data set is larger than the %zu bytes allowed", out->max);
	return cairn_error_set(err, code, "the deflated data set is damaged or cut short");
}

int
dcm_deflate(const uint8_t *data, size_t length, struct buf *out, struct cairn_error *err)
{
	z_stream stream = {0};
	size_t start = out->length, rest = 0;
	int code;

	if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, RAW_WINDOW, 8,
		Z_DEFAULT_STRATEGY) != Z_OK)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory to deflate");
	code = run(&stream, deflate, data, length, out, &rest);
	deflateEnd(&stream);
	if (code == 0)
		code = buf_append_zero(out, (out->length - start) & 1);
	if (code == 0)
		return 0;
	out->length = start;
	return cairn_error_set(
	    err, code, "cannot deflate %zu bytes: %s", length, cairn_code_text(code));
}
