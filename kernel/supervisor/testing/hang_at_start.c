/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include <cairn/plugin.h>

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	(void)cairn;
	(void)ret_self;
	(void)err;
	while (pause() < 0) /* always */
		continue;
	return 0;
}

CAIRN_PLUGIN("hang-at-start", "0.1.0", "summary: For the tests\n", .start = start)
