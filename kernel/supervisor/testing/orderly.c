/* SPDX-License-Identifier: Apache-2.0 */
/* Calls from start(), keeps requests until stop(), answers them there, and stops a little later. */
#include <uv.h>

#include <cairn/plugin.h>

#define KEPT_MAX 64

static struct {
	struct cairn *cairn;
	struct cairn_request *kept[KEPT_MAX];
	size_t count;
	uv_timer_t timer;
} plugin;

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	(void)err;
	plugin.cairn = cairn;
	*ret_self = &plugin;
	uv_timer_init(cairn_loop(cairn), &plugin.timer);
	return cairn_publish(cairn, "test.started", "x", 1);
}

static int
call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	(void)self;
	if (plugin.count == KEPT_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "no more");
	plugin.kept[plugin.count++] = req;
	return 0;
}

static void
finish(uv_timer_t *timer)
{
	(void)timer;
	for (size_t i = 0; i < plugin.count; i++)
		cairn_reply(plugin.kept[i], "kept", 4);
	cairn_stopped(plugin.cairn);
}

static void
stop(void *self)
{
	(void)self;
	uv_timer_start(&plugin.timer, finish, 20, 0);
}

CAIRN_PLUGIN(
    "orderly", "0.1.0", "summary: For the tests\n", .start = start, .call = call, .stop = stop)
