/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/file.h"

static int
write_new(const char *path, const void *bytes, size_t length, mode_t mode)
{
	FD_AUTO fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	/* fchmod, because the umask may have taken bits away. */
	if (fd < 0 || fchmod(fd, mode) != 0 || file_write_all(fd, bytes, length) != 0 ||
	    fsync(fd) != 0)
		return CAIRN_EIO;
	return 0;
}

/* link() rather than rename(), because rename() would replace a key that is there. */
int
keyfile_create(
    const char *path, const void *bytes, size_t length, mode_t mode, struct cairn_error *err)
{
	char temporary[PATH_MAX];
	char parent[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int wrote = snprintf(temporary, sizeof temporary, "%s.new", path);
	int cause = 0;

	if (wrote < 0 || (size_t)wrote >= sizeof temporary || slash == NULL)
		return cairn_error_set(err, CAIRN_EINVAL, "not a usable path: %s", path);
	if (write_new(temporary, bytes, length, mode) != 0 || link(temporary, path) != 0)
		cause = errno == 0 ? EIO : errno;
	unlink(temporary);
	if (cause == EEXIST)
		return cairn_error_set(
		    err, CAIRN_EEXIST, "%s exists already; keys are never overwritten", path);
	if (cause != 0)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot create %s: %s", path, strerror(cause));
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = 0;
	return file_sync_dir(parent[0] == 0 ? "/" : parent, err);
}

static int
read_fd(int fd, const char *path, struct buf *ret, struct cairn_error *err)
{
	int code = buf_reserve(ret, KEYFILE_MAX);

	if (code != 0)
		return cairn_error_set(err, code, "no memory to read %s", path);
	for (;;) {
		ssize_t got = read(fd, ret->data + ret->length, KEYFILE_MAX - ret->length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return cairn_error_set(
			    err, CAIRN_EIO, "cannot read %s: %s", path, strerror(errno));
		if (got == 0)
			return 0;
		ret->length += (size_t)got;
		if (ret->length == KEYFILE_MAX)
			return cairn_error_set(err, CAIRN_ELIMIT,
			    "%s is too large for a key file (%d bytes or more)", path, KEYFILE_MAX);
	}
}

/* Looks at the open file, not at the name, so that what is checked is what is read. */
int
keyfile_read_secret(const char *path, struct buf *ret, struct cairn_error *err)
{
	FD_AUTO fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return cairn_error_set(err, errno == ENOENT ? CAIRN_ENOTFOUND : CAIRN_EIO,
		    "cannot open key file %s: %s%s", path, strerror(errno),
		    errno == ENOENT ? "; restore it from a backup, a new one is not the same" : "");
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return cairn_error_set(err, CAIRN_EINVAL, "%s is not a regular file", path);
	if ((st.st_mode & 077) != 0)
		return cairn_error_set(err, CAIRN_EDENIED,
		    "%s is open to group or others (mode %04o, expected 0600); run: chmod 600 %s",
		    path, (unsigned)(st.st_mode & 07777), path);
	return read_fd(fd, path, ret, err);
}

int
keyfile_check_dir(const char *path, struct cairn_error *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return cairn_error_set(err, errno == ENOENT ? CAIRN_ENOTFOUND : CAIRN_EIO,
		    "cannot look at key directory %s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return cairn_error_set(err, CAIRN_EINVAL, "%s is not a directory", path);
	if ((st.st_mode & 022) != 0)
		return cairn_error_set(err, CAIRN_EDENIED,
		    "group or others can write to %s (mode %04o, expected 0700); run: chmod 700 %s",
		    path, (unsigned)(st.st_mode & 07777), path);
	return 0;
}

void
keyfile_wipe(struct buf *buf)
{
	if (buf->data != NULL)
		OPENSSL_cleanse(buf->data, buf->capacity);
	buf_fini(buf);
}
