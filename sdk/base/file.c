/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_CHUNK 65536

int
file_write_all(int fd, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;

	while (length > 0) {
		ssize_t wrote = write(fd, at, length);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return CAIRN_EIO;
		at += wrote;
		length -= (size_t)wrote;
	}
	return 0;
}

int
file_read_all(int fd, void *bytes, size_t length)
{
	uint8_t *at = bytes;

	while (length > 0) {
		ssize_t got = read(fd, at, length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return CAIRN_EIO;
		at += got;
		length -= (size_t)got;
	}
	return 0;
}

int
file_read(const char *path, struct buf *buf, struct cairn_error *err)
{
	FD_AUTO fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return cairn_error_set(err, errno == ENOENT ? CAIRN_ENOTFOUND : CAIRN_EIO,
		    "cannot open %s: %s", path, strerror(errno));
	for (;;) {
		ssize_t got;
		int code = buf_reserve(buf, 1);
		size_t room;

		if (code == 0 && buf->capacity == buf->length)
			code = CAIRN_ELIMIT;
		if (code != 0)
			return cairn_error_set(
			    err, code, "%s is larger than %zu bytes", path, buf->max);
		room = buf->capacity - buf->length;
		got = read(fd, buf->data + buf->length, room < READ_CHUNK ? room : READ_CHUNK);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return cairn_error_set(
			    err, CAIRN_EIO, "cannot read %s: %s", path, strerror(errno));
		if (got == 0)
			return 0;
		buf->length += (size_t)got;
	}
}

int
file_sync_dir(const char *path, struct cairn_error *err)
{
	FD_AUTO fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot sync directory %s: %s", path, strerror(errno));
	return 0;
}

static int
sync_parent(const char *path, struct cairn_error *err)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t length = slash == NULL ? 0 : (size_t)(slash - path);

	if (slash == NULL)
		return file_sync_dir(".", err);
	if (length >= sizeof parent)
		return cairn_error_set(err, CAIRN_ELIMIT, "path is too long: %s", path);
	memcpy(parent, path, length);
	parent[length] = 0;
	return file_sync_dir(length == 0 ? "/" : parent, err);
}

int
file_write(const char *path, const void *bytes, size_t length, mode_t mode, struct cairn_error *err)
{
	char temporary[PATH_MAX];
	int wrote = snprintf(temporary, sizeof temporary, "%s.new", path);
	FD_AUTO fd = -1;

	if (wrote < 0 || (size_t)wrote >= sizeof temporary)
		return cairn_error_set(err, CAIRN_ELIMIT, "path is too long: %s", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot create %s: %s", temporary, strerror(errno));
	if (file_write_all(fd, bytes, length) != 0 || fsync(fd) != 0 ||
	    rename(temporary, path) != 0) {
		int cause = errno;

		unlink(temporary);
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot write %s: %s", path, strerror(cause));
	}
	return sync_parent(path, err);
}

int
file_mkdirs(const char *path, mode_t mode, struct cairn_error *err)
{
	char partial[PATH_MAX];
	size_t length = strlen(path);

	if (length == 0 || length >= sizeof partial)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "not a usable directory name: '%s'", path);
	memcpy(partial, path, length + 1);
	for (size_t i = 1; i <= length; i++) {
		if (partial[i] != '/' && partial[i] != 0)
			continue;
		partial[i] = 0;
		if (mkdir(partial, mode) != 0 && errno != EEXIST)
			return cairn_error_set(err, CAIRN_EIO, "cannot create directory %s: %s",
			    partial, strerror(errno));
		partial[i] = path[i];
	}
	return 0;
}

bool
file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

int
file_join(char *ret, size_t size, const char *dir, const char *name)
{
	int wrote = snprintf(ret, size, "%s/%s", dir, name);

	return wrote < 0 || (size_t)wrote >= size ? CAIRN_ELIMIT : 0;
}

void
file_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
