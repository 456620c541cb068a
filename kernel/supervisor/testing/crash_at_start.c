/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>

#include <cairn/plugin.h>

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	(void)cairn;
	(void)ret_self;
	(void)err;
	signal(SIGABRT, SIG_DFL);
	raise(SIGABRT);
	return 0;
}

CAIRN_PLUGIN("crash-at-start", "0.2.0", "summary: For the tests\n", .start = start)
