/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static int
read_fd(void *arg, uint8_t *bytes, size_t size, size_t *ret_length, struct cairn_error *err)
{
	const struct source *source = arg;
	ssize_t got;

	do
		got = read(source->fd, bytes, size);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return cairn_error_set(
		    err, CAIRN_EIO, "the table cannot be read: %s", strerror(errno));
	*ret_length = (size_t)got;
	return 0;
}

static bool
ends_with(const char *path, const char *ending)
{
	size_t length = strlen(path), size = strlen(ending);

	return length >= size && strcasecmp(path + length - size, ending) == 0;
}

static void
choose(struct source *source, const char *path, const struct mapping *mapping)
{
	source->format = mapping == NULL ? MAPPING_BY_NAME : mapping->format;
	source->separator = mapping == NULL ? 0 : mapping->separator;
	source->latin = mapping != NULL && mapping->latin;
	source->sheet = mapping == NULL ? NULL : mapping->sheet;
	if (source->format == MAPPING_BY_NAME)
		source->format = ends_with(path, ".xlsx")                ? MAPPING_XLSX
		    : ends_with(path, ".tsv") || ends_with(path, ".tab") ? MAPPING_TSV
									 : MAPPING_CSV;
	if (source->separator == 0)
		source->separator = source->format == MAPPING_TSV ? '\t' : ',';
}

static int
begin(struct source *source, struct cairn_error *err)
{
	if (source->format == MAPPING_XLSX)
		return xlsx_open(&source->xlsx, source->fd, source->sheet, err);
	csv_init(&source->csv, read_fd, source, source->separator, source->latin);
	return 0;
}

static void
end(struct source *source)
{
	if (source->format == MAPPING_XLSX)
		xlsx_close(source->xlsx);
	else
		csv_fini(&source->csv);
	source->xlsx = NULL;
}

int
source_open(
    struct source *source, const char *path, const struct mapping *mapping, struct cairn_error *err)
{
	choose(source, path, mapping);
	source->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (source->fd < 0)
		return cairn_error_set(err, errno == ENOENT ? CAIRN_ENOTFOUND : CAIRN_EIO,
		    "%s cannot be read: %s", path, strerror(errno));
	if (fstat(source->fd, &source->opened) != 0 || !S_ISREG(source->opened.st_mode))
		return cairn_error_set(err, CAIRN_EINVAL, "%s is no file", path);
	return begin(source, err);
}

void
source_close(struct source *source)
{
	if (source->fd < 0)
		return;
	end(source);
	close(source->fd);
	source->fd = -1;
}

int
source_next(struct source *source, struct cairn_error *err)
{
	return source->format == MAPPING_XLSX ? xlsx_next(source->xlsx, &source->row, err)
					      : csv_next(&source->csv, &source->row, err);
}

int
source_rewind(struct source *source, struct cairn_error *err)
{
	end(source);
	if (lseek(source->fd, 0, SEEK_SET) != 0)
		return cairn_error_set(
		    err, CAIRN_EIO, "the table cannot be read again: %s", strerror(errno));
	return begin(source, err);
}

int
source_unchanged(const struct source *source, struct cairn_error *err)
{
	struct stat now;

	if (fstat(source->fd, &now) != 0 || now.st_size != source->opened.st_size ||
	    now.st_mtim.tv_sec != source->opened.st_mtim.tv_sec ||
	    now.st_mtim.tv_nsec != source->opened.st_mtim.tv_nsec)
		return cairn_error_set(err, CAIRN_EAGAIN,
		    "the file was written to while it was read; import it again when it is whole");
	return 0;
}
