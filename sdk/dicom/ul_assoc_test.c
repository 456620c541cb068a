/* SPDX-License-Identifier: Apache-2.0 */
/* The state machine and the parser, over arrays. */
#include "base/test.h"

#include "dicom/ul_fake.h"

#define CT "1.2.840.10008.5.1.4.1.1.2"
#define MR "1.2.840.10008.5.1.4.1.1.4"
#define EXPLICIT_LE "1.2.840.10008.1.2.1"

struct peer {
	struct ul_fake fake;
	struct buf out; /* bytes to feed */
	struct buf pdu; /* the last one that came back */
	struct buf data; /* delivered by on_pdv */
	unsigned associations;
	unsigned pieces;
	unsigned lasts;
	unsigned closed;
	enum ul_reason reason;
	bool keep_waiting; /* do not answer the request */
	bool pause_each;   /* pause in every on_pdv */
	bool abort_each;
	struct ul_request *request;
};

static void
on_associate(void *arg, struct ul_assoc *assoc, struct ul_request *request)
{
	struct peer *peer = arg;

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
	struct peer *peer = arg;

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
	struct peer *peer = arg;

	(void)assoc;
	peer->closed++;
	peer->reason = reason;
}

static int
setup(void **state)
{
	static const struct ul_ops ops = {on_associate, on_pdv, on_closed};
	struct peer *peer = calloc(1, sizeof *peer);

	buf_init(&peer->out, 1 << 20);
	buf_init(&peer->pdu, 1 << 20);
	buf_init(&peer->data, 1 << 20);
	ul_fake_init(&peer->fake, &ops, peer);
	*state = peer;
	return 0;
}

static int
teardown(void **state)
{
	struct peer *peer = *state;

	ul_fake_fini(&peer->fake);
	/* Whatever happened, each association ended exactly once. */
	assert_int_equal(peer->closed, peer->associations);
	buf_fini(&peer->out);
	buf_fini(&peer->pdu);
	buf_fini(&peer->data);
	free(peer);
	return 0;
}

static void
feed(struct peer *peer)
{
	ul_fake_feed(&peer->fake, peer->out.data, peer->out.length);
	buf_clear(&peer->out);
}

static unsigned
answer(struct peer *peer)
{
	return ul_fake_sent(&peer->fake, &peer->pdu);
}

static void
associate_with(struct peer *peer, uint32_t max_pdu)
{
	ul_fake_request(&peer->out, (const char *const[]){CT, MR}, 2, max_pdu);
	feed(peer);
}

static void
associate(struct peer *peer)
{
	associate_with(peer, 16384);
	assert_int_equal(answer(peer), UL_ASSOCIATE_AC);
	assert_int_equal(peer->fake.assoc.state, UL_STA6);
}

static void
send_short(struct peer *peer, unsigned type)
{
	ul_fake_pdu(&peer->out, type, "\0\0\0\0", 4);
	feed(peer);
}

static void
expect_abort(struct peer *peer, unsigned source, unsigned reason)
{
	assert_int_equal(answer(peer), UL_ABORT_PDU);
	assert_int_equal(peer->pdu.data[8], source);
	assert_int_equal(peer->pdu.data[9], reason);
	assert_int_equal(peer->fake.assoc.state, UL_STA13);
	assert_true(peer->fake.artim);
	ul_fake_turn(&peer->fake);
}

/* ---- establishment ----------------------------------------------------------------------- */

static void
the_request_is_parsed(void **state)
{
	struct peer *peer = *state;
	const struct ul_request *request;

	peer->keep_waiting = true;
	associate_with(peer, 16384);
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
	struct peer *peer = *state;
	const uint8_t *at;

	associate(peer);
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
expect_rejection(struct peer *peer, unsigned result, unsigned source, unsigned reason)
{
	assert_int_equal(answer(peer), UL_ASSOCIATE_RJ);
	assert_memory_equal(peer->pdu.data + 7,
	    ((const uint8_t[]){(uint8_t)result, (uint8_t)source, (uint8_t)reason}), 3);
	assert_int_equal(peer->fake.assoc.state, UL_STA13);
	assert_true(peer->fake.artim);
}

static void
another_protocol_version_is_rejected(void **state)
{
	struct peer *peer = *state;

	ul_fake_request(&peer->out, (const char *const[]){CT}, 1, 0);
	peer->out.data[7] = 2;
	feed(peer);
	expect_rejection(peer, 1, 2, 2);
}

static void
another_application_context_is_rejected(void **state)
{
	struct peer *peer = *state;

	ul_fake_request(&peer->out, (const char *const[]){CT}, 1, 0);
	peer->out.data[74 + 4 + 20] = '2';
	feed(peer);
	expect_rejection(peer, 1, 1, 2);
}

static void
a_full_server_rejects_for_now(void **state)
{
	struct peer *peer = *state;

	peer->fake.full = true;
	associate_with(peer, 0);
	expect_rejection(peer, 2, 3, 2);
	assert_int_equal(peer->associations, 0);
}

static void
the_consumer_can_reject_later(void **state)
{
	struct peer *peer = *state;

	peer->keep_waiting = true;
	associate_with(peer, 0);
	assert_int_equal(ul_reject(&peer->fake.assoc, UL_REJECT_PERMANENT, UL_REJECT_USER,
	    UL_REJECT_CALLED), 0);
	expect_rejection(peer, 1, 1, 7);
	assert_int_equal(ul_accept(&peer->fake.assoc), CAIRN_EINVAL);
	ul_fake_turn(&peer->fake);
	assert_int_equal(peer->reason, UL_REJECTED);
}

static void
the_transport_ending_before_the_answer_ends_the_request(void **state)
{
	struct peer *peer = *state;

	peer->keep_waiting = true;
	associate_with(peer, 0);
	ul_event(&peer->fake.assoc, UL_EVT17_TRANSPORT_CLOSED);
	ul_fake_turn(&peer->fake);
	assert_int_equal(peer->reason, UL_LOST);
	assert_int_equal(ul_accept(&peer->fake.assoc), CAIRN_EINVAL);
}

/* ---- bad requests ------------------------------------------------------------------------ */

static void
expect_bad_request(struct peer *peer)
{
	feed(peer);
	expect_abort(peer, UL_ABORT_USER, 0);
	assert_int_equal(peer->associations, 0);
	ul_fake_fini(&peer->fake);
	ul_fake_init(&peer->fake, peer->fake.assoc.ops, peer);
}

static void
requests_with_broken_contexts_are_aborted(void **state)
{
	struct peer *peer = *state;
	/* Where the first context item begins, and what is put there. */
	const size_t first = 74 + 4 + strlen(UL_APPLICATION_CONTEXT);
	const struct {
		size_t at;
		uint8_t value;
	} changes[] = {
	    {first + 4, 2},          /* an even id */
	    {first + 4, 3},          /* the id of the second */
	    {first + 3, 255},        /* longer than it is */
	    {first + 3, 3},          /* shorter than its own header */
	    {first + 8, 0x31},       /* no abstract syntax */
	    {first + 11, 200},       /* an abstract syntax longer than its context */
	    {first + 12, 'x'},       /* no UID */
	    {first + 13, 0},         /* a zero inside the UID */
	    {first + 14, '.'},       /* an empty component */
	    {75 + 4, 'x'},           /* no application context */
	    {9 + 10, 7},             /* a control character in the called AE title */
	    {5, 10},                 /* a PDU that is shorter than its items say */
	    {74 + 1 + 2, 255},       /* an item longer than the PDU */
	};

	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		ul_fake_request(&peer->out, (const char *const[]){CT, MR}, 2, 0);
		peer->out.data[changes[i].at] = changes[i].value;
		expect_bad_request(peer);
	}
}

static void
a_request_without_contexts_is_aborted(void **state)
{
	struct peer *peer = *state;

	ul_fake_request(&peer->out, NULL, 0, 0);
	expect_bad_request(peer);
}

static void
a_maximum_length_that_carries_nothing_is_aborted(void **state)
{
	struct peer *peer = *state;

	ul_fake_request(&peer->out, (const char *const[]){CT}, 1, 7);
	expect_bad_request(peer);
}

static void
requests_of_impossible_length_are_aborted_before_their_body(void **state)
{
	static const uint32_t lengths[] = {0, 67, 131073, 0xffffffff};
	struct peer *peer = *state;

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		uint8_t header[6] = {UL_ASSOCIATE_RQ};

		ul_write_u32(header + 2, lengths[i]);
		assert_int_equal(buf_append(&peer->out, header, sizeof header), 0);
		expect_bad_request(peer);
	}
}

/* ---- data -------------------------------------------------------------------------------- */

static void
fragments_are_the_same_whole_or_byte_by_byte(void **state)
{
	struct peer *peer = *state;

	associate(peer);
	ul_fake_pdv(&peer->out, 1, UL_COMMAND, "ab", 2);
	ul_fake_pdv(&peer->out, 1, UL_COMMAND | UL_LAST, "cd", 2);
	ul_fake_pdv(&peer->out, 1, 0, "efgh", 4);
	ul_fake_pdv(&peer->out, 1, UL_LAST, "", 0);
	for (size_t i = 0; i < peer->out.length; i++)
		ul_fake_feed(&peer->fake, peer->out.data + i, 1);
	assert_string_equal(buf_text(&peer->data), "abcdefgh");
	assert_int_equal(peer->lasts, 2);
	assert_int_equal(peer->pieces, 9);
	peer->pieces = peer->lasts = 0;
	feed(peer);
	assert_string_equal(buf_text(&peer->data), "abcdefghabcdefgh");
	assert_int_equal(peer->lasts, 2);
	assert_int_equal(peer->pieces, 4);
}

static void
one_pdu_may_carry_several_pdvs(void **state)
{
	static const uint8_t body[] = {0, 0, 0, 4, 1, 3, 'a', 'b', 0, 0, 0, 3, 1, 2, 'c'};
	struct peer *peer = *state;

	associate(peer);
	ul_fake_pdu(&peer->out, UL_P_DATA_TF, body, sizeof body);
	feed(peer);
	assert_string_equal(buf_text(&peer->data), "abc");
	assert_int_equal(peer->lasts, 2);
	assert_int_equal(peer->fake.assoc.state, UL_STA6);
}

static void
broken_pdvs_are_aborted(void **state)
{
	static const struct {
		const char *why;
		uint8_t bytes[14];
		size_t length;
	} cases[] = {
	    {"empty PDU", {4, 0, 0, 0, 0, 0}, 6},
	    {"shorter than a PDV header", {4, 0, 0, 0, 0, 5}, 6},
	    {"longer than announced", {4, 0, 0, 4, 0, 1}, 6},
	    {"4 GiB", {4, 0, 255, 255, 255, 255}, 6},
	    {"PDV length 0", {4, 0, 0, 0, 0, 6, 0, 0, 0, 0, 1, 3}, 12},
	    {"PDV length 1", {4, 0, 0, 0, 0, 6, 0, 0, 0, 1, 1, 3}, 12},
	    {"PDV longer than its PDU", {4, 0, 0, 0, 0, 8, 0, 0, 0, 5, 1, 3}, 12},
	    {"PDV of 4 GiB", {4, 0, 0, 0, 0, 8, 255, 255, 255, 255, 1, 3}, 12},
	    {"context that was refused", {4, 0, 0, 0, 0, 8, 0, 0, 0, 4, 3, 3}, 12},
	    {"context that was not proposed", {4, 0, 0, 0, 0, 8, 0, 0, 0, 4, 2, 3}, 12},
	    {"rest that is no PDV", {4, 0, 0, 0, 0, 8, 0, 0, 0, 3, 1, 3, 'a', 0}, 14},
	};
	struct peer *peer = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		associate(peer);
		ul_fake_feed(&peer->fake, cases[i].bytes, cases[i].length);
		expect_abort(peer, UL_ABORT_PROVIDER, UL_ABORT_INVALID_PARAMETER);
		assert_int_equal(peer->reason, UL_PROTOCOL_ERROR);
		/* No boundary is known any more: even a good PDU is dropped. */
		ul_fake_request(&peer->out, (const char *const[]){CT}, 1, 0);
		feed(peer);
		assert_int_equal(answer(peer), 0);
		ul_fake_fini(&peer->fake);
		ul_fake_init(&peer->fake, peer->fake.assoc.ops, peer);
	}
}

static void
what_we_send_is_cut_to_the_peers_maximum(void **state)
{
	struct peer *peer = *state;

	associate_with(peer, 17); /* 11 bytes a fragment, even: 10 */
	answer(peer);
	assert_int_equal(ul_send(&peer->fake.assoc, 1, UL_COMMAND | UL_LAST,
	    "0123456789abcdefghij+", 21), 0);
	assert_int_equal(answer(peer), UL_P_DATA_TF);
	assert_int_equal(peer->pdu.length, 22);
	assert_memory_equal(peer->pdu.data + 10, "\1\1" "0123456789", 12);
	assert_int_equal(answer(peer), UL_P_DATA_TF);
	assert_memory_equal(peer->pdu.data + 10, "\1\1" "abcdefghij", 12);
	assert_int_equal(answer(peer), UL_P_DATA_TF);
	assert_int_equal(peer->pdu.length, 13);
	assert_memory_equal(peer->pdu.data + 10, "\1\3" "+", 3);
	assert_int_equal(answer(peer), 0);
	assert_int_equal(ul_send(&peer->fake.assoc, 3, UL_LAST, "", 0), CAIRN_EINVAL);
}

static void
nothing_is_delivered_during_a_pause(void **state)
{
	struct peer *peer = *state;

	associate(peer);
	peer->pause_each = true;
	ul_fake_pdv(&peer->out, 1, UL_COMMAND | UL_LAST, "ab", 2);
	ul_fake_pdv(&peer->out, 1, UL_LAST, "cd", 2);
	ul_fake_pdu(&peer->out, UL_RELEASE_RQ, "\0\0\0\0", 4);
	feed(peer);
	assert_string_equal(buf_text(&peer->data), "ab");
	ul_fake_turn(&peer->fake);
	assert_int_equal(peer->pieces, 1);
	ul_resume(&peer->fake.assoc);
	assert_true(peer->fake.woken);
	ul_fake_turn(&peer->fake);
	assert_string_equal(buf_text(&peer->data), "abcd");
	assert_int_equal(answer(peer), 0);
	ul_resume(&peer->fake.assoc);
	ul_fake_turn(&peer->fake);
	assert_int_equal(answer(peer), UL_RELEASE_RP);
}

static void
an_abort_in_the_middle_of_a_pdu_skips_its_rest(void **state)
{
	struct peer *peer = *state;

	associate(peer);
	peer->abort_each = true;
	ul_fake_pdv(&peer->out, 1, UL_COMMAND, "abcd", 4);
	ul_fake_feed(&peer->fake, peer->out.data, 14);
	expect_abort(peer, UL_ABORT_USER, 0);
	assert_int_equal(peer->reason, UL_ABORTED);
	ul_fake_feed(&peer->fake, peer->out.data + 14, 2);
	assert_int_equal(peer->pieces, 1);
	/* The boundary is still known, so that the peer's own A-ABORT is understood. */
	buf_clear(&peer->out);
	send_short(peer, UL_ABORT_PDU);
	assert_true(peer->fake.closed);
}

/* ---- release and abort ------------------------------------------------------------------- */

static void
a_release_is_answered(void **state)
{
	struct peer *peer = *state;

	associate(peer);
	send_short(peer, UL_RELEASE_RQ);
	assert_int_equal(answer(peer), UL_RELEASE_RP);
	assert_int_equal(peer->fake.assoc.state, UL_STA13);
	assert_true(peer->fake.artim);
	ul_fake_turn(&peer->fake);
	assert_int_equal(peer->reason, UL_RELEASED);
	assert_int_equal(ul_send(&peer->fake.assoc, 1, UL_LAST, "", 0), CAIRN_EUNAVAILABLE);
}

static void
our_release_still_takes_data_until_it_is_answered(void **state)
{
	struct peer *peer = *state;

	associate(peer);
	assert_int_equal(ul_release(&peer->fake.assoc), 0);
	assert_int_equal(answer(peer), UL_RELEASE_RQ);
	ul_fake_pdv(&peer->out, 1, UL_LAST, "ab", 2);
	feed(peer);
	assert_string_equal(buf_text(&peer->data), "ab");
	send_short(peer, UL_RELEASE_RP);
	assert_true(peer->fake.closed);
	ul_fake_turn(&peer->fake);
	assert_int_equal(peer->reason, UL_RELEASED);
}

static void
in_a_release_collision_the_acceptor_answers_last(void **state)
{
	struct peer *peer = *state;

	associate(peer);
	assert_int_equal(ul_release(&peer->fake.assoc), 0);
	assert_int_equal(answer(peer), UL_RELEASE_RQ);
	send_short(peer, UL_RELEASE_RQ);
	assert_int_equal(peer->fake.assoc.state, UL_STA10);
	assert_int_equal(answer(peer), 0);
	send_short(peer, UL_RELEASE_RP);
	assert_int_equal(answer(peer), UL_RELEASE_RP);
	assert_int_equal(peer->fake.assoc.state, UL_STA13);
	ul_fake_turn(&peer->fake);
	assert_int_equal(peer->reason, UL_RELEASED);
}

static void
an_abort_by_the_peer_closes(void **state)
{
	struct peer *peer = *state;

	associate(peer);
	send_short(peer, UL_ABORT_PDU);
	assert_true(peer->fake.closed);
	assert_int_equal(answer(peer), 0);
	assert_int_equal(peer->closed, 0); /* never from inside: at the loop's next turn */
	ul_fake_turn(&peer->fake);
	assert_int_equal(peer->reason, UL_PEER_ABORTED);
}

static void
an_expired_artim_closes_a_connection_without_association(void **state)
{
	struct peer *peer = *state;

	assert_true(peer->fake.artim);
	assert_int_equal(ul_event(&peer->fake.assoc, UL_EVT18_ARTIM_EXPIRED), 0);
	assert_true(peer->fake.closed);
}

/* ---- unexpected PDUs, state by state ----------------------------------------------------- */

static void
enter(struct peer *peer, enum ul_state wanted)
{
	peer->keep_waiting = wanted == UL_STA3;
	if (wanted != UL_STA2)
		associate_with(peer, 0);
	if (wanted == UL_STA7 || wanted == UL_STA10)
		ul_release(&peer->fake.assoc);
	if (wanted == UL_STA10)
		send_short(peer, UL_RELEASE_RQ);
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
	struct peer *peer = *state;

	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		for (unsigned type = 0; type <= 8; type++) {
			bool unknown = type == 0 || type == 8;

			if (expected(states[i], type))
				continue;
			enter(peer, states[i]);
			send_short(peer, type);
			expect_abort(peer, states[i] == UL_STA2 ? UL_ABORT_USER : UL_ABORT_PROVIDER,
			    states[i] == UL_STA2 ? 0
			    : unknown            ? UL_ABORT_UNRECOGNIZED_PDU
			                         : UL_ABORT_UNEXPECTED_PDU);
			ul_fake_fini(&peer->fake);
			ul_fake_init(&peer->fake, peer->fake.assoc.ops, peer);
		}
	}
}

static void
after_an_abort_pdus_are_ignored_but_requests_and_garbage(void **state)
{
	struct peer *peer = *state;

	for (unsigned type = 1; type <= 8; type++) {
		enter(peer, UL_STA13);
		send_short(peer, type);
		assert_int_equal(answer(peer),
		    type == UL_ASSOCIATE_RQ || type == 8 ? UL_ABORT_PDU : 0);
		assert_int_equal(peer->fake.closed, type == UL_ABORT_PDU);
		ul_fake_fini(&peer->fake);
		ul_fake_init(&peer->fake, peer->fake.assoc.ops, peer);
	}
}

static void
short_pdus_of_another_length_are_aborted(void **state)
{
	struct peer *peer = *state;

	for (unsigned type = UL_RELEASE_RQ; type <= UL_ABORT_PDU; type++) {
		associate(peer);
		ul_fake_pdu(&peer->out, type, "\0\0\0\0\0", 5);
		feed(peer);
		expect_abort(peer, UL_ABORT_PROVIDER, UL_ABORT_INVALID_PARAMETER);
		ul_fake_fini(&peer->fake);
		ul_fake_init(&peer->fake, peer->fake.assoc.ops, peer);
	}
}

static void
uids_are_digits_with_single_dots_between(void **state)
{
	char longest[66];

	(void)state;
	memset(longest, '1', 65);
	longest[65] = 0;
	assert_true(ul_uid_valid("1.2.840.0"));
	assert_false(ul_uid_valid(longest));
	assert_true(ul_uid_valid(longest + 1));
	assert_false(ul_uid_valid(""));
	assert_false(ul_uid_valid(".."));
	assert_false(ul_uid_valid("1.2."));
	assert_false(ul_uid_valid(".1"));
	assert_false(ul_uid_valid("1/2"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

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
	    TEST(requests_with_broken_contexts_are_aborted),
	    TEST(a_request_without_contexts_is_aborted),
	    TEST(a_maximum_length_that_carries_nothing_is_aborted),
	    TEST(requests_of_impossible_length_are_aborted_before_their_body),
	    TEST(fragments_are_the_same_whole_or_byte_by_byte),
	    TEST(one_pdu_may_carry_several_pdvs),
	    TEST(broken_pdvs_are_aborted),
	    TEST(what_we_send_is_cut_to_the_peers_maximum),
	    TEST(nothing_is_delivered_during_a_pause),
	    TEST(an_abort_in_the_middle_of_a_pdu_skips_its_rest),
	    TEST(a_release_is_answered),
	    TEST(our_release_still_takes_data_until_it_is_answered),
	    TEST(in_a_release_collision_the_acceptor_answers_last),
	    TEST(an_abort_by_the_peer_closes),
	    TEST(an_expired_artim_closes_a_connection_without_association),
	    TEST(unexpected_pdus_are_aborted_in_every_state),
	    TEST(after_an_abort_pdus_are_ignored_but_requests_and_garbage),
	    TEST(short_pdus_of_another_length_are_aborted),
	    TEST(uids_are_digits_with_single_dots_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
