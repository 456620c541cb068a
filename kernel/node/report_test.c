/* SPDX-License-Identifier: Apache-2.0 */
/* Plugins' own records against a ledger that does what the test says. */
#include "node/report.h"

#include "base/test.h"
#include "cairn/ledger.pb-c.h"

/* cmocka runs one test at a time, in one thread. */
static struct {
	size_t appended;
	ledger_durable_fn durable[REPORT_RECORDS_MAX];
	void *arg[REPORT_RECORDS_MAX];
	char principal[64];
	unsigned replies;
	int code;
	uint64_t id;
} fake;

int
node_plugin_send(struct node_plugin *plugin, const Cairn__Envelope *envelope)
{
	(void)plugin;
	fake.replies++;
	fake.code = envelope->code;
	fake.id = envelope->id;
	return 0;
}

int
ledger_append(struct ledger *ledger, const struct ledger_entry *entry, ledger_durable_fn durable,
    void *arg, struct cairn_error *err)
{
	(void)ledger, (void)err;
	assert_string_equal(entry->kind, "report");
	snprintf(fake.principal, sizeof fake.principal, "%s", entry->principal);
	fake.durable[fake.appended] = durable;
	fake.arg[fake.appended++] = arg;
	return 0;
}

static struct manifest manifest = {.name = (char *)(uintptr_t) "dicom"};

static void
call(struct node_plugin *plugin, const char *verdict, size_t count)
{
	static uint8_t body[65536];
	Cairn__RecordRequest request = CAIRN__RECORD_REQUEST__INIT;
	Cairn__PluginRecord record = CAIRN__PLUGIN_RECORD__INIT;
	Cairn__PluginRecord *records[REPORT_RECORDS_MAX + 1];
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	const struct router_origin origin = {.id = 7, .plugin = plugin};
	struct node node = {0};

	record.subject = (char *)(uintptr_t) "imaging.store";
	record.verdict = (char *)(uintptr_t)verdict;
	for (size_t i = 0; i < count; i++)
		records[i] = &record;
	request.records = records;
	request.n_records = count;
	envelope.body.data = body;
	envelope.body.len = cairn__record_request__pack(&request, body);
	plugin->config.manifest = &manifest;
	memset(&fake, 0, sizeof fake);
	report_call(&node, &origin, &envelope);
}

static void
the_answer_comes_once_the_last_record_is_on_disk(void **state)
{
	struct node_plugin plugin = {0};

	(void)state;
	call(&plugin, "done", 2);
	assert_int_equal(fake.appended, 2);
	assert_string_equal(fake.principal, "plugin:dicom");
	fake.durable[0](fake.arg[0], 0, 1);
	assert_int_equal(fake.replies, 0);
	fake.durable[1](fake.arg[1], 0, 2);
	assert_int_equal(fake.replies, 1);
	assert_int_equal(fake.code, 0);
	assert_int_equal(fake.id, 7);
}

static void
a_record_that_is_not_on_disk_fails_the_call(void **state)
{
	struct node_plugin plugin = {0};

	(void)state;
	call(&plugin, "done", 2);
	fake.durable[0](fake.arg[0], CAIRN_EIO, 0);
	fake.durable[1](fake.arg[1], 0, 1);
	assert_int_equal(fake.code, CAIRN_EIO);
}

static void
a_plugin_that_was_restarted_gets_no_answer_to_what_it_did_not_ask(void **state)
{
	struct node_plugin plugin = {0};

	(void)state;
	call(&plugin, "done", 1);
	plugin.incarnation++;
	fake.durable[0](fake.arg[0], 0, 1);
	assert_int_equal(fake.replies, 0);
}

static void
a_wrong_record_refuses_all(void **state)
{
	struct node_plugin plugin = {0};

	(void)state;
	call(&plugin, "permit", 2);
	assert_int_equal(fake.code, CAIRN_EINVAL);
	call(&plugin, "done", 0);
	assert_int_equal(fake.code, CAIRN_EINVAL);
	call(&plugin, "done", REPORT_RECORDS_MAX + 1);
	assert_int_equal(fake.code, CAIRN_EINVAL);
	assert_int_equal(fake.appended, 0);
}

static void
records_beyond_the_allowance_are_refused(void **state)
{
	struct node_plugin plugin = {0};

	(void)state;
	for (unsigned i = 0; i < REPORT_PER_MINUTE / 250; i++) {
		call(&plugin, "done", 250);
		assert_int_equal(fake.appended, 250);
		for (size_t j = 0; j < 250; j++)
			fake.durable[j](fake.arg[j], 0, j);
	}
	call(&plugin, "done", 1);
	assert_int_equal(fake.code, CAIRN_ELIMIT);
	assert_int_equal(fake.appended, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_answer_comes_once_the_last_record_is_on_disk),
	    cmocka_unit_test(a_record_that_is_not_on_disk_fails_the_call),
	    cmocka_unit_test(a_plugin_that_was_restarted_gets_no_answer_to_what_it_did_not_ask),
	    cmocka_unit_test(a_wrong_record_refuses_all),
	    cmocka_unit_test(records_beyond_the_allowance_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
