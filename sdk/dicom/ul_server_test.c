/* SPDX-License-Identifier: Apache-2.0 */
/* The server on the loopback interface: limits, timers, back-pressure.  Peers are plain sockets of
 * the same thread; the loop is turned until what must happen has happened. */
#include "base/test.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "dicom/ul_fake.h"

#define CT "1.2.840.10008.5.1.4.1.1.2"
#define EXPLICIT_LE "1.2.840.10008.1.2.1"
#define PATIENCE_MS 20000

struct world {
	uv_loop_t loop;
	struct ul_server *server;
	struct ul_options options;
	struct ul_assoc *assoc; /* the last */
	unsigned associations;
	unsigned closed;
	enum ul_reason reason;
	size_t said; /* bytes of P-DATA-TF that say_until_blocked() got rid of */
	size_t received;
	bool pause_first;
	bool echo;
	bool done;
};

static void
on_associate(void *arg, struct ul_assoc *assoc, struct ul_request *request)
{
	struct world *world = arg;

	ul_context_choose(&request->contexts[0], EXPLICIT_LE);
	assert_int_equal(ul_accept(assoc), 0);
	world->assoc = assoc;
	world->associations++;
}

static void
on_pdv(void *arg, struct ul_assoc *assoc, uint8_t context, unsigned flags, const uint8_t *bytes,
    size_t length)
{
	struct world *world = arg;

	if (world->pause_first && world->received == 0)
		ul_pause(assoc);
	world->received += length;
	if (world->echo)
		(void)ul_send(assoc, context, flags, bytes, length);
}

static void
on_closed(void *arg, struct ul_assoc *assoc, enum ul_reason reason)
{
	struct world *world = arg;

	(void)assoc;
	world->closed++;
	world->reason = reason;
}

static void
on_done(void *arg)
{
	((struct world *)arg)->done = true;
}

static const struct ul_ops ops = {on_associate, on_pdv, on_closed};

static int
setup(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	uv_loop_init(&world->loop);
	ul_options_default(&world->options);
	*state = world;
	return 0;
}

static int
teardown(void **state)
{
	struct world *world = *state;

	if (world->server != NULL)
		ul_server_close(world->server, on_done, world);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(world->closed, world->associations);
	assert_true(world->done);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	free(world);
	return 0;
}

static void
serve(struct world *world)
{
	struct cairn_error err = {0};

	assert_ok(ul_listen(&world->loop, "127.0.0.1", 0, &world->options, &ops, world,
		      &world->server, &err),
	    &err);
}

static void
turn(struct world *world)
{
	uv_run(&world->loop, UV_RUN_NOWAIT);
}

static int
dial(struct world *world)
{
	struct sockaddr_in where = {.sin_family = AF_INET,
	    .sin_port = htons(ul_server_port(world->server)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&where, sizeof where), 0);
	return fd;
}

static void
say(int fd, const struct buf *bytes)
{
	assert_int_equal(send(fd, bytes->data, bytes->length, MSG_NOSIGNAL), bytes->length);
}

static void
say_request(int fd)
{
	BUF_AUTO bytes = {.max = 65536};

	ul_fake_request(&bytes, (const char *const[]){CT}, 1, 0);
	say(fd, &bytes);
}

/* Turns the loop until the peer has something to read; its first byte, -1 at the end. */
static int
hear(struct world *world, int fd)
{
	uint64_t deadline = clock_monotonic_ms() + PATIENCE_MS;
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	uint8_t bytes[65536];

	while (poll(&poll_fd, 1, 1) == 0) {
		turn(world);
		if (clock_monotonic_ms() > deadline)
			fail_msg("nothing came");
	}
	return recv(fd, bytes, sizeof bytes, 0) > 0 ? bytes[0] : -1;
}

static struct ul_stats
stats(struct world *world)
{
	struct ul_stats ret;

	ul_server_stats(world->server, &ret);
	return ret;
}

static int
associate(struct world *world)
{
	int fd = dial(world);

	say_request(fd);
	assert_int_equal(hear(world, fd), UL_ASSOCIATE_AC);
	return fd;
}

/* ---- limits ------------------------------------------------------------------------------ */

static void
half_open_connections_do_not_keep_a_peer_out(void **state)
{
	struct world *world = *state;
	uint64_t start;
	int fds[500];

	serve(world);
	for (size_t i = 0; i < 500; i++) {
		fds[i] = dial(world);
		if (i % 100 == 0)
			turn(world);
	}
	start = clock_monotonic_ms();
	close(associate(world));
	assert_true(clock_monotonic_ms() - start < 1000);
	assert_int_equal(stats(world).connections, 501);
	assert_true(stats(world).open <= 64 + 8);
	assert_true(stats(world).evicted >= 500 - 64 - 8);
	assert_int_equal(hear(world, fds[0]), -1); /* the oldest went first */
	for (size_t i = 0; i < 500; i++)
		close(fds[i]);
}

static void
associations_past_the_limit_are_rejected_for_now(void **state)
{
	struct world *world = *state;
	int fds[3], extra;

	world->options.max_associations = 3;
	serve(world);
	for (size_t i = 0; i < 3; i++)
		fds[i] = associate(world);
	extra = dial(world);
	say_request(extra);
	assert_int_equal(hear(world, extra), UL_ASSOCIATE_RJ);
	assert_int_equal(stats(world).rejected, 1);
	close(fds[0]);
	while (world->closed == 0)
		turn(world);
	fds[0] = associate(world);
	assert_int_equal(stats(world).associated, 3);
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	close(extra);
}

static void
one_peer_cannot_take_all_associations(void **state)
{
	struct world *world = *state;
	int first, second;

	world->options.max_per_peer = 1;
	serve(world);
	first = associate(world);
	second = dial(world);
	say_request(second);
	assert_int_equal(hear(world, second), UL_ASSOCIATE_RJ);
	close(first);
	close(second);
}

/* ---- timers ------------------------------------------------------------------------------ */

static void
a_connection_that_stays_silent_is_closed_by_artim(void **state)
{
	struct world *world = *state;
	int fd;

	world->options.artim_ms = 20;
	serve(world);
	fd = dial(world);
	assert_int_equal(hear(world, fd), -1);
	assert_int_equal(stats(world).timed_out, 1);
	close(fd);
}

static void
a_peer_that_does_not_hang_up_after_a_release_is_closed_by_artim(void **state)
{
	struct world *world = *state;
	BUF_AUTO bytes = {.max = 100};
	int fd;

	serve(world);
	fd = associate(world);
	ul_fake_pdu(&bytes, UL_RELEASE_RQ, "\0\0\0\0", 4);
	world->assoc->transport->artim(world->assoc, false);
	((struct ul_options *)(uintptr_t)world->assoc->options)->artim_ms = 20;
	say(fd, &bytes);
	assert_int_equal(hear(world, fd), UL_RELEASE_RP);
	assert_int_equal(hear(world, fd), -1);
	assert_int_equal(world->reason, UL_RELEASED);
	close(fd);
}

static void
an_idle_association_is_aborted(void **state)
{
	struct world *world = *state;
	int fd;

	world->options.idle_ms = 20;
	serve(world);
	fd = associate(world);
	assert_int_equal(hear(world, fd), UL_ABORT_PDU);
	close(fd);
	while (world->closed == 0)
		turn(world);
	assert_int_equal(world->reason, UL_IDLE);
}

static void
an_association_that_waits_for_us_is_not_idle(void **state)
{
	struct world *world = *state;
	uint64_t start = clock_monotonic_ms();
	int fd;

	world->options.idle_ms = 10;
	serve(world);
	fd = dial(world);
	say_request(fd);
	while (world->associations == 0)
		turn(world);
	ul_hold(world->assoc);
	while (clock_monotonic_ms() - start < 100)
		turn(world);
	assert_int_equal(world->closed, 0);
	ul_unhold(world->assoc);
	while (world->closed == 0)
		turn(world);
	assert_int_equal(world->reason, UL_IDLE);
	close(fd);
}

/* ---- flow -------------------------------------------------------------------------------- */

#define PIECE 65536u

/* Goes on with a stream of P-DATA-TF up to `most` bytes in all. */
static void
say_until_blocked(struct world *world, int fd, size_t most)
{
	static uint8_t bytes[PIECE];
	BUF_AUTO pdv = {.max = 1 << 20};

	ul_fake_pdv(&pdv, 1, 0, bytes, sizeof bytes);
	for (int quiet = 0; quiet < 50 && world->said < most && world->closed == 0;) {
		size_t at = world->said % pdv.length;
		ssize_t n = send(fd, pdv.data + at, pdv.length - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		quiet = n > 0 ? 0 : quiet + 1;
		world->said += n > 0 ? (size_t)n : 0;
		turn(world);
	}
}

/* How much of that is not headers. */
static size_t
payload(size_t said)
{
	size_t rest = said % (PIECE + 12);

	return said / (PIECE + 12) * PIECE + (rest > 12 ? rest - 12 : 0);
}

static void
a_pause_slows_the_sender_and_nothing_is_lost(void **state)
{
	struct world *world = *state;
	int fd;

	world->pause_first = true;
	serve(world);
	fd = associate(world);
	say_until_blocked(world, fd, (size_t)1 << 30);
	assert_true(world->said < (size_t)64 << 20); /* what the kernel's buffers take */
	assert_true(world->received <= PIECE);
	ul_resume(world->assoc);
	say_until_blocked(world, fd, (size_t)64 << 20);
	assert_true(world->said >= (size_t)64 << 20);
	shutdown(fd, SHUT_WR);
	while (world->closed == 0)
		turn(world);
	assert_int_equal(world->received, payload(world->said));
	assert_int_equal(world->reason, UL_LOST);
	close(fd);
}

static void
a_peer_that_never_reads_is_dropped(void **state)
{
	struct world *world = *state;
	int fd;

	world->echo = true;
	serve(world);
	fd = associate(world);
	say_until_blocked(world, fd, (size_t)1 << 30);
	assert_true(world->said < (size_t)1 << 30);
	while (world->closed == 0)
		turn(world);
	assert_int_equal(world->reason, UL_LIMIT);
	close(fd);
}

/* ---- its life ---------------------------------------------------------------------------- */

static void
closing_the_server_aborts_its_associations(void **state)
{
	struct world *world = *state;
	int fd;

	serve(world);
	fd = associate(world);
	ul_server_close(world->server, on_done, world);
	world->server = NULL;
	assert_int_equal(hear(world, fd), UL_ABORT_PDU);
	while (!world->done)
		turn(world);
	assert_int_equal(world->reason, UL_STOPPED);
	close(fd);
}

static void
associations_outlive_the_listener(void **state)
{
	struct world *world = *state;
	BUF_AUTO bytes = {.max = 100};
	int fd;

	serve(world);
	fd = associate(world);
	ul_server_stop_listening(world->server);
	ul_fake_pdu(&bytes, UL_RELEASE_RQ, "\0\0\0\0", 4);
	say(fd, &bytes);
	assert_int_equal(hear(world, fd), UL_RELEASE_RP);
	close(fd);
}

static void
a_socket_that_is_open_already_is_listened_on(void **state)
{
	struct world *world = *state;
	struct sockaddr_in where = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct cairn_error err = {0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&where, sizeof where), 0);
	assert_ok(
	    ul_listen_fd(&world->loop, fd, &world->options, &ops, world, &world->server, &err),
	    &err);
	close(associate(world));
	assert_string_equal(ul_peer(world->assoc), "127.0.0.1");
	assert_string_equal(ul_calling(world->assoc), "STORE");
}

static void
a_taken_port_is_an_error_with_its_name(void **state)
{
	struct world *world = *state;
	struct cairn_error err = {0};
	struct ul_server *second = NULL;
	char words[64];

	serve(world);
	assert_int_equal(ul_listen(&world->loop, "127.0.0.1", ul_server_port(world->server),
			     &world->options, &ops, world, &second, &err),
	    CAIRN_EIO);
	assert_null(second);
	snprintf(words, sizeof words, "127.0.0.1 port %u: cannot listen: address already in use",
	    ul_server_port(world->server));
	assert_string_equal(err.text, words);
	assert_int_equal(
	    ul_listen(&world->loop, "localhost", 0, &world->options, &ops, world, &second, &err),
	    CAIRN_EINVAL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(half_open_connections_do_not_keep_a_peer_out),
	    TEST(associations_past_the_limit_are_rejected_for_now),
	    TEST(one_peer_cannot_take_all_associations),
	    TEST(a_connection_that_stays_silent_is_closed_by_artim),
	    TEST(a_peer_that_does_not_hang_up_after_a_release_is_closed_by_artim),
	    TEST(an_idle_association_is_aborted),
	    TEST(an_association_that_waits_for_us_is_not_idle),
	    TEST(a_pause_slows_the_sender_and_nothing_is_lost),
	    TEST(a_peer_that_never_reads_is_dropped),
	    TEST(closing_the_server_aborts_its_associations),
	    TEST(associations_outlive_the_listener),
	    TEST(a_socket_that_is_open_already_is_listened_on),
	    TEST(a_taken_port_is_an_error_with_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
