/* SPDX-License-Identifier: Apache-2.0 */
/* The DICOM connector as a plugin: manifest, start, stop, calls.  connector.h is the map. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "connector.h"
#include "consumer.h"
#include "counts.h"
#include "import.h"
#include "ingest.h"
#include "links.h"
#include "outbox.h"
#include "patients.h"
#include "scp.h"
#include "visits.h"

static int
load_options(struct connector *connector, unsigned *ret, struct cairn_error *err)
{
	size_t count = cairn_config_list_length(connector->cairn, "deid.options");
	unsigned options = 0;

	for (size_t i = 0; i < count; i++) {
		const char *name = cairn_config_list_get(connector->cairn, "deid.options", i);
		unsigned bit = deid_option_find(name);

		if (bit == 0)
			return cairn_error_set(
			    err, CAIRN_EINVAL, "deid.options: no option '%s'", name);
		options |= bit;
	}
	*ret = options;
	return 0;
}

int
connector_open_profile(struct connector *connector, struct cairn_error *err)
{
	const char *safe[DEID_SAFE_PRIVATE_MAX];
	size_t count = cairn_config_list_length(connector->cairn, "deid.safe_private");
	struct deid_config config = {.project = cairn_project(connector->cairn),
	    .safe_private = safe,
	    .safe_private_count = count};
	size_t key_length = 0;
	int code = load_options(connector, &config.options, err);

	if (code != 0)
		return code;
	if (count > DEID_SAFE_PRIVATE_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "deid.safe_private: more than %d entries",
		    DEID_SAFE_PRIVATE_MAX);
	for (size_t i = 0; i < count; i++)
		safe[i] = cairn_config_list_get(connector->cairn, "deid.safe_private", i);
	code = cairn_secret(connector->cairn, "uid", &config.uid_key, &key_length);
	if (code != 0 || key_length != DEID_UID_KEY_SIZE)
		return cairn_error_set(err, CAIRN_EFORBIDDEN,
		    "the key for UIDs was not given (capability secret:uid)");
	return deid_profile_new(&connector->profile, &config, err);
}

static int
open_objects(struct connector *connector, struct cairn_error *err)
{
	struct cairn *cairn = connector->cairn;
	struct objects_options options = {.dir = cairn_objects_dir(cairn)};

	if (options.dir == NULL)
		return cairn_error_set(err, CAIRN_EFORBIDDEN, "no capability objects:write");
	options.durability = strcmp(cairn_config_string(cairn, "durability"), "process") == 0
	    ? OBJECTS_PROCESS
	    : OBJECTS_POWER;
	options.layout = strcmp(cairn_config_string(cairn, "store"), "files") == 0
	    ? OBJECTS_FILES
	    : OBJECTS_SEGMENTS;
	options.memory_max = (uint64_t)cairn_config_integer(cairn, "memory_mb") << 20;
	return objects_open(&connector->objects, cairn_loop(cairn), &options, err);
}

static enum pixel_risk_policy
pixel_risk(struct cairn *cairn)
{
	const char *text = cairn_config_string(cairn, "deid.pixel_risk");

	if (strcmp(text, "accept") == 0)
		return PIXEL_RISK_ACCEPT;
	return strcmp(text, "refuse-suspected") == 0 ? PIXEL_RISK_REFUSE_SUSPECTED
						     : PIXEL_RISK_REFUSE_DECLARED;
}

/* On failure the process ends, so nothing is undone here. */
static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	struct connector *connector = calloc(1, sizeof *connector);
	int code;

	if (connector == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	connector->cairn = cairn;
	connector->pixel_risk = pixel_risk(cairn);
	connector->buffered_max = (uint64_t)cairn_config_integer(cairn, "memory_mb") << 20;
	code = connector_open_profile(connector, err);
	if (code == 0)
		code = open_objects(connector, err);
	if (code == 0)
		code = patients_new(&connector->patients, cairn, err);
	if (code == 0)
		code = links_new(&connector->links, cairn, err);
	if (code == 0)
		code = outbox_new(&connector->outbox, connector, err);
	if (code == 0)
		code = consumer_new(&connector->consumer, connector, err);
	if (code == 0)
		code = visits_new(&connector->visits, connector, err);
	if (code == 0)
		code = scp_new(&connector->scp, connector, err);
	if (code == 0)
		code = counts_new(&connector->counts, connector, err);
	if (code == 0)
		dicom_check_note(connector);
	*ret_self = connector;
	return code;
}

static int
call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	struct connector *connector = self;

	if (connector->stopping)
		return cairn_error_set(err, CAIRN_EUNAVAILABLE, "the plugin is stopping");
	return import_start(connector, req, err);
}

static void
health(void *self, struct cairn_findings *findings)
{
	dicom_health(self, findings);
}

static void
cancel(void *self, struct cairn_request *req)
{
	import_cancel(self, req);
}

/* Associations end; what is not whole is given up and what is whole becomes durable; then the
 * outbox rests and the imports, whose workers may still be reading, have their callers told. */
static void
consumer_freed(void *arg)
{
	struct connector *connector = arg;

	cairn_stopped(connector->cairn);
}

static void
visits_freed(void *arg)
{
	struct connector *connector = arg;

	consumer_free(connector->consumer, consumer_freed, connector);
}

static void
rested(struct connector *connector)
{
	visits_free(connector->visits, visits_freed, connector);
}

static void
outbox_freed(void *arg)
{
	struct connector *connector = arg;

	if (connector->imports == NULL)
		rested(connector);
	else
		connector->imports_ended = rested;
}

static void
objects_closed(void *arg)
{
	struct connector *connector = arg;

	outbox_free(connector->outbox, outbox_freed, connector);
}

static void
scp_freed(void *arg)
{
	struct connector *connector = arg;

	ingest_stop_all(connector);
	objects_close(connector->objects, objects_closed, connector);
}

static void
counts_freed(void *arg)
{
	struct connector *connector = arg;

	scp_free(connector->scp, scp_freed, connector);
}

static void
drained(void *arg)
{
	struct connector *connector = arg;

	cairn_drained(connector->cairn);
}

static void
handover(void *self)
{
	struct connector *connector = self;

	scp_drain(connector->scp, drained, connector);
}

static void
stop(void *self)
{
	struct connector *connector = self;

	connector->stopping = true;
	import_cancel(connector, NULL);
	counts_free(connector->counts, counts_freed, connector);
}

CAIRN_PLUGIN("dicom", "0.1.0",
    "kind: connector\n"
    "summary: Receives DICOM images (C-STORE and folders), de-identifies them in flight, stores "
    "them\n"
    "serves:\n"
    "  - {subject: imaging.import, guarded: true, request: cairn.ImportRequest,\n"
    "     answer: cairn.ImportProgress, record: [paths, files_done, imported, duplicates,\n"
    "     refused], fulfils: []}\n"
    "capabilities: [listen:tcp, objects:write, secret:uid, call:pseudonym.patient,\n"
    "  call:cohort.index, put:facts, record]\n"
    "config:\n"
    "  ae_title: {type: string, default: CAIRN, min: 1, max: 16,\n"
    "    help: Our AE title}\n"
    "  check_called: {type: bool, default: false,\n"
    "    help: Reject associations that call another AE title}\n"
    "  address: {type: string, default: 127.0.0.1, min: 1, max: 64,\n"
    "    help: 'Numeric address to listen on; 0.0.0.0 or :: for all'}\n"
    "  port: {type: integer, default: 11112, min: 1, max: 65535,\n"
    "    help: TCP port to listen on}\n"
    "  peers: {type: list, default: [], max: 1000,\n"
    "    help: 'Who may send: AET, AET@address or *@address; empty: this machine only'}\n"
    "  max_associations: {type: integer, default: 128, min: 1, max: 4096,\n"
    "    help: Associations at once}\n"
    "  max_per_peer: {type: integer, default: 64, min: 1, max: 4096,\n"
    "    help: Associations at once from one address}\n"
    "  max_pdu: {type: integer, default: 262144, min: 4096, max: 16777216,\n"
    "    help: Largest PDU that we announce (bytes)}\n"
    "  idle_s: {type: integer, default: 300, min: 5, max: 86400,\n"
    "    help: An association on which nothing comes for so long is aborted (seconds)}\n"
    "  store: {type: string, default: segments, choices: [segments, files],\n"
    "    help: 'segments: append-only, fast; files: a plain tree by project, patient, study, "
    "series'}\n"
    "  durability: {type: string, default: power, choices: [power, process],\n"
    "    help: 'When a store is acknowledged: on disk (power), or written (survives a crash of "
    "the\n"
    "      program, not of the power)'}\n"
    "  memory_mb: {type: integer, default: 64, min: 8, max: 65536,\n"
    "    help: 'Memory for instances on their way to the disk, and as much for their headers "
    "(MiB)'}\n"
    "  link: {type: list, default: [accession], choices: [accession, other-patient-ids],\n"
    "    help: 'What leads to the patient beside the Patient ID: the Accession Number, the first "
    "of "
    "the\n"
    "      Other Patient IDs Sequence'}\n"
    "  deid.options: {type: list, default: [retain-longitudinal-modified-dates,\n"
    "    retain-patient-characteristics],\n"
    "    choices: [retain-safe-private, retain-uids, retain-device-identity,\n"
    "    retain-institution-identity, retain-patient-characteristics,\n"
    "    retain-longitudinal-full-dates, retain-longitudinal-modified-dates, clean-descriptors,\n"
    "    clean-structured-content, clean-graphics],\n"
    "    help: 'Options of the Basic Application Level Confidentiality Profile (PS3.15 annex E)'}\n"
    "  deid.safe_private: {type: list, default: [], max: 256,\n"
    "    help: 'With retain-safe-private: more private attributes to keep, CREATOR:gggg,xxee'}\n"
    "  deid.pixel_risk: {type: string, default: refuse-declared,\n"
    "    choices: [refuse-declared, refuse-suspected, accept],\n"
    "    help: 'Images whose pixels may show who the patient is (burned-in text, faces)'}\n",
    .start = start, .call = call, .stop = stop, .handover = handover, .cancel = cancel,
    .check = dicom_check, .health = health)
