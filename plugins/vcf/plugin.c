/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cairn/cohort.pb-c.h"
#include "connector.h"
#include "genomics/normalise.h"
#include "query.h"

char *
connector_path(struct cairn *cairn, const char *text)
{
	char path[4096];

	if (text[0] == '/')
		return strdup(text);
	return file_join(path, sizeof path, cairn_state_dir(cairn), text) == 0 ? strdup(path)
									       : NULL;
}

/* ---- life --------------------------------------------------------------------------------- */

static int
open_names(struct cairn *cairn, struct names **ret, struct cairn_error *err)
{
	const char *table = cairn_config_string(cairn, "samples");
	char *path = *table == 0 ? NULL : connector_path(cairn, table);
	struct names_options options = {.table = path,
	    .rule = cairn_config_string(cairn, "rule"),
	    .rule_on_file = strcmp(cairn_config_string(cairn, "rule_on"), "file") == 0,
	    .normal = cairn_config_string(cairn, "normal"),
	    .tumour = cairn_config_string(cairn, "tumour")};
	int code = *table != 0 && path == NULL
	    ? cairn_error_set(err, CAIRN_ENOMEM, "out of memory, or `samples` is too long")
	    : names_new(ret, &options, err);

	free(path);
	return code;
}

static int
open_reference(struct connector *connector, struct cairn_error *err)
{
	const char *text = cairn_config_string(connector->cairn, "reference");
	struct normalise *normalise;
	int code;

	if (*text == 0)
		return 0;
	connector->fasta = connector_path(connector->cairn, text);
	if (connector->fasta == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	code = normalise_open(&normalise, connector->fasta, err);
	if (code == 0)
		normalise_close(normalise);
	return code;
}

static int
open_watch(struct connector *connector, struct cairn_error *err)
{
	const char *intake = cairn_intake_dir(connector->cairn);
	char path[4096];

	if (!cairn_config_bool(connector->cairn, "watch"))
		return 0;
	if (intake == NULL || file_join(path, sizeof path, intake, "vcf") != 0)
		return cairn_error_set(
		    err, CAIRN_EFORBIDDEN, "`watch` needs the capability intake:write");
	return watch_new(&connector->watch, connector, path,
	    (unsigned)cairn_config_integer(connector->cairn, "settle_s"), err);
}

static enum origin
origin_of(const char *text)
{
	return strcmp(text, "germline") == 0 ? ORIGIN_GERMLINE
	    : strcmp(text, "somatic") == 0   ? ORIGIN_SOMATIC
					     : ORIGIN_AUTO;
}

/* On failure the process ends, so nothing is undone here. */
static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	struct connector *connector = calloc(1, sizeof *connector);
	const struct facts_options facts = {.source = "vcf"};
	char dir[4096];
	int code;

	if (connector == NULL || file_join(dir, sizeof dir, cairn_state_dir(cairn), "index") != 0)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	connector->cairn = cairn;
	connector->origin = origin_of(cairn_config_string(cairn, "origin"));
	connector->declared = cairn_config_bool(cairn, "declared");
	connector->pass_only = strcmp(cairn_config_string(cairn, "filters"), "pass") == 0;
	connector->threads = (unsigned)cairn_config_integer(cairn, "threads");
	code = open_names(cairn, &connector->names, err);
	if (code == 0)
		code = open_reference(connector, err);
	if (code == 0)
		code = shelf_open(&connector->shelf, dir, err);
	if (code == 0)
		code = facts_open(&connector->facts, cairn, &facts, err);
	if (code == 0)
		code = statement_new(&connector->statement, connector, err);
	if (code == 0)
		code = open_watch(connector, err);
	if (code == 0)
		statement_refresh(connector->statement); /* what a killed run left unsaid */
	*ret_self = connector;
	return code;
}

static void
facts_closed(void *arg)
{
	struct connector *connector = arg;
	struct cairn *cairn = connector->cairn;

	statement_free(connector->statement);
	shelf_free(connector->shelf);
	names_free(connector->names);
	free(connector->fasta);
	free(connector);
	cairn_stopped(cairn);
}

void
connector_rest(struct connector *connector)
{
	if (!connector->stopping || connector->closing || connector->busy > 0 ||
	    connector->imports != NULL || statement_is_staging(connector->statement))
		return;
	if (connector->watch != NULL) {
		watch_close(connector->watch); /* and we are called again */
		return;
	}
	if (!statement_close(connector->statement))
		return; /* likewise */
	connector->closing = true;
	facts_close(connector->facts, facts_closed, connector);
}

static void
stop(void *self)
{
	struct connector *connector = self;

	connector->stopping = true;
	atomic_store(&connector->cancel_all, true);
	import_cancel(connector, NULL);
	connector_rest(connector);
}

static void
cancel(void *self, struct cairn_request *req)
{
	import_cancel(self, req);
}

/* ---- questions ---------------------------------------------------------------------------- */

static int
send_carriers(struct connector *connector, struct cairn_request *req, const char *known,
    const struct query_answer *found)
{
	Cairn__CarriersAnswer answer = CAIRN__CARRIERS_ANSWER__INIT;
	uint8_t *body;
	size_t length;

	answer.version = connector->shelf->version;
	if (strcmp(known, connector->shelf->version) != 0) {
		answer.patients = connector->shelf->patients;
		answer.n_patients = connector->shelf->patient_count;
	}
	answer.criteria = (char **)(uintptr_t)found->criteria;
	answer.n_criteria = found->criteria_count;
	if (found->criteria_count == 0) {
		answer.carriers = (ProtobufCBinaryData){found->bytes, found->carriers};
		answer.called = (ProtobufCBinaryData){found->bytes, found->called};
	}
	length = cairn__carriers_answer__get_packed_size(&answer);
	body = malloc(length + 1);
	if (body == NULL)
		return cairn_fail(req, CAIRN_ENOMEM, "out of memory");
	cairn__carriers_answer__pack(&answer, body);
	cairn_reply(req, body, length);
	free(body);
	return 0;
}

static int
answer_carriers(struct connector *connector, struct cairn_request *req, struct cairn_error *err)
{
	size_t length;
	const void *body = cairn_request_body(req, &length);
	Cairn__CarriersRequest *request = cairn__carriers_request__unpack(NULL, length, body);
	struct query_answer found;
	int code;

	if (request == NULL || request->expression == NULL) {
		if (request != NULL)
			cairn__carriers_request__free_unpacked(request, NULL);
		return cairn_error_set(err, CAIRN_EINVAL, "the body is no cairn.CarriersRequest");
	}
	code = query_run(connector->shelf, request->expression, &found, err);
	if (code == 0) {
		code = send_carriers(connector, req, request->known, &found);
		query_answer_fini(&found);
	}
	cairn__carriers_request__free_unpacked(request, NULL);
	return code;
}

static int
call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	struct connector *connector = self;

	if (connector->stopping)
		return cairn_error_set(err, CAIRN_EUNAVAILABLE, "the plugin is stopping");
	if (strcmp(cairn_request_subject(req), "genomics.carriers") == 0)
		return answer_carriers(connector, req, err);
	return import_start(connector, req, err);
}

/* ---- check and health --------------------------------------------------------------------- */

static void
find(struct cairn_findings *findings, enum cairn_severity severity, const char *what,
    const char *why, const char *advice)
{
	struct cairn_finding finding = {
	    .severity = severity, .what = what, .why = why, .advice = advice};

	cairn_finding(findings, &finding);
}

static void
check(struct cairn *cairn, struct cairn_findings *findings)
{
	struct connector connector = {.cairn = cairn};
	struct cairn_error err = {0};

	if (open_names(cairn, &connector.names, &err) != 0)
		find(findings, CAIRN_FAULT, err.text, "the plugin does not start",
		    "correct plugins/available/vcf.yaml or the table");
	else if (names_rows(connector.names) == 0 && *cairn_config_string(cairn, "rule") == 0)
		find(findings, CAIRN_WARNING, "neither `samples` nor `rule` is set",
		    "no sample's patient is known, so every file is refused",
		    "set one of them in plugins/available/vcf.yaml");
	if (open_reference(&connector, &err) != 0)
		find(findings, CAIRN_FAULT, err.text, "the plugin does not start",
		    "put the FASTA file and its .fai into the plugin's state folder");
	names_free(connector.names);
	free(connector.fasta);
}

static void
health(void *self, struct cairn_findings *findings)
{
	const struct connector *connector = self;
	char what[160];

	snprintf(what, sizeof what, "%zu files of genotypes of %zu patients are held",
	    connector->shelf->count, connector->shelf->patient_count);
	find(findings, CAIRN_FINE, what, NULL, NULL);
	if (connector->fasta == NULL)
		find(findings, CAIRN_FINE,
		    "variants are trimmed, not left-aligned: no reference is set",
		    "insertions and deletions in repeats may have another name than elsewhere",
		    "set `reference` in plugins/available/vcf.yaml");
	if (connector->shelf->damaged > 0) {
		snprintf(
		    what, sizeof what, "%zu index files are damaged", connector->shelf->damaged);
		find(findings, CAIRN_FAULT, what, "their variants are in no answer",
		    "the log names them: remove them and import their files again");
	}
	facts_health(connector->facts, findings);
	if (statement_failure(connector->statement) != NULL)
		find(findings, CAIRN_WARNING, "whose genotypes are held could not be stated",
		    statement_failure(connector->statement),
		    "patients of whom nothing else is known are in no count; it is tried again");
	if (connector->watch != NULL)
		watch_health(connector->watch, findings);
}

CAIRN_PLUGIN("vcf", "0.1.0",
    "kind: connector\n"
    "summary: Imports genotypes (VCF, BCF, gVCF) and answers who carries a variant\n"
    "serves:\n"
    "  - {subject: genomics.import, guarded: true, request: cairn.ImportRequest,\n"
    "     answer: cairn.ImportProgress, record: [paths, files_done, imported, duplicates,\n"
    "     refused], fulfils: []}\n"
    "  - {subject: genomics.carriers, guarded: false}\n"
    "capabilities: [call:pseudonym.patient, call:cohort.index, intake:write, put:facts, record]\n"
    "config:\n"
    "  samples: {type: string, default: '', max: 1024,\n"
    "    help: 'Table of samples, CSV SAMPLE,PATIENT; below the plugin''s state folder'}\n"
    "  rule: {type: string, default: '', max: 1024,\n"
    "    help: 'Regular expression on a sample''s name; its one group is the patient''s "
    "identifier'}\n"
    "  rule_on: {type: string, default: sample, choices: [sample, file],\n"
    "    help: 'What the rule reads: the sample''s name, or the file''s'}\n"
    "  origin: {type: string, default: auto, choices: [auto, germline, somatic],\n"
    "    help: 'auto: somatic where the header or a name says which sample is the tumour'}\n"
    "  tumour: {type: string, default: '', max: 1024,\n"
    "    help: 'Regular expression of samples that are a tumour'}\n"
    "  normal: {type: string, default: '', max: 1024,\n"
    "    help: 'Regular expression of samples that are a tumour''s normal and are left out'}\n"
    "  filters: {type: string, default: pass, choices: [pass, all],\n"
    "    help: 'pass: only records whose FILTER is PASS or not said'}\n"
    "  declared: {type: bool, default: false,\n"
    "    help: Refuse files whose header does not declare every contig and key}\n"
    "  reference: {type: string, default: '', max: 1024,\n"
    "    help: 'FASTA with its .fai, below the plugin''s state folder; without it variants are\n"
    "      trimmed only'}\n"
    "  threads: {type: integer, default: 2, min: 1, max: 16,\n"
    "    help: Threads that read one file}\n"
    "  watch: {type: bool, default: false,\n"
    "    help: 'Take in what is put into the folder vcf of the intake'}\n"
    "  settle_s: {type: integer, default: 10, min: 1, max: 3600,\n"
    "    help: 'A watched file that did not change for so long is whole (seconds)'}\n",
    .start = start, .call = call, .stop = stop, .cancel = cancel, .check = check, .health = health)
