/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of a plugin's manifest, settings, life, memory and descriptors. */
#include "cli/checks.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/welcome.h"
#include "config/script.h"

#define ALLOCATIONS_MAX 200 /* of start(), and of a call, that are made to fail */
#define WARM_CALLS 50
#define MEASURED_CALLS 200
#define SCRIPT_CALLS 40 /* a shell begins a process for each */
#define LEAK_BYTES_PER_CALL 16
#define LEAK_DESCRIPTORS 20

/* ---- a plugin that is tested --------------------------------------------------------------- */

int
suite_begin(struct suite *suite, const struct tested_options *options, struct tested **ret,
    struct cairn_error *err)
{
	struct tested_options watched = *options;

	watched.watched = true;
	*ret = NULL;
	snprintf(suite->last, sizeof suite->last, "start()");
	return tested_start(ret, &watched, err);
}

int
suite_drop(struct tested *tested, int code, struct cairn_error *err)
{
	char complaint[256];

	/* The words of a process that ended have it already. */
	if (tested != NULL && code != CAIRN_ECORRUPT &&
	    tested_complaint(tested, complaint, sizeof complaint))
		code = cairn_error_set(err, CAIRN_EPROTO, "%s", complaint);
	tested_free(tested);
	return code;
}

int
suite_end(struct suite *suite, struct tested *tested, struct cairn_error *err)
{
	int code = tested_stop(tested, err);

	if (code != 0)
		cairn_error_prefix(err, code, "after %s", suite->last);
	return suite_drop(tested, code, err);
}

/* ---- manifest and settings ----------------------------------------------------------------- */

/* What manifest_read() lets pass, and people need. */
static int
check_manifest(struct suite *suite, struct check_result *ret, struct cairn_error *err)
{
	const struct manifest *manifest = suite->base.manifest;
	const char *suffix = manifest->script == NULL ? ".so" : SCRIPT_SUFFIX;
	const char *file = strrchr(manifest->path, '/');
	size_t length = strlen(manifest->name);

	(void)ret;
	file = file == NULL ? manifest->path : file + 1;
	if (strncmp(file, manifest->name, length) != 0 || strcmp(file + length, suffix) != 0)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "the file is %.64s and the manifest says %s: a node looks for %s%s", file,
		    manifest->name, manifest->name, suffix);
	if (manifest->summary == NULL || *manifest->summary == 0)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "no summary: `cairn plugin list` has nothing to show");
	for (size_t i = 0; i < manifest->schema.count; i++) {
		const struct config_option *option = &manifest->schema.options[i];

		if (option->help == NULL || *option->help == 0)
			return cairn_error_set(err, CAIRN_EINVAL,
			    "the setting %.64s has no help: an operator cannot know what it does",
			    option->key);
	}
	return 0;
}

/* With its smallest and its largest value each setting must be taken, or refused with words. */
static int
try_setting(struct suite *suite, const char *key, bool max, struct cairn_error *err)
{
	struct tested_options options = suite->base;
	struct tested *tested;
	int code;

	options.override = key;
	options.override_max = max;
	code = suite_begin(suite, &options, &tested, err);
	snprintf(
	    suite->last, sizeof suite->last, "%s at its %s", key, max ? "largest" : "smallest");
	if (code == 0)
		return suite_end(suite, tested, err);
	if (code != CAIRN_ETIMEOUT && code != CAIRN_ECORRUPT)
		return suite_drop(tested, 0, err); /* refused, with words */
	cairn_error_prefix(err, code, "%s", suite->last);
	return suite_drop(tested, code, err);
}

static int
check_settings(struct suite *suite, struct check_result *ret, struct cairn_error *err)
{
	const struct config_schema *schema = &suite->base.manifest->schema;
	bool any = false;
	int code = 0;

	for (size_t i = 0; i < 2 * schema->count && code == 0; i++) {
		const struct config_option *option = &schema->options[i / 2];

		if (!welcome_can_override(option, i % 2 == 1))
			continue;
		any = true;
		code = try_setting(suite, option->key, i % 2 == 1, err);
	}
	if (!any)
		ret->skipped = "no setting has limits or choices";
	return code;
}

/* ---- life ---------------------------------------------------------------------------------- */

/* As a node loads it, without anything of ours in between. */
static int
check_life(struct suite *suite, struct check_result *ret, struct cairn_error *err)
{
	struct tested *tested = NULL;
	int code = tested_start(&tested, &suite->base, err);

	(void)ret;
	if (code != 0)
		return suite_drop(tested, code, err);
	code = tested_ping(tested, suite->base.timeout_ms, err);
	if (code == 0)
		code = tested_stop(tested, err);
	return suite_drop(tested, code, err);
}

/* A plugin that was killed starts again on what it left. */
static int
check_restart(struct suite *suite, struct check_result *ret, struct cairn_error *err)
{
	struct tested *tested;
	int code = suite_begin(suite, &suite->base, &tested, err);

	(void)ret;
	if (code == 0)
		code = traffic_all(suite, tested, false, err);
	code = suite_drop(tested, code, err); /* kills it */
	if (code != 0)
		return code;
	code = suite_begin(suite, &suite->base, &tested, err);
	if (code != 0)
		cairn_error_prefix(err, code, "started again after it was killed");
	return code == 0 ? suite_end(suite, tested, err) : suite_drop(tested, code, err);
}

static int
check_orphan(struct suite *suite, struct check_result *ret, struct cairn_error *err)
{
	struct tested *tested;
	int code = suite_begin(suite, &suite->base, &tested, err);

	(void)ret;
	if (code == 0)
		code = traffic_all(suite, tested, false, err);
	if (code != 0)
		return suite_drop(tested, code, err);
	code = tested_abandon(tested, err);
	if (code != 0)
		cairn_error_prefix(err, code, "the kernel was gone, the process did not end");
	return suite_drop(tested, code, err);
}

/* ---- memory that fails --------------------------------------------------------------------- */

/* Ready or refused with words: both are well, and `*ret_failed` says whether the nth was reached.
 */
static int
start_failing(struct suite *suite, unsigned nth, bool *ret_failed, struct cairn_error *err)
{
	struct tested_options options = suite->base;
	struct tested *tested;
	int code;

	options.fail_allocation = nth;
	code = suite_begin(suite, &options, &tested, err);
	*ret_failed = tested != NULL && tested_noted(tested);
	if (code == 0)
		return suite_end(suite, tested, err);
	if (code != CAIRN_ETIMEOUT && code != CAIRN_ECORRUPT)
		return suite_drop(tested, 0, err);
	cairn_error_prefix(err, code, "allocation %u of start() failed", nth);
	return suite_drop(tested, code, err);
}

static bool
allocation_failed(struct tested *tested, struct cairn_error *err)
{
	char report[128] = "";
	char *end;

	if (tested_ask(tested, "cairn.conformance.report", "", report, sizeof report, err) != 0)
		return false;
	strtoull(report, &end, 10);
	return strtol(end, NULL, 10) != 0;
}

/* In every subject: the nth allocation fails, for n from 1 until it is not reached. */
static int
calls_failing(struct suite *suite, struct tested *tested, struct cairn_error *err)
{
	bool reached = true;
	int code = 0;

	for (unsigned nth = 1; nth <= ALLOCATIONS_MAX && reached && code == 0; nth++) {
		char number[16], answer[16];

		snprintf(number, sizeof number, "%u", nth);
		code = tested_ask(
		    tested, "cairn.conformance.fail", number, answer, sizeof answer, err);
		if (code == 0)
			code = traffic_all(suite, tested, true, err);
		if (code != 0)
			return cairn_error_prefix(err, code, "allocation %u failed", nth);
		reached = allocation_failed(tested, err);
	}
	return code;
}

static int
check_allocations(struct suite *suite, struct check_result *ret, struct cairn_error *err)
{
	struct tested *tested;
	bool failed = true, any = false;
	int code = 0;

	if (suite->base.manifest->script != NULL) {
		ret->skipped = "a script's memory is its interpreter's";
		return 0;
	}
	for (unsigned nth = 1; nth <= ALLOCATIONS_MAX && failed && code == 0; nth++) {
		code = start_failing(suite, nth, &failed, err);
		any = any || failed;
	}
	if (code != 0)
		return code;
	if (!any)
		ret->skipped = "start() allocates nothing by itself; its calls were tried";
	code = suite_begin(suite, &suite->base, &tested, err);
	if (code == 0)
		code = calls_failing(suite, tested, err);
	return code == 0 ? suite_end(suite, tested, err) : suite_drop(tested, code, err);
}

/* ---- leaks --------------------------------------------------------------------------------- */

struct held {
	size_t bytes, descriptors;
};

static int
measure(struct tested *tested, struct held *ret, struct cairn_error *err)
{
	char path[64];
	struct held held = {0};
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/fd", tested_pid(tested));
	dir = opendir(path);
	if (dir == NULL)
		return cairn_error_set(err, CAIRN_EIO, "cannot read %s", path);
	while (readdir(dir) != NULL)
		held.descriptors++;
	closedir(dir);
	*ret = held;
	return 0;
}

static int
call_often(struct suite *suite, struct tested *tested, unsigned count, struct cairn_error *err)
{
	int code = 0;

	for (unsigned i = 0; i < count && code == 0; i++) {
		uint64_t id;

		if (traffic_call(suite, tested, i, &id))
			code = tested_wait(tested, id, suite->base.timeout_ms, err);
	}
	return code;
}

/* A host that is a shared object's has the shim, which counts its bytes. */
static int
measure_bytes(struct tested *tested, size_t *ret, struct cairn_error *err)
{
	char report[128] = "";
	int code = tested_ask(tested, "cairn.conformance.report", "", report, sizeof report, err);

	if (code == 0)
		*ret = strtoull(report, NULL, 10);
	return code;
}

/* Two rounds grow: the first alone may be a cache that fills. */
static int
judge(const struct held held[3], struct cairn_error *err)
{
	size_t limit = MEASURED_CALLS * LEAK_BYTES_PER_CALL;

	if (held[1].descriptors >= held[0].descriptors + LEAK_DESCRIPTORS &&
	    held[2].descriptors >= held[1].descriptors + LEAK_DESCRIPTORS)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "descriptors leak: %zu, %zu and %zu open after each of three rounds of "
		    "calls",
		    held[0].descriptors, held[1].descriptors, held[2].descriptors);
	if (held[1].bytes >= held[0].bytes + limit && held[2].bytes >= held[1].bytes + limit)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "memory leaks: %zu, %zu and %zu bytes held after each of three rounds of %d "
		    "calls",
		    held[0].bytes, held[1].bytes, held[2].bytes, MEASURED_CALLS);
	return 0;
}

static int
check_leaks(struct suite *suite, struct check_result *ret, struct cairn_error *err)
{
	struct tested *tested;
	struct held held[3] = {{0}};
	bool script = suite->base.manifest->script != NULL;
	unsigned rounds = script ? SCRIPT_CALLS : MEASURED_CALLS;
	int code;

	if (suite->base.manifest->serve_count == 0) {
		ret->skipped = "the manifest serves no subject";
		return 0;
	}
	code = suite_begin(suite, &suite->base, &tested, err);
	if (code == 0)
		code = call_often(suite, tested, script ? SCRIPT_CALLS : WARM_CALLS, err);
	for (size_t i = 0; i < 3 && code == 0; i++) {
		code = call_often(suite, tested, rounds, err);
		if (code == 0)
			code = measure(tested, &held[i], err);
		if (code == 0 && !script)
			code = measure_bytes(tested, &held[i].bytes, err);
	}
	if (code == 0)
		code = judge(held, err);
	return code == 0 ? suite_end(suite, tested, err) : suite_drop(tested, code, err);
}

const struct conformance_check conformance_checks[] = {
    {"manifest", "named as its file, and every setting explained", check_manifest},
    {"life", "starts, answers the heartbeat, stops when asked", check_life},
    {"check", "says in time what would not work, and writes nothing", check_check},
    {"health", "says at once how it is, in words", check_health},
    {"settings", "each at its smallest and largest: taken, or refused with words", check_settings},
    {"calls", "answered once whatever the body, on the loop's thread", check_calls},
    {"cancelled", "a cancelled call is answered, an unknown one ignored", check_cancel},
    {"late", "stops in the middle of everything, answers come too late", check_late},
    {"jobs", "ended once whatever the body, also the second time", check_jobs},
    {"events", "whatever the body", check_events},
    {"slow-peer", "lives on while nobody answers it", check_slow_peer},
    {"hostile-peer", "lives through answers that mean nothing", check_hostile_peer},
    {"restart", "starts on what it left when it was killed", check_restart},
    {"orphan", "ends when the kernel is gone", check_orphan},
    {"allocations", "lives through each allocation failing", check_allocations},
    {"leaks", "holds neither memory nor descriptors after calls", check_leaks}, {0}};
