/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "config/tree.h"
#include "guard/declared.h"
#include "guard/prelude.h"

#define FILE_BYTES_MAX (256u << 10)
#define FILE_NAME_MAX 48

/* ---- files ------------------------------------------------------------------------------ */

static int
read_policy_file(
    const char *dir, const char *name, struct policy_file *file, struct cairn_error *err)
{
	struct buf buf = {.max = FILE_BYTES_MAX};
	char path[4096];
	int code = file_join(path, sizeof path, dir, name);

	if (code != 0)
		return cairn_error_set(err, code, "%s: the path is too long", dir);
	code = file_read(path, &buf, err);
	file->name = code == 0 ? strdup(name) : NULL;
	if (file->name == NULL) {
		buf_fini(&buf);
		return code != 0 ? code
				 : cairn_error_set(err, CAIRN_ENOMEM, "%s: out of memory", name);
	}
	file->bytes = buf.data;
	file->length = buf.length;
	return 0;
}

static int
check_name(const char *name, struct cairn_error *err)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t length = strlen(name);

	if (length > FILE_NAME_MAX || strspn(name, letters) != length)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "policies/%s: the name must have at most 48 letters, digits, '.', '_' and '-'",
		    name);
	return 0;
}

static int
compare_files(const void *a, const void *b)
{
	const struct policy_file *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static bool
is_policy(const char *name)
{
	size_t length = strlen(name);

	return name[0] != '.' && length > 4 && strcmp(name + length - 4, ".lua") == 0;
}

static int
take_entry(struct files *files, const char *dir, const char *name, struct cairn_error *err)
{
	int code;

	if (!is_policy(name))
		return 0;
	if (files->count == FILES_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "%s: more than 64 policy files", dir);
	code = check_name(name, err);
	if (code == 0)
		code = read_policy_file(dir, name, &files->items[files->count], err);
	if (code == 0)
		files->count++;
	return code;
}

static int
read_policies(struct files *files, const char *dir, struct cairn_error *err)
{
	DIR *entries = opendir(dir);
	const struct dirent *entry;
	int code = 0;

	if (entries == NULL)
		return cairn_error_set(err, errno == ENOENT ? CAIRN_ENOTFOUND : CAIRN_EIO,
		    "%s: the policies cannot be read: %s", dir, strerror(errno));
	while (code == 0 && (entry = readdir(entries)) != NULL)
		code = take_entry(files, dir, entry->d_name, err);
	closedir(entries);
	qsort(files->items, files->count, sizeof files->items[0], compare_files);
	return code;
}

/* A file that need not be there. */
static int
read_optional(
    const char *dir, const char *name, struct buf *ret, bool *ret_has, struct cairn_error *err)
{
	char path[4096];
	int code = file_join(path, sizeof path, dir, name);

	if (code != 0)
		return cairn_error_set(err, code, "%s: the path is too long", dir);
	ret->max = TREE_FILE_MAX;
	*ret_has = file_exists(path);
	return *ret_has ? file_read(path, ret, err) : 0;
}

/* ---- digest ----------------------------------------------------------------------------- */

/* Each part preceded by its length, so that no two sets of files have one digest. */
static bool
digest_part(EVP_MD_CTX *md, const void *bytes, size_t length)
{
	uint8_t prefix[8];

	for (unsigned i = 0; i < 8; i++)
		prefix[i] = (uint8_t)((uint64_t)length >> (8 * (7 - i)));
	return EVP_DigestUpdate(md, prefix, sizeof prefix) == 1 &&
	    (length == 0 || EVP_DigestUpdate(md, bytes, length) == 1);
}

static bool
digest_file(EVP_MD_CTX *md, const char *name, const void *bytes, size_t length)
{
	return digest_part(md, name, strlen(name)) && digest_part(md, bytes, length);
}

static int
make_digest(struct files *files, struct cairn_error *err)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool good = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
	    digest_file(md, "prelude.lua", prelude_text, prelude_length) &&
	    digest_file(md, "settings.yaml", files->settings.data, files->settings.length);

	if (good && files->has_schema)
		good = digest_file(md, DECLARED_FILE, files->schema.data, files->schema.length);
	for (size_t i = 0; i < files->count && good; i++)
		good = digest_file(
		    md, files->items[i].name, files->items[i].bytes, files->items[i].length);
	good = good && EVP_DigestFinal_ex(md, files->digest, NULL) == 1;
	EVP_MD_CTX_free(md);
	return good ? 0 : cairn_error_set(err, CAIRN_EINTERNAL, "policies: SHA-256 failed");
}

/* ---- all of them ------------------------------------------------------------------------ */

int
files_read(struct files *files, const char *dir, struct cairn_error *err)
{
	int code = read_policies(files, dir, err);

	if (code == 0)
		code = read_optional(
		    dir, "settings.yaml", &files->settings, &files->has_settings, err);
	if (code == 0)
		code = read_optional(dir, DECLARED_FILE, &files->schema, &files->has_schema, err);
	return code != 0 ? code : make_digest(files, err);
}

void
files_fini(struct files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->items[i].name);
		free(files->items[i].bytes);
	}
	buf_fini(&files->settings);
	buf_fini(&files->schema);
	*files = (struct files){0};
}

bool
files_get(const struct files *files, size_t index, const char **ret_name, uint8_t ret[32])
{
	const struct {
		bool has;
		const char *name;
		const struct buf *bytes;
	} yaml[] = {{files->has_settings, "settings.yaml", &files->settings},
	    {files->has_schema, DECLARED_FILE, &files->schema}};
	const void *bytes = NULL;
	size_t length = 0, skip = index - files->count;

	if (index < files->count) {
		*ret_name = files->items[index].name;
		bytes = files->items[index].bytes;
		length = files->items[index].length;
	} else {
		size_t i = 0;

		while (i < 2 && (!yaml[i].has || skip-- > 0))
			i++;
		if (i == 2)
			return false;
		*ret_name = yaml[i].name;
		bytes = yaml[i].bytes->data;
		length = yaml[i].bytes->length;
	}
	if (EVP_Digest(length == 0 ? "" : bytes, length, ret, NULL, EVP_sha256(), NULL) != 1)
		memset(ret, 0, 32);
	return true;
}
