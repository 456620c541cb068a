/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as NAME.plugin.yaml: what is taken runs a file of the manifest's own folder, with an
 * interpreter that is named by an absolute path or is one of ours.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "config/config.h"

static char folder[] = "/tmp/fuzz_script.XXXXXX";
static char path[sizeof folder + 32];

static void
clean(void)
{
	char script[sizeof folder + 32];

	snprintf(script, sizeof script, "%s/run.py", folder);
	unlink(script);
	unlink(path);
	rmdir(folder);
}

static void
prepare(void)
{
	char script[sizeof folder + 32];

	if (path[0] != 0)
		return;
	if (mkdtemp(folder) == NULL)
		__builtin_trap();
	snprintf(path, sizeof path, "%s/f.plugin.yaml", folder);
	snprintf(script, sizeof script, "%s/run.py", folder);
	if (file_write(script, "", 0, 0600, NULL) != 0 || atexit(clean) != 0)
		__builtin_trap();
}

static void
use(const struct manifest *manifest)
{
	struct stat st;

	if (manifest->interpreter == NULL || manifest->script == NULL ||
	    strncmp(manifest->script, folder, sizeof folder - 1) != 0 ||
	    manifest->script[sizeof folder - 1] != '/' ||
	    strchr(manifest->script + sizeof folder, '/') != NULL ||
	    stat(manifest->script, &st) != 0)
		__builtin_trap();
	if (manifest->interpreter[0] != '/' && strcmp(manifest->interpreter, "lua") != 0 &&
	    strcmp(manifest->interpreter, "sh") != 0)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest *manifest = NULL;
	struct cairn_error err = {0};
	FILE *file;

	prepare();
	file = fopen(path, "we");
	if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0)
		__builtin_trap();
	if (manifest_read(path, &manifest, &err) == 0) {
		use(manifest);
		manifest_free(manifest);
	} else if (err.code == 0 || err.text[0] == 0) {
		__builtin_trap();
	}
	return 0;
}
