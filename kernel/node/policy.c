/* SPDX-License-Identifier: Apache-2.0 */
#include "node/policy.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "guard/cases.h"
#include "guard/changes.h"

#define FIELDS_MAX 200 /* more than the 70 files that a guard loads at most */
#define CHANGE_NAME_MAX (CHANGES_KEY_MAX + 16)
#define CHANGE_TEXT_MAX (2 * CHANGES_TEXT_MAX)
#define CHANGE_BYTES_MAX 32768 /* what is beyond is said to be */

static int
policies_path(const struct node *node, char ret[PATH_MAX], struct cairn_error *err)
{
	if (file_join(ret, PATH_MAX, node->config->home, "policies") != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the node's home has too long a path");
	return 0;
}

int
node_policy_open(const struct node *node, struct guard **ret, struct cairn_error *err)
{
	char path[PATH_MAX];
	struct guard_options options = {.policies_dir = path, .project = node->config->project};
	int code = policies_path(node, path, err);

	return code != 0 ? code : guard_open(ret, &options, err);
}

/* ---- checking --------------------------------------------------------------------------- */

struct checking {
	json_t *warnings;
	struct cairn_error *err;
	size_t errors;
};

static void
warn(json_t *warnings, const char *text)
{
	log_warning("policy", "%s", text);
	if (warnings != NULL)
		json_array_append_new(warnings, json_string(text));
}

static void
take_finding(void *arg, const struct guard_finding *finding)
{
	struct checking *checking = arg;

	if (!finding->error) {
		warn(checking->warnings, finding->text);
		return;
	}
	log_error("policy", "%s", finding->text);
	if (checking->errors++ == 0)
		cairn_error_set(checking->err, CAIRN_EINVAL, "policies: %s", finding->text);
}

/* A policy that decides the site's cases otherwise than they say may be meant so. */
static void
check_cases(const struct node *node, struct guard *guard, const struct guard_served *served,
    size_t count, json_t *warnings)
{
	struct cairn_error err = {0};
	struct cases_count cases = {0};
	char path[PATH_MAX], text[200];

	if (file_join(path, sizeof path, node->config->home, "policies/cases") != 0)
		return;
	if (cases_folder(guard, path, served, count, &cases, &err) != 0) {
		warn(warnings, err.text);
		return;
	}
	if (cases.wrong == 0)
		return;
	cases_text(&cases, text, sizeof text);
	warn(warnings, text);
}

int
node_policy_check_set(const struct node *node, struct guard *guard,
    const struct manifest *const *manifests, size_t count, json_t *warnings,
    struct cairn_error *err)
{
	struct guard_served *served = calloc(GUARD_SERVED_MAX, sizeof *served);
	struct checking checking = {warnings, err, 0};
	size_t served_count;

	if (served == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	served_count = guard_served_kernel(served);
	for (size_t i = 0; i < count; i++)
		served_count = guard_served_add(served, served_count, manifests[i]);
	guard_check(guard, served, served_count, take_finding, &checking);
	if (checking.errors == 0)
		check_cases(node, guard, served, served_count, warnings);
	free(served);
	return checking.errors == 0 ? 0 : CAIRN_EINVAL;
}

int
node_policy_check(
    const struct node *node, struct guard *guard, json_t *warnings, struct cairn_error *err)
{
	const struct manifest *manifests[NODE_PLUGINS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < node->plugin_count; i++) {
		if (!node->plugins[i]->removed)
			manifests[count++] = node->plugins[i]->config.manifest;
	}
	return node_policy_check_set(node, guard, manifests, count, warnings, err);
}

/* ---- recording a change ----------------------------------------------------------------- */

struct change {
	struct ledger_field fields[FIELDS_MAX];
	char names[FIELDS_MAX][CHANGE_NAME_MAX];
	char texts[FIELDS_MAX][CHANGE_TEXT_MAX + 8];
	size_t count, bytes;
};

static void
digest_text(const struct guard *guard, char ret[65])
{
	uint8_t bytes[32];

	guard_digest(guard, bytes);
	text_hex(bytes, sizeof bytes, ret);
}

static void
add_field(struct change *change, const char *name, const char *before, const char *after)
{
	size_t i = change->count;

	if (i == FIELDS_MAX)
		return;
	snprintf(change->names[i], sizeof change->names[i], "%s", name);
	snprintf(change->texts[i], sizeof change->texts[i], "%s -> %s", before, after);
	if (i == FIELDS_MAX - 1 || change->bytes > CHANGE_BYTES_MAX) {
		snprintf(change->names[i], sizeof change->names[i], "more");
		snprintf(
		    change->texts[i], sizeof change->texts[i], "further changes are not listed");
	}
	change->bytes += strlen(change->names[i]) + strlen(change->texts[i]);
	if (change->bytes > 2 * CHANGE_BYTES_MAX ||
	    (i > 0 && strcmp(change->names[i - 1], "more") == 0))
		return;
	change->fields[i] = (struct ledger_field){change->names[i], change->texts[i]};
	change->count++;
}

/* What a setting was and is: a digest says only that the file is another. */
static void
add_setting(void *arg, const char *key, const char *before, const char *after)
{
	char name[CHANGE_NAME_MAX];

	snprintf(name, sizeof name, "settings.%s", key);
	add_field(arg, name, before, after);
}

static bool
file_digest(const struct guard *guard, const char *name, char ret[65])
{
	const char *at;
	uint8_t digest[32];

	for (size_t i = 0; guard_file(guard, i, &at, digest); i++) {
		if (strcmp(at, name) == 0) {
			text_hex(digest, sizeof digest, ret);
			return true;
		}
	}
	return false;
}

static void
add_files(struct change *change, const struct guard *before, const struct guard *after)
{
	char old[65], new[65];
	uint8_t digest[32];
	const char *name;

	for (size_t i = 0; guard_file(after, i, &name, digest); i++) {
		text_hex(digest, sizeof digest, new);
		if (!file_digest(before, name, old))
			add_field(change, name, "new", new);
		else if (strcmp(old, new) != 0)
			add_field(change, name, old, new);
	}
	for (size_t i = 0; guard_file(before, i, &name, digest); i++) {
		text_hex(digest, sizeof digest, old);
		if (!file_digest(after, name, new))
			add_field(change, name, old, "removed");
	}
}

static void
record(struct node *node, const char *principal, const struct change *change,
    const struct ledger_entry *what)
{
	struct ledger_entry entry = *what;
	struct cairn_error err = {0};

	entry.kind = "policy";
	entry.principal = principal;
	entry.fields = change == NULL ? NULL : change->fields;
	entry.field_count = change == NULL ? 0 : change->count;
	if (node->ledger != NULL && ledger_append(node->ledger, &entry, NULL, NULL, &err) != 0)
		log_error("policy", "the change is not recorded: %s", err.text);
}

/* ---- reloading -------------------------------------------------------------------------- */

/* The new policy decides from here on; without memory the record lacks what changed. */
static void
exchange(struct node *node, struct guard *guard, const char *principal)
{
	struct change *change = calloc(1, sizeof *change);
	char before[65], after[65];

	digest_text(node->guard, before);
	digest_text(guard, after);
	if (change != NULL) {
		add_field(change, "policy", before, after);
		add_files(change, node->guard, guard);
		guard_changes(node->guard, guard, add_setting, change);
	}
	record(node, principal, change,
	    &(struct ledger_entry){.subject = after, .verdict = "reloaded"});
	free(change);
	guard_free(node->guard);
	node->guard = guard;
	log_info("policy", "reloaded: %zu rules", guard_rule_count(guard));
}

void
node_policy_keep(struct node *node, const char *principal, const struct cairn_error *err)
{
	char digest[65];

	digest_text(node->guard, digest);
	record(node, principal, NULL,
	    &(struct ledger_entry){.subject = digest, .verdict = "kept", .reason = err->text});
	log_error("policy", "not reloaded, the policy that was loaded goes on: %s", err->text);
}

static void
describe(json_t *reply, const struct guard *guard, const char *before, json_t *warnings)
{
	char digest[65];

	digest_text(guard, digest);
	if (reply == NULL)
		return;
	json_object_set_new(reply, "changed", json_boolean(strcmp(before, digest) != 0));
	json_object_set_new(reply, "before", json_string(before));
	json_object_set_new(reply, "digest", json_string(digest));
	json_object_set_new(reply, "rules", json_integer((json_int_t)guard_rule_count(guard)));
	json_object_set(reply, "warnings", warnings);
}

void
node_policy_take(
    struct node *node, struct guard *guard, const char *principal, json_t *reply, json_t *warnings)
{
	char before[65], after[65];

	digest_text(node->guard, before);
	digest_text(guard, after);
	if (strcmp(before, after) != 0)
		exchange(node, guard, principal);
	else
		guard_free(guard);
	describe(reply, node->guard, before, warnings);
}

json_t *
node_policy_json(const struct node *node)
{
	char path[PATH_MAX], digest[65];
	bool differs = policies_path(node, path, NULL) != 0 || guard_differs(node->guard, path);

	digest_text(node->guard, digest);
	return json_pack("{s:I, s:s, s:b}", "rules", (json_int_t)guard_rule_count(node->guard),
	    "digest", digest, "differs", differs);
}
