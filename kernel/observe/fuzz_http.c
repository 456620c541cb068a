/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever comes: an answer without more is the answer with more, and a request is a whole one. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "observe/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request request = {0};
	uint8_t *exact = malloc(size + 1);
	int status;

	if (exact == NULL)
		return 0;
	if (size > 0)
		memcpy(exact, data, size);
	status = http_parse(exact, size, &request);
	assert(status == 0 || (status >= 200 && status <= 505));
	if (status == 0)
		assert(size < HTTP_HEAD_MAX);
	if (status == 200)
		assert(size >= sizeof "GET /metrics HTTP/1.0\r\n\r\n" - 1);
	for (size_t part = 0; part < size && status != 0; part += 1 + size / 16) {
		struct http_request earlier = {0};
		int before = http_parse(exact, part, &earlier);

		assert(before == 0 || before == status);
	}
	free(exact);
	return 0;
}
