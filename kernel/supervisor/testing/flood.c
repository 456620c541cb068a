/* SPDX-License-Identifier: Apache-2.0 */
/* Publishes as fast as it can, for ever. */
#include <uv.h>

#include <cairn/plugin.h>

static struct cairn *handle;
static uv_idle_t idle;

static void
publish(uv_idle_t *unused)
{
	static const char body[200];

	(void)unused;
	for (int i = 0; i < 1000; i++)
		cairn_publish(handle, "test.flood", body, sizeof body);
}

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	(void)ret_self;
	(void)err;
	handle = cairn;
	uv_idle_init(cairn_loop(cairn), &idle);
	return uv_idle_start(&idle, publish);
}

CAIRN_PLUGIN("flood", "0.1.0", "summary: For the tests\n", .start = start)
