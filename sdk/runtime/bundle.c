/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define LINE_MAX_BYTES (BUNDLE_NAME_MAX + 32)

/* ---- lines ------------------------------------------------------------------------------ */

bool
bundle_name_is_good(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > BUNDLE_NAME_MAX || name[0] == '.' || name[0] == '-')
		return false;
	for (const char *at = name; *at != 0; at++) {
		if ((unsigned char)*at < 0x20 || *at == 0x7f || *at == '/')
			return false;
	}
	return true;
}

int
bundle_file_line(char *ret, size_t size, size_t length, bool runs, const char *name)
{
	return snprintf(ret, size, "\n%zu %s %s\n", length, runs ? "runs" : "data", name);
}

int
bundle_last_line(char *ret, size_t size, size_t count, bool folder)
{
	return snprintf(ret, size, "%zu %s\n", count, folder ? "folder" : "file");
}

/* Takes the last line off the end, without its newline; false when there is none, or one that is
 * longer than ours are. */
static bool
take_line(const uint8_t *bytes, size_t *length, char ret[LINE_MAX_BYTES])
{
	size_t end = *length, begin;

	if (end == 0 || bytes[end - 1] != '\n')
		return false;
	end--;
	begin = end;
	while (begin > 0 && bytes[begin - 1] != '\n') {
		begin--;
		if (end - begin >= LINE_MAX_BYTES || bytes[begin] == 0)
			return false;
	}
	memcpy(ret, bytes + begin, end - begin);
	ret[end - begin] = 0;
	*length = begin;
	return true;
}

/* "NUMBER WORD..." of at most `max`; the words, or NULL. */
static char *
take_number(char *line, int64_t max, size_t *ret)
{
	char *space = strchr(line, ' ');
	int64_t number;

	if (space == NULL || line[0] < '0' || line[0] > '9' ||
	    (line[0] == '0' && space != line + 1))
		return NULL;
	*space = 0;
	if (text_to_integer(line, 0, max, &number) != 0)
		return NULL;
	*ret = (size_t)number;
	return space + 1;
}

/* ---- reading ---------------------------------------------------------------------------- */

static bool
read_last(const uint8_t *bytes, size_t *length, struct bundle *bundle)
{
	char line[LINE_MAX_BYTES];
	const char *kind;

	if (!take_line(bytes, length, line))
		return false;
	kind = take_number(line, BUNDLE_FILES_MAX, &bundle->count);
	if (kind == NULL || (strcmp(kind, "folder") != 0 && strcmp(kind, "file") != 0))
		return false;
	bundle->folder = strcmp(kind, "folder") == 0;
	return bundle->folder || bundle->count == 1;
}

/* The file at the end of `bytes`. */
static bool
read_file(const uint8_t *bytes, size_t *length, struct bundle_file *file)
{
	char line[LINE_MAX_BYTES];
	const char *words;

	if (!take_line(bytes, length, line) || *length == 0)
		return false;
	words = take_number(line, INT32_MAX, &file->length);
	if (words == NULL || (strncmp(words, "runs ", 5) != 0 && strncmp(words, "data ", 5) != 0) ||
	    !bundle_name_is_good(words + 5))
		return false;
	(*length)--; /* the newline before the line */
	if (file->length > *length)
		return false;
	file->runs = words[0] == 'r';
	memcpy(file->name, words + 5, strlen(words + 5) + 1);
	file->fd = -1;
	*length -= file->length;
	file->bytes = bytes + *length;
	return true;
}

int
bundle_read(const void *bytes, size_t length, struct bundle *ret, struct cairn_error *err)
{
	struct bundle bundle = {.manifest = bytes};
	bool good = read_last(bytes, &length, &bundle);

	for (size_t i = bundle.count; good && i > 0; i--)
		good = read_file(bytes, &length, &bundle.files[i - 1]);
	if (!good)
		return cairn_error_set(err, CAIRN_EPROTO, "these bytes are no plugin's files");
	bundle.manifest_length = length;
	*ret = bundle;
	return 0;
}

/* ---- unpacking -------------------------------------------------------------------------- */

static int
unpack(struct bundle_file *file)
{
	FD_AUTO fd = memfd_create(file->name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || file_write_all(fd, file->bytes, file->length) != 0 ||
	    fcntl(fd, F_ADD_SEALS, SEALS) != 0)
		return CAIRN_EIO;
	file->fd = fcntl(fd, F_DUPFD, BUNDLE_FD_MIN);
	return file->fd < 0 ? CAIRN_EIO : 0;
}

int
bundle_unpack(struct bundle *bundle, struct cairn_error *err)
{
	for (size_t i = 0; i < bundle->count; i++) {
		if (unpack(&bundle->files[i]) != 0)
			return cairn_error_set(err, CAIRN_EIO, "no memory file for %s: %s",
			    bundle->files[i].name, strerror(errno));
	}
	return 0;
}
