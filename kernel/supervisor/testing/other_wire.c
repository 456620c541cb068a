/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of cairn-host: one of another release, which speaks wire versions 2 to 3 only. */
#include <unistd.h>

#include <uv.h>

#include "cairn/bus.pb-c.h"
#include "runtime/channel.h"

static void
on_message(void *arg, const uint8_t *bytes, size_t length)
{
	(void)arg, (void)bytes, (void)length;
	_exit(0); /* it was welcomed: which the test takes for a fault */
}

static void
on_down(void *arg)
{
	(void)arg;
	_exit(1);
}

int
main(int argc, char **argv)
{
	static const struct channel_ops ops = {.message = on_message, .down = on_down};
	struct channel_options options = {.peer_pid = getppid(), .ops = &ops};
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	Cairn__Hello hello = CAIRN__HELLO__INIT;
	struct channel *channel;
	uint8_t bytes[128];

	if (argc < 4)
		return 2;
	options.url = argv[1];
	if (channel_open(&channel, uv_default_loop(), &options, NULL) != 0)
		return 1;
	hello.wire_min = 2;
	hello.wire_max = 3;
	hello.plugin = argv[3];
	envelope.kind = CAIRN__ENVELOPE__KIND__HELLO;
	envelope.body.data = bytes;
	envelope.body.len = cairn__hello__pack(&hello, bytes);
	if (channel_send(channel, &envelope) != 0)
		return 1;
	return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
