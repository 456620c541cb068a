/* SPDX-License-Identifier: Apache-2.0 */
#include "host/exec.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "runtime/bundle.h"

#define URL_SCHEME "ipc://"

static bool
is_python(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strncmp(slash == NULL ? path : slash + 1, "python", strlen("python")) == 0;
}

int
exec_resolve(const char *interpreter, const char *program, char *ret, size_t size)
{
	const char *slash = strrchr(program, '/');
	int wrote;

	if (interpreter[0] == '/')
		wrote = snprintf(ret, size, "%s", interpreter);
	else if (slash != NULL &&
	    (strcmp(interpreter, "lua") == 0 || strcmp(interpreter, "sh") == 0))
		wrote = snprintf(
		    ret, size, "%.*s/cairn-%s", (int)(slash - program), program, interpreter);
	else
		return CAIRN_EINVAL;
	return wrote < 0 || (size_t)wrote >= size ? CAIRN_ELIMIT : 0;
}

/* PREFIX/bin/cairn-host: the package is PREFIX/share/cairn/python. */
static int
python_environment(const char *program)
{
	char path[PATH_MAX];
	size_t length = strlen(program);
	int wrote;

	for (int level = 0; level < 2; level++) {
		while (length > 0 && program[length - 1] != '/')
			length--;
		if (length == 0)
			return CAIRN_EINVAL;
		length--;
	}
	wrote = snprintf(path, sizeof path, "%.*s/share/cairn/python", (int)length, program);
	if (wrote < 0 || (size_t)wrote >= sizeof path)
		return CAIRN_ELIMIT;
	/* It imports nothing from where the script lies, for nobody judged that. */
	/* Without a home it would look for one in /etc/passwd. */
	if (setenv("HOME", "/nonexistent", 1) != 0 || setenv("PYTHONPATH", path, 1) != 0 ||
	    setenv("PYTHONDONTWRITEBYTECODE", "1", 1) != 0 ||
	    setenv("PYTHONSAFEPATH", "1", 1) != 0 || setenv("PYTHONNOUSERSITE", "1", 1) != 0 ||
	    setenv("PYTHONUNBUFFERED", "1", 1) != 0 || setenv("PYTHONUTF8", "1", 1) != 0)
		return CAIRN_ENOMEM;
	return 0;
}

static int
environment(const struct exec_options *options, const char *interpreter, const char *program)
{
	const char *socket_path = options->url;
	char pid[24];

	if (strncmp(socket_path, URL_SCHEME, strlen(URL_SCHEME)) != 0)
		return CAIRN_EINVAL;
	socket_path += strlen(URL_SCHEME);
	if (snprintf(pid, sizeof pid, "%ld", (long)options->kernel) < 0)
		return CAIRN_EINTERNAL;
	if (setenv("CAIRN_SOCKET", socket_path, 1) != 0 ||
	    setenv("CAIRN_PLUGIN", options->name, 1) != 0 || setenv("CAIRN_KERNEL", pid, 1) != 0)
		return CAIRN_ENOMEM;
	return is_python(interpreter) ? python_environment(program) : 0;
}

/* ---- the bytes -------------------------------------------------------------------------- */

static int
map_bundle(int fd, struct bundle *ret, struct cairn_error *err)
{
	struct stat st;
	void *bytes;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
		return cairn_error_set(err, CAIRN_EINVAL, "the kernel gave no script to run");
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot map the script: %s", strerror(errno));
	return bundle_read(bytes, (size_t)st.st_size, ret, err); /* mapped until execve() */
}

/* What cairn-sh finds its programs by. */
static int
set_files(const struct bundle *bundle)
{
	BUF_AUTO text = {.max = (size_t)BUNDLE_FILES_MAX * (BUNDLE_NAME_MAX + 32)};
	int code = 0;

	for (size_t i = 0; i < bundle->count && code == 0; i++)
		code = buf_append_format(&text, "%d %s %s\n", bundle->files[i].fd,
		    bundle->files[i].runs ? "runs" : "data", bundle->files[i].name);
	if (code == 0)
		code = buf_append_zero(&text, 1);
	return code == 0 && setenv("CAIRN_FILES", (const char *)text.data, 1) == 0 ? 0
										   : CAIRN_ENOMEM;
}

/* For the words of what fails: the manifest's line `version: X`. */
static int
set_version(const struct bundle *bundle)
{
	static const char key[] = "version:";
	const char *text = (const char *)bundle->manifest;
	size_t at = 0, length = bundle->manifest_length;
	char version[80] = "";

	while (at < length &&
	    (length - at < sizeof key || memcmp(text + at, key, sizeof key - 1) != 0)) {
		const char *end = memchr(text + at, '\n', length - at);

		at = end == NULL ? length : (size_t)(end - text) + 1;
	}
	for (at += sizeof key - 1; at < length && (text[at] == ' ' || text[at] == '"');)
		at++;
	for (size_t i = 0;
	     at < length && i + 1 < sizeof version && strchr(" \"\r\n#", text[at]) == NULL;)
		version[i++] = text[at++];
	return setenv("CAIRN_PLUGIN_VERSION", version, 1) == 0 ? 0 : CAIRN_ENOMEM;
}

/* `ret` is what the interpreter is given. */
static int
take_script(const struct exec_options *options, char *ret, size_t size, struct cairn_error *err)
{
	const char *slash = strrchr(options->script, '/');
	const char *name = slash == NULL ? options->script : slash + 1;
	struct bundle *bundle = calloc(1, sizeof *bundle);
	int code = bundle == NULL ? cairn_error_set(err, CAIRN_ENOMEM, "out of memory")
				  : map_bundle(options->object_fd, bundle, err);

	if (code == 0)
		code = bundle_unpack(bundle, err);
	if (code == 0 &&
	    (setenv("CAIRN_SCRIPT", name, 1) != 0 || set_files(bundle) != 0 ||
		set_version(bundle) != 0))
		code = cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	if (code == 0 && bundle->folder)
		snprintf(ret, size, "%s", name);
	else if (code == 0)
		snprintf(ret, size, "/proc/self/fd/%d", bundle->files[0].fd);
	free(bundle);
	return code;
}

int
exec_run(const struct exec_options *options, struct cairn_error *err)
{
	char program[PATH_MAX], interpreter[PATH_MAX], script[PATH_MAX];
	char *args[] = {interpreter, script, NULL};
	ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
	int code;

	if (length <= 0)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot read /proc/self/exe: %s", strerror(errno));
	program[length] = 0;
	code = exec_resolve(options->interpreter, program, interpreter, sizeof interpreter);
	if (code == 0)
		code = environment(options, interpreter, program);
	if (code != 0)
		return cairn_error_set(err, code, "cannot run '%s' for plugin %s: %s",
		    options->interpreter, options->name, cairn_code_text(code));
	code = take_script(options, script, sizeof script, err);
	if (code != 0)
		return cairn_error_prefix(err, code, "cannot run plugin %s", options->name);
	execv(interpreter, args);
	return cairn_error_set(err, CAIRN_EIO,
	    "cannot run %s for plugin %s: %s; is it installed, and may this plugin run it?",
	    interpreter, options->name, strerror(errno));
}
