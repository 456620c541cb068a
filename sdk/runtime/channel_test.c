/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <uv.h>

#include "base/clock.h"
#include "base/test.h"
#include "base/text.h"
#include "runtime/arena.h"
#include "runtime/channel.h"

#define WAIT_MS 30000

/* Two channels on one loop, which talk to each other through the kernel's socket. */
struct end {
	struct channel *channel;
	unsigned ups, downs, received;
	uint64_t last_id;
	bool out_of_order;
	size_t last_length;
	unsigned close_at; /* closes itself in the callback of this message */
	bool echo;
	bool closed;
};

struct pair {
	uv_loop_t loop;
	uv_timer_t tick;
	struct test_dir dir;
	char url[128];
	struct end server, client;
};

static void
on_closed(void *arg)
{
	struct end *end = arg;

	end->closed = true;
}

static void
on_up(void *arg)
{
	struct end *end = arg;

	end->ups++;
}

static void
on_down(void *arg)
{
	struct end *end = arg;

	end->downs++;
}

static void
on_message(void *arg, const uint8_t *bytes, size_t length)
{
	struct end *end = arg;
	Cairn__Envelope *envelope = cairn__envelope__unpack(NULL, length, bytes);

	assert_non_null(envelope);
	end->received++;
	end->out_of_order |= envelope->id != end->last_id + 1;
	end->last_id = envelope->id;
	end->last_length = envelope->body.len;
	if (end->echo)
		assert_int_equal(channel_answer(end->channel, envelope), 0);
	cairn__envelope__free_unpacked(envelope, NULL);
	if (end->received == end->close_at)
		channel_close(end->channel, on_closed, end);
}

static const struct channel_ops ops = {on_message, on_up, on_down};

static void
ticked(uv_timer_t *timer)
{
	(void)timer;
}

static int
end_open(struct pair *pair, struct end *end, bool listen, int pid)
{
	const struct channel_options options = {
	    .url = pair->url, .listen = listen, .peer_pid = pid, .ops = &ops, .arg = end};
	struct cairn_error err = {0};

	return channel_open(&end->channel, &pair->loop, &options, &err);
}

static void
pair_init(struct pair *pair, int server_expects)
{
	memset(pair, 0, sizeof *pair);
	assert_int_equal(uv_loop_init(&pair->loop), 0);
	uv_timer_init(&pair->loop, &pair->tick);
	uv_timer_start(&pair->tick, ticked, 20, 20);
	test_dir_make(&pair->dir);
	snprintf(pair->url, sizeof pair->url, "ipc://%s/socket", pair->dir.path);
	assert_int_equal(end_open(pair, &pair->server, true, server_expects), 0);
	assert_int_equal(end_open(pair, &pair->client, false, getpid()), 0);
}

static void
pair_fini(struct pair *pair)
{
	uv_close((uv_handle_t *)&pair->tick, NULL);
	if (pair->server.close_at == 0)
		channel_close(pair->server.channel, on_closed, &pair->server);
	if (pair->client.close_at == 0)
		channel_close(pair->client.channel, on_closed, &pair->client);
	uv_run(&pair->loop, UV_RUN_DEFAULT);
	assert_true(pair->server.closed);
	assert_true(pair->client.closed);
	assert_int_equal(uv_loop_close(&pair->loop), 0);
	test_dir_remove(&pair->dir);
}

static void
wait_until(struct pair *pair, const unsigned *value, unsigned wanted)
{
	uint64_t deadline = clock_monotonic_ms() + WAIT_MS;

	while (*value < wanted) {
		if (clock_monotonic_ms() > deadline)
			fail_msg("waited in vain: %u of %u", *value, wanted);
		uv_run(&pair->loop, UV_RUN_ONCE);
	}
}

static int
send_id(struct channel *channel, uint64_t id, const void *body, size_t length)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	envelope.kind = CAIRN__ENVELOPE__KIND__EVENT;
	envelope.id = id;
	envelope.body.data = (uint8_t *)(uintptr_t)body;
	envelope.body.len = length;
	return channel_send(channel, &envelope);
}

static void
messages_arrive_in_order_both_ways(void **state)
{
	struct pair pair;
	unsigned sent = 0;

	(void)state;
	pair_init(&pair, getpid());
	pair.server.echo = true;
	while (sent < 20000) {
		if (send_id(pair.client.channel, sent + 1, "body", 4) == 0)
			sent++;
		else
			uv_run(&pair.loop, UV_RUN_NOWAIT);
	}
	wait_until(&pair, &pair.client.received, 20000);
	assert_int_equal(pair.server.received, 20000);
	assert_false(pair.server.out_of_order);
	assert_false(pair.client.out_of_order);
	assert_int_equal(pair.server.ups, 1);
	pair_fini(&pair);
}

static void
a_stranger_is_never_heard(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, getpid() + 1);
	assert_int_equal(send_id(pair.client.channel, 1, "secret?", 7), 0);
	for (int i = 0; i < 20; i++)
		uv_run(&pair.loop, UV_RUN_ONCE);
	assert_int_equal(pair.server.received, 0);
	assert_int_equal(pair.server.ups, 0);
	assert_int_equal(pair.server.downs, 0);
	pair_fini(&pair);
}

static void
a_full_queue_refuses(void **state)
{
	struct pair pair;
	size_t sent = 0;

	(void)state;
	pair_init(&pair, getpid());
	channel_cork(pair.client.channel); /* NNG takes nothing */
	while (send_id(pair.client.channel, sent + 1, "x", 1) == 0)
		assert_true(++sent <= CHANNEL_QUEUE_MAX);
	assert_int_equal(sent, CHANNEL_QUEUE_MAX);
	assert_int_equal(send_id(pair.client.channel, 0, "x", 1), CAIRN_ELIMIT);
	pair_fini(&pair);
}

static void
the_queue_is_bounded_in_bytes(void **state)
{
	struct pair pair;
	static const uint8_t body[4 << 20];
	size_t sent = 0;

	(void)state;
	pair_init(&pair, getpid());
	channel_cork(pair.client.channel);
	while (send_id(pair.client.channel, 1, body, sizeof body) == 0)
		sent++;
	assert_int_equal(sent, CHANNEL_QUEUE_BYTES_MAX / sizeof body);
	assert_int_equal(send_id(pair.client.channel, 1, "x", 1), CAIRN_ELIMIT);
	pair_fini(&pair);
}

/* Large messages are half way in both directions when the channels close. */
static void
closing_while_large_messages_fly_is_safe(void **state)
{
	static const uint8_t body[1 << 20];

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		struct pair pair;

		pair_init(&pair, getpid());
		pair.server.echo = true;
		for (uint64_t id = 1; id < 30; id++)
			assert_int_equal(send_id(pair.client.channel, id, body, sizeof body), 0);
		wait_until(&pair, &pair.server.received, i % 4);
		pair_fini(&pair);
	}
}

static void
a_message_of_the_largest_size_passes_and_a_larger_one_is_refused(void **state)
{
	struct pair pair;
	size_t size = CHANNEL_MESSAGE_MAX;
	uint8_t *body = calloc(1, size);

	(void)state;
	pair_init(&pair, getpid());
	assert_int_equal(send_id(pair.client.channel, 1, body, size), CAIRN_ELIMIT);
	assert_int_equal(send_id(pair.client.channel, 1, body, size - 64), 0);
	wait_until(&pair, &pair.server.received, 1);
	assert_int_equal(pair.server.last_length, size - 64);
	pair_fini(&pair);
	free(body);
}

static void
a_receiver_that_is_busy_loses_nothing(void **state)
{
	struct pair pair;
	unsigned sent = 0;

	(void)state;
	pair_init(&pair, getpid());
	wait_until(&pair, &pair.server.ups, 1);
	/* The loop does not turn here, so that both queues and both sockets fill. */
	while (sent < 9000 && send_id(pair.client.channel, sent + 1, "x", 1) == 0)
		sent++;
	wait_until(&pair, &pair.server.received, sent);
	assert_false(pair.server.out_of_order);
	pair_fini(&pair);
}

static void
corked_messages_go_after_the_first(void **state)
{
	struct pair pair;
	Cairn__Envelope first = CAIRN__ENVELOPE__INIT;

	(void)state;
	pair_init(&pair, getpid());
	channel_cork(pair.client.channel);
	for (uint64_t id = 2; id < 200; id++)
		assert_int_equal(send_id(pair.client.channel, id, "x", 1), 0);
	first.id = 1;
	assert_int_equal(channel_uncork(pair.client.channel, &first), 0);
	wait_until(&pair, &pair.server.received, 199);
	assert_false(pair.server.out_of_order);
	pair_fini(&pair);
}

static void
a_channel_may_be_closed_in_its_callback(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, getpid());
	pair.server.close_at = 10;
	for (uint64_t id = 1; id < 100; id++)
		assert_int_equal(send_id(pair.client.channel, id, "x", 1), 0);
	wait_until(&pair, &pair.client.downs, 1);
	assert_int_equal(pair.server.received, 10);
	pair_fini(&pair);
}

static void
closing_while_messages_fly_is_safe(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		struct pair pair;

		pair_init(&pair, getpid());
		pair.server.echo = true;
		for (uint64_t id = 1; id < 1000; id++)
			assert_int_equal(send_id(pair.client.channel, id, "x", 1), 0);
		if (i % 2 == 0)
			wait_until(&pair, &pair.client.received, (unsigned)i);
		pair_fini(&pair);
	}
}

/* ---- other ends ------------------------------------------------------------------------- */

/* A server channel alone; the client end is never opened. */
static void
server_init(struct pair *pair)
{
	memset(pair, 0, sizeof *pair);
	assert_int_equal(uv_loop_init(&pair->loop), 0);
	uv_timer_init(&pair->loop, &pair->tick);
	uv_timer_start(&pair->tick, ticked, 20, 20);
	test_dir_make(&pair->dir);
	snprintf(pair->url, sizeof pair->url, "ipc://%s/socket", pair->dir.path);
	assert_int_equal(end_open(pair, &pair->server, true, getpid()), 0);
	pair->client.close_at = 1;
	pair->client.closed = true;
}

static void
a_plain_pair0_socket_may_be_the_other_end(void **state)
{
	struct pair pair;
	nng_socket socket;
	nng_msg *msg;
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	uint8_t bytes[64];
	size_t length;

	(void)state;
	server_init(&pair);
	pair.server.echo = true;
	assert_int_equal(nng_pair0_open(&socket), 0);
	assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, WAIT_MS), 0);
	assert_int_equal(nng_dial(socket, pair.url, NULL, 0), 0);
	for (unsigned i = 1; i <= 100; i++) {
		envelope.id = i;
		length = cairn__envelope__pack(&envelope, bytes);
		assert_int_equal(nng_send(socket, bytes, length, 0), 0);
		wait_until(&pair, &pair.server.received, i);
		assert_int_equal(nng_recvmsg(socket, &msg, 0), 0);
		assert_int_equal(nng_msg_len(msg), length);
		nng_msg_free(msg);
	}
	assert_false(pair.server.out_of_order);
	nng_close(socket);
	wait_until(&pair, &pair.server.downs, 1);
	pair_fini(&pair);
}

/* Connects a plain socket, writes `bytes`, and expects that the channel gives the connection up. */
static void
say_and_be_dropped(const void *bytes, size_t length)
{
	struct pair pair;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	server_init(&pair);
	assert_true(
	    text_copy(address.sun_path, sizeof address.sun_path, pair.url + strlen("ipc://")));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(write(fd, bytes, length), length);
	wait_until(&pair, &pair.server.downs, 1);
	assert_int_equal(pair.server.received, 0);
	pair_fini(&pair);
	close(fd);
}

static void
bytes_that_are_no_greeting_end_the_connection(void **state)
{
	(void)state;
	say_and_be_dropped("GET / HTTP/1.1\r\n", 16);
}

static void
a_length_beyond_the_maximum_ends_the_connection(void **state)
{
	(void)state;
	say_and_be_dropped("\0SP\0\0\x10\0\0\1\0\0\0\0\1\0\0\1", 17);
}

static void
a_frame_of_another_type_ends_the_connection(void **state)
{
	(void)state;
	say_and_be_dropped("\0SP\0\0\x10\0\0\2\0\0\0\0\0\0\0\1x", 18);
}

/* One byte at a time: every split of a greeting and two messages is put together again. */
static void
messages_in_pieces_are_put_together(void **state)
{
	static const char bytes[] = "\0SP\0\0\x10\0\0"
				    "\1\0\0\0\0\0\0\0\2\x10\1"
				    "\1\0\0\0\0\0\0\0\2\x10\2";
	struct pair pair;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	server_init(&pair);
	assert_true(
	    text_copy(address.sun_path, sizeof address.sun_path, pair.url + strlen("ipc://")));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	for (size_t i = 0; i < sizeof bytes - 1; i++) {
		assert_int_equal(write(fd, bytes + i, 1), 1);
		uv_run(&pair.loop, UV_RUN_ONCE);
	}
	wait_until(&pair, &pair.server.received, 2);
	assert_false(pair.server.out_of_order);
	close(fd);
	wait_until(&pair, &pair.server.downs, 1);
	pair_fini(&pair);
}

static size_t
count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

static void
opening_and_closing_leaks_no_descriptor(void **state)
{
	uint64_t deadline_ms;
	size_t before;

	(void)state;
	for (int i = 0; i < 2; i++) { /* NNG opens its own at first use */
		struct pair pair;

		pair_init(&pair, getpid());
		pair_fini(&pair);
	}
	before = count_descriptors();
	for (int i = 0; i < 100; i++) {
		struct pair pair;

		pair_init(&pair, getpid());
		if (i % 2 == 0)
			wait_until(&pair, &pair.server.ups, 1);
		pair_fini(&pair);
	}
	deadline_ms = clock_monotonic_ms() + WAIT_MS;
	while (count_descriptors() > before && clock_monotonic_ms() < deadline_ms)
		sched_yield(); /* NNG closes descriptors on a thread of its own */
	assert_true(count_descriptors() <= before);
}

static void
the_socket_file_is_private(void **state)
{
	struct pair pair;
	struct stat st;

	(void)state;
	pair_init(&pair, getpid());
	assert_int_equal(stat(pair.url + strlen("ipc://"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	pair_fini(&pair);
}

static void
a_path_that_does_not_fit_is_refused(void **state)
{
	char url[200] = "ipc:///";
	uv_loop_t loop;
	struct channel *channel;
	const struct channel_options options = {.url = url, .listen = true, .ops = &ops};
	struct cairn_error err = {0};

	(void)state;
	memset(url + strlen(url), 'a', 150);
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(channel_open(&channel, &loop, &options, &err), CAIRN_EINVAL);
	assert_non_null(strstr(err.text, "longer than 107 bytes"));
	assert_int_equal(uv_loop_close(&loop), 0);
}

/* Two bytes for an empty Obligation unfold into 60 bytes and a pointer. */
static void
a_message_cannot_unfold_beyond_the_arena(void **state)
{
	size_t size = 8 << 20;
	uint8_t *bytes = malloc(size);
	struct arena arena;

	(void)state;
	for (size_t i = 0; i < size; i += 2) {
		bytes[i] = 6 << 3 | 2;
		bytes[i + 1] = 0;
	}
	arena_init(&arena, CHANNEL_ARENA_MAX);
	assert_null(cairn__envelope__unpack(&arena.allocator, size, bytes));
	assert_true(arena.total <= CHANNEL_ARENA_MAX);
	arena_reset(&arena);
	assert_non_null(cairn__envelope__unpack(&arena.allocator, 200, bytes));
	arena_fini(&arena);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(messages_arrive_in_order_both_ways),
	    cmocka_unit_test(a_stranger_is_never_heard),
	    cmocka_unit_test(a_full_queue_refuses),
	    cmocka_unit_test(the_queue_is_bounded_in_bytes),
	    cmocka_unit_test(a_message_of_the_largest_size_passes_and_a_larger_one_is_refused),
	    cmocka_unit_test(a_receiver_that_is_busy_loses_nothing),
	    cmocka_unit_test(corked_messages_go_after_the_first),
	    cmocka_unit_test(a_channel_may_be_closed_in_its_callback),
	    cmocka_unit_test(closing_while_messages_fly_is_safe),
	    cmocka_unit_test(closing_while_large_messages_fly_is_safe),
	    cmocka_unit_test(opening_and_closing_leaks_no_descriptor),
	    cmocka_unit_test(a_plain_pair0_socket_may_be_the_other_end),
	    cmocka_unit_test(bytes_that_are_no_greeting_end_the_connection),
	    cmocka_unit_test(a_length_beyond_the_maximum_ends_the_connection),
	    cmocka_unit_test(a_frame_of_another_type_ends_the_connection),
	    cmocka_unit_test(messages_in_pieces_are_put_together),
	    cmocka_unit_test(the_socket_file_is_private),
	    cmocka_unit_test(a_path_that_does_not_fit_is_refused),
	    cmocka_unit_test(a_message_cannot_unfold_beyond_the_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
