/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as FILE.so.sig: what is taken has one spelling, so that printing gives it back. */
#include <stdlib.h>
#include <string.h>

#include "provenance/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct signature signature;
	struct cairn_error err = {0};
	char *text = NULL;

	if (size > SIGNATURE_FILE_MAX)
		return 0;
	if (signature_parse((const char *)data, size, "f", &signature, &err) != 0) {
		if (err.code == 0 || err.text[0] == 0)
			__builtin_trap();
		return 0;
	}
	if (signature_print(&signature, &text, NULL) != 0)
		return 0;
	if (strlen(text) != size || memcmp(text, data, size) != 0)
		__builtin_trap();
	free(text);
	return 0;
}
