/* SPDX-License-Identifier: Apache-2.0 */
#include "node/policy.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "guard/check.h"

#define FILES_MAX 70 /* more than a guard loads */
#define CHANGE_TEXT_MAX 160

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
take_finding(void *arg, const struct guard_finding *finding)
{
	struct checking *checking = arg;

	if (!finding->error) {
		log_warning("policy", "%s", finding->text);
		if (checking->warnings != NULL)
			json_array_append_new(checking->warnings, json_string(finding->text));
		return;
	}
	log_error("policy", "%s", finding->text);
	if (checking->errors++ == 0)
		cairn_error_set(checking->err, CAIRN_EINVAL, "policies: %s", finding->text);
}

int
node_policy_check_set(struct guard *guard, const struct manifest *const *manifests, size_t count,
    json_t *warnings, struct cairn_error *err)
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
	return node_policy_check_set(guard, manifests, count, warnings, err);
}

/* ---- recording a change ----------------------------------------------------------------- */

struct change {
	struct ledger_field fields[FILES_MAX];
	char texts[FILES_MAX][CHANGE_TEXT_MAX];
	size_t count;
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
	if (change->count == FILES_MAX)
		return;
	snprintf(change->texts[change->count], CHANGE_TEXT_MAX, "%s -> %s", before, after);
	change->fields[change->count] = (struct ledger_field){name, change->texts[change->count]};
	change->count++;
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
	entry.fields = change->fields;
	entry.field_count = change->count;
	if (node->ledger != NULL && ledger_append(node->ledger, &entry, NULL, NULL, &err) != 0)
		log_error("policy", "the change is not recorded: %s", err.text);
}

/* ---- reloading -------------------------------------------------------------------------- */

/* The new policy decides from here on; nothing in this can fail. */
static void
exchange(struct node *node, struct guard *guard, const char *principal)
{
	struct change change = {.count = 0};
	char before[65], after[65];

	digest_text(node->guard, before);
	digest_text(guard, after);
	add_field(&change, "policy", before, after);
	add_files(&change, node->guard, guard);
	record(node, principal, &change,
	    &(struct ledger_entry){.subject = after, .verdict = "reloaded"});
	guard_free(node->guard);
	node->guard = guard;
	log_info("policy", "reloaded: %zu rules", guard_rule_count(guard));
}

void
node_policy_keep(struct node *node, const char *principal, const struct cairn_error *err)
{
	struct change change = {.count = 0};
	char digest[65];

	digest_text(node->guard, digest);
	record(node, principal, &change,
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
