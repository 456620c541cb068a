/* SPDX-License-Identifier: Apache-2.0 */
/* The state machine: establishment, release, abort, and what comes when it should not. */
#include "dicom/ul_peer.h"

/* ---- establishment ----------------------------------------------------------------------- */

static void
the_request_is_parsed(void **state)
{
	struct ul_peer *peer = *state;
	const struct ul_request *request;

	peer->keep_waiting = true;
	ul_peer_associate_with(peer, 16384);
	request = peer->request;
	assert_string_equal(request->called, "CAIRN");
	assert_string_equal(request->calling, "STORE");
	assert_string_equal(request->implementation_uid, "2.25.1");
	assert_string_equal(request->implementation_version, "TESTER");
	assert_int_equal(request->asked_operations, 5);
	assert_int_equal(request->identity_type, 2);
	assert_int_equal(request->context_count, 2);
	assert_int_equal(request->contexts[1].id, 3);
	assert_string_equal(request->contexts[1].abstract, MR);
	assert_string_equal(request->contexts[1].transfers[1], EXPLICIT_LE);
}

static void
the_acceptance_echoes_the_titles_and_answers_every_context(void **state)
{
	struct ul_peer *peer = *state;
	const uint8_t *at;

	ul_peer_associate(peer);
	assert_memory_equal(peer->pdu.data + 10, "CAIRN           STORE           ", 32);
	at = peer->pdu.data + 74 + 4 + strlen(UL_APPLICATION_CONTEXT);
	assert_int_equal(at[0], 0x21);
	assert_int_equal(at[4], 1);
	assert_int_equal(at[6], UL_CONTEXT_ACCEPTED);
	assert_memory_equal(at + 12, EXPLICIT_LE, strlen(EXPLICIT_LE));
	at += 4 + ul_read_u16(at + 2);
	assert_int_equal(at[4], 3);
	assert_int_equal(at[6], UL_CONTEXT_NO_ABSTRACT_SYNTAX);
	assert_false(peer->fake.artim);
	assert_null(ul_context_find(&peer->fake.assoc, 3));
	assert_string_equal(ul_context_find(&peer->fake.assoc, 1)->transfer, EXPLICIT_LE);
}

static void
expect_rejection(struct ul_peer *peer, unsigned result, unsigned source, unsigned reason)
{
	assert_int_equal(ul_peer_answer(peer), UL_ASSOCIATE_RJ);
	assert_memory_equal(peer->pdu.data + 7,
	    ((const uint8_t[]){(uint8_t)result, (uint8_t)source, (uint8_t)reason}), 3);
	assert_int_equal(peer->fake.assoc.state, UL_STA13);
	assert_true(peer->fake.artim);
}

static void
another_protocol_version_is_rejected(void **state)
{
	struct ul_peer *peer = *state;

	ul_fake_request(&peer->out, (const char *const[]){CT}, 1, 0);
	peer->out.data[7] = 2;
	ul_peer_feed(peer);
	expect_rejection(peer, 1, 2, 2);
}

static void
another_application_context_is_rejected(void **state)
{
	struct ul_peer *peer = *state;

	ul_fake_request(&peer->out, (const char *const[]){CT}, 1, 0);
	peer->out.data[74 + 4 + 20] = '2';
	ul_peer_feed(peer);
	expect_rejection(peer, 1, 1, 2);
}

static void
a_full_server_rejects_for_now(void **state)
{
	struct ul_peer *peer = *state;

	peer->fake.full = true;
	ul_peer_associate_with(peer, 0);
	expect_rejection(peer, 2, 3, 2);
	assert_int_equal(peer->associations, 0);
}

static void
the_consumer_can_reject_later(void **state)
{
	struct ul_peer *peer = *state;

	peer->keep_waiting = true;
	ul_peer_associate_with(peer, 0);
	assert_int_equal(
	    ul_reject(&peer->fake.assoc, UL_REJECT_PERMANENT, UL_REJECT_USER, UL_REJECT_CALLED), 0);
	expect_rejection(peer, 1, 1, 7);
	assert_int_equal(ul_accept(&peer->fake.assoc), CAIRN_EINVAL);
	ul_fake_turn(&peer->fake);
	assert_int_equal(peer->reason, UL_REJECTED);
}

static void
the_transport_ending_before_the_answer_ends_the_request(void **state)
{
	struct ul_peer *peer = *state;

	peer->keep_waiting = true;
	ul_peer_associate_with(peer, 0);
	ul_event(&peer->fake.assoc, UL_EVT17_TRANSPORT_CLOSED);
	ul_fake_turn(&peer->fake);
	assert_int_equal(peer->reason, UL_LOST);
	assert_int_equal(ul_accept(&peer->fake.assoc), CAIRN_EINVAL);
}

/* ---- release and abort ------------------------------------------------------------------- */

static void
a_release_is_answered(void **state)
{
	struct ul_peer *peer = *state;

	ul_peer_associate(peer);
	ul_peer_send_short(peer, UL_RELEASE_RQ);
	assert_int_equal(ul_peer_answer(peer), UL_RELEASE_RP);
	assert_int_equal(peer->fake.assoc.state, UL_STA13);
	assert_true(peer->fake.artim);
	ul_fake_turn(&peer->fake);
	assert_int_equal(peer->reason, UL_RELEASED);
	assert_int_equal(ul_send(&peer->fake.assoc, 1, UL_LAST, "", 0), CAIRN_EUNAVAILABLE);
}

static void
our_release_still_takes_data_until_it_is_answered(void **state)
{
	struct ul_peer *peer = *state;

	ul_peer_associate(peer);
	assert_int_equal(ul_release(&peer->fake.assoc), 0);
	assert_int_equal(ul_peer_answer(peer), UL_RELEASE_RQ);
	ul_fake_pdv(&peer->out, 1, UL_LAST, "ab", 2);
	ul_peer_feed(peer);
	assert_string_equal(buf_text(&peer->data), "ab");
	ul_peer_send_short(peer, UL_RELEASE_RP);
	assert_true(peer->fake.closed);
	ul_fake_turn(&peer->fake);
	assert_int_equal(peer->reason, UL_RELEASED);
}

static void
in_a_release_collision_the_acceptor_answers_last(void **state)
{
	struct ul_peer *peer = *state;

	ul_peer_associate(peer);
	assert_int_equal(ul_release(&peer->fake.assoc), 0);
	assert_int_equal(ul_peer_answer(peer), UL_RELEASE_RQ);
	ul_peer_send_short(peer, UL_RELEASE_RQ);
	assert_int_equal(peer->fake.assoc.state, UL_STA10);
	assert_int_equal(ul_peer_answer(peer), 0);
	ul_peer_send_short(peer, UL_RELEASE_RP);
	assert_int_equal(ul_peer_answer(peer), UL_RELEASE_RP);
	assert_int_equal(peer->fake.assoc.state, UL_STA13);
	ul_fake_turn(&peer->fake);
	assert_int_equal(peer->reason, UL_RELEASED);
}

static void
an_abort_by_the_peer_closes(void **state)
{
	struct ul_peer *peer = *state;

	ul_peer_associate(peer);
	ul_peer_send_short(peer, UL_ABORT_PDU);
	assert_true(peer->fake.closed);
	assert_int_equal(ul_peer_answer(peer), 0);
	assert_int_equal(peer->closed, 0); /* never from inside: at the loop's next turn */
	ul_fake_turn(&peer->fake);
	assert_int_equal(peer->reason, UL_PEER_ABORTED);
}

static void
an_expired_artim_closes_a_connection_without_association(void **state)
{
	struct ul_peer *peer = *state;

	assert_true(peer->fake.artim);
	assert_int_equal(ul_event(&peer->fake.assoc, UL_EVT18_ARTIM_EXPIRED), 0);
	assert_true(peer->fake.closed);
}

/* ---- unexpected PDUs, state by state ----------------------------------------------------- */

static void
enter(struct ul_peer *peer, enum ul_state wanted)
{
	peer->keep_waiting = wanted == UL_STA3;
	if (wanted != UL_STA2)
		ul_peer_associate_with(peer, 0);
	if (wanted == UL_STA7 || wanted == UL_STA10)
		ul_release(&peer->fake.assoc);
	if (wanted == UL_STA10)
		ul_peer_send_short(peer, UL_RELEASE_RQ);
	if (wanted == UL_STA13)
		ul_abort(&peer->fake.assoc);
	buf_clear(&peer->fake.sent);
	assert_int_equal(peer->fake.assoc.state, wanted);
}

/* The PDUs that PS3.8 Table 9-10 expects in each state; all others are aborted in it. */
static bool
expected(enum ul_state state, unsigned type)
{
	switch (state) {
	case UL_STA2:
		return type == UL_ASSOCIATE_RQ || type == UL_ABORT_PDU;
	case UL_STA6:
	case UL_STA7:
		return type == UL_P_DATA_TF || type == UL_ABORT_PDU || type == UL_RELEASE_RQ ||
		    (state == UL_STA7 && type == UL_RELEASE_RP);
	case UL_STA10:
		return type == UL_RELEASE_RP || type == UL_ABORT_PDU;
	default:
		return type == UL_ABORT_PDU;
	}
}

static void
unexpected_pdus_are_aborted_in_every_state(void **state)
{
	static const enum ul_state states[] = {UL_STA2, UL_STA3, UL_STA6, UL_STA7, UL_STA10};
	struct ul_peer *peer = *state;

	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		for (unsigned type = 0; type <= 8; type++) {
			bool unknown = type == 0 || type == 8;

			if (expected(states[i], type))
				continue;
			enter(peer, states[i]);
			ul_peer_send_short(peer, type);
			ul_peer_expect_abort(peer,
			    states[i] == UL_STA2 ? UL_ABORT_USER : UL_ABORT_PROVIDER,
			    states[i] == UL_STA2 ? 0
				: unknown        ? UL_ABORT_UNRECOGNIZED_PDU
						 : UL_ABORT_UNEXPECTED_PDU);
			ul_peer_again(peer);
		}
	}
}

static void
after_an_abort_pdus_are_ignored_but_requests_and_garbage(void **state)
{
	struct ul_peer *peer = *state;

	for (unsigned type = 1; type <= 8; type++) {
		enter(peer, UL_STA13);
		ul_peer_send_short(peer, type);
		assert_int_equal(
		    ul_peer_answer(peer), type == UL_ASSOCIATE_RQ || type == 8 ? UL_ABORT_PDU : 0);
		assert_int_equal(peer->fake.closed, type == UL_ABORT_PDU);
		ul_peer_again(peer);
	}
}

static void
short_pdus_of_another_length_are_aborted(void **state)
{
	struct ul_peer *peer = *state;

	for (unsigned type = UL_RELEASE_RQ; type <= UL_ABORT_PDU; type++) {
		ul_peer_associate(peer);
		ul_fake_pdu(&peer->out, type, "\0\0\0\0\0", 5);
		ul_peer_feed(peer);
		ul_peer_expect_abort(peer, UL_ABORT_PROVIDER, UL_ABORT_INVALID_PARAMETER);
		ul_peer_again(peer);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, ul_peer_setup, ul_peer_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_request_is_parsed),
	    TEST(the_acceptance_echoes_the_titles_and_answers_every_context),
	    TEST(another_protocol_version_is_rejected),
	    TEST(another_application_context_is_rejected),
	    TEST(a_full_server_rejects_for_now),
	    TEST(the_consumer_can_reject_later),
	    TEST(the_transport_ending_before_the_answer_ends_the_request),
	    TEST(a_release_is_answered),
	    TEST(our_release_still_takes_data_until_it_is_answered),
	    TEST(in_a_release_collision_the_acceptor_answers_last),
	    TEST(an_abort_by_the_peer_closes),
	    TEST(an_expired_artim_closes_a_connection_without_association),
	    TEST(unexpected_pdus_are_aborted_in_every_state),
	    TEST(after_an_abort_pdus_are_ignored_but_requests_and_garbage),
	    TEST(short_pdus_of_another_length_are_aborted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
