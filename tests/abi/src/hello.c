/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest plugin: one call, no start. */
#include <cairn/plugin.h>

static int
greet(void *self, struct cairn_request *req, struct cairn_error *err)
{
	(void)self, (void)err;
	return cairn_reply(req, "hello", 5);
}

CAIRN_PLUGIN("hello", "0.1.0",
    "summary: Says hello\n"
    "serves: [{subject: hello.greet, guarded: false}]\n",
    .call = greet)
