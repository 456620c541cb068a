/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/env.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define DATABASES_MAX 8
#define READERS_MAX 126
#define LOCK_NAME "writer.lock"

int
env_error(int rc, const char *what, struct cairn_error *err)
{
	int code = CAIRN_EIO;

	if (rc == MDB_MAP_FULL)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "%s: the database has reached its maximum size; raise the maximum and restart",
		    what);
	if (rc == MDB_NOTFOUND)
		code = CAIRN_ENOTFOUND;
	else if (rc == ENOMEM)
		code = CAIRN_ENOMEM;
	else if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID ||
	    rc == MDB_VERSION_MISMATCH)
		code = CAIRN_ECORRUPT;
	else if (rc == MDB_READERS_FULL || rc == MDB_TXN_FULL)
		code = CAIRN_ELIMIT;
	return cairn_error_set(err, code, "%s: %s", what, mdb_strerror(rc));
}

void
env_key_put(uint8_t ret[ENV_KEY_BYTES], uint64_t number)
{
	for (size_t i = 0; i < ENV_KEY_BYTES; i++)
		ret[i] = (uint8_t)(number >> (8 * (ENV_KEY_BYTES - 1 - i)));
}

bool
env_key_get(const MDB_val *key, uint64_t *ret)
{
	const uint8_t *at = key->mv_data;
	uint64_t number = 0;

	if (key->mv_size != ENV_KEY_BYTES)
		return false;
	for (size_t i = 0; i < ENV_KEY_BYTES; i++)
		number = number << 8 | at[i];
	*ret = number;
	return true;
}

/* The lock belongs to the open file, so that it also keeps this process out of itself; the process
 * number in the file is for the message and for env_open_reader().  It always has the same length:
 * cutting the file first would make ext4 flush it at each opening. */
static int
lock_writer(const char *dir, int *ret_fd, struct cairn_error *err)
{
	char path[PATH_MAX], text[32];
	int wrote = snprintf(text, sizeof text, "%-20ld\n", (long)getpid());
	int fd;

	if (file_join(path, sizeof path, dir, LOCK_NAME) != 0)
		return cairn_error_set(err, CAIRN_EINVAL, "path is too long: %s", dir);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot open %s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		return cairn_error_set(err, CAIRN_EUNAVAILABLE,
		    "%s is in use by a running node (its process number is in %s); stop it first",
		    dir, path);
	}
	if (file_write_all(fd, text, (size_t)wrote) != 0) {
		close(fd);
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot write %s: %s", path, strerror(errno));
	}
	*ret_fd = fd;
	return 0;
}

static bool
is_own_writer(const char *dir)
{
	BUF_AUTO text = {.max = 64};
	char path[PATH_MAX];
	int64_t pid = 0;
	FD_AUTO fd = -1;

	if (file_join(path, sizeof path, dir, LOCK_NAME) != 0 || file_read(path, &text, NULL) != 0)
		return false;
	while (text.length > 0 && text.data[text.length - 1] <= ' ')
		text.length--;
	if (buf_text(&text) == NULL ||
	    text_to_integer((const char *)text.data, 1, INT64_MAX, &pid) != 0 || pid != getpid())
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0;
}

/* LMDB maps the file without looking at its length; reading a page past the end is a SIGBUS. */
static int
check_length(MDB_env *env, const char *dir, struct cairn_error *err)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;
	uint64_t need;
	int fd, rc = mdb_env_info(env, &info);

	if (rc == 0)
		rc = mdb_env_stat(env, &stat);
	if (rc == 0)
		rc = mdb_env_get_fd(env, &fd);
	if (rc != 0)
		return env_error(rc, dir, err);
	if (fstat(fd, &st) != 0)
		return cairn_error_set(err, CAIRN_EIO, "%s: %s", dir, strerror(errno));
	if (__builtin_mul_overflow(
		(uint64_t)info.me_last_pgno + 1, (uint64_t)stat.ms_psize, &need) ||
	    (uint64_t)st.st_size < need)
		return cairn_error_set(err, CAIRN_ECORRUPT,
		    "%s/data.mdb is cut off: it holds %lld bytes and needs %llu; nothing was "
		    "changed; keep a copy and restore the directory from a backup",
		    dir, (long long)st.st_size, (unsigned long long)need);
	return 0;
}

static int
open_env(MDB_env **ret, const char *dir, size_t map_size, unsigned flags, struct cairn_error *err)
{
	MDB_env *env;
	int rc = mdb_env_create(&env), code;

	if (rc != 0)
		return env_error(rc, dir, err);
	rc = mdb_env_set_maxdbs(env, DATABASES_MAX);
	if (rc == 0)
		rc = mdb_env_set_maxreaders(env, READERS_MAX);
	if (rc == 0 && map_size > 0)
		rc = mdb_env_set_mapsize(env, map_size);
	/* NOTLS: a read transaction belongs to its object, not to the thread. */
	if (rc == 0)
		rc = mdb_env_open(env, dir, flags | MDB_NOTLS, 0600);
	code = rc != 0 ? env_error(rc, dir, err) : check_length(env, dir, err);
	if (code == CAIRN_ECORRUPT && rc != 0)
		cairn_error_set(err, code,
		    "%s/data.mdb is damaged (%s); nothing was changed; keep a copy and restore the "
		    "directory from a backup",
		    dir, mdb_strerror(rc));
	if (code != 0) {
		mdb_env_close(env);
		return code;
	}
	*ret = env;
	return 0;
}

int
env_open_writer(
    MDB_env **ret, int *ret_lock_fd, const char *dir, size_t map_size, struct cairn_error *err)
{
	int code = file_mkdirs(dir, 0700, err), lock_fd = -1, dead = 0;

	if (code == 0)
		code = lock_writer(dir, &lock_fd, err);
	if (code == 0)
		code = open_env(ret, dir, map_size, 0, err);
	if (code != 0) {
		file_close(&lock_fd);
		return code;
	}
	/* Readers that were killed would keep old pages from being used again. */
	mdb_reader_check(*ret, &dead);
	*ret_lock_fd = lock_fd;
	return 0;
}

int
env_open_reader(MDB_env **ret, const char *dir, struct cairn_error *err)
{
	char path[PATH_MAX];

	if (file_join(path, sizeof path, dir, "data.mdb") != 0 || !file_exists(path))
		return cairn_error_set(err, CAIRN_ENOTFOUND, "there is no database in %s", dir);
	if (is_own_writer(dir))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "this process writes %s and must read it through the writer", dir);
	return open_env(ret, dir, 0, MDB_RDONLY, err);
}
