/* SPDX-License-Identifier: Apache-2.0 */
/* The parser: requests and P-DATA-TF, whole, in pieces, and broken. */
#include "dicom/ul_peer.h"

/* ---- bad requests ------------------------------------------------------------------------ */

static void
expect_bad_request(struct ul_peer *peer)
{
	ul_peer_feed(peer);
	ul_peer_expect_abort(peer, UL_ABORT_USER, 0);
	assert_int_equal(peer->associations, 0);
	ul_peer_again(peer);
}

static void
requests_with_broken_contexts_are_aborted(void **state)
{
	struct ul_peer *peer = *state;
	/* Where the first context item begins, and what is put there. */
	const size_t first = 74 + 4 + strlen(UL_APPLICATION_CONTEXT);
	const struct {
		size_t at;
		uint8_t value;
	} changes[] = {
	    {first + 4, 2},    /* an even id */
	    {first + 4, 3},    /* the id of the second */
	    {first + 3, 255},  /* longer than it is */
	    {first + 3, 3},    /* shorter than its own header */
	    {first + 8, 0x31}, /* no abstract syntax */
	    {first + 11, 200}, /* an abstract syntax longer than its context */
	    {first + 12, 'x'}, /* no UID */
	    {first + 13, 0},   /* a zero inside the UID */
	    {first + 14, '.'}, /* an empty component */
	    {75 + 4, 'x'},     /* no application context */
	    {9 + 10, 7},       /* a control character in the called AE title */
	    {5, 10},           /* a PDU that is shorter than its items say */
	    {74 + 1 + 2, 255}, /* an item longer than the PDU */
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
	struct ul_peer *peer = *state;

	ul_fake_request(&peer->out, NULL, 0, 0);
	expect_bad_request(peer);
}

static void
a_maximum_length_that_carries_nothing_is_aborted(void **state)
{
	struct ul_peer *peer = *state;

	ul_fake_request(&peer->out, (const char *const[]){CT}, 1, 7);
	expect_bad_request(peer);
}

static void
requests_of_impossible_length_are_aborted_before_their_body(void **state)
{
	static const uint32_t lengths[] = {0, 67, 131073, 0xffffffff};
	struct ul_peer *peer = *state;

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
	struct ul_peer *peer = *state;

	ul_peer_associate(peer);
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
	ul_peer_feed(peer);
	assert_string_equal(buf_text(&peer->data), "abcdefghabcdefgh");
	assert_int_equal(peer->lasts, 2);
	assert_int_equal(peer->pieces, 4);
}

static void
one_pdu_may_carry_several_pdvs(void **state)
{
	static const uint8_t body[] = {0, 0, 0, 4, 1, 3, 'a', 'b', 0, 0, 0, 3, 1, 2, 'c'};
	struct ul_peer *peer = *state;

	ul_peer_associate(peer);
	ul_fake_pdu(&peer->out, UL_P_DATA_TF, body, sizeof body);
	ul_peer_feed(peer);
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
	struct ul_peer *peer = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ul_peer_associate(peer);
		ul_fake_feed(&peer->fake, cases[i].bytes, cases[i].length);
		ul_peer_expect_abort(peer, UL_ABORT_PROVIDER, UL_ABORT_INVALID_PARAMETER);
		assert_int_equal(peer->reason, UL_PROTOCOL_ERROR);
		/* No boundary is known any more: even a good PDU is dropped. */
		ul_fake_request(&peer->out, (const char *const[]){CT}, 1, 0);
		ul_peer_feed(peer);
		assert_int_equal(ul_peer_answer(peer), 0);
		ul_peer_again(peer);
	}
}

static void
what_we_send_is_cut_to_the_peers_maximum(void **state)
{
	struct ul_peer *peer = *state;

	ul_peer_associate_with(peer, 17); /* 11 bytes a fragment, even: 10 */
	ul_peer_answer(peer);
	assert_int_equal(
	    ul_send(&peer->fake.assoc, 1, UL_COMMAND | UL_LAST, "0123456789abcdefghij+", 21), 0);
	assert_int_equal(ul_peer_answer(peer), UL_P_DATA_TF);
	assert_int_equal(peer->pdu.length, 22);
	assert_memory_equal(peer->pdu.data + 10,
	    "\1\1"
	    "0123456789",
	    12);
	assert_int_equal(ul_peer_answer(peer), UL_P_DATA_TF);
	assert_memory_equal(peer->pdu.data + 10,
	    "\1\1"
	    "abcdefghij",
	    12);
	assert_int_equal(ul_peer_answer(peer), UL_P_DATA_TF);
	assert_int_equal(peer->pdu.length, 13);
	assert_memory_equal(peer->pdu.data + 10,
	    "\1\3"
	    "+",
	    3);
	assert_int_equal(ul_peer_answer(peer), 0);
	assert_int_equal(ul_send(&peer->fake.assoc, 3, UL_LAST, "", 0), CAIRN_EINVAL);
}

static void
nothing_is_delivered_during_a_pause(void **state)
{
	struct ul_peer *peer = *state;

	ul_peer_associate(peer);
	peer->pause_each = true;
	ul_fake_pdv(&peer->out, 1, UL_COMMAND | UL_LAST, "ab", 2);
	ul_fake_pdv(&peer->out, 1, UL_LAST, "cd", 2);
	ul_fake_pdu(&peer->out, UL_RELEASE_RQ, "\0\0\0\0", 4);
	ul_peer_feed(peer);
	assert_string_equal(buf_text(&peer->data), "ab");
	ul_fake_turn(&peer->fake);
	assert_int_equal(peer->pieces, 1);
	ul_resume(&peer->fake.assoc);
	assert_true(peer->fake.woken);
	ul_fake_turn(&peer->fake);
	assert_string_equal(buf_text(&peer->data), "abcd");
	assert_int_equal(ul_peer_answer(peer), 0);
	ul_resume(&peer->fake.assoc);
	ul_fake_turn(&peer->fake);
	assert_int_equal(ul_peer_answer(peer), UL_RELEASE_RP);
}

static void
an_abort_in_the_middle_of_a_pdu_skips_its_rest(void **state)
{
	struct ul_peer *peer = *state;

	ul_peer_associate(peer);
	peer->abort_each = true;
	ul_fake_pdv(&peer->out, 1, UL_COMMAND, "abcd", 4);
	ul_fake_feed(&peer->fake, peer->out.data, 14);
	ul_peer_expect_abort(peer, UL_ABORT_USER, 0);
	assert_int_equal(peer->reason, UL_ABORTED);
	ul_fake_feed(&peer->fake, peer->out.data + 14, 2);
	assert_int_equal(peer->pieces, 1);
	/* The boundary is still known, so that the peer's own A-ABORT is understood. */
	buf_clear(&peer->out);
	ul_peer_send_short(peer, UL_ABORT_PDU);
	assert_true(peer->fake.closed);
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

#define TEST(function) cmocka_unit_test_setup_teardown(function, ul_peer_setup, ul_peer_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
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
	    TEST(uids_are_digits_with_single_dots_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
