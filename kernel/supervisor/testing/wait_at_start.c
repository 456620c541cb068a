/* SPDX-License-Identifier: Apache-2.0 */
#include <cairn/plugin.h>

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	(void)cairn;
	(void)ret_self;
	return cairn_error_set(err, CAIRN_EAGAIN, "port 104 is in use");
}

CAIRN_PLUGIN("wait-at-start", "0.1.0", "summary: For the tests\n", .start = start)
