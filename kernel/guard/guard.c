/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard keeps the bytes of every file it loaded: when a limit makes it load them again, it is
 * the policy that the ledger's digest names, whatever has been edited on the disk since.
 */
#include "guard/guard.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "guard/permits.h"
#include "guard/private.h"
#include "guard/verdict.h"

/* ---- the guard -------------------------------------------------------------------------- */

static int
parse_settings(struct guard *guard, struct cairn_error *err)
{
	const struct files *files = &guard->files;
	struct settings_bytes bytes = {.text = files->settings.data,
	    .length = files->settings.length,
	    .schema = files->has_schema ? &files->schema : NULL};

	/* Without the file, a rule that asks for a setting will say so. */
	return files->has_settings ? settings_parse(&bytes, &guard->settings, err) : 0;
}

static int
load(struct guard *guard, const char *dir, struct cairn_error *err)
{
	int code = files_read(&guard->files, dir, err);

	if (code == 0)
		code = parse_settings(guard, err);
	if (code != 0)
		return code;
	guard->source = (struct policy_source){.files = guard->files.items,
	    .file_count = guard->files.count,
	    .settings = &guard->settings,
	    .options = &guard->options};
	return policy_new(&guard->policy, &guard->source, err);
}

static int
keep_project(struct guard *guard, const char *project, struct cairn_error *err)
{
	guard->options.policies_dir = NULL; /* borrowed, and not needed again */
	guard->options.project = NULL;
	if (project == NULL)
		return 0;
	guard->project = strdup(project);
	return guard->project == NULL ? cairn_error_set(err, CAIRN_ENOMEM, "guard: out of memory")
				      : 0;
}

int
guard_open(struct guard **ret, const struct guard_options *options, struct cairn_error *err)
{
	struct guard *guard = calloc(1, sizeof *guard);
	int code;

	if (guard == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "guard: out of memory");
	guard->options = *options;
	code = keep_project(guard, options->project, err);
	if (guard->options.memory_max == 0)
		guard->options.memory_max = 8u << 20;
	if (guard->options.instructions_max == 0)
		guard->options.instructions_max = 1000000;
	if (guard->options.match_limit == 0)
		guard->options.match_limit = 100000;
	if (code == 0)
		code = load(guard, options->policies_dir, err);
	if (code != 0)
		guard_free(guard);
	else
		*ret = guard;
	return code;
}

void
guard_free(struct guard *guard)
{
	if (guard == NULL)
		return;
	policy_free(guard->policy);
	settings_fini(&guard->settings);
	files_fini(&guard->files);
	free(guard->project);
	free(guard);
}

static void
remake(struct guard *guard)
{
	struct cairn_error err = {0};

	policy_free(guard->policy);
	guard->policy = NULL;
	if (policy_new(&guard->policy, &guard->source, &err) != 0)
		log_error("guard", "the policies could not be loaded again, denying: %s", err.text);
}

static const char *
or_empty(const char *text)
{
	return text == NULL ? "" : text;
}

static void
deny_unpermitted(const struct guard_question *q, struct guard_decision *ret)
{
	const char *role = or_empty(q->role);

	verdict_deny(ret, "kernel:default", "no rule permits %s to %s (%s) for purpose '%s'",
	    or_empty(q->subject), or_empty(q->principal),
	    *role == 0 ? "not known at this site" : role, or_empty(q->purpose));
}

void
guard_ask_rules(
    struct guard *guard, const struct guard_question *question, struct guard_decision *ret)
{
	bool good;

	*ret = (struct guard_decision){0};
	if (guard->policy == NULL)
		remake(guard);
	if (guard->policy == NULL) {
		verdict_deny(ret, "kernel:guard",
		    "the policies could not be loaded again after a "
		    "limit was reached; see the node's log");
		return;
	}
	good = policy_decide(guard->policy, question, ret);
	if (ret->rule[0] == 0)
		deny_unpermitted(question, ret);
	if (!good)
		remake(guard);
}

/* Whatever the rules say, a question may not rest on a permit that does not cover it. */
void
guard_decide(struct guard *guard, const struct guard_question *question, struct guard_decision *ret)
{
	uint64_t now_ms = question->now_ms == 0 ? clock_wall_ms() : question->now_ms;
	char problem[PERMITS_TEXT_MAX];

	if (permits_cover(guard->settings.tree, question, guard->project, now_ms, problem)) {
		guard_ask_rules(guard, question, ret);
		return;
	}
	*ret = (struct guard_decision){0};
	verdict_deny(ret, "kernel:permit", "%s", problem);
}

const char *
guard_role(const struct guard *guard, const char *principal)
{
	return settings_role(&guard->settings, principal);
}

void
guard_digest(const struct guard *guard, uint8_t ret[32])
{
	memcpy(ret, guard->files.digest, sizeof guard->files.digest);
}

size_t
guard_rule_count(const struct guard *guard)
{
	return guard->policy == NULL ? 0 : policy_rule_count(guard->policy);
}

bool
guard_file(const struct guard *guard, size_t index, const char **ret_name, uint8_t ret_digest[32])
{
	return files_get(&guard->files, index, ret_name, ret_digest);
}

bool
guard_differs(const struct guard *guard, const char *policies_dir)
{
	struct files files = {0};
	struct cairn_error err = {0};
	bool same = files_read(&files, policies_dir, &err) == 0 &&
	    memcmp(files.digest, guard->files.digest, sizeof files.digest) == 0;

	files_fini(&files);
	return !same;
}
