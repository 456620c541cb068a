/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CHECKS_H
#define CLI_CHECKS_H

/* The checks of `cairn plugin test`.  Each has a host process (or several) of its own and says in
 * words what the plugin did; its folder keeps the plugin's state between them. */

#include "cli/tested.h"

struct suite {
	struct tested_options base; /* manifest, settings, folder, timeout */
	char last[128];             /* what was being done, for the words of a failure */
};

struct check_result {
	const char *skipped; /* why there was nothing to check; NULL */
};

struct conformance_check {
	const char *name;    /* "life" */
	const char *summary; /* what it holds a plugin to */
	int (*run)(struct suite *suite, struct check_result *ret, struct cairn_error *err);
};

/* Ends with a NULL name. */
extern const struct conformance_check conformance_checks[];

/* cmd_test.c, for all that runs a plugin alone: its manifest, its settings (NULL: the defaults),
 * and the end of its folder. */
int test_read_plugin(const char *file, struct manifest **ret, struct cairn_error *err);
/* The bytes of a script as they are run; `*ret` stays NULL for a shared object. */
int test_open_script(
    const struct manifest *manifest, struct provenance **ret, struct cairn_error *err);
int test_load_values(const char *dir, const char *settings, const struct manifest *manifest,
    struct config_values *ret, struct cairn_error *err);
void test_remove(const char *dir);

/* checks.c: a watched plugin that is ready; and its orderly end, with what the shim or a sanitizer
 * wrote of it meanwhile.  Frees in every case. */
int suite_begin(struct suite *suite, const struct tested_options *options, struct tested **ret,
    struct cairn_error *err);
int suite_end(struct suite *suite, struct tested *tested, struct cairn_error *err);
/* Frees, and puts what is worse than `code` (a complaint in the log) in its place. */
int suite_drop(struct tested *tested, int code, struct cairn_error *err);

/* traffic.c */
int check_calls(struct suite *suite, struct check_result *ret, struct cairn_error *err);
int check_cancel(struct suite *suite, struct check_result *ret, struct cairn_error *err);
int check_late(struct suite *suite, struct check_result *ret, struct cairn_error *err);
int check_jobs(struct suite *suite, struct check_result *ret, struct cairn_error *err);
int check_events(struct suite *suite, struct check_result *ret, struct cairn_error *err);
int check_slow_peer(struct suite *suite, struct check_result *ret, struct cairn_error *err);
int check_hostile_peer(struct suite *suite, struct check_result *ret, struct cairn_error *err);
/* checks_health.c */
int check_check(struct suite *suite, struct check_result *ret, struct cairn_error *err);
int check_health(struct suite *suite, struct check_result *ret, struct cairn_error *err);

/* One of everything the plugin may be sent. */
int traffic_all(struct suite *suite, struct tested *tested, bool wait, struct cairn_error *err);
/* A call of the first subject it serves; false when it serves none. */
bool traffic_call(struct suite *suite, struct tested *tested, size_t index, uint64_t *ret_id);

#endif
