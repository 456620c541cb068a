/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a shared object, and as the text of a manifest.  What is accepted must survive the
 * next step: its example is a valid file, commented or not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"
#include "config/schema.h"

static void
use(struct manifest *manifest)
{
	struct config_values values = {0};
	struct tree *tree = NULL;
	char *text = NULL;

	if (manifest_example(manifest, &text, NULL) == 0) {
		if (strlen(text) <= TREE_FILE_MAX) {
			if (tree_parse(text, strlen(text), "example", &tree, NULL) != 0)
				__builtin_trap();
			/* Only a required option may be missing. */
			if (schema_load(tree, &manifest->schema, &values, NULL) == 0)
				config_values_fini(&values);
			if (tree->root->count != 0)
				__builtin_trap();
			tree_free(tree);
		}
		free(text);
	}
	manifest_free(manifest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest *manifest = NULL;
	char path[64];
	int fd;

	if (manifest_parse((const char *)data, size, "f", &manifest, NULL) == 0)
		use(manifest);
	fd = memfd_create("object", MFD_CLOEXEC);
	if (fd < 0)
		return 0;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (write(fd, data, size) == (ssize_t)size && manifest_read(path, &manifest, NULL) == 0)
		use(manifest);
	close(fd);
	return 0;
}
