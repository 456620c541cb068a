/* SPDX-License-Identifier: Apache-2.0 */
/* The FHIR connector as a plugin: manifest, start, calls, stop.  connector.h is the map. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "connector.h"
#include "import.h"
#include "pull.h"
#include "state.h"

/* HOME/state/fhir -> HOME/mappings/fhir.lua */
static bool
own_mapping(struct cairn *cairn, char ret[PATH_MAX])
{
	char home[PATH_MAX];

	if (snprintf(home, sizeof home, "%s", cairn_state_dir(cairn)) >= (int)sizeof home)
		return false;
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(home, '/');

		if (slash == NULL)
			return false;
		*slash = 0;
	}
	return file_join(ret, PATH_MAX, home, "mappings/fhir.lua") == 0 && file_exists(ret);
}

static int
load_mapping(
    struct cairn *cairn, struct mapping **ret, const char **ret_name, struct cairn_error *err)
{
	BUF_AUTO text = {.max = MAPPING_BYTES_MAX};
	char path[PATH_MAX];
	int code;

	if (!own_mapping(cairn, path)) {
		*ret_name = "built in";
		return mapping_load(ret, "fhir.lua", mapping_default, mapping_default_length, err);
	}
	*ret_name = "mappings/fhir.lua";
	code = file_read(path, &text, err);
	return code == 0
	    ? mapping_load(ret, "mappings/fhir.lua", (const char *)text.data, text.length, err)
	    : code;
}

/* On failure the process ends, so nothing is undone here. */
static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	const struct facts_options options = {.source = "fhir"};
	struct connector *connector = calloc(1, sizeof *connector);
	int code;

	*ret_self = connector;
	if (connector == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	connector->cairn = cairn;
	connector->last_step = &connector->steps;
	code = cairn_secret(cairn, "records", &connector->key, &connector->key_length);
	if (code != 0)
		return cairn_error_set(err, CAIRN_EFORBIDDEN,
		    "the key for digests was not given (capability secret:records)");
	code = load_mapping(cairn, &connector->mapping, &connector->mapping_name, err);
	if (code == 0)
		code = state_open(&connector->state, cairn_state_dir(cairn), connector->key,
		    connector->key_length, err);
	if (code == 0)
		code = facts_open(&connector->facts, cairn, &options, err);
	if (code == 0)
		code = pull_open(connector, err);
	return code;
}

static int
call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	struct connector *connector = self;
	const char *subject = cairn_request_subject(req);

	if (connector->stopping)
		return cairn_error_set(err, CAIRN_EUNAVAILABLE, "the plugin is stopping");
	if (strcmp(subject, "fhir.import") == 0)
		return import_start(connector, req, err);
	if (strcmp(subject, "fhir.pull") == 0)
		return pull_call(connector, req, err);
	return pull_status(connector, req, err);
}

static void
cancel(void *self, struct cairn_request *req)
{
	import_cancel(self, req);
	pull_cancel(self, req);
}

static void
facts_closed(void *arg)
{
	struct connector *connector = arg;

	state_close(connector->state);
	mapping_free(connector->mapping);
	cairn_stopped(connector->cairn);
	free(connector);
}

void
connector_rest(struct connector *connector)
{
	if (!connector->stopping || connector->closing || connector->imports != NULL ||
	    connector->steps != NULL || connector->pull != NULL)
		return;
	connector->closing = true;
	facts_close(connector->facts, facts_closed, connector);
}

static void
stop(void *self)
{
	struct connector *connector = self;

	connector->stopping = true;
	import_cancel(connector, NULL);
	pull_close(connector);
	connector_rest(connector);
}

static void
health(void *self, struct cairn_findings *findings)
{
	struct connector *connector = self;
	char text[200];
	struct cairn_finding finding = {.severity = CAIRN_FINE, .what = text};

	facts_health(connector->facts, findings);
	snprintf(text, sizeof text, "the mapping is %s: %zu kinds of resources become facts",
	    connector->mapping_name, connector->mapping->count);
	cairn_finding(findings, &finding);
	if (connector->waiting > 0) {
		snprintf(text, sizeof text, "%llu resources wait for their patient",
		    (unsigned long long)connector->waiting);
		finding.severity = CAIRN_WARNING;
		finding.why = "they are not counted until a Patient with an identifier comes";
		finding.advice = "import or pull the Patient resources of the same system";
		cairn_finding(findings, &finding);
	}
	pull_health(connector, findings);
}

static void
check(struct cairn *cairn, struct cairn_findings *findings)
{
	struct cairn_error err = {0};
	struct mapping *mapping = NULL;
	const char *name = "";
	struct cairn_finding finding = {.severity = CAIRN_FAULT,
	    .what = err.text,
	    .why = "the connector does not start with this mapping",
	    .advice = "put the line right, or move mappings/fhir.lua away; cairn fhir map FILE "
		      "tries it out"};

	if (load_mapping(cairn, &mapping, &name, &err) != 0)
		cairn_finding(findings, &finding);
	mapping_free(mapping);
}

CAIRN_PLUGIN("fhir", "0.1.0",
    "kind: connector\n"
    "summary: Takes FHIR R4 resources from files and from a server, and makes facts of them\n"
    "serves:\n"
    "  - {subject: fhir.import, guarded: true, request: cairn.ImportRequest,\n"
    "     answer: cairn.ImportProgress, record: [paths, files_done, imported, refused,\n"
    "     resources, waiting], fulfils: []}\n"
    "  - {subject: fhir.pull, guarded: true, fulfils: []}\n"
    "  - {subject: fhir.status, guarded: false}\n"
    "capabilities: [connect:tcp, secret:records, secret:smart, call:pseudonym.patient,\n"
    "  call:cohort.index, put:facts, record]\n"
    "config:\n"
    "  base_url: {type: string, default: '', max: 1000,\n"
    "    help: 'Base of the FHIR R4 server, https://...; empty: files only'}\n"
    "  mode: {type: string, default: search, choices: [search, export],\n"
    "    help: 'search: what changed, page by page; export: Bulk Data $export'}\n"
    "  types: {type: list, default: [Patient, Condition, Observation, Procedure,\n"
    "    MedicationRequest, MedicationAdministration, Specimen, ImagingStudy, DiagnosticReport],\n"
    "    max: 64, help: Types of resources to fetch}\n"
    "  interval_s: {type: integer, default: 0, min: 0, max: 2592000,\n"
    "    help: 'Pause between two pulls (seconds); 0: only when asked (cairn fhir pull)'}\n"
    "  page: {type: integer, default: 200, min: 1, max: 10000,\n"
    "    help: Resources to ask for in a page (_count)}\n"
    "  timeout_s: {type: integer, default: 60, min: 1, max: 3600,\n"
    "    help: A transfer on which nothing comes for so long is given up (seconds)}\n"
    "  response_mb: {type: integer, default: 64, min: 1, max: 1024,\n"
    "    help: Largest answer to a search (MiB); files of an export may be of any size}\n"
    "  export_wait_s: {type: integer, default: 86400, min: 1, max: 2592000,\n"
    "    help: How long an export may take to be made (seconds)}\n"
    "  proxy: {type: string, default: '', max: 1000,\n"
    "    help: 'Proxy, http://HOST:PORT; empty: none'}\n"
    "  ca_file: {type: string, default: '', max: 1000,\n"
    "    help: 'Certificates to trust, PEM; empty: those of the system'}\n"
    "  plain_http: {type: bool, default: false,\n"
    "    help: 'Allow http:// to another machine, without encryption'}\n"
    "  auth.client_id: {type: string, default: '', max: 200,\n"
    "    help: 'SMART Backend Services: our client id; empty: no authorization'}\n"
    "  auth.token_url: {type: string, default: '', max: 1000,\n"
    "    help: Where a token is asked for}\n"
    "  auth.scope: {type: string, default: system/*.read, max: 1000,\n"
    "    help: What a token is asked for}\n",
    .start = start, .call = call, .stop = stop, .cancel = cancel, .check = check, .health = health)
