/* SPDX-License-Identifier: Apache-2.0 */
#include "node/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cairn/ledger.pb-c.h"
#include "depth.h"
#include "node/words.h"

#define FIELD_NAME_MAX 31

/* One call whose records are on their way to the disk. */
struct report {
	struct node_plugin *plugin; /* lives as long as the node */
	unsigned incarnation;       /* of the plugin: a later one may use the same id */
	uint64_t id;
	size_t waiting;
	int code;
};

static void
reply(struct node_plugin *plugin, uint64_t id, int code, const char *text)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	envelope.kind = CAIRN__ENVELOPE__KIND__REPLY;
	envelope.id = id;
	envelope.code = code;
	envelope.text = (char *)(uintptr_t)text;
	node_plugin_send(plugin, &envelope);
}

/* ---- what is asked ---------------------------------------------------------------------- */

static int
check_fields(const Cairn__PluginRecord *record, struct cairn_error *err)
{
	if (record->n_fields > REPORT_FIELDS_MAX)
		return cairn_error_set(err, CAIRN_EINVAL, "a record has %zu fields; at most %d",
		    record->n_fields, REPORT_FIELDS_MAX);
	for (size_t i = 0; i < record->n_fields; i++) {
		if (record->fields[i]->name[0] == 0 ||
		    !words_are_plain(record->fields[i]->name, FIELD_NAME_MAX) ||
		    !words_are_plain(record->fields[i]->value, REPORT_VALUE_MAX))
			return cairn_error_set(err, CAIRN_EINVAL,
			    "a field's name has 1 to %d bytes and its value at most %d, all "
			    "printable UTF-8",
			    FIELD_NAME_MAX, REPORT_VALUE_MAX);
	}
	return 0;
}

static int
check_record(const Cairn__PluginRecord *record, struct cairn_error *err)
{
	static const char *const verdicts[] = {"done", "failed", "refused"};
	size_t i = 0;

	if (record->subject[0] == 0 || !words_are_plain(record->subject, ROUTER_SUBJECT_MAX) ||
	    !words_are_plain(record->reason, REPORT_VALUE_MAX))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "a record needs a subject of at most %d bytes and a reason of at most %d, all "
		    "printable UTF-8",
		    ROUTER_SUBJECT_MAX, REPORT_VALUE_MAX);
	while (i < 3 && strcmp(verdicts[i], record->verdict) != 0)
		i++;
	if (i == 3)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "a record's verdict is done, failed or refused");
	return check_fields(record, err);
}

static int
check_request(const Cairn__RecordRequest *request, struct cairn_error *err)
{
	if (request->n_records == 0 || request->n_records > REPORT_RECORDS_MAX)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "1 to %d records in one call", REPORT_RECORDS_MAX);
	for (size_t i = 0; i < request->n_records; i++) {
		int code = check_record(request->records[i], err);

		if (code != 0)
			return code;
	}
	return 0;
}

/* A plugin that records without end would fill the disk. */
static int
take_allowance(struct node_plugin *plugin, size_t count, struct cairn_error *err)
{
	uint64_t now = clock_monotonic_ms();

	if (now - plugin->reports_since_ms >= 60000u) {
		plugin->reports_since_ms = now;
		plugin->reports = 0;
	}
	if (count > REPORT_PER_MINUTE - plugin->reports)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "a plugin puts at most %u records a minute into the ledger; try again later",
		    REPORT_PER_MINUTE);
	plugin->reports += (unsigned)count;
	return 0;
}

/* ---- putting them there ----------------------------------------------------------------- */

static void
is_durable(void *arg, int code, uint64_t index)
{
	struct report *report = arg;

	(void)index;
	if (report->code == 0)
		report->code = code;
	if (--report->waiting > 0)
		return;
	if (report->incarnation == report->plugin->incarnation)
		reply(report->plugin, report->id, report->code,
		    report->code == 0 ? "" : "the ledger could not be written");
	free(report);
}

static int
append(struct node *node, const Cairn__PluginRecord *record, struct report *report,
    struct cairn_error *err)
{
	struct ledger_field fields[REPORT_FIELDS_MAX];
	char principal[64];
	struct ledger_entry entry = {.kind = "report",
	    .subject = record->subject,
	    .principal = principal,
	    .verdict = record->verdict,
	    .reason = record->reason,
	    .fields = fields,
	    .field_count = record->n_fields};

	snprintf(
	    principal, sizeof principal, "plugin:%.48s", report->plugin->config.manifest->name);
	for (size_t i = 0; i < record->n_fields; i++)
		fields[i] =
		    (struct ledger_field){record->fields[i]->name, record->fields[i]->value};
	return ledger_append(node->ledger, &entry, is_durable, report, err);
}

static int
append_all(struct node *node, const Cairn__RecordRequest *request,
    const struct router_origin *origin, struct cairn_error *err)
{
	struct report *report = calloc(1, sizeof *report);
	int code = 0;

	if (report == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	*report = (struct report){origin->plugin, origin->plugin->incarnation, origin->id, 0, 0};
	for (size_t i = 0; i < request->n_records && code == 0; i++) {
		code = append(node, request->records[i], report, err);
		report->waiting += code == 0;
	}
	if (report->waiting == 0) {
		free(report);
		return code;
	}
	/* Some are on their way: the answer comes with the last of them. */
	report->code = code;
	return 0;
}

void
report_call(struct node *node, const struct router_origin *origin, const Cairn__Envelope *envelope)
{
	struct cairn_error err = {0};
	Cairn__RecordRequest *request;
	int code;

	request = (Cairn__RecordRequest *)proto_unpack(
	    &cairn__record_request__descriptor, NULL, envelope->body.data, envelope->body.len);
	if (request == NULL) {
		reply(
		    origin->plugin, origin->id, CAIRN_EINVAL, "the body is no cairn.RecordRequest");
		return;
	}
	code = check_request(request, &err);
	if (code == 0)
		code = take_allowance(origin->plugin, request->n_records, &err);
	if (code == 0)
		code = append_all(node, request, origin, &err);
	if (code != 0)
		reply(origin->plugin, origin->id, code, err.text);
	cairn__record_request__free_unpacked(request, NULL);
}
