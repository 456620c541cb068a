/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the beginning of a file.  What must hold: UIDs are strings that fit, the data set
 * begins in the file, and what was found in a beginning is what is found in the whole.
 */
#include <string.h>

#include "dicom/part10.h"

#define must(condition)                   \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

static void
check(const struct dcm_meta *meta, size_t length)
{
	must(meta->dataset_offset <= length);
	must(memchr(meta->sop_class, 0, sizeof meta->sop_class) != NULL);
	must(memchr(meta->sop_instance, 0, sizeof meta->sop_instance) != NULL);
	must(memchr(meta->transfer_syntax, 0, sizeof meta->transfer_syntax) != NULL);
	must(meta->transfer_syntax[0] != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cairn_error err = {0};
	struct dcm_meta whole, part;
	int code = dcm_meta_read(data, size, true, &whole, &err);

	must(code != CAIRN_EAGAIN);
	must(code == 0 || err.text[0] != 0);
	if (code == 0)
		check(&whole, size);
	if (dcm_meta_read(data, size / 2, false, &part, NULL) != 0)
		return 0;
	check(&part, size / 2);
	must(dcm_meta_read(data, size, false, &whole, NULL) == 0);
	must(strcmp(part.transfer_syntax, whole.transfer_syntax) == 0);
	must(strcmp(part.sop_instance, whole.sop_instance) == 0);
	must(part.dataset_offset == whole.dataset_offset);
	return 0;
}
