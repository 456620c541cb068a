/* SPDX-License-Identifier: Apache-2.0 */
/* Command sets, and the DIMSE layer over an association without a transport. */
#include "base/test.h"

#include "dicom/dimse.h"
#include "dicom/ul_fake.h"

#define CT "1.2.840.10008.5.1.4.1.1.2"
#define MR "1.2.840.10008.5.1.4.1.1.4"
#define EXPLICIT_LE "1.2.840.10008.1.2.1"
#define STORE_CONTEXT 1
#define ECHO_CONTEXT 3

struct peer {
	struct ul_fake fake;
	struct dimse *dimse;
	struct buf out;
	struct buf pdu;
	struct buf data;
	struct dimse_store *stores[16];
	unsigned begun;
	unsigned completed;
	unsigned cut_off;
	unsigned closed;
	bool respond_at_begin;
	bool respond_at_end;
};

static void
on_associate(void *arg, struct ul_assoc *assoc, struct ul_request *request)
{
	(void)arg;
	for (size_t i = 0; i < request->context_count; i++)
		ul_context_choose(&request->contexts[i], EXPLICIT_LE);
	ul_accept(assoc);
}

static void
on_store_begin(void *arg, struct dimse_store *store)
{
	struct peer *peer = arg;

	peer->stores[peer->begun++] = store;
	if (peer->respond_at_begin)
		dimse_store_respond(store, DIMSE_OUT_OF_RESOURCES, "disk full");
}

static void
on_store_data(void *arg, struct dimse_store *store, const uint8_t *bytes, size_t length)
{
	struct peer *peer = arg;

	(void)store;
	assert_int_equal(buf_append(&peer->data, bytes, length), 0);
}

static void
on_store_end(void *arg, struct dimse_store *store, bool complete)
{
	struct peer *peer = arg;

	peer->completed += complete;
	peer->cut_off += !complete;
	if (peer->respond_at_end)
		dimse_store_respond(store, DIMSE_SUCCESS, NULL);
}

static void
on_closed(void *arg, struct ul_assoc *assoc, enum ul_reason reason)
{
	struct peer *peer = arg;

	(void)assoc;
	(void)reason;
	peer->closed++;
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

static int
setup(void **state)
{
	static const struct dimse_ops ops = {
	    on_associate, on_store_begin, on_store_data, on_store_end, on_closed};
	struct peer *peer = calloc(1, sizeof *peer);
	struct ul_ops ul_ops;

	buf_init(&peer->out, 1 << 20);
	buf_init(&peer->pdu, 1 << 20);
	buf_init(&peer->data, 1 << 20);
	assert_int_equal(dimse_new(&ops, peer, &peer->dimse, &ul_ops), 0);
	ul_fake_init(&peer->fake, &ul_ops, peer->dimse);
	ul_fake_request(&peer->out, (const char *const[]){CT, DIMSE_VERIFICATION}, 2, 16384);
	feed(peer);
	assert_int_equal(answer(peer), UL_ASSOCIATE_AC);
	*state = peer;
	return 0;
}

static int
teardown(void **state)
{
	struct peer *peer = *state;

	ul_fake_fini(&peer->fake);
	assert_int_equal(peer->closed, 1);
	dimse_free(peer->dimse);
	buf_fini(&peer->out);
	buf_fini(&peer->pdu);
	buf_fini(&peer->data);
	free(peer);
	return 0;
}

static void
send_command(struct peer *peer, uint8_t context, const struct dimse_command *command)
{
	BUF_AUTO bytes = {.max = 65536};

	assert_int_equal(dimse_command_build(&bytes, command), 0);
	ul_fake_pdv(&peer->out, context, UL_COMMAND | UL_LAST, bytes.data, bytes.length);
	feed(peer);
}

static struct dimse_command
store_request(uint16_t message_id)
{
	return (struct dimse_command){
	    .has = DIMSE_HAS_AFFECTED_CLASS | DIMSE_HAS_FIELD | DIMSE_HAS_MESSAGE_ID |
		DIMSE_HAS_PRIORITY | DIMSE_HAS_DATA_SET_TYPE | DIMSE_HAS_AFFECTED_INSTANCE |
		DIMSE_HAS_MOVE_ORIGINATOR | DIMSE_HAS_MOVE_ID,
	    .field = DIMSE_C_STORE_RQ,
	    .message_id = message_id,
	    .priority = 2,
	    .data_set_type = 1,
	    .affected_class = CT,
	    .affected_instance = "1.2.3.4",
	    .move_originator = "MOVER",
	    .move_id = 77,
	};
}

static void
send_data(struct peer *peer, const char *text, bool last)
{
	ul_fake_pdv(&peer->out, STORE_CONTEXT, last ? UL_LAST : 0, text, strlen(text));
	feed(peer);
}

static void
expect_response(struct peer *peer, uint16_t field, uint16_t message_id, uint16_t status,
    struct dimse_command *ret)
{
	assert_int_equal(answer(peer), UL_P_DATA_TF);
	assert_int_equal(peer->pdu.data[11], UL_COMMAND | UL_LAST);
	assert_int_equal(dimse_command_parse(peer->pdu.data + 12, peer->pdu.length - 12, ret), 0);
	assert_int_equal(ret->field, field);
	assert_int_equal(ret->responded_id, message_id);
	assert_int_equal(ret->status, status);
	assert_int_equal(ret->data_set_type, DIMSE_NO_DATA_SET);
}

static void
expect_abort(struct peer *peer)
{
	assert_int_equal(answer(peer), UL_ABORT_PDU);
	assert_int_equal(peer->pdu.data[8], UL_ABORT_USER);
}

/* ---- command sets ------------------------------------------------------------------------ */

static void
a_command_set_survives_the_round_trip(void **state)
{
	struct dimse_command command = store_request(9), again;
	BUF_AUTO bytes = {.max = 65536};

	(void)state;
	assert_int_equal(dimse_command_build(&bytes, &command), 0);
	assert_int_equal(bytes.length % 2, 0);
	assert_int_equal(bytes.data[8], bytes.length - 12);
	assert_int_equal(dimse_command_parse(bytes.data, bytes.length, &again), 0);
	assert_memory_equal(&command, &again, sizeof command);
}

static void
broken_command_sets_are_refused(void **state)
{
	static const struct {
		uint8_t bytes[20];
		size_t length;
	} cases[] = {
	    {{0}, 0},                                     /* nothing */
	    {{0, 0, 0x10, 1, 2, 0, 0, 0, 1, 0}, 10},      /* no Command Field */
	    {{0, 0, 0, 1, 2, 0, 0, 0, 1}, 9},             /* half a value */
	    {{0, 0, 0, 1, 2, 0, 0}, 7},                   /* half a header */
	    {{0, 0, 0, 1, 255, 255, 255, 255, 1, 0}, 10}, /* 4 GiB */
	    {{0, 0, 0, 1, 4, 0, 0, 0, 1, 0, 0, 0}, 12},   /* US of four bytes */
	    {{8, 0, 0, 1, 2, 0, 0, 0, 1, 0}, 10},         /* another group */
	    {{0, 0, 0, 1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 0}, 20}, /* twice */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct dimse_command command;

		assert_int_equal(
		    dimse_command_parse(cases[i].bytes, cases[i].length, &command), CAIRN_EPROTO);
	}
}

/* ---- messages ---------------------------------------------------------------------------- */

static void
an_echo_is_answered(void **state)
{
	struct dimse_command request = {.has = DIMSE_HAS_AFFECTED_CLASS | DIMSE_HAS_FIELD |
		DIMSE_HAS_MESSAGE_ID | DIMSE_HAS_DATA_SET_TYPE,
	    .field = DIMSE_C_ECHO_RQ,
	    .message_id = 5,
	    .data_set_type = DIMSE_NO_DATA_SET,
	    .affected_class = DIMSE_VERIFICATION};
	struct dimse_command response;
	struct peer *peer = *state;

	send_command(peer, ECHO_CONTEXT, &request);
	expect_response(peer, 0x8030, 5, DIMSE_SUCCESS, &response);
	assert_string_equal(response.affected_class, DIMSE_VERIFICATION);
	assert_int_equal(peer->pdu.data[10], ECHO_CONTEXT);
}

static void
a_store_is_handed_on_and_answered_later(void **state)
{
	struct dimse_command request = store_request(7), response;
	struct peer *peer = *state;
	struct dimse_store *store;

	send_command(peer, STORE_CONTEXT, &request);
	store = peer->stores[0];
	assert_string_equal(store->sop_class, CT);
	assert_string_equal(store->sop_instance, "1.2.3.4");
	assert_string_equal(store->transfer_syntax, EXPLICIT_LE);
	assert_string_equal(store->move_originator, "MOVER");
	assert_int_equal(store->move_message_id, 77);
	assert_int_equal(store->message_id, 7);
	send_data(peer, "one ", false);
	send_data(peer, "two", true);
	assert_string_equal(buf_text(&peer->data), "one two");
	assert_int_equal(peer->completed, 1);
	assert_int_equal(answer(peer), 0);
	dimse_store_respond(store, DIMSE_SUCCESS, "not for a success");
	expect_response(peer, 0x8001, 7, DIMSE_SUCCESS, &response);
	assert_string_equal(response.affected_instance, "1.2.3.4");
	assert_int_equal(response.has & DIMSE_HAS_COMMENT, 0);
}

static void
a_store_refused_at_its_beginning_is_answered_after_its_end(void **state)
{
	struct dimse_command request = store_request(7), response;
	struct peer *peer = *state;

	peer->respond_at_begin = true;
	send_command(peer, STORE_CONTEXT, &request);
	send_data(peer, "one ", false);
	assert_int_equal(answer(peer), 0);
	send_data(peer, "two", true);
	expect_response(peer, 0x8001, 7, DIMSE_OUT_OF_RESOURCES, &response);
	assert_string_equal(response.comment, "disk full");
	assert_int_equal(peer->data.length, 0);
	assert_int_equal(peer->completed, 0);
}

static void
comments_are_cut_and_cleaned(void **state)
{
	struct dimse_command request = store_request(7), response;
	struct peer *peer = *state;

	send_command(peer, STORE_CONTEXT, &request);
	send_data(peer, "x", true);
	dimse_store_respond(peer->stores[0], DIMSE_CANNOT_UNDERSTAND,
	    "a\\b\n\xc3\xa4"
	    "0123456789012345678901234567890123456789012345678901234567890123456789");
	expect_response(peer, 0x8001, 7, DIMSE_CANNOT_UNDERSTAND, &response);
	assert_int_equal(strlen(response.comment), 64);
	assert_memory_equal(response.comment, "ab0123456789", 12);
}

static void
expect_refusal(struct peer *peer, const struct dimse_command *request, uint16_t status)
{
	struct dimse_command response;

	send_command(peer, STORE_CONTEXT, request);
	if (request->data_set_type != DIMSE_NO_DATA_SET) {
		assert_int_equal(answer(peer), 0);
		send_data(peer, "ignored", true);
	}
	expect_response(peer, request->field | 0x8000, request->message_id, status, &response);
	assert_int_equal(peer->begun, 0);
}

static void
requests_we_cannot_serve_get_a_status(void **state)
{
	struct peer *peer = *state;
	struct dimse_command request = store_request(1);

	memcpy(request.affected_class, MR, sizeof MR);
	expect_refusal(peer, &request, DIMSE_CLASS_NOT_SUPPORTED);
	request = store_request(2);
	memcpy(request.affected_instance, "../../etc", 10);
	expect_refusal(peer, &request, DIMSE_INVALID_INSTANCE);
	request = store_request(3);
	request.has &= ~(unsigned)DIMSE_HAS_AFFECTED_INSTANCE;
	expect_refusal(peer, &request, DIMSE_INVALID_INSTANCE);
	request = store_request(4);
	request.data_set_type = DIMSE_NO_DATA_SET;
	expect_refusal(peer, &request, DIMSE_MISTYPED_ARGUMENT);
	request = store_request(5);
	request.field = 0x0020; /* C-FIND-RQ */
	expect_refusal(peer, &request, DIMSE_UNRECOGNIZED_OPERATION);
	request.data_set_type = DIMSE_NO_DATA_SET;
	request.field = 0x0130; /* N-ACTION-RQ */
	expect_refusal(peer, &request, DIMSE_UNRECOGNIZED_OPERATION);
	/* And the association goes on. */
	peer->respond_at_end = true;
	request = store_request(6);
	send_command(peer, STORE_CONTEXT, &request);
	send_data(peer, "x", true);
	assert_int_equal(peer->completed, 1);
}

static void
a_cancel_is_not_answered(void **state)
{
	struct dimse_command request = {
	    .has = DIMSE_HAS_FIELD | DIMSE_HAS_RESPONDED_ID | DIMSE_HAS_DATA_SET_TYPE,
	    .field = DIMSE_C_CANCEL_RQ,
	    .responded_id = 5,
	    .data_set_type = DIMSE_NO_DATA_SET};
	struct peer *peer = *state;

	send_command(peer, STORE_CONTEXT, &request);
	assert_int_equal(answer(peer), 0);
	assert_int_equal(peer->fake.assoc.state, UL_STA6);
}

/* ---- what is aborted --------------------------------------------------------------------- */

static void
a_data_set_without_command_is_aborted(void **state)
{
	struct peer *peer = *state;

	send_data(peer, "x", true);
	expect_abort(peer);
}

static void
a_command_inside_a_data_set_is_aborted(void **state)
{
	struct dimse_command request = store_request(1);
	struct peer *peer = *state;

	send_command(peer, STORE_CONTEXT, &request);
	send_data(peer, "x", false);
	send_command(peer, STORE_CONTEXT, &request);
	expect_abort(peer);
	ul_fake_turn(&peer->fake);
	assert_int_equal(peer->cut_off, 1);
	assert_null(peer->stores[0]->assoc);
	dimse_store_respond(peer->stores[0], DIMSE_SUCCESS, NULL);
}

static void
a_data_set_on_another_context_is_aborted(void **state)
{
	struct dimse_command request = store_request(1);
	struct peer *peer = *state;

	peer->respond_at_end = true;
	send_command(peer, STORE_CONTEXT, &request);
	ul_fake_pdv(&peer->out, ECHO_CONTEXT, UL_LAST, "x", 1);
	feed(peer);
	expect_abort(peer);
}

static void
a_command_set_without_end_is_aborted(void **state)
{
	static const uint8_t piece[1000];
	struct peer *peer = *state;

	for (size_t i = 0; i <= DIMSE_COMMAND_MAX / sizeof piece; i++)
		ul_fake_pdv(&peer->out, 1, UL_COMMAND, piece, sizeof piece);
	feed(peer);
	expect_abort(peer);
}

static void
responses_and_commands_without_message_id_are_aborted(void **state)
{
	struct peer *peer = *state;

	for (int i = 0; i < 2; i++) {
		struct dimse_command request = store_request(1);

		if (i == 0)
			request.field |= DIMSE_RESPONSE;
		else
			request.has &= ~(unsigned)DIMSE_HAS_MESSAGE_ID;
		send_command(peer, STORE_CONTEXT, &request);
		expect_abort(peer);
		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
		peer = *state;
	}
}

static void
more_unanswered_requests_than_are_borne_is_an_abort(void **state)
{
	struct peer *peer = *state;

	for (uint16_t i = 0; i <= DIMSE_OUTSTANDING_MAX; i++) {
		struct dimse_command request = store_request(i);

		assert_int_equal(answer(peer), 0);
		send_command(peer, STORE_CONTEXT, &request);
		send_data(peer, "x", true);
	}
	expect_abort(peer);
	assert_int_equal(peer->completed, DIMSE_OUTSTANDING_MAX);
	for (unsigned i = 0; i < DIMSE_OUTSTANDING_MAX; i++)
		dimse_store_respond(peer->stores[i], DIMSE_SUCCESS, NULL);
}

static void
a_store_outlives_its_association(void **state)
{
	struct dimse_command request = store_request(1);
	struct peer *peer = *state;
	struct dimse_store *store;

	send_command(peer, STORE_CONTEXT, &request);
	send_data(peer, "x", true);
	store = peer->stores[0];
	ul_event(&peer->fake.assoc, UL_EVT17_TRANSPORT_CLOSED);
	ul_fake_turn(&peer->fake);
	assert_int_equal(peer->closed, 1);
	assert_null(store->assoc);
	dimse_store_respond(store, DIMSE_SUCCESS, NULL);
	assert_int_equal(answer(peer), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_command_set_survives_the_round_trip),
	    cmocka_unit_test(broken_command_sets_are_refused),
	    TEST(an_echo_is_answered),
	    TEST(a_store_is_handed_on_and_answered_later),
	    TEST(a_store_refused_at_its_beginning_is_answered_after_its_end),
	    TEST(comments_are_cut_and_cleaned),
	    TEST(requests_we_cannot_serve_get_a_status),
	    TEST(a_cancel_is_not_answered),
	    TEST(a_data_set_without_command_is_aborted),
	    TEST(a_command_inside_a_data_set_is_aborted),
	    TEST(a_data_set_on_another_context_is_aborted),
	    TEST(a_command_set_without_end_is_aborted),
	    TEST(responses_and_commands_without_message_id_are_aborted),
	    TEST(more_unanswered_requests_than_are_borne_is_an_abort),
	    TEST(a_store_outlives_its_association),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
