/* SPDX-License-Identifier: Apache-2.0 */
/* Never says that it stopped. */
#include <cairn/plugin.h>

static void
stop(void *self)
{
	(void)self;
}

CAIRN_PLUGIN("slow-stop", "0.1.0", "summary: For the tests\n", .stop = stop)
