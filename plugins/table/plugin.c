/* SPDX-License-Identifier: Apache-2.0 */
/* The table connector as a plugin: manifest, start, stop, calls. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "import.h"

/* On failure the process ends, so nothing is undone here. */
static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	struct plugin *plugin = calloc(1, sizeof *plugin);
	const struct facts_options options = {
	    .source = "table", .disk_max = (uint64_t)cairn_config_integer(cairn, "disk_mb") << 20};
	int code;

	if (plugin == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	plugin->cairn = cairn;
	code = facts_open(&plugin->facts, cairn, &options, err);
	if (code != 0) {
		free(plugin);
		return code;
	}
	*ret_self = plugin;
	return 0;
}

static int
call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	struct plugin *plugin = self;

	if (plugin->stopping)
		return cairn_error_set(err, CAIRN_EUNAVAILABLE, "the plugin is stopping");
	return import_start(plugin, req, err);
}

static void
cancel(void *self, struct cairn_request *req)
{
	import_cancel(self, req);
}

static void
closed(void *arg)
{
	struct plugin *plugin = arg;
	struct cairn *cairn = plugin->cairn;

	import_free_orphans(plugin);
	free(plugin);
	cairn_stopped(cairn);
}

static void
rest(struct plugin *plugin)
{
	facts_close(plugin->facts, closed, plugin);
}

static void
stop(void *self)
{
	struct plugin *plugin = self;

	plugin->stopping = true;
	import_cancel(plugin, NULL);
	if (plugin->imports == NULL)
		rest(plugin);
	else
		plugin->ended = rest;
}

static void
tell_set(void *arg, const char *name, uint64_t patients, uint64_t committed_ms)
{
	char what[160];
	struct cairn_finding finding = {.severity = CAIRN_FINE, .what = what};

	(void)committed_ms;
	if (name == NULL)
		return;
	snprintf(what, sizeof what, "table %s: %" PRIu64 " patients", name, patients);
	cairn_finding(arg, &finding);
}

static void
health(void *self, struct cairn_findings *findings)
{
	struct plugin *plugin = self;

	facts_health(plugin->facts, findings);
	facts_sets(plugin->facts, tell_set, findings, NULL);
}

CAIRN_PLUGIN("table", "0.1.0",
    "kind: connector\n"
    "summary: Imports tables of clinical variables (CSV, TSV, XLSX) as their mapping file says\n"
    "serves:\n"
    "  - {subject: table.import, guarded: true, request: cairn.TableRequest,\n"
    "     answer: cairn.TableAnswer, record: [path, table, rows, bad_rows, imported, patients,\n"
    "     changed, gone], fulfils: []}\n"
    "  - {subject: table.check, guarded: true, request: cairn.TableRequest,\n"
    "     answer: cairn.TableAnswer, record: [path, table, rows, bad_rows], fulfils: []}\n"
    "  - {subject: table.guess, guarded: true, request: cairn.TableRequest,\n"
    "     answer: cairn.TableAnswer, record: [path], fulfils: []}\n"
    "capabilities: [call:pseudonym.patient, call:cohort.index, put:facts]\n"
    "config:\n"
    "  disk_mb: {type: integer, default: 65536, min: 16, max: 4194304,\n"
    "    help: 'The most that the tables may take of the disk (MiB)'}\n",
    .start = start, .call = call, .stop = stop, .cancel = cancel, .health = health)
