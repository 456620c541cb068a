/* SPDX-License-Identifier: Apache-2.0 */
/* One plugin with every callback, driven by a fake kernel. */
#include <uv.h>

#include "cairn/ledger.pb-c.h"
#include "runtime/channel.h"
#include "runtime/testing/fake_kernel.h"

static struct {
	struct cairn *cairn;
	struct cairn_request *kept;
	struct cairn_job *kept_job;
	int done_code;
	unsigned dones;
	unsigned events;
	unsigned cancels;
	unsigned worked;
	char text[256];
} plugin;

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	(void)err;
	memset(&plugin, 0, sizeof plugin);
	plugin.cairn = cairn;
	*ret_self = &plugin;
	return 0;
}

static void
done(void *arg, int code, const char *text, const void *body, size_t length)
{
	(void)arg;
	(void)body;
	(void)length;
	plugin.done_code = code;
	plugin.dones++;
	snprintf(plugin.text, sizeof plugin.text, "%s", text);
}

static void
work(void *arg)
{
	unsigned *value = arg;

	cairn_log(CAIRN_LOG_DEBUG, "working");
	*value = 42;
}

static void
after_work(void *arg)
{
	(void)arg;
	cairn_reply(plugin.kept, "worked", 6);
}

static int
answer_with_obligations(struct cairn_request *req)
{
	int64_t value = -1;

	if (!cairn_obligation_integer(req, "min_cell", &value))
		return cairn_fail(req, CAIRN_EINVAL, "no obligation");
	cairn_fulfil(req, "min_cell", value);
	cairn_fulfil(req, "round", 5);
	return cairn_reply(req, cairn_request_principal(req), strlen(cairn_request_principal(req)));
}

static int
call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	const char *subject = cairn_request_subject(req);
	size_t length;
	const void *body = cairn_request_body(req, &length);

	assert_ptr_equal(self, &plugin);
	if (strcmp(subject, "t.echo") == 0)
		return cairn_reply(req, body, length);
	if (strcmp(subject, "t.error") == 0)
		return cairn_error_set(err, CAIRN_ENOTFOUND, "no such thing as %d", 7);
	if (strcmp(subject, "t.twice") == 0) {
		cairn_reply(req, "first", 5);
		return CAIRN_EINTERNAL; /* must not be sent, nor touch freed memory */
	}
	if (strcmp(subject, "t.obligations") == 0)
		return answer_with_obligations(req);
	if (strcmp(subject, "t.large") == 0) {
		uint8_t *large = calloc(1, CHANNEL_MESSAGE_MAX);

		cairn_reply(req, large, CHANNEL_MESSAGE_MAX);
		free(large);
		return 0;
	}
	if (strcmp(subject, "t.progress") == 0) {
		cairn_progress(req, "10", 2);
		cairn_progress(req, "20", 2);
		return cairn_reply(req, "30", 2);
	}
	plugin.kept = req;
	if (strcmp(subject, "t.work") == 0)
		return cairn_work(plugin.cairn, work, after_work, &plugin.worked);
	return 0;
}

static int
job(void *self, struct cairn_job *job, struct cairn_error *err)
{
	(void)self;
	if (strcmp(cairn_job_key(job), "keep") == 0)
		plugin.kept_job = job;
	else if (strcmp(cairn_job_key(job), "bad") == 0)
		return cairn_error_set(
		    err, CAIRN_EIO, "disk full, attempt %u", cairn_job_attempt(job));
	else
		cairn_job_done(job);
	return 0;
}

static void
event(void *self, const char *subject, const void *body, size_t length)
{
	(void)self;
	(void)subject;
	(void)body;
	plugin.events += (unsigned)length;
}

static void
cancel(void *self, struct cairn_request *req)
{
	(void)self;
	plugin.cancels++;
	cairn_fail(req, CAIRN_ECANCELLED, "withdrawn");
}

static void
stop(void *self)
{
	(void)self;
	cairn_stopped(plugin.cairn);
}

static const struct cairn_plugin tested = {.size = sizeof tested,
    .abi = CAIRN_ABI,
    .start = start,
    .call = call,
    .job = job,
    .event = event,
    .stop = stop,
    .cancel = cancel};

static struct fake_kernel *
open_kernel(const Cairn__Welcome *welcome)
{
	struct fake_kernel *kernel;
	struct cairn_error err = {0};

	assert_ok(fake_kernel_start(&kernel, &tested, welcome, &err), &err);
	return kernel;
}

static void
expect_reply(struct fake_kernel *kernel, const char *subject, int code, const char *expected)
{
	Cairn__Envelope *reply = fake_kernel_call(kernel, subject, "body", 4);

	assert_int_equal(reply->code, code);
	if (code == 0) {
		assert_int_equal(reply->body.len, strlen(expected));
		assert_memory_equal(reply->body.data, expected, strlen(expected));
	} else {
		assert_string_equal(reply->text, expected);
	}
	cairn__envelope__free_unpacked(reply, NULL);
}

static void
calls_are_answered(void **state)
{
	struct fake_kernel *kernel = open_kernel(NULL);

	(void)state;
	expect_reply(kernel, "t.echo", 0, "body");
	expect_reply(kernel, "t.work", 0, "worked");
	assert_int_equal(plugin.worked, 42);
	assert_int_equal(fake_kernel_stop(kernel), 0);
}

static void
an_error_returned_is_the_answer(void **state)
{
	struct fake_kernel *kernel = open_kernel(NULL);

	(void)state;
	expect_reply(kernel, "t.error", CAIRN_ENOTFOUND, "no such thing as 7");
	fake_kernel_stop(kernel);
}

static void
a_second_answer_is_ignored(void **state)
{
	struct fake_kernel *kernel = open_kernel(NULL);

	(void)state;
	expect_reply(kernel, "t.twice", 0, "first");
	fake_kernel_settle(kernel);
	assert_int_equal(fake_kernel_pending(kernel, CAIRN__ENVELOPE__KIND__REPLY), 0);
	fake_kernel_stop(kernel);
}

static void
an_answer_that_is_too_large_becomes_an_error(void **state)
{
	struct fake_kernel *kernel = open_kernel(NULL);

	(void)state;
	expect_reply(kernel, "t.large", CAIRN_ELIMIT, "the answer of 16777216 bytes is too large");
	fake_kernel_stop(kernel);
}

static void
progress_comes_before_the_reply(void **state)
{
	struct fake_kernel *kernel = open_kernel(NULL);

	(void)state;
	expect_reply(kernel, "t.progress", 0, "30");
	assert_int_equal(fake_kernel_pending(kernel, CAIRN__ENVELOPE__KIND__PROGRESS), 2);
	fake_kernel_stop(kernel);
}

static void
fulfilments_travel_with_the_reply(void **state)
{
	struct fake_kernel *kernel = open_kernel(NULL);
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	Cairn__Context context = CAIRN__CONTEXT__INIT;
	Cairn__Principal principal = CAIRN__PRINCIPAL__INIT;
	Cairn__Obligation obligation = CAIRN__OBLIGATION__INIT;
	Cairn__Obligation *obligations[] = {&obligation};
	char name[] = "min_cell", who[] = "alice@example.org", subject[] = "t.obligations";
	Cairn__Envelope *reply;

	(void)state;
	obligation.name = name;
	obligation.value = 10;
	principal.name = who;
	context.principal = &principal;
	envelope.kind = CAIRN__ENVELOPE__KIND__CALL;
	envelope.id = 900;
	envelope.subject = subject;
	envelope.context = &context;
	envelope.n_obligations = 1;
	envelope.obligations = obligations;
	assert_int_equal(fake_kernel_send(kernel, &envelope), 0);
	reply = fake_kernel_receive(kernel, CAIRN__ENVELOPE__KIND__REPLY);
	assert_int_equal(reply->id, 900);
	assert_int_equal(reply->n_fulfilments, 2);
	assert_string_equal(reply->fulfilments[0]->name, "min_cell");
	assert_int_equal(reply->fulfilments[0]->value, 10);
	assert_memory_equal(reply->body.data, who, strlen(who));
	cairn__envelope__free_unpacked(reply, NULL);
	fake_kernel_stop(kernel);
}

static void
send_id(struct fake_kernel *kernel, Cairn__Envelope__Kind kind, uint64_t id, const char *subject)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	envelope.kind = kind;
	envelope.id = id;
	envelope.subject = (char *)(uintptr_t)subject;
	envelope.body.data = (uint8_t *)(uintptr_t) "reply";
	envelope.body.len = 5;
	assert_int_equal(fake_kernel_send(kernel, &envelope), 0);
}

static void
a_cancelled_request_is_told(void **state)
{
	struct fake_kernel *kernel = open_kernel(NULL);
	Cairn__Envelope *reply;

	(void)state;
	send_id(kernel, CAIRN__ENVELOPE__KIND__CALL, 5, "t.keep");
	send_id(kernel, CAIRN__ENVELOPE__KIND__CANCEL, 4, "");
	send_id(kernel, CAIRN__ENVELOPE__KIND__CANCEL, 5, "");
	reply = fake_kernel_receive(kernel, CAIRN__ENVELOPE__KIND__REPLY);
	assert_int_equal(reply->code, CAIRN_ECANCELLED);
	assert_int_equal(plugin.cancels, 1);
	cairn__envelope__free_unpacked(reply, NULL);
	fake_kernel_stop(kernel);
}

static void
a_call_made_gets_its_reply_once(void **state)
{
	struct fake_kernel *kernel = open_kernel(NULL);
	Cairn__Envelope *sent;

	(void)state;
	assert_int_equal(cairn_call(plugin.cairn, "other.do", "x", 1, 5000, done, NULL), 0);
	sent = fake_kernel_receive(kernel, CAIRN__ENVELOPE__KIND__CALL);
	assert_string_equal(sent->subject, "other.do");
	assert_int_equal(sent->timeout_ms, 5000);
	send_id(kernel, CAIRN__ENVELOPE__KIND__REPLY, sent->id, "");
	send_id(kernel, CAIRN__ENVELOPE__KIND__REPLY, sent->id, "");
	fake_kernel_settle(kernel);
	assert_int_equal(plugin.dones, 1);
	assert_int_equal(plugin.done_code, 0);
	cairn__envelope__free_unpacked(sent, NULL);
	fake_kernel_stop(kernel);
}

static void
records_go_to_the_kernel_in_one_call(void **state)
{
	struct fake_kernel *kernel = open_kernel(NULL);
	const struct cairn_record_field field = {"stored", "7"};
	const struct cairn_record records[2] = {{"t.store", "done", NULL, &field, 1},
	    {.subject = "t.store", .verdict = "refused", .reason = "not allowed"}};
	Cairn__RecordRequest *request;
	Cairn__Envelope *sent;

	(void)state;
	assert_int_equal(cairn_record(plugin.cairn, records, 0, done, NULL), CAIRN_EINVAL);
	assert_int_equal(
	    cairn_record(plugin.cairn, records, CAIRN_RECORDS_MAX + 1, done, NULL), CAIRN_EINVAL);
	assert_int_equal(cairn_record(plugin.cairn, records, 2, done, NULL), 0);
	sent = fake_kernel_receive(kernel, CAIRN__ENVELOPE__KIND__CALL);
	assert_string_equal(sent->subject, "kernel.record");
	request = cairn__record_request__unpack(NULL, sent->body.len, sent->body.data);
	assert_non_null(request);
	assert_int_equal(request->n_records, 2);
	assert_string_equal(request->records[0]->fields[0]->value, "7");
	assert_string_equal(request->records[1]->reason, "not allowed");
	send_id(kernel, CAIRN__ENVELOPE__KIND__REPLY, sent->id, "");
	fake_kernel_settle(kernel);
	assert_int_equal(plugin.dones, 1);
	cairn__record_request__free_unpacked(request, NULL);
	cairn__envelope__free_unpacked(sent, NULL);
	fake_kernel_stop(kernel);
}

static void
a_call_without_reply_times_out_and_is_withdrawn(void **state)
{
	struct fake_kernel *kernel = open_kernel(NULL);
	Cairn__Envelope *sent, *withdrawn;

	(void)state;
	assert_int_equal(cairn_call(plugin.cairn, "other.do", "x", 1, 20, done, NULL), 0);
	sent = fake_kernel_receive(kernel, CAIRN__ENVELOPE__KIND__CALL);
	withdrawn = fake_kernel_receive(kernel, CAIRN__ENVELOPE__KIND__CANCEL);
	assert_int_equal(withdrawn->id, sent->id);
	assert_int_equal(plugin.done_code, CAIRN_ETIMEOUT);
	/* The slot is used again; the late reply must not meet the new call. */
	assert_int_equal(cairn_call(plugin.cairn, "other.do", "x", 1, 5000, done, NULL), 0);
	send_id(kernel, CAIRN__ENVELOPE__KIND__REPLY, sent->id, "");
	fake_kernel_settle(kernel);
	assert_int_equal(plugin.dones, 1);
	cairn__envelope__free_unpacked(sent, NULL);
	cairn__envelope__free_unpacked(withdrawn, NULL);
	fake_kernel_stop(kernel);
}

static void
calls_under_way_are_bounded(void **state)
{
	struct fake_kernel *kernel = open_kernel(NULL);
	int code = 0;
	unsigned made = 0;

	(void)state;
	while (code == 0 && made < 10000) {
		code = cairn_call(plugin.cairn, "other.do", "x", 1, 60000, done, NULL);
		made += code == 0;
		if (made % 1000 == 0)
			fake_kernel_settle(kernel);
	}
	assert_int_equal(code, CAIRN_ELIMIT);
	assert_int_equal(made, 4096);
	fake_kernel_stop(kernel);
}

static void
send_jobs(struct fake_kernel *kernel, const char *const *keys, size_t count)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	Cairn__Job jobs[8];
	Cairn__Job *pointers[8];

	for (size_t i = 0; i < count; i++) {
		cairn__job__init(&jobs[i]);
		jobs[i].id = i + 1;
		jobs[i].attempt = 3;
		jobs[i].key = (char *)(uintptr_t)keys[i];
		pointers[i] = &jobs[i];
	}
	envelope.kind = CAIRN__ENVELOPE__KIND__JOB;
	envelope.n_jobs = count;
	envelope.jobs = pointers;
	assert_int_equal(fake_kernel_send(kernel, &envelope), 0);
}

static void
acknowledgements_share_an_envelope(void **state)
{
	struct fake_kernel *kernel = open_kernel(NULL);
	const char *const keys[] = {"a", "b", "c"};
	Cairn__Envelope *acks;

	(void)state;
	send_jobs(kernel, keys, 3);
	acks = fake_kernel_receive(kernel, CAIRN__ENVELOPE__KIND__JOB_DONE);
	assert_int_equal(acks->n_job_ids, 3);
	assert_int_equal(acks->job_ids[2], 3);
	cairn__envelope__free_unpacked(acks, NULL);
	fake_kernel_stop(kernel);
}

static void
a_failed_job_is_retried_with_its_reason(void **state)
{
	struct fake_kernel *kernel = open_kernel(NULL);
	const char *const keys[] = {"a", "bad", "keep"};
	Cairn__Envelope *acks;

	(void)state;
	send_jobs(kernel, keys, 3);
	acks = fake_kernel_receive(kernel, CAIRN__ENVELOPE__KIND__JOB_RETRY);
	assert_int_equal(acks->n_job_ids, 1);
	assert_int_equal(acks->job_ids[0], 2);
	assert_string_equal(acks->text, "disk full, attempt 3");
	cairn__envelope__free_unpacked(acks, NULL);
	/* One that was kept outlives the message it came in. */
	cairn_job_retry(plugin.kept_job, "later");
	acks = fake_kernel_receive(kernel, CAIRN__ENVELOPE__KIND__JOB_RETRY);
	assert_int_equal(acks->job_ids[0], 3);
	cairn__envelope__free_unpacked(acks, NULL);
	fake_kernel_stop(kernel);
}

static void
jobs_put_are_acknowledged_when_durable(void **state)
{
	struct fake_kernel *kernel = open_kernel(NULL);
	const struct cairn_job_put puts[] = {{"facts", "k1", "one", 3}, {"facts", "k2", "two", 3}};
	Cairn__Envelope *sent;

	(void)state;
	assert_int_equal(cairn_job_put(plugin.cairn, puts, 2, done, NULL), 0);
	sent = fake_kernel_receive(kernel, CAIRN__ENVELOPE__KIND__JOB_PUT);
	assert_int_equal(sent->n_jobs, 2);
	assert_string_equal(sent->jobs[1]->key, "k2");
	assert_int_equal(plugin.dones, 0);
	send_id(kernel, CAIRN__ENVELOPE__KIND__REPLY, sent->id, "");
	fake_kernel_settle(kernel);
	assert_int_equal(plugin.dones, 1);
	cairn__envelope__free_unpacked(sent, NULL);
	fake_kernel_stop(kernel);
}

static void
events_reach_the_plugin(void **state)
{
	struct fake_kernel *kernel = open_kernel(NULL);

	(void)state;
	send_id(kernel, CAIRN__ENVELOPE__KIND__EVENT, 0, "t.event");
	fake_kernel_settle(kernel);
	assert_int_equal(plugin.events, 5);
	fake_kernel_stop(kernel);
}

static void
settings_and_secrets_are_found(void **state)
{
	Cairn__Welcome welcome = CAIRN__WELCOME__INIT;
	Cairn__Setting settings[5];
	Cairn__Setting *pointers[5];
	Cairn__Secret secret = CAIRN__SECRET__INIT;
	Cairn__Secret *secrets[] = {&secret};
	char port[] = "port", list[] = "deid.options", none[] = "none", a[] = "a", b[] = "b";
	char uid[] = "uid", node[] = "site-1";
	uint8_t bytes[] = {1, 2, 3};
	struct fake_kernel *kernel;
	const uint8_t *found;
	size_t length;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		cairn__setting__init(&settings[i]);
		pointers[i] = &settings[i];
		settings[i].key = list;
		settings[i].value_case = CAIRN__SETTING__VALUE_TEXT;
	}
	settings[0].key = port;
	settings[0].value_case = CAIRN__SETTING__VALUE_INTEGER;
	settings[0].integer = 11112;
	settings[1].text = a;
	settings[2].text = b;
	settings[3].key = none;
	settings[3].value_case = CAIRN__SETTING__VALUE__NOT_SET;
	settings[3].empty_list = true;
	secret.name = uid;
	secret.value.data = bytes;
	secret.value.len = 3;
	welcome.node_id = node;
	welcome.n_settings = 4;
	welcome.settings = pointers;
	welcome.n_secrets = 1;
	welcome.secrets = secrets;
	kernel = open_kernel(&welcome);
	assert_int_equal(cairn_config_integer(plugin.cairn, "port"), 11112);
	assert_int_equal(cairn_config_list_length(plugin.cairn, "deid.options"), 2);
	assert_string_equal(cairn_config_list_get(plugin.cairn, "deid.options", 1), "b");
	assert_int_equal(cairn_config_list_length(plugin.cairn, "none"), 0);
	assert_string_equal(cairn_node_id(plugin.cairn), "site-1");
	assert_null(cairn_objects_dir(plugin.cairn));
	assert_int_equal(cairn_secret(plugin.cairn, "uid", &found, &length), 0);
	assert_memory_equal(found, bytes, 3);
	assert_int_equal(cairn_secret(plugin.cairn, "other", &found, &length), CAIRN_EFORBIDDEN);
	fake_kernel_stop(kernel);
}

static void
a_plugin_without_callbacks_refuses_politely(void **state)
{
	static const struct cairn_plugin empty = {.size = sizeof empty, .abi = CAIRN_ABI};
	const char *const keys[] = {"a"};
	struct fake_kernel *kernel;
	struct cairn_error err = {0};
	Cairn__Envelope *acks;

	(void)state;
	assert_ok(fake_kernel_start(&kernel, &empty, NULL, &err), &err);
	expect_reply(kernel, "t.echo", CAIRN_EUNSUPPORTED, "this plugin answers no calls");
	send_jobs(kernel, keys, 1);
	acks = fake_kernel_receive(kernel, CAIRN__ENVELOPE__KIND__JOB_RETRY);
	assert_string_equal(acks->text, "this plugin takes no jobs");
	cairn__envelope__free_unpacked(acks, NULL);
	assert_int_equal(fake_kernel_stop(kernel), 0);
}

/* A plugin of the next release: the descriptor is longer than ours. */
static void
a_longer_descriptor_is_taken_when_what_we_do_not_know_is_unused(void **state)
{
	static struct {
		struct cairn_plugin known;
		void *unknown;
	} longer;
	struct fake_kernel *kernel;
	struct cairn_error err = {0};

	(void)state;
	longer.known = tested;
	longer.known.size = sizeof longer;
	assert_ok(fake_kernel_start(&kernel, &longer.known, NULL, &err), &err);
	expect_reply(kernel, "t.echo", 0, "body");
	fake_kernel_stop(kernel);
	longer.unknown = &longer;
	assert_int_equal(fake_kernel_start(&kernel, &longer.known, NULL, &err), CAIRN_EUNSUPPORTED);
	assert_non_null(strstr(err.text, "install a newer Cairn"));
	assert_int_equal(fake_kernel_stop(kernel), 1);
}

/* ---- check and health ------------------------------------------------------------------- */

static void
say_much(struct cairn_findings *findings)
{
	char what[600];

	memset(what, 'x', sizeof what);
	what[sizeof what - 1] = 0;
	for (int i = 0; i < 2 * CAIRN_FINDINGS_MAX; i++)
		cairn_finding(findings, &(struct cairn_finding){CAIRN_WARNING, what, what, what});
}

static void
check(struct cairn *cairn, struct cairn_findings *findings)
{
	if (cairn_serving(cairn))
		cairn_finding(findings, &(struct cairn_finding){CAIRN_FAULT, "serving", NULL, ""});
	say_much(findings);
}

static void
health(void *self, struct cairn_findings *findings)
{
	(void)self;
	say_much(findings);
}

static void
expect_findings(const Cairn__Envelope *envelope, size_t count)
{
	Cairn__Findings *findings =
	    cairn__findings__unpack(NULL, envelope->body.len, envelope->body.data);

	assert_non_null(findings);
	assert_int_equal(findings->n_findings, count);
	if (count > 0)
		assert_int_equal(strlen(findings->findings[count - 1]->advice), 255);
	assert_int_equal(findings->supported, count > 0);
	cairn__findings__free_unpacked(findings, NULL);
}

static void
health_is_asked_bounded_and_optional(void **state)
{
	struct cairn_plugin descriptor = {.size = sizeof descriptor, .abi = CAIRN_ABI};
	struct cairn_error err = {0};

	(void)state;
	for (int i = 0; i < 2; i++) {
		Cairn__Envelope ask = CAIRN__ENVELOPE__INIT, *answer;
		struct fake_kernel *kernel;

		descriptor.health = i == 0 ? NULL : health;
		assert_ok(fake_kernel_start(&kernel, &descriptor, NULL, &err), &err);
		ask.kind = CAIRN__ENVELOPE__KIND__HEALTH;
		ask.id = 9;
		fake_kernel_send(kernel, &ask);
		answer = fake_kernel_receive(kernel, CAIRN__ENVELOPE__KIND__HEALTH);
		assert_int_equal(answer->id, 9);
		expect_findings(answer, i == 0 ? 0 : CAIRN_FINDINGS_MAX);
		cairn__envelope__free_unpacked(answer, NULL);
		assert_int_equal(fake_kernel_stop(kernel), 0);
	}
}

static int
never_start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	(void)cairn, (void)ret_self;
	return cairn_error_set(err, CAIRN_EINTERNAL, "started, though only asked to check");
}

static void
a_check_is_made_in_place_of_start(void **state)
{
	struct cairn_plugin descriptor = {
	    .size = sizeof descriptor, .abi = CAIRN_ABI, .start = never_start, .check = check};
	Cairn__Welcome welcome = CAIRN__WELCOME__INIT;
	struct fake_kernel *kernel;
	struct cairn_error err = {0};

	(void)state;
	welcome.wire = 1;
	welcome.check = welcome.serving = true;
	assert_ok(fake_kernel_start(&kernel, &descriptor, &welcome, &err), &err);
	assert_int_equal(fake_kernel_stop(kernel), 0);
}

static void
a_dead_kernel_ends_the_host(void **state)
{
	(void)state;
	assert_int_equal(fake_kernel_die(open_kernel(NULL)), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(calls_are_answered),
	    cmocka_unit_test(an_error_returned_is_the_answer),
	    cmocka_unit_test(a_second_answer_is_ignored),
	    cmocka_unit_test(an_answer_that_is_too_large_becomes_an_error),
	    cmocka_unit_test(progress_comes_before_the_reply),
	    cmocka_unit_test(fulfilments_travel_with_the_reply),
	    cmocka_unit_test(a_cancelled_request_is_told),
	    cmocka_unit_test(a_call_made_gets_its_reply_once),
	    cmocka_unit_test(records_go_to_the_kernel_in_one_call),
	    cmocka_unit_test(a_call_without_reply_times_out_and_is_withdrawn),
	    cmocka_unit_test(calls_under_way_are_bounded),
	    cmocka_unit_test(acknowledgements_share_an_envelope),
	    cmocka_unit_test(a_failed_job_is_retried_with_its_reason),
	    cmocka_unit_test(jobs_put_are_acknowledged_when_durable),
	    cmocka_unit_test(events_reach_the_plugin),
	    cmocka_unit_test(settings_and_secrets_are_found),
	    cmocka_unit_test(a_plugin_without_callbacks_refuses_politely),
	    cmocka_unit_test(a_longer_descriptor_is_taken_when_what_we_do_not_know_is_unused),
	    cmocka_unit_test(health_is_asked_bounded_and_optional),
	    cmocka_unit_test(a_check_is_made_in_place_of_start),
	    cmocka_unit_test(a_dead_kernel_ends_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
