/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backup in one file: POSIX.1-2017 pax interchange format (pax, "ustar Interchange Format"), so
 * that tar(1) reads it too; a size beyond 8 GiB is written in base 256 as GNU tar does.
 */
#include "cli/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/tar.h"

struct archive {
	char file[PATH_MAX], partial[PATH_MAX], dir[PATH_MAX];
	int fd;
};

/* ---- headers ---------------------------------------------------------------------------- */

static void
put_octal(char *field, size_t size, uint64_t value)
{
	for (size_t i = size - 1; i-- > 0; value /= 8)
		field[i] = (char)('0' + value % 8);
	field[size - 1] = 0;
}

static void
put_size(char field[12], uint64_t value)
{
	if (value < (uint64_t)1 << 33) {
		put_octal(field, 12, value);
		return;
	}
	memset(field, 0, 12);
	field[0] = (char)0x80;
	for (int i = 11; i > 3; i--, value >>= 8)
		field[i] = (char)(value & 0xff);
}

static int
put_header(struct archive *archive, const struct tar_header *fields, struct cairn_error *err)
{
	struct tar_header header = *fields;
	const unsigned char *bytes = (const unsigned char *)&header;
	unsigned sum = 0;

	memcpy(header.magic, "ustar", 6);
	memcpy(header.version, "00", 2);
	memset(header.checksum, ' ', sizeof header.checksum);
	for (size_t i = 0; i < sizeof header; i++)
		sum += bytes[i];
	put_octal(header.checksum, 7, sum);
	return backup_write_fd(&archive->fd, (const uint8_t *)&header, sizeof header, err);
}

static int
put_padding(struct archive *archive, uint64_t size, struct cairn_error *err)
{
	static const uint8_t zeros[TAR_BLOCK];
	size_t over = (size_t)(size % TAR_BLOCK);

	return over == 0 ? 0 : backup_write_fd(&archive->fd, zeros, TAR_BLOCK - over, err);
}

/* "27 path=objects/files/...\n": the number counts itself. */
static int
pax_record(struct buf *buf, const char *key, const char *value)
{
	size_t rest = strlen(key) + strlen(value) + 3, length = rest + 1;
	char number[24];

	for (int i = 0; i < 3; i++) {
		snprintf(number, sizeof number, "%zu", length);
		length = rest + strlen(number);
	}
	return buf_append_format(buf, "%zu %s=%s\n", length, key, value);
}

/* What does not fit its field of 100 bytes. */
static int
put_extended(struct archive *archive, const struct backup_entry *entry, struct cairn_error *err)
{
	BUF_AUTO records = {.max = 16384};
	struct tar_header header = {.name = "pax", .type = 'x'};
	int code = 0;

	if (strlen(entry->path) >= sizeof header.name)
		code = pax_record(&records, "path", entry->path);
	if (code == 0 && entry->target != NULL && strlen(entry->target) >= sizeof header.link)
		code = pax_record(&records, "linkpath", entry->target);
	if (code != 0)
		return cairn_error_set(err, code, "the path is too long: %s", entry->path);
	if (records.length == 0)
		return 0;
	put_octal(header.mode, sizeof header.mode, 0600);
	put_size(header.size, records.length);
	code = put_header(archive, &header, err);
	if (code == 0)
		code = backup_write_fd(&archive->fd, records.data, records.length, err);
	return code == 0 ? put_padding(archive, records.length, err) : code;
}

static int
put_entry(struct archive *archive, const struct backup_entry *entry, struct cairn_error *err)
{
	static const char types[] = {'0', '2', '5'};
	struct tar_header header = {.type = types[entry->kind]};
	int code = put_extended(archive, entry, err);

	if (code != 0)
		return code;
	memcpy(header.name, entry->path, strnlen(entry->path, sizeof header.name - 1));
	if (entry->target != NULL)
		memcpy(header.link, entry->target, strnlen(entry->target, sizeof header.link - 1));
	put_octal(header.mode, sizeof header.mode, entry->mode & 07777u);
	put_octal(header.uid, sizeof header.uid, entry->uid & 07777777u);
	put_octal(header.gid, sizeof header.gid, entry->gid & 07777777u);
	put_size(header.size, entry->kind == BACKUP_FILE ? entry->size : 0);
	put_size(header.mtime, entry->mtime_ns > 0 ? (uint64_t)entry->mtime_ns / 1000000000u : 0);
	return put_header(archive, &header, err);
}

/* ---- the sink --------------------------------------------------------------------------- */

static int
tar_file(struct backup_sink *sink, int fd, struct backup_entry *entry, struct cairn_error *err)
{
	struct archive *archive = sink->self;
	int code = put_entry(archive, entry, err);

	if (code == 0)
		code = backup_copy(fd, entry->size, &sink->pace, backup_write_fd, &archive->fd,
		    entry->sha256, err);
	if (code == 0)
		code = put_padding(archive, entry->size, err);
	return code == 0 ? 0 : cairn_error_prefix(err, code, "%s", entry->path);
}

static int
tar_name(struct backup_sink *sink, const struct backup_entry *entry, struct cairn_error *err)
{
	return put_entry(sink->self, entry, err);
}

static bool
tar_keep(struct backup_sink *sink, struct backup_entry *entry)
{
	(void)sink, (void)entry;
	return false;
}

static int
finish(struct backup_sink *sink, const struct backup_list *list, struct cairn_error *err)
{
	static const uint8_t zeros[2 * TAR_BLOCK];
	struct archive *archive = sink->self;
	char *text = backup_list_text(list);
	struct backup_entry entry = {.path = (char *)(uintptr_t)BACKUP_LIST, .mode = 0600};
	int code;

	if (text == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "cannot list the backup");
	entry.size = strlen(text);
	code = put_entry(archive, &entry, err);
	if (code == 0)
		code =
		    backup_write_fd(&archive->fd, (const uint8_t *)text, (size_t)entry.size, err);
	free(text);
	if (code == 0)
		code = put_padding(archive, entry.size, err);
	if (code == 0)
		code = backup_write_fd(&archive->fd, zeros, sizeof zeros, err);
	if (code == 0 && (fsync(archive->fd) != 0 || rename(archive->partial, archive->file) != 0))
		code = cairn_error_set(
		    err, CAIRN_EIO, "cannot write %s: %s", archive->file, strerror(errno));
	if (code == 0)
		code = file_sync_dir(archive->dir, err);
	snprintf(sink->name_shown, sizeof sink->name_shown, "%.4095s", archive->file);
	return code;
}

static int
tar_end(struct backup_sink *sink, const struct backup_list *list, struct cairn_error *err)
{
	struct archive *archive = sink->self;
	int code = list == NULL ? 0 : finish(sink, list, err);

	if (list == NULL || code != 0)
		unlink(archive->partial);
	backup_remove_tree(sink->scratch);
	file_close(&archive->fd);
	free(archive);
	return code;
}

static int
open_archive(
    struct archive *archive, struct backup_sink *sink, const char *file, struct cairn_error *err)
{
	const char *slash = strrchr(file, '/');
	char parent[PATH_MAX];

	snprintf(parent, sizeof parent, "%.*s", slash == NULL ? 1 : (int)(slash - file) + 1,
	    slash == NULL ? "." : file);
	if (realpath(parent, archive->dir) == NULL)
		return cairn_error_set(
		    err, CAIRN_ENOTFOUND, "cannot use %s: %s", parent, strerror(errno));
	if (file_join(archive->file, PATH_MAX, archive->dir, slash == NULL ? file : slash + 1) !=
		0 ||
	    snprintf(archive->partial, PATH_MAX, "%s.partial", archive->file) >= PATH_MAX ||
	    file_join(sink->scratch, sizeof sink->scratch, archive->dir, ".backup-XXXXXX") != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", file);
	if (file_exists(archive->file))
		return cairn_error_set(err, CAIRN_EEXIST,
		    "%s is there already; a backup never replaces another", archive->file);
	unlink(archive->partial); /* of a backup that was killed */
	archive->fd = open(archive->partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (archive->fd < 0 || mkdtemp(sink->scratch) == NULL)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot write into %s: %s", archive->dir, strerror(errno));
	return 0;
}

int
backup_tar_open(struct backup_sink *ret, const char *file, struct cairn_error *err)
{
	struct archive *archive = calloc(1, sizeof *archive);
	int code;

	if (archive == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	archive->fd = -1;
	code = open_archive(archive, ret, file, err);
	if (code != 0) {
		if (archive->fd >= 0)
			unlink(archive->partial);
		file_close(&archive->fd);
		free(archive);
		return code;
	}
	ret->self = archive;
	ret->pace.dir = archive->dir;
	ret->file = tar_file;
	ret->name = tar_name;
	ret->keep = tar_keep;
	ret->end = tar_end;
	return 0;
}
