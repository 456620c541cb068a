/* SPDX-License-Identifier: Apache-2.0 */
#include "config/script.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "config/schema.h"

#define SCRIPT_MANIFEST_MAX 65536
#define FILE_NAME_MAX 128

bool
script_is_manifest(const char *path)
{
	size_t length = strlen(path), tail = strlen(SCRIPT_SUFFIX);

	return length > tail && strcmp(path + length - tail, SCRIPT_SUFFIX) == 0;
}

/* An absolute program, or one of our own hosts by its short name. */
static bool
interpreter_is_good(const char *text)
{
	if (strcmp(text, "lua") == 0 || strcmp(text, "sh") == 0)
		return true;
	return text[0] == '/' && text[1] != 0 && strlen(text) < PATH_MAX &&
	    strstr(text, "/../") == NULL && schema_text_is_plain(text);
}

/* A file in the manifest's own folder: no path may lead out of it. */
static bool
file_name_is_good(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length <= FILE_NAME_MAX && text[0] != '.' && text[0] != '-' &&
	    strchr(text, '/') == NULL && schema_text_is_plain(text);
}

static int
no_memory(const struct tree *tree, struct cairn_error *err)
{
	return cairn_error_set(err, CAIRN_ENOMEM, "%s: out of memory", tree->origin);
}

int
script_keys_read(const struct tree *tree, struct manifest *manifest, struct cairn_error *err)
{
	const struct tree_node *exec = tree_find(tree->root, "exec");
	const struct tree_node *script = tree_find(tree->root, "script");

	if (exec == NULL && script == NULL)
		return 0;
	if (exec == NULL || script == NULL)
		return tree_error(tree, exec == NULL ? script : exec, err,
		    "'exec' (the interpreter) and 'script' (the file it runs) belong together");
	if (exec->kind != TREE_SCALAR || !interpreter_is_good(exec->text))
		return tree_error(tree, exec, err,
		    "'exec' must be lua, sh or an absolute path such as /usr/bin/python3");
	if (script->kind != TREE_SCALAR || !file_name_is_good(script->text))
		return tree_error(tree, script, err,
		    "'script' must be the name of a file beside this one, without '/'");
	manifest->interpreter = strdup(exec->text);
	manifest->script = strdup(script->text);
	return manifest->interpreter == NULL || manifest->script == NULL ? no_memory(tree, err) : 0;
}

/* The script's absolute path in place of its name. */
static int
locate(struct manifest *manifest, const char *path, struct cairn_error *err)
{
	char resolved[PATH_MAX], file[PATH_MAX];
	struct stat st;
	char *copy;

	if (realpath(path, resolved) == NULL)
		return cairn_error_set(err, CAIRN_EIO, "%s: %s", path, strerror(errno));
	*strrchr(resolved, '/') = 0; /* absolute: there is one */
	if (file_join(file, sizeof file, resolved, manifest->script) != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "%s: the path is too long", path);
	if (stat(file, &st) != 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "%s: its script %s is not there; put it beside the manifest", path, file);
	if (S_ISDIR(st.st_mode) != (strcmp(manifest->interpreter, "sh") == 0))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "%s: `exec: sh` runs a folder of programs and everything else one file (a "
		    "Python plugin of several modules is one: python3 -m zipapp); %s is %s",
		    path, file, S_ISDIR(st.st_mode) ? "a folder" : "a file");
	copy = strdup(file);
	if (copy == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "%s: out of memory", path);
	free(manifest->script);
	manifest->script = copy;
	return 0;
}

static int
finish(struct manifest *manifest, const char *path, struct cairn_error *err)
{
	char *copy;

	if (manifest->interpreter == NULL)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "%s: does not say what runs it: add `exec: /usr/bin/python3` (or lua, or sh) "
		    "and `script: FILE`",
		    path);
	copy = strdup(path);
	if (copy == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "%s: out of memory", path);
	free(manifest->path);
	manifest->path = copy;
	return locate(manifest, path, err);
}

int
script_manifest_parse(const void *text, size_t length, const char *path, struct manifest **ret,
    struct cairn_error *err)
{
	struct manifest *manifest;
	int code = length > SCRIPT_MANIFEST_MAX
	    ? cairn_error_set(
		  err, CAIRN_ELIMIT, "%s: more than %d bytes", path, SCRIPT_MANIFEST_MAX)
	    : manifest_parse(text, length, path, &manifest, err);

	if (code != 0)
		return code;
	code = finish(manifest, path, err);
	if (code != 0)
		manifest_free(manifest);
	else
		*ret = manifest;
	return code;
}

int
script_manifest_read(const char *path, struct manifest **ret, struct cairn_error *err)
{
	BUF_AUTO buf = {.max = SCRIPT_MANIFEST_MAX};
	int code = file_read(path, &buf, err);

	return code != 0 ? code
			 : script_manifest_parse(buf.data == NULL ? (const void *)"" : buf.data,
			       buf.length, path, ret, err);
}
