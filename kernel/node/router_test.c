/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The router against a guard, a ledger and handlers that do what the test says: what the real ones
 * do only when a disk is full or a moment is unlucky.
 */
#include "node/router.h"

#include "base/test.h"
#include "node/call.h"
#include "node/patients.h"
#include "node/report.h"
#include "node/services.h"

#define SENT_MAX 16

/* ---- the fakes -------------------------------------------------------------------------- */

struct sent {
	Cairn__Envelope__Kind kind;
	uint64_t id;
	int code;
	char text[128];
	size_t obligations;
};

/* cmocka runs one test at a time, in one thread. */
static struct {
	int handler_code; /* what sending to a handler returns */
	struct sent to_handler[SENT_MAX];
	size_t to_handler_count;
	struct sent to_caller[SENT_MAX];
	size_t to_caller_count;
	bool cancel_all_on_reply; /* the caller closes its connection from inside send() */
	bool permit;
	int64_t min_cell; /* 0: no obligation */
	int ledger_code;  /* what ledger_append returns */
	ledger_durable_fn durable;
	void *durable_arg;
	size_t outcomes;
	char verdict[16];
} fake;

static struct router *router;

static void
note(struct sent *list, size_t *count, const Cairn__Envelope *envelope)
{
	struct sent *sent = &list[*count];

	if (*count == SENT_MAX)
		return;
	*sent = (struct sent){
	    envelope->kind, envelope->id, envelope->code, "", envelope->n_obligations};
	snprintf(sent->text, sizeof sent->text, "%s", envelope->text);
	(*count)++;
}

int
node_plugin_send(struct node_plugin *plugin, const Cairn__Envelope *envelope)
{
	(void)plugin;
	if (fake.handler_code == 0)
		note(fake.to_handler, &fake.to_handler_count, envelope);
	return fake.handler_code;
}

void
node_plugin_down(const struct node_plugin *plugin, int code, char *ret, size_t size)
{
	(void)plugin;
	snprintf(ret, size, "down, code %d", code);
}

bool
node_plugin_may(const struct node_plugin *plugin, const char *kind, const char *what)
{
	(void)plugin, (void)kind, (void)what;
	return true;
}

void
node_plugin_refuse(struct node_plugin *plugin, const char *text)
{
	(void)plugin, (void)text;
}

void
guard_decide(struct guard *guard, const struct guard_question *question, struct guard_decision *ret)
{
	(void)guard, (void)question;
	*ret = (struct guard_decision){.permit = fake.permit, .rule = "rule", .reason = "reason"};
	if (fake.min_cell > 0)
		ret->obligations[ret->obligation_count++] =
		    (struct guard_obligation){"min_cell", fake.min_cell};
}

int
ledger_append(struct ledger *ledger, const struct ledger_entry *entry, ledger_durable_fn durable,
    void *arg, struct cairn_error *err)
{
	(void)ledger;
	if (fake.ledger_code != 0)
		return cairn_error_set(err, fake.ledger_code, "the ledger is full");
	if (strcmp(entry->kind, "outcome") == 0) {
		fake.outcomes++;
		snprintf(fake.verdict, sizeof fake.verdict, "%s", entry->verdict);
	} else {
		fake.durable = durable;
		fake.durable_arg = arg;
	}
	return 0;
}

bool
services_call(struct node *node, const char *subject, const struct router_origin *origin,
    const struct router_principal *principal, const ProtobufCBinaryData *body, int *ret_code,
    struct buf *reply, struct cairn_error *err)
{
	(void)node, (void)subject, (void)origin, (void)principal, (void)body;
	(void)ret_code, (void)reply, (void)err;
	return false;
}

bool
manifest_has(const struct manifest *of, const char *capability)
{
	(void)of, (void)capability;
	return false;
}

void
report_call(struct node *node, const struct router_origin *origin, const Cairn__Envelope *envelope)
{
	(void)node, (void)origin, (void)envelope;
}

const struct manifest_serve *
patients_serve_find(const char *subject)
{
	(void)subject;
	return NULL;
}

void
patients_call(struct router *of, struct call *ended)
{
	(void)of, (void)ended;
}

const char *
services_subject(size_t index)
{
	(void)index;
	return NULL;
}

/* ---- the fixture ------------------------------------------------------------------------ */

static struct manifest_serve serves[] = {{.subject = (char *)(uintptr_t) "a.plain"},
    {.subject = (char *)(uintptr_t) "a.guarded", .guarded = true}};
static struct manifest manifest = {
    .name = (char *)(uintptr_t) "a", .serves = serves, .serve_count = 2};
static struct node_plugin plugin = {.config.manifest = &manifest};
static struct node_plugin other = {.config.manifest = &manifest};
static struct node node = {.plugins = {&plugin}, .plugin_count = 1};
static uv_loop_t loop;
static char caller; /* its address is who asks */

static void
send_to_caller(void *arg, const Cairn__Envelope *envelope)
{
	(void)arg;
	note(fake.to_caller, &fake.to_caller_count, envelope);
	if (fake.cancel_all_on_reply)
		router_cancel(router, &caller, 0, true);
}

static int
begin(void **state)
{
	struct cairn_error err = {0};

	(void)state;
	memset(&fake, 0, sizeof fake);
	fake.permit = true;
	node.loop = &loop;
	return uv_loop_init(&loop) != 0 || router_new(&router, &node, &err) != 0;
}

static int
end(void **state)
{
	(void)state;
	router_free(router);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

static void
ask(const char *subject, uint64_t id, unsigned timeout_ms)
{
	struct router_origin origin = {send_to_caller, &caller, id, NULL};
	struct router_principal principal = {"local:me", "operator", "control", ""};
	Cairn__Envelope call = CAIRN__ENVELOPE__INIT;

	call.kind = CAIRN__ENVELOPE__KIND__CALL;
	call.subject = (char *)(uintptr_t)subject;
	call.timeout_ms = timeout_ms;
	router_call(router, &origin, &principal, &call);
}

static void
on_disk(int code)
{
	fake.durable(fake.durable_arg, code, 1);
	fake.durable = NULL;
}

static void
answer(struct node_plugin *from, uint64_t id, int64_t min_cell)
{
	Cairn__Envelope reply = CAIRN__ENVELOPE__INIT;
	Cairn__Fulfilment fulfilment = CAIRN__FULFILMENT__INIT;
	Cairn__Fulfilment *list[] = {&fulfilment};

	fulfilment.name = (char *)(uintptr_t) "min_cell";
	fulfilment.value = min_cell;
	reply.kind = CAIRN__ENVELOPE__KIND__REPLY;
	reply.id = id;
	reply.fulfilments = list;
	reply.n_fulfilments = min_cell > 0;
	router_answer(router, from, &reply);
}

static void
assert_answered(size_t index, uint64_t id, int code, const char *text)
{
	assert_true(fake.to_caller_count > index);
	assert_int_equal(fake.to_caller[index].kind, CAIRN__ENVELOPE__KIND__REPLY);
	assert_int_equal(fake.to_caller[index].id, id);
	assert_int_equal(fake.to_caller[index].code, code);
	assert_non_null(strstr(fake.to_caller[index].text, text));
}

/* ---- the ledger ------------------------------------------------------------------------- */

static void
nothing_is_delivered_before_its_decision_is_on_disk(void **state)
{
	(void)state;
	ask("a.guarded", 1, 1000);
	assert_int_equal(fake.to_handler_count, 0);
	on_disk(0);
	assert_int_equal(fake.to_handler_count, 1);
	assert_int_equal(fake.to_caller_count, 0);
}

static void
a_full_ledger_fails_the_call(void **state)
{
	(void)state;
	fake.ledger_code = CAIRN_ELIMIT;
	ask("a.guarded", 1, 1000);
	assert_answered(0, 1, CAIRN_EIO, "could not be recorded");
	assert_int_equal(fake.to_handler_count, 0);
	assert_int_equal(router_calls(router), 0);
}

static void
a_decision_that_does_not_get_to_the_disk_delivers_nothing(void **state)
{
	(void)state;
	ask("a.guarded", 1, 1000);
	on_disk(CAIRN_EIO);
	assert_answered(0, 1, CAIRN_EIO, "could not be recorded");
	assert_int_equal(fake.to_handler_count, 0);
	assert_int_equal(fake.outcomes, 0);
	assert_int_equal(router_calls(router), 0);
}

static void
a_call_that_is_cancelled_while_its_decision_is_written_is_not_delivered(void **state)
{
	(void)state;
	ask("a.guarded", 1, 1000);
	router_cancel(router, &caller, 1, false);
	assert_answered(0, 1, CAIRN_ECANCELLED, "cancelled");
	assert_int_equal(fake.outcomes, 1);
	ask("a.plain", 2, 1000); /* takes the same slot */
	on_disk(0);
	assert_int_equal(fake.to_handler_count, 1);
	assert_int_equal(fake.outcomes, 1);
	assert_int_equal(router_calls(router), 1);
}

static void
the_outcome_of_a_permit_that_could_not_be_delivered_is_recorded(void **state)
{
	(void)state;
	fake.handler_code = CAIRN_EUNAVAILABLE;
	ask("a.guarded", 1, 1000);
	on_disk(0);
	assert_answered(0, 1, CAIRN_EUNAVAILABLE, "down, code ");
	assert_int_equal(fake.outcomes, 1);
	assert_string_equal(fake.verdict, "failed");
}

static void
a_denial_is_answered_once_it_is_on_disk_and_has_no_outcome(void **state)
{
	(void)state;
	fake.permit = false;
	ask("a.guarded", 1, 1000);
	assert_int_equal(fake.to_caller_count, 0);
	on_disk(0);
	assert_answered(0, 1, CAIRN_EDENIED, "reason");
	assert_int_equal(fake.to_handler_count, 0);
	assert_int_equal(fake.outcomes, 0);
}

/* ---- answers ---------------------------------------------------------------------------- */

static void
a_weaker_fulfilment_is_none(void **state)
{
	(void)state;
	fake.min_cell = 10;
	ask("a.guarded", 1, 1000);
	on_disk(0);
	assert_int_equal(fake.to_handler[0].obligations, 1);
	answer(&plugin, fake.to_handler[0].id, 9);
	assert_answered(0, 1, CAIRN_EINTERNAL, "answer withheld");
	ask("a.guarded", 2, 1000);
	on_disk(0);
	answer(&plugin, fake.to_handler[1].id, 11);
	assert_answered(1, 2, 0, "");
	assert_string_equal(fake.verdict, "done");
}

static void
only_the_handler_of_a_delivered_call_answers_it(void **state)
{
	(void)state;
	ask("a.plain", 1, 1000);
	answer(&other, fake.to_handler[0].id, 0);
	answer(&plugin, fake.to_handler[0].id + ROUTER_CALLS_MAX, 0);
	answer(&plugin, fake.to_handler[0].id + 1, 0);
	answer(&plugin, UINT64_MAX, 0);
	assert_int_equal(fake.to_caller_count, 0);
	answer(&plugin, fake.to_handler[0].id, 0);
	assert_answered(0, 1, 0, "");
	answer(&plugin, fake.to_handler[0].id, 0);
	assert_int_equal(fake.to_caller_count, 1);
}

static void
an_answer_to_a_call_that_waits_for_its_record_is_ignored(void **state)
{
	(void)state;
	ask("a.plain", 1, 1000);
	answer(&plugin, fake.to_handler[0].id, 0);
	ask("a.guarded", 2, 1000); /* the next generation of the same slot */
	answer(&plugin, fake.to_handler[0].id + ROUTER_CALLS_MAX, 0);
	assert_int_equal(fake.to_caller_count, 1);
	on_disk(0);
	assert_int_equal(fake.to_handler_count, 2);
}

/* ---- ends ------------------------------------------------------------------------------- */

static void
deadlines_end_calls_and_cancel_them_at_the_handler(void **state)
{
	(void)state;
	ask("a.plain", 1, 1);
	ask("a.plain", 2, 60000);
	while (fake.to_caller_count == 0)
		uv_run(&loop, UV_RUN_ONCE);
	assert_answered(0, 1, CAIRN_ETIMEOUT, "no answer before the deadline");
	assert_int_equal(fake.to_handler[2].kind, CAIRN__ENVELOPE__KIND__CANCEL);
	assert_int_equal(fake.to_handler[2].id, fake.to_handler[0].id);
	assert_int_equal(router_calls(router), 1);
}

/* A connection closes when its answer cannot be sent, from inside the walk over all calls. */
static void
a_caller_that_goes_away_while_it_is_answered_is_survived(void **state)
{
	(void)state;
	for (uint64_t id = 1; id <= 8; id++)
		ask("a.plain", id, 1000);
	fake.cancel_all_on_reply = true;
	router_gone(router, &plugin);
	assert_int_equal(fake.to_caller_count, 1);
	assert_int_equal(router_calls(router), 0);
	fake.cancel_all_on_reply = false;
	for (uint64_t id = 1; id <= 8; id++)
		ask("a.plain", id, 1);
	fake.cancel_all_on_reply = true;
	while (router_calls(router) > 0)
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(fake.to_caller_count, 2);
}

static void
calls_beyond_the_maximum_are_refused_until_one_ends(void **state)
{
	(void)state;
	for (uint64_t id = 1; id <= ROUTER_CALLS_MAX; id++)
		ask("a.plain", id, 1000);
	assert_int_equal(fake.to_caller_count, 0);
	ask("a.plain", 9999, 1000);
	assert_answered(0, 9999, CAIRN_ELIMIT, "4,096 calls are under way");
	router_cancel(router, &caller, 17, false);
	assert_answered(1, 17, CAIRN_ECANCELLED, "cancelled");
	ask("a.plain", 10000, 1000);
	assert_int_equal(fake.to_caller_count, 2);
	assert_int_equal(router_calls(router), ROUTER_CALLS_MAX);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
	    TEST(nothing_is_delivered_before_its_decision_is_on_disk),
	    TEST(a_full_ledger_fails_the_call),
	    TEST(a_decision_that_does_not_get_to_the_disk_delivers_nothing),
	    TEST(a_call_that_is_cancelled_while_its_decision_is_written_is_not_delivered),
	    TEST(the_outcome_of_a_permit_that_could_not_be_delivered_is_recorded),
	    TEST(a_denial_is_answered_once_it_is_on_disk_and_has_no_outcome),
	    TEST(a_weaker_fulfilment_is_none),
	    TEST(only_the_handler_of_a_delivered_call_answers_it),
	    TEST(an_answer_to_a_call_that_waits_for_its_record_is_ignored),
	    TEST(deadlines_end_calls_and_cancel_them_at_the_handler),
	    TEST(a_caller_that_goes_away_while_it_is_answered_is_survived),
	    TEST(calls_beyond_the_maximum_are_refused_until_one_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
