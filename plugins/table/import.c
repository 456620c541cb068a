/* SPDX-License-Identifier: Apache-2.0 */
#include "import.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cairn/imaging.pb-c.h"
#include "import_private.h"

#define ASK_TIMEOUT_MS 30000

static void next_batch(struct import *import);

/* ---- the end ------------------------------------------------------------------------------------
 */

static void
destroy(struct import *import)
{
	import_drop_batch(import);
	source_close(&import->source);
	table_fini(&import->table);
	conflict_fini(&import->conflicts);
	report_fini(&import->report);
	report_fini(&import->second);
	free(import->path);
	free(import->mapping_path);
	free(import->draft);
	free(import);
}

static void
unlink_from(struct import **list, struct import *import)
{
	while (*list != NULL && *list != import)
		list = &(*list)->next;
	if (*list != NULL)
		*list = import->next;
}

static void
finish(struct import *import)
{
	struct plugin *plugin = import->plugin;

	facts_set_drop(import->set);
	unlink_from(&plugin->imports, import);
	unlink_from(&plugin->orphans, import);
	destroy(import);
	if (plugin->imports == NULL && plugin->ended != NULL)
		plugin->ended(plugin);
}

static void
fail(struct import *import, int code, const char *why)
{
	if (import->req != NULL)
		cairn_fail(import->req, code, "%s", why);
	finish(import);
}

static void
fill_report(const struct report *report, Cairn__TableError *errors, Cairn__TableError **list)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct report_item *item = &report->items[i];

		cairn__table_error__init(&errors[i]);
		errors[i].line = item->line;
		errors[i].column = item->column;
		errors[i].column_name = item->column_name;
		errors[i].what = item->what;
		errors[i].advice = item->advice;
		list[i] = &errors[i];
	}
}

static void
pack(struct import *import, const Cairn__TableAnswer *answer)
{
	size_t length = cairn__table_answer__get_packed_size(answer);
	uint8_t *body = malloc(length + 1);

	if (body == NULL) {
		cairn_fail(import->req, CAIRN_ENOMEM, "out of memory");
	} else {
		cairn__table_answer__pack(answer, body);
		cairn_reply(import->req, body, length);
	}
	free(body);
}

static void
reply(struct import *import, const struct facts_set_counts *counts)
{
	Cairn__TableAnswer answer = CAIRN__TABLE_ANSWER__INIT;
	size_t count = import->report.count;
	Cairn__TableError *errors = calloc(count + 1, sizeof *errors);
	Cairn__TableError **list = calloc(count + 1, sizeof(Cairn__TableError *));

	if (errors != NULL && list != NULL && import->req != NULL) {
		fill_report(&import->report, errors, list);
		answer.reports = list;
		answer.n_reports = count;
		answer.table = import->table.mapping != NULL ? import->table.mapping->name
							     : (char *)(uintptr_t) "";
		answer.rows = import->rows;
		answer.bad_rows = import->bad_rows;
		answer.errors = import->report.errors;
		answer.draft = import->draft != NULL ? import->draft : (char *)(uintptr_t) "";
		answer.imported = counts != NULL;
		if (counts != NULL) {
			answer.patients = counts->patients;
			answer.entries = counts->entries;
			answer.changed = counts->changed;
			answer.gone = counts->gone;
		}
		pack(import, &answer);
	} else if (import->req != NULL) {
		cairn_fail(import->req, CAIRN_ENOMEM, "out of memory");
	}
	free(errors);
	free(list);
	finish(import);
}

static void
placed(void *arg, int code, const char *why, const struct facts_set_counts *counts)
{
	struct import *import = arg;

	if (code != 0) {
		fail(import, code, why);
		return;
	}
	cairn_log(CAIRN_LOG_INFO,
	    "table %s: %llu rows of %llu patients, %llu of them with something new, %llu gone",
	    import->table.mapping->name, (unsigned long long)import->taken,
	    (unsigned long long)counts->patients, (unsigned long long)counts->changed,
	    (unsigned long long)counts->gone);
	reply(import, counts);
}

static void
commit(struct import *import)
{
	struct cairn_error err = {0};
	int code = facts_set_commit(import->set, NULL, placed, import, &err);

	if (code != 0) {
		fail(import, code, err.text);
		return;
	}
	import->set = NULL;
	import->placing = true;
}

/* ---- pseudonyms
 * ----------------------------------------------------------------------------------- */

static void
added(void *arg, int code, const char *why)
{
	struct import *import = arg;

	if (code != 0)
		fail(import, code, why);
	else if (import->cancelled)
		fail(import, CAIRN_ECANCELLED, "the import was stopped; nothing of it is stated");
	else
		next_batch(import);
}

static void
state(struct import *import)
{
	Cairn__PatientFacts *facts[BATCH_ROWS];
	struct cairn_error err = {0};
	size_t count = 0;
	int code = 0;

	for (; code == 0 && count < import->batch_count; count++) {
		const struct question *question = &import->questions[count];

		question = &import->questions[question->same_as];
		facts[count] = taken_facts(import->batch[count], import->table.mapping->name,
		    question->pseudonym, question->shift);
		if (facts[count] == NULL)
			code = cairn_error_set(&err, CAIRN_ENOMEM, "out of memory");
	}
	if (code == 0)
		code = facts_set_add(import->set, facts, count, added, import, &err);
	for (size_t i = 0; i < count; i++) {
		if (facts[i] != NULL)
			cairn__patient_facts__free_unpacked(facts[i], NULL);
	}
	if (code != 0)
		fail(import, code, err.text);
}

static void
all_answered(struct import *import)
{
	if (import->cancelled && import->code == 0)
		import->code = cairn_error_set(&import->err, CAIRN_ECANCELLED,
		    "the import was stopped; nothing of it is stated");
	if (import->code != 0)
		fail(import, import->code, import->err.text);
	else
		state(import);
}

static void
answered(void *arg, int code, const char *text, const void *body, size_t length)
{
	struct question *question = arg;
	struct import *import = question->import;
	Cairn__PseudonymAnswer *answer = NULL;

	if (code == 0)
		answer = cairn__pseudonym_answer__unpack(NULL, length, body);
	if (answer != NULL && answer->pseudonym[0] != 0 &&
	    text_copy(question->pseudonym, sizeof question->pseudonym, answer->pseudonym))
		question->shift = answer->date_shift_days;
	else if (import->code == 0)
		import->code = cairn_error_set(&import->err, code == 0 ? CAIRN_EPROTO : code,
		    "line %llu: no pseudonym for this patient: %s",
		    (unsigned long long)import->batch[question - import->questions]->line,
		    code == 0 ? "the kernel's answer cannot be read" : text);
	if (answer != NULL)
		cairn__pseudonym_answer__free_unpacked(answer, NULL);
	if (--import->asking == 0)
		all_answered(import);
}

static int
ask_one(struct import *import, size_t index)
{
	const struct taken *taken = import->batch[index];
	Cairn__PseudonymRequest request = CAIRN__PSEUDONYM_REQUEST__INIT;
	uint8_t body[2 * TAKE_IDENTIFIER_MAX + 64];

	request.identifier_type = (char *)(uintptr_t) "patient-id";
	request.issuer = taken->issuer;
	request.identifier = taken->identifier;
	if (cairn__pseudonym_request__get_packed_size(&request) > sizeof body)
		return CAIRN_ELIMIT;
	return cairn_call(import->plugin->cairn, "pseudonym.patient", body,
	    cairn__pseudonym_request__pack(&request, body), ASK_TIMEOUT_MS, answered,
	    &import->questions[index]);
}

static size_t
same_patient(const struct import *import, size_t index)
{
	const struct taken *taken = import->batch[index];

	for (size_t i = 0; i < index; i++) {
		if (strcmp(import->batch[i]->identifier, taken->identifier) == 0 &&
		    strcmp(import->batch[i]->issuer, taken->issuer) == 0)
			return i;
	}
	return index;
}

/* One more than is asked, so that an early answer does not end it. */
static void
ask(struct import *import)
{
	import->asking = 1;
	for (size_t i = 0; i < import->batch_count && import->code == 0; i++) {
		int code;

		import->questions[i] =
		    (struct question){.import = import, .same_as = same_patient(import, i)};
		if (import->questions[i].same_as != i)
			continue;
		code = ask_one(import, i);
		if (code == 0)
			import->asking++;
		else
			import->code = cairn_error_set(&import->err, code,
			    "cannot ask for a pseudonym: %s", cairn_code_text(code));
	}
	if (--import->asking == 0)
		all_answered(import);
}

/* ---- reading
 * -------------------------------------------------------------------------------------- */

static void
batch_work(void *arg)
{
	import_read_batch(arg);
}

static void
batch_after(void *arg)
{
	struct import *import = arg;

	if (import->cancelled && import->code == 0)
		import->code = cairn_error_set(&import->err, CAIRN_ECANCELLED,
		    "the import was stopped; nothing of it is stated");
	if (import->code != 0)
		fail(import, import->code, import->err.text);
	else if (import->batch_count > 0)
		ask(import);
	else
		commit(import);
}

static void
next_batch(struct import *import)
{
	if (cairn_work(import->plugin->cairn, batch_work, batch_after, import) != 0)
		fail(import, CAIRN_EUNAVAILABLE, "no worker thread is free; try again");
}

static void
check_work(void *arg)
{
	import_check(arg);
}

static void
check_after(void *arg)
{
	struct import *import = arg;
	struct cairn_error err = {0};
	int code = import->code;

	if (import->cancelled) {
		fail(import, CAIRN_ECANCELLED, "stopped; nothing is stated");
	} else if (code != 0) {
		fail(import, code, import->err.text);
	} else if (import->mode != IMPORT_IMPORT ||
	    (import->report.errors > 0 && !import->skip_bad_rows)) {
		reply(import, NULL);
	} else {
		code = facts_set_begin(
		    &import->set, import->plugin->facts, import->table.mapping->name, &err);
		if (code != 0)
			fail(import, code,
			    code == CAIRN_EAGAIN
				? "another table is being imported; try again when it is in place"
				: err.text);
		else
			next_batch(import);
	}
}

/* ---- the call
 * -------------------------------------------------------------------------------------- */

static int
take_request(struct import *import, struct cairn_request *req, struct cairn_error *err)
{
	size_t length;
	const void *body = cairn_request_body(req, &length);
	Cairn__TableRequest *request = cairn__table_request__unpack(NULL, length, body);
	const char *subject = cairn_request_subject(req);
	int code = 0;

	if (request == NULL)
		return cairn_error_set(err, CAIRN_EINVAL, "the body is no cairn.TableRequest");
	import->mode = strcmp(subject, "table.import") == 0 ? IMPORT_IMPORT
	    : strcmp(subject, "table.check") == 0           ? IMPORT_CHECK
							    : IMPORT_GUESS;
	import->skip_bad_rows = request->skip_bad_rows;
	if (request->path[0] != '/' || (import->mode != IMPORT_GUESS && request->mapping[0] != '/'))
		code = cairn_error_set(
		    err, CAIRN_EINVAL, "name the table and its mapping by their absolute paths");
	import->path = strdup(request->path);
	import->mapping_path = strdup(request->mapping);
	if (code == 0 && (import->path == NULL || import->mapping_path == NULL))
		code = cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	cairn__table_request__free_unpacked(request, NULL);
	return code;
}

int
import_start(struct plugin *plugin, struct cairn_request *req, struct cairn_error *err)
{
	struct import *import = plugin->imports;
	size_t count = 0;
	int code;

	for (; import != NULL; import = import->next)
		count++;
	if (count == IMPORTS_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "%d tables are being read; try again when one is done", IMPORTS_MAX);
	import = calloc(1, sizeof *import);
	if (import == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	import->plugin = plugin;
	import->source.fd = -1;
	code = take_request(import, req, err);
	if (code == 0 && cairn_work(plugin->cairn, check_work, check_after, import) != 0)
		code =
		    cairn_error_set(err, CAIRN_EUNAVAILABLE, "no worker thread is free; try again");
	if (code != 0) {
		destroy(import);
		return code;
	}
	import->req = req;
	import->next = plugin->imports;
	plugin->imports = import;
	return 0;
}

/* What is certain to be put in place goes on without its caller, also over a restart. */
static void
orphan(struct import *import)
{
	struct plugin *plugin = import->plugin;

	unlink_from(&plugin->imports, import);
	import->next = plugin->orphans;
	plugin->orphans = import;
	cairn_fail(import->req, CAIRN_ECANCELLED,
	    "the table is imported; it is being put in place, also after a restart");
	import->req = NULL;
}

void
import_cancel(struct plugin *plugin, const struct cairn_request *req)
{
	struct import *next;

	for (struct import *import = plugin->imports; import != NULL; import = next) {
		next = import->next;
		if (req != NULL && import->req != req)
			continue;
		import->cancelled = true;
		if (import->placing)
			orphan(import);
	}
}

void
import_free_orphans(struct plugin *plugin)
{
	while (plugin->orphans != NULL) {
		struct import *import = plugin->orphans;

		plugin->orphans = import->next;
		destroy(import);
	}
}
