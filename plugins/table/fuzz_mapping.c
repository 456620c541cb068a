/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a mapping. */
#include <stdlib.h>
#include <string.h>

#include "mapping.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mapping *mapping = NULL;
	struct cairn_error err = {0};

	if (mapping_parse(&mapping, "fuzz", (const char *)data, size, &err) == 0)
		mapping_free(mapping);
	return 0;
}
