/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a script plugin: what is read lies inside them, and written again gives the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bundle *bundle = calloc(1, sizeof *bundle);
	struct cairn_error err = {0};
	char line[256];
	size_t at;

	if (bundle == NULL || bundle_read(data, size, bundle, &err) != 0) {
		free(bundle);
		return 0;
	}
	at = bundle->manifest_length;
	for (size_t i = 0; i < bundle->count; i++) {
		const struct bundle_file *file = &bundle->files[i];
		int length =
		    bundle_file_line(line, sizeof line, file->length, file->runs, file->name);

		if (file->bytes != data + at)
			__builtin_trap();
		at += file->length;
		if (length < 0 || at + (size_t)length > size ||
		    memcmp(data + at, line, (size_t)length) != 0)
			__builtin_trap();
		at += (size_t)length;
	}
	if (at + (size_t)bundle_last_line(line, sizeof line, bundle->count, bundle->folder) != size)
		__builtin_trap();
	free(bundle);
	return 0;
}
