/* SPDX-License-Identifier: Apache-2.0 */
#include "dicom/ul_peer.h"

static void
on_associate(void *arg, struct ul_assoc *assoc, struct ul_request *request)
{
	struct ul_peer *peer = arg;

	peer->associations++;
	peer->request = request;
	for (size_t i = 0; i < request->context_count; i++)
		if (strcmp(request->contexts[i].abstract, CT) == 0)
			assert_true(ul_context_choose(&request->contexts[i], EXPLICIT_LE));
	if (!peer->keep_waiting)
		assert_int_equal(ul_accept(assoc), 0);
}

static void
on_pdv(void *arg, struct ul_assoc *assoc, uint8_t context, unsigned flags, const uint8_t *bytes,
    size_t length)
{
	struct ul_peer *peer = arg;

	assert_int_equal(context, 1);
	assert_int_equal(buf_append(&peer->data, bytes, length), 0);
	peer->pieces++;
	peer->lasts += (flags & UL_LAST) != 0;
	if (peer->pause_each)
		ul_pause(assoc);
	if (peer->abort_each)
		ul_abort(assoc);
}

static void
on_closed(void *arg, struct ul_assoc *assoc, enum ul_reason reason)
{
	struct ul_peer *peer = arg;

	(void)assoc;
	peer->closed++;
	peer->reason = reason;
}

int
ul_peer_setup(void **state)
{
	static const struct ul_ops ops = {on_associate, on_pdv, on_closed};
	struct ul_peer *peer = calloc(1, sizeof *peer);

	buf_init(&peer->out, 1 << 20);
	buf_init(&peer->pdu, 1 << 20);
	buf_init(&peer->data, 1 << 20);
	ul_fake_init(&peer->fake, &ops, peer);
	*state = peer;
	return 0;
}

int
ul_peer_teardown(void **state)
{
	struct ul_peer *peer = *state;

	ul_fake_fini(&peer->fake);
	/* Whatever happened, each association ended exactly once. */
	assert_int_equal(peer->closed, peer->associations);
	buf_fini(&peer->out);
	buf_fini(&peer->pdu);
	buf_fini(&peer->data);
	free(peer);
	return 0;
}

void
ul_peer_feed(struct ul_peer *peer)
{
	ul_fake_feed(&peer->fake, peer->out.data, peer->out.length);
	buf_clear(&peer->out);
}

unsigned
ul_peer_answer(struct ul_peer *peer)
{
	return ul_fake_sent(&peer->fake, &peer->pdu);
}

void
ul_peer_associate_with(struct ul_peer *peer, uint32_t max_pdu)
{
	ul_fake_request(&peer->out, (const char *const[]){CT, MR}, 2, max_pdu);
	ul_peer_feed(peer);
}

void
ul_peer_associate(struct ul_peer *peer)
{
	ul_peer_associate_with(peer, 16384);
	assert_int_equal(ul_peer_answer(peer), UL_ASSOCIATE_AC);
	assert_int_equal(peer->fake.assoc.state, UL_STA6);
}

void
ul_peer_send_short(struct ul_peer *peer, unsigned type)
{
	ul_fake_pdu(&peer->out, type, "\0\0\0\0", 4);
	ul_peer_feed(peer);
}

void
ul_peer_expect_abort(struct ul_peer *peer, unsigned source, unsigned reason)
{
	assert_int_equal(ul_peer_answer(peer), UL_ABORT_PDU);
	assert_int_equal(peer->pdu.data[8], source);
	assert_int_equal(peer->pdu.data[9], reason);
	assert_int_equal(peer->fake.assoc.state, UL_STA13);
	assert_true(peer->fake.artim);
	ul_fake_turn(&peer->fake);
}

void
ul_peer_again(struct ul_peer *peer)
{
	ul_fake_fini(&peer->fake);
	ul_fake_init(&peer->fake, peer->fake.assoc.ops, peer);
}
