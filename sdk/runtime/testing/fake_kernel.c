/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/testing/fake_kernel.h"

#include <unistd.h>

#include <uv.h>

#include "base/clock.h"
#include "runtime/channel.h"
#include "runtime/runtime.h"

#define PENDING_MAX 8192

struct fake_kernel {
	uv_loop_t loop;
	uv_timer_t tick;
	struct test_dir dir;
	struct channel *channel;
	struct cairn *cairn;
	uint8_t *welcome;
	size_t welcome_length;
	Cairn__Envelope *pending[PENDING_MAX];
	size_t count;
	uint64_t next_id;
	int status; /* -1 while the plugin runs */
};

static void
send_kind(struct fake_kernel *kernel, Cairn__Envelope__Kind kind)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	envelope.kind = kind;
	if (kind == CAIRN__ENVELOPE__KIND__WELCOME) {
		envelope.body.data = kernel->welcome;
		envelope.body.len = kernel->welcome_length;
	}
	if (kind == CAIRN__ENVELOPE__KIND__PING)
		envelope.id = ++kernel->next_id;
	assert_int_equal(channel_answer(kernel->channel, &envelope), 0);
}

static void
on_message(void *arg, const uint8_t *bytes, size_t length)
{
	struct fake_kernel *kernel = arg;
	Cairn__Envelope *envelope = cairn__envelope__unpack(NULL, length, bytes);

	assert_non_null(envelope);
	assert_true(kernel->count < PENDING_MAX);
	kernel->pending[kernel->count++] = envelope;
	if (envelope->kind == CAIRN__ENVELOPE__KIND__HELLO)
		send_kind(kernel, CAIRN__ENVELOPE__KIND__WELCOME);
	else if (envelope->kind == CAIRN__ENVELOPE__KIND__STOPPED)
		send_kind(kernel, CAIRN__ENVELOPE__KIND__STOP);
}

static void
on_down(void *arg)
{
	(void)arg;
}

static void
on_finished(void *arg, int status)
{
	struct fake_kernel *kernel = arg;

	kernel->status = status;
}

static void
ticked(uv_timer_t *timer)
{
	(void)timer;
}

static void
turn(struct fake_kernel *kernel, uint64_t deadline_ms)
{
	if (clock_monotonic_ms() > deadline_ms)
		fail_msg("the plugin did not answer within %d ms", FAKE_KERNEL_WAIT_MS);
	uv_run(&kernel->loop, UV_RUN_ONCE);
}

static void
welcome_pack(struct fake_kernel *kernel, const Cairn__Welcome *welcome)
{
	Cairn__Welcome copy = CAIRN__WELCOME__INIT;

	if (welcome != NULL)
		copy = *welcome;
	copy.wire = 1;
	kernel->welcome_length = cairn__welcome__get_packed_size(&copy);
	kernel->welcome = malloc(kernel->welcome_length + 1);
	assert_non_null(kernel->welcome);
	cairn__welcome__pack(&copy, kernel->welcome);
}

static void
kernel_open(struct fake_kernel *kernel, const struct cairn_plugin *plugin)
{
	static const struct channel_ops ops = {.message = on_message, .down = on_down};
	char url[128];
	const struct channel_options channel = {
	    .url = url, .listen = true, .peer_pid = getpid(), .ops = &ops, .arg = kernel};
	const struct runtime_options runtime = {.url = url,
	    .kernel_pid = getpid(),
	    .name = "tested",
	    .plugin = plugin,
	    .finished = on_finished,
	    .arg = kernel};
	struct cairn_error err = {0};

	assert_int_equal(uv_loop_init(&kernel->loop), 0);
	uv_timer_init(&kernel->loop, &kernel->tick);
	uv_timer_start(&kernel->tick, ticked, 50, 50);
	test_dir_make(&kernel->dir);
	snprintf(url, sizeof url, "ipc://%s/kernel", kernel->dir.path);
	assert_ok(channel_open(&kernel->channel, &kernel->loop, &channel, &err), &err);
	assert_ok(runtime_new(&kernel->cairn, &kernel->loop, &runtime, &err), &err);
}

int
fake_kernel_start(struct fake_kernel **ret, const struct cairn_plugin *plugin,
    const Cairn__Welcome *welcome, struct cairn_error *err)
{
	struct fake_kernel *kernel = calloc(1, sizeof *kernel);
	Cairn__Envelope *ready;
	int code;

	assert_non_null(kernel);
	kernel->status = -1;
	welcome_pack(kernel, welcome);
	kernel_open(kernel, plugin);
	ready = fake_kernel_receive(kernel, CAIRN__ENVELOPE__KIND__READY);
	code = ready->code;
	if (code != 0)
		cairn_error_set(err, code, "%s", ready->text);
	cairn__envelope__free_unpacked(ready, NULL);
	*ret = kernel;
	return code;
}

static void
kernel_free(struct fake_kernel *kernel)
{
	runtime_close(kernel->cairn, NULL, NULL);
	if (kernel->channel != NULL)
		channel_close(kernel->channel, NULL, NULL);
	uv_close((uv_handle_t *)&kernel->tick, NULL);
	uv_run(&kernel->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&kernel->loop), 0);
	for (size_t i = 0; i < kernel->count; i++)
		cairn__envelope__free_unpacked(kernel->pending[i], NULL);
	test_dir_remove(&kernel->dir);
	free(kernel->welcome);
	free(kernel);
}

static int
wait_for_status(struct fake_kernel *kernel)
{
	uint64_t deadline_ms = clock_monotonic_ms() + FAKE_KERNEL_WAIT_MS;
	int status;

	while (kernel->status < 0)
		turn(kernel, deadline_ms);
	status = kernel->status;
	kernel_free(kernel);
	return status;
}

int
fake_kernel_stop(struct fake_kernel *kernel)
{
	send_kind(kernel, CAIRN__ENVELOPE__KIND__STOP);
	return wait_for_status(kernel);
}

int
fake_kernel_die(struct fake_kernel *kernel)
{
	channel_close(kernel->channel, NULL, NULL);
	kernel->channel = NULL;
	return wait_for_status(kernel);
}

int
fake_kernel_send(struct fake_kernel *kernel, const Cairn__Envelope *envelope)
{
	return channel_send(kernel->channel, envelope);
}

size_t
fake_kernel_pending(struct fake_kernel *kernel, Cairn__Envelope__Kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < kernel->count; i++)
		count += kernel->pending[i]->kind == kind;
	return count;
}

static Cairn__Envelope *
take(struct fake_kernel *kernel, size_t index)
{
	Cairn__Envelope *envelope = kernel->pending[index];

	memmove(&kernel->pending[index], &kernel->pending[index + 1],
	    (kernel->count - index - 1) * sizeof(Cairn__Envelope *));
	kernel->count--;
	return envelope;
}

Cairn__Envelope *
fake_kernel_receive(struct fake_kernel *kernel, Cairn__Envelope__Kind kind)
{
	uint64_t deadline_ms = clock_monotonic_ms() + FAKE_KERNEL_WAIT_MS;

	for (;;) {
		for (size_t i = 0; i < kernel->count; i++) {
			if (kernel->pending[i]->kind == kind)
				return take(kernel, i);
		}
		turn(kernel, deadline_ms);
	}
}

void
fake_kernel_settle(struct fake_kernel *kernel)
{
	send_kind(kernel, CAIRN__ENVELOPE__KIND__PING);
	cairn__envelope__free_unpacked(
	    fake_kernel_receive(kernel, CAIRN__ENVELOPE__KIND__PONG), NULL);
}

Cairn__Envelope *
fake_kernel_call(struct fake_kernel *kernel, const char *subject, const void *body, size_t length)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	Cairn__Envelope *reply;

	envelope.kind = CAIRN__ENVELOPE__KIND__CALL;
	envelope.id = ++kernel->next_id;
	envelope.subject = (char *)(uintptr_t)subject;
	envelope.body.data = (uint8_t *)(uintptr_t)body;
	envelope.body.len = length;
	assert_int_equal(channel_send(kernel->channel, &envelope), 0);
	reply = fake_kernel_receive(kernel, CAIRN__ENVELOPE__KIND__REPLY);
	assert_int_equal(reply->id, kernel->next_id);
	return reply;
}
