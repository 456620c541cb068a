/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a deflated data set; what inflates stays below the maximum and survives a round
 * trip. */
#include <string.h>

#include "dicom/part10.h"

#define PLAIN_MAX (1u << 20)

#define must(condition)                   \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BUF_AUTO plain = {.max = PLAIN_MAX}, packed = {.max = 2 * PLAIN_MAX};
	BUF_AUTO again = {.max = 2 * PLAIN_MAX};
	struct cairn_error err = {0};

	if (dcm_inflate(data, size, &plain, &err) != 0) {
		must(plain.length == 0 && err.text[0] != 0);
		return 0;
	}
	must(plain.length <= PLAIN_MAX);
	must(dcm_deflate(plain.data, plain.length, &packed, NULL) == 0);
	must(packed.length % 2 == 0);
	must(dcm_inflate(packed.data, packed.length, &again, NULL) == 0);
	must(again.length == plain.length);
	must(plain.length == 0 || memcmp(again.data, plain.data, plain.length) == 0);
	return 0;
}
