/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests: the plugin and a fake kernel in one program, a sender on the plugin's own loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include <cairn/facts.pb-c.h>
#include <cairn/imaging.pb-c.h>
#include <cairn/testing.h>

#define PORT 25751
#define MSH(type, id) "MSH|^~\\&|LAB|HOSP|CAIRN|SITE|20240102||" type "|" id "|P|2.5"
#define PID "\rPID|1||4711^^^HOSP^MR||Muster^Max||19700230|M"
#define PID_GOOD "\rPID|1||4711^^^HOSP^MR||Muster^Max||19700220|M"

struct sender {
	uv_tcp_t tcp;
	uv_connect_t connect;
	uv_write_t write;
	char got[65536];
	size_t length;
	bool acknowledged, ended, closed;
};

struct test {
	struct cairn_testing *kernel;
	struct sender sender;
};

static void
room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct sender *s = handle->data;

	(void)suggested;
	*ret = uv_buf_init(s->got + s->length, (unsigned)(sizeof s->got - s->length - 1));
}

static void
got(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
	struct sender *s = stream->data;

	(void)buf;
	s->ended |= count < 0;
	s->length += count > 0 ? (size_t)count : 0;
	s->got[s->length] = 0;
	s->acknowledged |= count > 0 && memchr(s->got, 0x1c, s->length) != NULL;
}

static void
ready(uv_connect_t *connect, int status)
{
	assert_int_equal(status, 0);
	uv_read_start(connect->handle, room, got);
	((struct sender *)connect->data)->acknowledged = true;
}

static void
sender_closed(uv_handle_t *handle)
{
	((struct sender *)handle->data)->closed = true;
}

static int
set_up(void **state)
{
	static const char *const settings[] = {"address=127.0.0.1", "port=25751", "peers[]",
	    "connections_max=2", "message_kb=64", "idle_s=60", "frame_s=10",
	    "authority=", "issuer=", "link_types=MR", "link_types=PI", "link_types=NI",
	    "charset=UNICODE UTF-8", "processing=P", "text_codes=NOTE", NULL};
	struct test *test = calloc(1, sizeof *test);
	struct sender *s = &test->sender;
	struct sockaddr_in address;

	test->kernel = cairn_testing_new(settings);
	cairn_testing_start(test->kernel, &cairn_plugin);
	uv_ip4_addr("127.0.0.1", PORT, &address);
	uv_tcp_init(cairn_loop(cairn_testing_cairn(test->kernel)), &s->tcp);
	s->tcp.data = s->connect.data = s;
	uv_tcp_connect(&s->connect, &s->tcp, (struct sockaddr *)&address, ready);
	cairn_testing_wait(test->kernel, &s->acknowledged);
	*state = test;
	return 0;
}

static int
tear_down(void **state)
{
	struct test *test = *state;

	uv_close((uv_handle_t *)&test->sender.tcp, sender_closed);
	cairn_testing_wait(test->kernel, &test->sender.closed);
	cairn_testing_stop(test->kernel);
	free(test);
	return 0;
}

static void
send_bytes(struct test *test, const char *bytes, size_t length)
{
	uv_buf_t buf = uv_buf_init((char *)(size_t)bytes, (unsigned)length);

	test->sender.acknowledged = false;
	test->sender.length = 0;
	assert_true(uv_try_write((uv_stream_t *)&test->sender.tcp, &buf, 1) == (int)length);
}

/* The acknowledgement of the message in a frame. */
static const char *
exchange(struct test *test, const char *message)
{
	char frame[8192];
	int length = snprintf(frame, sizeof frame, "\x0b%s\r\x1c\r", message);

	send_bytes(test, frame, (size_t)length);
	cairn_testing_wait(test->kernel, &test->sender.acknowledged);
	return test->sender.got;
}

static void
know_by(struct test *test, const char *subject, const char *pseudonym)
{
	Cairn__PseudonymAnswer answer = CAIRN__PSEUDONYM_ANSWER__INIT;
	uint8_t body[256];

	answer.pseudonym = (char *)(size_t)pseudonym;
	answer.date_shift_days = 10;
	cairn_testing_answer(
	    test->kernel, subject, 0, body, cairn__pseudonym_answer__pack(&answer, body));
}

static void
know(struct test *test, const char *pseudonym)
{
	know_by(test, "pseudonym.patient", pseudonym);
}

/* What was put as a job; to be freed. */
static Cairn__FactBatch *
job(struct test *test)
{
	const struct cairn_testing_sent *sent = cairn_testing_take(test->kernel, "facts");

	assert_non_null(sent);
	return cairn__fact_batch__unpack(NULL, sent->length, sent->body);
}

static void
a_patient_is_known_by_pseudonym_sex_and_shifted_birth_date(void **state)
{
	struct test *test = *state;
	Cairn__FactBatch *batch;

	know(test, "pseudo");
	cairn_testing_answer(test->kernel, "facts", 0, "", 0);
	assert_non_null(strstr(exchange(test, MSH("ADT^A01", "7") PID_GOOD), "\rMSA|AA|7\r"));
	batch = job(test);
	assert_string_equal(batch->patients[0]->patient, "pseudo");
	assert_string_equal(batch->patients[0]->facts[0]->text, "male");
	assert_int_equal(batch->patients[0]->facts[1]->day, 50 + 10);
	cairn__fact_batch__free_unpacked(batch, NULL);
}

static void
nothing_of_the_name_or_the_number_is_in_the_job(void **state)
{
	struct test *test = *state;
	const struct cairn_testing_sent *sent;

	know(test, "pseudo");
	cairn_testing_answer(test->kernel, "facts", 0, "", 0);
	exchange(test,
	    MSH("ORU^R01", "7") PID_GOOD "\rOBX|1|ST|NAME||Muster\rOBX|2|CE|X^^L||4711^Muster\r"
					 "OBX|3|CX|X^^L||4711^^M11");
	sent = cairn_testing_take(test->kernel, "facts");
	assert_non_null(sent);
	assert_null(memmem(sent->body, sent->length, "Muster", 6));
	assert_null(memmem(sent->body, sent->length, "4711", 4));
	assert_null(strstr(sent->key, "4711"));
}

static void
numbers_codes_and_listed_texts_are_observations(void **state)
{
	struct test *test = *state;
	Cairn__FactBatch *batch;
	Cairn__Observation **o;

	know(test, "pseudo");
	cairn_testing_answer(test->kernel, "facts", 0, "", 0);
	exchange(test,
	    MSH("ORU^R01", "8") PID_GOOD "\rOBR|1||||||197002200830\rOBX|1|NM|2857-1^PSA^LN||4.5|"
					 "ng/mL|||||F\rOBX|2|CWE|X^^L||C61^^I10~C50^^I10\r"
					 "OBX|3|SN|Y^^L||<^0.1\rOBX|4|TX|NOTE||a \\T\\ b");
	batch = job(test);
	assert_int_equal(batch->patients[0]->n_observations, 5);
	o = batch->patients[0]->observations;
	assert_true(o[0]->quantity->value == 4.5 && o[0]->day == 60);
	assert_string_equal(o[0]->quantity->unit, "ng/mL");
	assert_string_equal(o[2]->coded->code, "C50");
	assert_string_equal(o[3]->quantity->comparator, "<");
	assert_string_equal(o[4]->text, "a & b");
	cairn__fact_batch__free_unpacked(batch, NULL);
}

static void
a_merge_is_the_kernels_to_make(void **state)
{
	struct test *test = *state;
	const struct cairn_testing_sent *sent;
	Cairn__PseudonymMerge *merge;
	Cairn__FactBatch *batch;

	know_by(test, "pseudonym.merge", "new");
	cairn_testing_answer(test->kernel, "facts", 0, "", 0);
	exchange(test, MSH("ADT^A40^ADT_A39", "9") PID "\rMRG|4712^^^HOSP^MR");
	sent = cairn_testing_take(test->kernel, "pseudonym.merge");
	merge = cairn__pseudonym_merge__unpack(NULL, sent->length, sent->body);
	assert_int_equal(merge->n_from, 1);
	assert_string_equal(merge->from[0]->identifier, "4712");
	assert_string_equal(merge->to[0]->identifier, "4711");
	cairn__pseudonym_merge__free_unpacked(merge, NULL);
	batch = job(test);
	assert_string_equal(batch->patients[0]->patient, "new");
	assert_int_equal(batch->patients[0]->n_facts, 1); /* there was no 30th of February */
	cairn__fact_batch__free_unpacked(batch, NULL);
}

static void
further_identifiers_of_listed_types_are_said_with_their_authorities(void **state)
{
	struct test *test = *state;
	const struct cairn_testing_sent *sent;
	Cairn__PseudonymRequest *request;

	know(test, "pseudo");
	cairn_testing_answer(test->kernel, "facts", 0, "", 0);
	exchange(test,
	    MSH("ADT^A04",
		"9") "\rPID|1||1^^^HOSP^MR~2^^^&1.2.3&ISO^PI~3^^^CARD^AN~4^^^DE^NI~5^^^X");
	sent = cairn_testing_take(test->kernel, "pseudonym.patient");
	request = cairn__pseudonym_request__unpack(NULL, sent->length, sent->body);
	assert_string_equal(request->identifier, "1");
	assert_int_equal(request->n_also, 2);
	assert_string_equal(request->also[0]->identifier_type, "patient-id");
	assert_string_equal(request->also[0]->issuer, "1.2.3");
	assert_string_equal(request->also[1]->identifier_type, "national-id");
	assert_string_equal(request->also[1]->identifier, "4");
	cairn__pseudonym_request__free_unpacked(request, NULL);
}

static void
a_merge_the_other_way_round_is_wrong(void **state)
{
	struct test *test = *state;

	cairn_testing_answer(test->kernel, "pseudonym.merge", CAIRN_EEXIST, "", 0);
	assert_non_null(strstr(exchange(test, MSH("ADT^A18", "9") PID "\rMRG|4712^^^HOSP^MR"),
	    "MSA|AE|9\rERR||MRG^1^1|204^"));
}

static void
there_is_no_answer_before_the_job_is_on_disk(void **state)
{
	struct test *test = *state;
	const char *frame = "\x0b" MSH("ADT^A04", "7") PID "\r\x1c\r";

	know(test, "pseudo");
	send_bytes(test, frame, strlen(frame));
	for (int i = 0; i < 20 && cairn_testing_take(test->kernel, "pseudonym.patient") == NULL;
	     i++)
		cairn_testing_settle(test->kernel);
	for (int i = 0; i < 20; i++)
		cairn_testing_settle(test->kernel);
	assert_int_equal(test->sender.length, 0);
	cairn_testing_answer(test->kernel, "facts", 0, "", 0);
	cairn_testing_wait(test->kernel, &test->sender.acknowledged);
	assert_non_null(strstr(test->sender.got, "MSA|AA|7"));
}

static void
a_job_that_is_refused_is_a_rejection(void **state)
{
	struct test *test = *state;

	know(test, "pseudo");
	cairn_testing_answer(test->kernel, "facts", CAIRN_EIO, "", 0);
	assert_non_null(
	    strstr(exchange(test, MSH("ADT^A04", "7") PID), "MSA|AR|7\rERR||MSH^1^0|207"));
}

static void
what_is_wrong_is_said_with_its_place(void **state)
{
	static const char *const cases[][2] = {
	    {MSH("ADT^A03", "1") PID, "MSA|AR|1\rERR||MSH^1^9|201^^HL70357|E|"},
	    {MSH("ADT^A01", "2") "\rPID|1||^^^HOSP", "MSA|AE|2\rERR||PID^1^3|101^"},
	    {MSH("ADT^A40", "3") PID, "MSA|AE|3\rERR||MRG^1^1|101^"},
	    {MSH("ADT^A01", "4") PID PID, "MSA|AE|4\rERR||PID^1^0|100^"},
	    {MSH("ORU^R01", "5") PID "\rOBX|1|NM|X||1\rOBX|2|NM|X||one", "ERR||OBX^2^5|102^"},
	    {MSH("ORU^R01", "6") PID "\rOBX|1|NM|||1", "ERR||OBX^1^3|101^"},
	    {MSH("ADT^A01", "7") "||||||KLINGON" PID, "ERR||MSH^1^18|103^"},
	    {MSH("ADT^A01", "8") "||||||ASCII" PID "\rZXX|\xfc", "ERR||MSH^1^18|103^"},
	    {"HELLO", "MSA|AR|\rERR||MSH^1^0|100^"},
	    {"MSH|^~\\&|A|B|C|D|||ADT^A01|9|T|2.5" PID, "MSA|AR|9\rERR||MSH^1^11|202^"},
	    {"MSH|^~\\&|A|B|C|D|||ADT^A01|9|P|3.0" PID, "ERR||MSH^1^12|203^"}};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (strstr(exchange(*state, cases[i][0]), cases[i][1]) == NULL)
			fail_msg("case %zu: %s", i, ((struct test *)*state)->sender.got);
}

static void
enhanced_mode_gets_what_it_asked_for(void **state)
{
	struct test *test = *state;

	assert_non_null(strstr(exchange(test, MSH("ADT^A03", "1") "|||AL|NE" PID), "MSA|CR|1"));
	assert_non_null(strstr(exchange(test, MSH("ADT^A03", "2") "|||NE|ER" PID), "MSA|AR|2"));
	know(test, "pseudo");
	know(test, "pseudo");
	cairn_testing_answer(test->kernel, "facts", 0, "", 0);
	cairn_testing_answer(test->kernel, "facts", 0, "", 0);
	assert_non_null(strstr(exchange(test, MSH("ADT^A01", "3") "|||SU|NE" PID), "MSA|CA|3"));
	/* Wants none; so that what comes next is of the message behind it. */
	send_bytes(test, "\x0b" MSH("ADT^A01", "4") "|||NE|NE" PID "\r\x1c\r",
	    strlen("\x0b" MSH("ADT^A01", "4") "|||NE|NE" PID "\r\x1c\r"));
	assert_non_null(strstr(exchange(test, MSH("ADT^A03", "5") PID), "MSA|AR|5"));
}

static void
latin_letters_reach_the_kernel_as_utf8(void **state)
{
	struct test *test = *state;
	const struct cairn_testing_sent *sent;

	know(test, "pseudo");
	cairn_testing_answer(test->kernel, "facts", 0, "", 0);
	exchange(test, MSH("ADT^A01", "1") "||||||8859/1\rPID|1||M\xfcller-1^^^H\\S\\S");
	sent = cairn_testing_take(test->kernel, "pseudonym.patient");
	assert_non_null(memmem(sent->body, sent->length, "M\xc3\xbcller-1", 9));
	assert_non_null(memmem(sent->body, sent->length, "H^S", 3));
}

static void
a_half_frame_ends_the_connection_in_time(void **state)
{
	struct test *test = *state;

	send_bytes(test, "\x0bMSH|", 5);
	for (int i = 0; i < 20; i++)
		cairn_testing_settle(test->kernel);
	cairn_testing_advance(test->kernel, 9000);
	assert_false(test->sender.ended);
	cairn_testing_advance(test->kernel, 1001);
	cairn_testing_wait(test->kernel, &test->sender.ended);
}

static void
bytes_outside_of_a_frame_end_the_connection(void **state)
{
	struct test *test = *state;

	send_bytes(test, "\r\nGET / HTTP/1.1", 16);
	cairn_testing_wait(test->kernel, &test->sender.ended);
}

static void
a_frame_within_a_frame_ends_the_connection(void **state)
{
	struct test *test = *state;

	send_bytes(test, "\x0bMSH\x0bMSH\x1c\r", 10);
	cairn_testing_wait(test->kernel, &test->sender.ended);
}

static void
a_message_beyond_the_limit_ends_the_connection(void **state)
{
	struct test *test = *state;
	char *giant = malloc(70000);

	memset(giant, 'A', 70000);
	giant[0] = 0x0b;
	send_bytes(test, giant, 70000);
	cairn_testing_wait(test->kernel, &test->sender.ended);
	free(giant);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_patient_is_known_by_pseudonym_sex_and_shifted_birth_date),
	    TEST(nothing_of_the_name_or_the_number_is_in_the_job),
	    TEST(numbers_codes_and_listed_texts_are_observations),
	    TEST(a_merge_is_the_kernels_to_make),
	    TEST(further_identifiers_of_listed_types_are_said_with_their_authorities),
	    TEST(a_merge_the_other_way_round_is_wrong),
	    TEST(there_is_no_answer_before_the_job_is_on_disk),
	    TEST(a_job_that_is_refused_is_a_rejection),
	    TEST(what_is_wrong_is_said_with_its_place),
	    TEST(enhanced_mode_gets_what_it_asked_for),
	    TEST(latin_letters_reach_the_kernel_as_utf8),
	    TEST(a_half_frame_ends_the_connection_in_time),
	    TEST(bytes_outside_of_a_frame_end_the_connection),
	    TEST(a_frame_within_a_frame_ends_the_connection),
	    TEST(a_message_beyond_the_limit_ends_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
