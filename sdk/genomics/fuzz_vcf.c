/* SPDX-License-Identifier: Apache-2.0 */
/* The text checker, and both readers of genotypes on what it lets pass. */
#include <string.h>

#include "genomics/vcf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t line;

	vcf_check((const char *)data, size, size > 0 && (data[size - 1] & 1) != 0, &line, NULL);
	return 0;
}
