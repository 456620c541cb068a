/* SPDX-License-Identifier: Apache-2.0 */
#include "genomics/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libdeflate.h>
#include <zlib.h>

#include "genomics/bcf.h"

#define BUFFER ((size_t)1 << 20)
#define BLOCK_MAX 65536u /* of BGZF, packed or not (SAM 4.1) */
#define HEAD 18u         /* of a block, with its one extra field */

enum form { FORM_PLAIN, FORM_BGZF, FORM_GZIP, FORM_BCF };

struct source {
	int fd;
	enum form form;
	uint8_t *buffer;
	size_t at, length;
	bool at_end;     /* of the file */
	bool empty_last; /* the last block had no text: BGZF's mark of the end */
	z_stream inflate;
	bool inflating, member_open;
	struct bcf_text *bcf;
};

/* ---- bytes -------------------------------------------------------------------------------- */

static int
fill(struct source *source, size_t want, struct cairn_error *err)
{
	memmove(source->buffer, source->buffer + source->at, source->length - source->at);
	source->length -= source->at;
	source->at = 0;
	while (source->length < want && !source->at_end) {
		ssize_t got =
		    read(source->fd, source->buffer + source->length, BUFFER - source->length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return cairn_error_set(
			    err, CAIRN_EIO, "cannot be read: %s", strerror(errno));
		source->at_end = got == 0;
		source->length += (size_t)got;
	}
	return 0;
}

static bool
is_bgzf(const uint8_t *at, size_t length)
{
	return length >= HEAD && at[0] == 0x1f && at[1] == 0x8b && at[2] == 8 && (at[3] & 4) != 0 &&
	    at[10] == 6 && at[11] == 0 && at[12] == 'B' && at[13] == 'C' && at[14] == 2 &&
	    at[15] == 0;
}

/* ---- opening ------------------------------------------------------------------------------ */

/* BCF is BGZF with another beginning inside. */
static int
inner_is_bcf(struct source *source, bool *ret)
{
	uint8_t start[3] = {0};
	z_stream stream = {.next_in = source->buffer,
	    .avail_in = (uInt)source->length,
	    .next_out = start,
	    .avail_out = sizeof start};

	if (inflateInit2(&stream, 15 + 16) != Z_OK)
		return CAIRN_ENOMEM;
	inflate(&stream, Z_SYNC_FLUSH);
	inflateEnd(&stream);
	*ret = memcmp(start, "BCF", 3) == 0;
	return 0;
}

static int
recognise(struct source *source, struct cairn_error *err)
{
	const uint8_t *at = source->buffer;
	bool bcf = false;

	source->form = FORM_PLAIN;
	if (source->length >= 3 && memcmp(at, "BCF", 3) == 0) {
		bcf = true;
	} else if (source->length >= 2 && at[0] == 0x1f && at[1] == 0x8b) {
		source->form = is_bgzf(at, source->length) ? FORM_BGZF : FORM_GZIP;
		if (inner_is_bcf(source, &bcf) != 0)
			return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	if (bcf) {
		source->form = FORM_BCF;
		if (lseek(source->fd, 0, SEEK_SET) != 0)
			return cairn_error_set(err, CAIRN_EIO, "cannot be read from its start");
		return bcf_text_open(&source->bcf, dup(source->fd), err);
	}
	if (source->form == FORM_GZIP) {
		if (inflateInit2(&source->inflate, 15 + 16) != Z_OK)
			return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
		source->inflating = true;
	}
	return 0;
}

int
source_open(struct source **ret, int fd, struct cairn_error *err)
{
	struct source *source = calloc(1, sizeof *source);
	int code;

	if (source == NULL) {
		close(fd);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	source->fd = fd;
	source->buffer = malloc(BUFFER);
	code = source->buffer == NULL ? cairn_error_set(err, CAIRN_ENOMEM, "out of memory")
				      : fill(source, BLOCK_MAX, err);
	if (code == 0)
		code = recognise(source, err);
	if (code != 0) {
		source_close(source);
		return code;
	}
	*ret = source;
	return 0;
}

void
source_close(struct source *source)
{
	if (source == NULL)
		return;
	if (source->inflating)
		inflateEnd(&source->inflate);
	bcf_text_close(source->bcf);
	close(source->fd);
	free(source->buffer);
	free(source);
}

bool
source_is_bcf(const struct source *source)
{
	return source->form == FORM_BCF;
}

/* ---- pieces ------------------------------------------------------------------------------- */

static int
room(uint8_t **at, size_t *capacity, size_t want, struct cairn_error *err)
{
	uint8_t *grown;

	if (*capacity >= want)
		return 0;
	grown = realloc(*at, want);
	if (grown == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	*at = grown;
	*capacity = want;
	return 0;
}

static uint32_t
le32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	    (uint32_t)at[3] << 24;
}

/* Whole blocks, as many as their text fits. */
static int
read_bgzf(struct source *source, struct source_piece *piece, bool *ret_end, struct cairn_error *err)
{
	size_t text = 0;
	int code = room(&piece->packed, &piece->packed_capacity, SOURCE_PIECE + BLOCK_MAX, err);

	piece->packed_length = 0;
	while (code == 0 && text + BLOCK_MAX <= SOURCE_PIECE &&
	    piece->packed_length + BLOCK_MAX <= piece->packed_capacity) {
		const uint8_t *at;
		size_t size, left;

		if (source->length - source->at < BLOCK_MAX && !source->at_end)
			code = fill(source, BLOCK_MAX, err);
		at = source->buffer + source->at;
		left = source->length - source->at;
		if (code != 0 || left == 0)
			break;
		size = left < HEAD ? HEAD : (size_t)at[16] + 256u * at[17] + 1;
		if (!is_bgzf(at, left) || size < HEAD + 8 || size > left)
			return cairn_error_set(
			    err, CAIRN_ECORRUPT, "a BGZF block is damaged, or the file is cut off");
		memcpy(piece->packed + piece->packed_length, at, size);
		piece->packed_length += size;
		text += le32(at + size - 4) & 0x1ffff;
		source->empty_last = le32(at + size - 4) == 0;
		source->at += size;
	}
	*ret_end = piece->packed_length == 0;
	if (code == 0 && *ret_end && !source->empty_last)
		code = cairn_error_set(err, CAIRN_ECORRUPT,
		    "the file does not end with BGZF's mark of the end: it is cut off");
	return code;
}

static int
read_plain(
    struct source *source, struct source_piece *piece, bool *ret_end, struct cairn_error *err)
{
	int code = room(&piece->text, &piece->capacity, SOURCE_PIECE, err);

	piece->length = 0;
	while (code == 0 && piece->length + BUFFER <= SOURCE_PIECE) {
		size_t part;

		if (source->at == source->length)
			code = fill(source, BUFFER, err);
		part = source->length - source->at;
		if (code != 0 || part == 0)
			break;
		memcpy(piece->text + piece->length, source->buffer + source->at, part);
		piece->length += part;
		source->at += part;
	}
	*ret_end = piece->length == 0;
	return code;
}

static int
inflate_some(struct source *source, struct cairn_error *err)
{
	z_stream *stream = &source->inflate;
	int status;

	stream->next_in = source->buffer + source->at;
	stream->avail_in = (uInt)(source->length - source->at);
	source->member_open = true;
	status = inflate(stream, Z_NO_FLUSH);
	source->at = source->length - stream->avail_in;
	if (status == Z_STREAM_END) { /* another member may follow */
		source->member_open = false;
		return inflateReset(stream) == Z_OK ? 0 : CAIRN_EINTERNAL;
	}
	if (status != Z_OK && status != Z_BUF_ERROR)
		return cairn_error_set(err, CAIRN_ECORRUPT, "the gzip stream is damaged");
	return 0;
}

static int
read_gzip(struct source *source, struct source_piece *piece, bool *ret_end, struct cairn_error *err)
{
	int code = room(&piece->text, &piece->capacity, SOURCE_PIECE, err);

	source->inflate.next_out = piece->text;
	source->inflate.avail_out = (uInt)SOURCE_PIECE;
	while (code == 0 && source->inflate.avail_out > 0) {
		if (source->at == source->length)
			code = fill(source, BUFFER, err);
		if (code != 0 || source->at == source->length)
			break;
		code = inflate_some(source, err);
	}
	piece->length = SOURCE_PIECE - source->inflate.avail_out;
	*ret_end = piece->length == 0;
	if (code == 0 && *ret_end && source->member_open)
		code = cairn_error_set(err, CAIRN_ECORRUPT, "the gzip stream is cut off");
	return code;
}

int
source_read(
    struct source *source, struct source_piece *piece, bool *ret_end, struct cairn_error *err)
{
	piece->packed_length = piece->length = 0;
	switch (source->form) {
	case FORM_PLAIN:
		return read_plain(source, piece, ret_end, err);
	case FORM_BGZF:
		return read_bgzf(source, piece, ret_end, err);
	case FORM_GZIP:
		return read_gzip(source, piece, ret_end, err);
	case FORM_BCF:
		break;
	}
	return bcf_text_read(source->bcf, piece, ret_end, err);
}

int
source_unpack(struct source_piece *piece, struct cairn_error *err)
{
	struct libdeflate_decompressor *inflater;
	int code = 0;

	if (piece->packed_length == 0)
		return 0;
	inflater = libdeflate_alloc_decompressor();
	if (inflater == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	code = room(&piece->text, &piece->capacity, SOURCE_PIECE + BLOCK_MAX, err);
	piece->length = 0;
	for (size_t at = 0; code == 0 && at < piece->packed_length;) {
		const uint8_t *block = piece->packed + at;
		size_t size = (size_t)block[16] + 256u * block[17] + 1, got = 0;
		size_t want = le32(block + size - 4);

		if (want > piece->capacity - piece->length ||
		    libdeflate_deflate_decompress(inflater, block + HEAD, size - HEAD - 8,
			piece->text + piece->length, want, &got) != LIBDEFLATE_SUCCESS ||
		    got != want ||
		    libdeflate_crc32(0, piece->text + piece->length, want) !=
			le32(block + size - 8))
			code = cairn_error_set(
			    err, CAIRN_ECORRUPT, "a BGZF block is damaged (its checksum differs)");
		piece->length += want;
		at += size;
	}
	libdeflate_free_decompressor(inflater);
	return code;
}

void
source_piece_fini(struct source_piece *piece)
{
	free(piece->text);
	free(piece->packed);
	*piece = (struct source_piece){0};
}
