/* SPDX-License-Identifier: Apache-2.0 */
#include "config/store.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "provenance/provenance.h"

static int __attribute__((format(printf, 3, 4)))
format_path(char ret[PATH_MAX], struct cairn_error *err, const char *format, ...)
{
	va_list args;
	int wrote;

	va_start(args, format);
	wrote = vsnprintf(ret, PATH_MAX, format, args);
	va_end(args);
	return wrote < 0 || wrote >= PATH_MAX
	    ? cairn_error_set(err, CAIRN_ELIMIT, "the home's path is too long")
	    : 0;
}

/* ---- links ------------------------------------------------------------------------------ */

void
store_link_get(
    const char *home, const char *name, const char *link, char ret[STORE_VERSION_MAX + 1])
{
	char path[PATH_MAX];
	ssize_t length = -1;

	if (format_path(path, NULL, "%s/" PLUGIN_STORE "/%s/%s", home, name, link) == 0)
		length = readlink(path, ret, STORE_VERSION_MAX);
	ret[length < 0 ? 0 : length] = 0;
}

int
store_link_set(const char *home, const char *name, const char *link, const char *version,
    struct cairn_error *err)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	int code = format_path(path, err, "%s/" PLUGIN_STORE "/%s/%s", home, name, link);

	if (code == 0)
		code = format_path(fresh, err, "%s.new", path);
	if (code != 0)
		return code;
	if (version[0] == 0 && unlink(path) != 0 && errno != ENOENT)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot remove %s: %s", path, strerror(errno));
	if (version[0] == 0)
		return 0;
	unlink(fresh); /* of a command that was killed */
	if (symlink(version, fresh) != 0 || rename(fresh, path) != 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot link %s: %s", path, strerror(errno));
	return 0;
}

/* ---- versions --------------------------------------------------------------------------- */

int
store_path(const char *home, const char *name, const char *version, char ret[PATH_MAX],
    struct cairn_error *err)
{
	return format_path(ret, err, "%s/" PLUGIN_STORE "/%s/%s/%s.so", home, name, version, name);
}

static int
check_same(const char *path, const struct plugin_config *plugin, struct cairn_error *err)
{
	struct provenance *stored = NULL;
	int code = provenance_open(path, NULL, &stored, err);

	if (code == 0 && strcmp(stored->digest, plugin->object->digest) != 0)
		code = cairn_error_set(err, CAIRN_EEXIST,
		    "%s %s is installed already with other bytes; a new build needs a new version",
		    plugin->manifest->name, plugin->manifest->version);
	provenance_free(stored);
	return code;
}

static int
copy_signature(const char *from, const char *to, struct cairn_error *err)
{
	BUF_AUTO text = {.max = SIGNATURE_FILE_MAX};
	char from_sig[PATH_MAX], to_sig[PATH_MAX];
	int code = format_path(from_sig, err, "%s.sig", from);

	if (code == 0)
		code = format_path(to_sig, err, "%s.sig", to);
	if (code != 0 || !file_exists(from_sig))
		return code;
	code = file_read(from_sig, &text, err);
	return code == 0 ? file_write(to_sig, text.data, text.length, 0600, err) : code;
}

int
store_add(const char *home, const struct plugin_config *plugin, const char *path, bool *ret_added,
    struct cairn_error *err)
{
	const struct manifest *manifest = plugin->manifest;
	char to[PATH_MAX], dir[PATH_MAX];
	int code = store_path(home, manifest->name, manifest->version, to, err);

	if (code != 0)
		return code;
	*ret_added = !file_exists(to);
	if (!*ret_added) {
		code = check_same(to, plugin, err);
		return code == 0 ? copy_signature(path, to, err) : code;
	}
	memcpy(dir, to, sizeof dir);
	*strrchr(dir, '/') = 0;
	code = file_mkdirs(dir, 0700, err);
	if (code == 0)
		code = copy_signature(path, to, err);
	/* Last, because it is what says that the version is there. */
	if (code == 0)
		code = file_write(to, plugin->object->bytes, plugin->object->size, 0600, err);
	return code;
}

void
store_remove_version(const char *home, const char *name, const char *version)
{
	char path[PATH_MAX], sig[PATH_MAX];

	if (version[0] == 0 || store_path(home, name, version, path, NULL) != 0 ||
	    format_path(sig, NULL, "%s.sig", path) != 0)
		return;
	unlink(path);
	unlink(sig);
	*strrchr(path, '/') = 0;
	rmdir(path);
}

int
store_remove(const char *home, const char *name, struct cairn_error *err)
{
	char path[PATH_MAX];
	const struct dirent *entry;
	DIR *dir;
	int code = format_path(path, err, "%s/" PLUGIN_STORE "/%s", home, name);

	if (code == 0)
		code = store_link_set(home, name, "current", "", err);
	if (code == 0)
		code = store_link_set(home, name, "previous", "", err);
	if (code != 0)
		return code;
	dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			store_remove_version(home, name, entry->d_name);
	}
	if (dir != NULL)
		closedir(dir);
	if (rmdir(path) != 0 && errno != ENOENT)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot remove all of %s: %s", path, strerror(errno));
	return 0;
}
