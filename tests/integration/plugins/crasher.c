/* SPDX-License-Identifier: Apache-2.0 */
/* Crashes as it is asked to, for observe_test. */
#include <signal.h>
#include <string.h>

#include <cairn/plugin.h>

static int
crash(void *self, struct cairn_request *req, struct cairn_error *err)
{
	size_t length;
	const char *how = cairn_request_body(req, &length);
	volatile int *volatile nowhere = (volatile int *)(uintptr_t)8; /* nobody knows */

	(void)self;
	(void)err;
	if (length == 4 && memcmp(how, "segv", 4) == 0)
		*nowhere = 1;
	if (length == 5 && memcmp(how, "abort", 5) == 0)
		(void)raise(SIGABRT);
	return cairn_reply(req, "still here", 10);
}

CAIRN_PLUGIN("crasher", "0.1.0",
    "kind: sink\nsummary: Crashes as it is asked to\n"
    "serves: [{subject: crasher.crash, guarded: false}]\n",
    .call = crash)
