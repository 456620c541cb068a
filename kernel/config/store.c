/* SPDX-License-Identifier: Apache-2.0 */
#include "config/store.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "config/script.h"
#include "provenance/provenance.h"
#include "runtime/bundle.h"

#define DEPTH_MAX 8 /* descriptors that the walk may hold */

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

static int
path_of(const char *home, const char *name, const char *version, const char *suffix,
    char ret[PATH_MAX], struct cairn_error *err)
{
	return format_path(
	    ret, err, "%s/" PLUGIN_STORE "/%s/%s/%s%s", home, name, version, name, suffix);
}

int
store_path(const char *home, const char *name, const char *version, char ret[PATH_MAX],
    struct cairn_error *err)
{
	int code = path_of(home, name, version, SCRIPT_SUFFIX, ret, err);

	if (code != 0 || file_exists(ret))
		return code;
	return path_of(home, name, version, ".so", ret, err);
}

static bool
is_same(const char *path, const struct plugin_config *plugin)
{
	struct provenance *stored = NULL;
	struct manifest *manifest = NULL;
	int code = 0;

	if (script_is_manifest(path))
		code = manifest_read(path, &manifest, NULL);
	if (code == 0)
		code = provenance_open(
		    path, manifest == NULL ? NULL : manifest->script, &stored, NULL);
	code = code == 0 && strcmp(stored->digest, plugin->object->digest) == 0;
	manifest_free(manifest);
	provenance_free(stored);
	return code != 0;
}

/* What neither serves nor can be gone back to was left by an upgrade that failed. */
static bool
is_linked(const char *home, const char *name, const char *version)
{
	char current[STORE_VERSION_MAX + 1], previous[STORE_VERSION_MAX + 1];

	store_link_get(home, name, "current", current);
	store_link_get(home, name, "previous", previous);
	return strcmp(current, version) == 0 || strcmp(previous, version) == 0;
}

/* ---- a script --------------------------------------------------------------------------- */

static int
write_script(const struct manifest *manifest, const struct bundle *bundle, const char *dir,
    struct cairn_error *err)
{
	const char *name = strrchr(manifest->script, '/') + 1; /* absolute */
	char path[PATH_MAX];
	int code = format_path(path, err, "%s/%s", dir, name);

	if (code == 0 && bundle->folder)
		code = file_mkdirs(path, 0700, err);
	for (size_t i = 0; i < bundle->count && code == 0; i++) {
		const struct bundle_file *file = &bundle->files[i];

		if (bundle->folder)
			code = format_path(path, err, "%s/%s/%s", dir, name, file->name);
		if (code == 0)
			code = file_write(
			    path, file->bytes, file->length, file->runs ? 0700 : 0600, err);
	}
	return code;
}

/* Last comes what says that the version is there. */
static int
write_bytes(
    const struct plugin_config *plugin, const char *dir, const char *to, struct cairn_error *err)
{
	const struct provenance *object = plugin->object;
	struct bundle bundle;
	int code;

	if (plugin->manifest->script == NULL)
		return file_write(to, object->bytes, object->size, 0600, err);
	code = bundle_read(object->bytes, object->size, &bundle, err);
	if (code == 0)
		code = write_script(plugin->manifest, &bundle, dir, err);
	return code == 0 ? file_write(to, bundle.manifest, bundle.manifest_length, 0600, err)
			 : code;
}

/* ---- adding and removing ---------------------------------------------------------------- */

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
	*ret_added = false;
	if (file_exists(to) && is_same(to, plugin))
		return copy_signature(path, to, err);
	if (file_exists(to) && is_linked(home, manifest->name, manifest->version))
		return cairn_error_set(err, CAIRN_EEXIST,
		    "%s %s is installed already with other bytes; a new build needs a new version",
		    manifest->name, manifest->version);
	store_remove_version(home, manifest->name, manifest->version);
	*ret_added = true;
	code = path_of(home, manifest->name, manifest->version,
	    manifest->script == NULL ? ".so" : SCRIPT_SUFFIX, to, err);
	if (code != 0)
		return code;
	memcpy(dir, to, sizeof dir);
	*strrchr(dir, '/') = 0;
	code = file_mkdirs(dir, 0700, err);
	if (code == 0)
		code = copy_signature(path, to, err);
	return code == 0 ? write_bytes(plugin, dir, to, err) : code;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st, (void)kind, (void)where;
	return remove(path);
}

void
store_remove_version(const char *home, const char *name, const char *version)
{
	char path[PATH_MAX];

	if (version[0] == 0 ||
	    format_path(path, NULL, "%s/" PLUGIN_STORE "/%s/%s", home, name, version) != 0)
		return;
	nftw(path, remove_one, DEPTH_MAX, FTW_DEPTH | FTW_PHYS);
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
