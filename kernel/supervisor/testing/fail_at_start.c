/* SPDX-License-Identifier: Apache-2.0 */
#include <cairn/plugin.h>

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	(void)ret_self;
	/* What is sent before a start that fails must not confuse anybody. */
	cairn_publish(cairn, "test.early", "x", 1);
	return cairn_error_set(err, CAIRN_EIO, "port 104 is in use");
}

CAIRN_PLUGIN("fail-at-start", "0.1.0", "summary: For the tests\n", .start = start)
