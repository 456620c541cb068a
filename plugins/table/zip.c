/* SPDX-License-Identifier: Apache-2.0 */
#include "zip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define END_SIZE 22
#define END_MARK 0x06054b50u
#define ENTRY_SIZE 46
#define ENTRY_MARK 0x02014b50u
#define LOCAL_SIZE 30
#define LOCAL_MARK 0x04034b50u
#define COMMENT_MAX 65535
#define RATIO_MAX 1100 /* deflate cannot do more than 1032 */

static uint16_t
le16(const uint8_t *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t
le32(const uint8_t *at)
{
	return (uint32_t)le16(at) | (uint32_t)le16(at + 2) << 16;
}

static int
damaged(struct cairn_error *err, const char *why)
{
	return cairn_error_set(err, CAIRN_EINVAL, "this is no xlsx file that can be read: %s", why);
}

static int
read_at(
    const struct zip *zip, uint64_t offset, uint8_t *bytes, size_t length, struct cairn_error *err)
{
	if (offset > zip->length || length > zip->length - offset)
		return damaged(err, "the archive is cut short");
	for (size_t got = 0; got < length;) {
		ssize_t n = pread(zip->fd, bytes + got, length - got, (off_t)(offset + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return cairn_error_set(err, CAIRN_EIO, "the table cannot be read: %s",
			    n == 0 ? "it is shorter now" : strerror(errno));
		got += (size_t)n;
	}
	return 0;
}

/* ---- the directory ------------------------------------------------------------------------------
 */

static int
find_end(const struct zip *zip, uint8_t ret[END_SIZE], struct cairn_error *err)
{
	size_t length =
	    zip->length < END_SIZE + COMMENT_MAX ? (size_t)zip->length : END_SIZE + COMMENT_MAX;
	uint8_t *tail = malloc(length + 1);
	int code = CAIRN_EINVAL;

	if (tail == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	if (length < END_SIZE)
		code = damaged(err, "it is too short for a zip archive");
	else
		code = read_at(zip, zip->length - length, tail, length, err);
	for (size_t at = length; code == 0 && at >= END_SIZE; at--) {
		const uint8_t *end = tail + at - END_SIZE;

		if (le32(end) == END_MARK && le16(end + 20) == length - at) {
			memcpy(ret, end, END_SIZE);
			free(tail);
			return 0;
		}
	}
	free(tail);
	return code != 0 ? code : damaged(err, "it has no zip directory");
}

static int
take_entry(
    struct zip *zip, const uint8_t *at, size_t left, size_t *ret_size, struct cairn_error *err)
{
	struct zip_entry *entry = &zip->entries[zip->count];
	size_t name = left < ENTRY_SIZE ? 0 : le16(at + 28);

	if (left < ENTRY_SIZE || le32(at) != ENTRY_MARK)
		return damaged(err, "its zip directory is damaged");
	*ret_size = ENTRY_SIZE + name + le16(at + 30) + le16(at + 32);
	if (*ret_size > left)
		return damaged(err, "its zip directory is damaged");
	if ((le16(at + 8) & 1) != 0)
		return damaged(err, "it is encrypted; save it without a password");
	if (name >= sizeof entry->name)
		return 0; /* nothing that we ask for */
	memcpy(entry->name, at + ENTRY_SIZE, name);
	entry->name[name] = 0;
	entry->method = le16(at + 10);
	entry->packed = le32(at + 20);
	entry->size = le32(at + 24);
	entry->offset = le32(at + 42);
	zip->count++;
	return 0;
}

static int
take_directory(struct zip *zip, const uint8_t *end, struct cairn_error *err)
{
	size_t count = le16(end + 10), length = le32(end + 12), at = 0;
	uint8_t *bytes;
	int code;

	if (le16(end + 4) != 0 || le16(end + 8) != count || count > ZIP_PARTS_MAX ||
	    length > ZIP_DIRECTORY_MAX)
		return damaged(err, "its zip directory is larger than any of a workbook");
	bytes = malloc(length + 1);
	zip->entries = calloc(count + 1, sizeof *zip->entries);
	if (bytes == NULL || zip->entries == NULL) {
		free(bytes);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	code = read_at(zip, le32(end + 16), bytes, length, err);
	for (size_t i = 0; code == 0 && i < count; i++) {
		size_t size = 0;

		code = take_entry(zip, bytes + at, length - at, &size, err);
		at += size;
	}
	free(bytes);
	return code;
}

int
zip_open(struct zip *zip, int fd, struct cairn_error *err)
{
	uint8_t end[END_SIZE] = {0};
	struct stat status;
	int code;

	*zip = (struct zip){.fd = fd};
	if (fstat(fd, &status) != 0)
		return cairn_error_set(err, CAIRN_EIO, "the table cannot be read");
	zip->length = (uint64_t)status.st_size;
	code = find_end(zip, end, err);
	return code != 0 ? code : take_directory(zip, end, err);
}

void
zip_close(struct zip *zip)
{
	free(zip->entries);
	zip->entries = NULL;
	zip->count = 0;
}

const struct zip_entry *
zip_find(const struct zip *zip, const char *name)
{
	for (size_t i = 0; i < zip->count; i++) {
		if (strcmp(zip->entries[i].name, name) == 0)
			return &zip->entries[i];
	}
	return NULL;
}

/* ---- a part
 * --------------------------------------------------------------------------------------- */

int
zip_part_open(struct zip_part *part, const struct zip *zip, const struct zip_entry *entry,
    struct cairn_error *err)
{
	uint8_t local[LOCAL_SIZE];
	int code = read_at(zip, entry->offset, local, sizeof local, err);

	memset(part, 0, sizeof *part);
	if (code != 0)
		return code;
	if (le32(local) != LOCAL_MARK || (entry->method != 0 && entry->method != 8))
		return damaged(err, "a part is damaged, or packed in an unusual way");
	if (entry->size > (uint64_t)entry->packed * RATIO_MAX + 1024)
		return damaged(err, "a part claims to be larger than it can be");
	part->zip = zip;
	part->entry = entry;
	part->at = (uint64_t)entry->offset + LOCAL_SIZE + le16(local + 26) + le16(local + 28);
	part->left = entry->packed;
	part->to_give = entry->size;
	if (inflateInit2(&part->stream, -MAX_WBITS) != Z_OK)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	return 0;
}

void
zip_part_close(struct zip_part *part)
{
	if (part->zip != NULL)
		inflateEnd(&part->stream);
	part->zip = NULL;
}

static int
fill(struct zip_part *part, struct cairn_error *err)
{
	size_t size = part->left < sizeof part->chunk ? part->left : sizeof part->chunk;
	int code = read_at(part->zip, part->at, part->chunk, size, err);

	part->at += size;
	part->left -= (uint32_t)size;
	part->stream.next_in = part->chunk;
	part->stream.avail_in = (uInt)size;
	return code;
}

static int
step(struct zip_part *part, struct cairn_error *err)
{
	z_stream *stream = &part->stream;
	int rc, code = stream->avail_in == 0 && part->left > 0 ? fill(part, err) : 0;

	if (code != 0)
		return code;
	if (part->entry->method == 0) {
		uInt size =
		    stream->avail_in < stream->avail_out ? stream->avail_in : stream->avail_out;

		memcpy(stream->next_out, stream->next_in, size);
		stream->next_in += size;
		stream->next_out += size;
		stream->avail_in -= size;
		stream->avail_out -= size;
		part->ended = size == 0;
		return 0;
	}
	rc = inflate(stream, Z_NO_FLUSH);
	part->ended = rc == Z_STREAM_END;
	if (rc != Z_OK && rc != Z_STREAM_END)
		return damaged(err, "a part does not unpack");
	return 0;
}

int
zip_part_read(
    struct zip_part *part, uint8_t *bytes, size_t size, size_t *ret_length, struct cairn_error *err)
{
	size_t wanted = size < part->to_give ? size : (size_t)part->to_give;
	int code = 0;

	part->stream.next_out = bytes;
	part->stream.avail_out = (uInt)wanted;
	while (code == 0 && !part->ended && part->stream.avail_out > 0)
		code = step(part, err);
	if (code != 0)
		return code;
	*ret_length = wanted - part->stream.avail_out;
	part->to_give -= *ret_length;
	if (*ret_length < wanted)
		return damaged(err, "a part is shorter than its directory says");
	return 0;
}
