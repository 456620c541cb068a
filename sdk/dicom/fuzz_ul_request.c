/* SPDX-License-Identifier: Apache-2.0 */
/* The body of an A-ASSOCIATE-RQ: what is parsed can be accepted, and the acceptance has the length
 * that it says. */
#include <stdlib.h>

#include "dicom/ul_pdu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t titles[UL_TITLES_SIZE];
	BUF_AUTO out = {.max = 1 << 20};
	struct ul_request *request;

	if (ul_request_parse(data, size, &request) != 0)
		return 0;
	for (size_t i = 0; i < request->context_count; i++) {
		struct ul_context *context = &request->contexts[i];

		if (!ul_uid_valid(context->abstract) ||
		    !ul_context_choose(context, context->transfers[context->transfer_count - 1]))
			abort();
	}
	if (ul_accept_build(&out, request, titles, 16384) != 0 ||
	    ul_read_u32(out.data + 2) != out.length - UL_HEADER_SIZE)
		abort();
	ul_request_free(request);
	return 0;
}
