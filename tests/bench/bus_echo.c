/* SPDX-License-Identifier: Apache-2.0 */
#include <cairn/plugin.h>

static int
call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	size_t length;
	const void *body = cairn_request_body(req, &length);

	(void)self;
	(void)err;
	return cairn_reply(req, body, length);
}

CAIRN_PLUGIN("bus-echo", "0.1.0", "summary: For the benchmark of the bus\n", .call = call)
