/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/cases.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "config/schema.h"
#include "guard/permits.h"

#define PROBLEM_MAX 2048

struct run {
	struct guard *guard;
	const struct tree *tree;
	const struct cases_ops *ops;
	char problem[PROBLEM_MAX];
	size_t length;
};

static void problem(struct run *run, const struct tree_node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
problem(struct run *run, const struct tree_node *at, const char *format, ...)
{
	struct cairn_error err = {0};
	char text[CAIRN_ERROR_TEXT_MAX];
	va_list args;
	int wrote;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	tree_error(run->tree, at, &err, "%s", text);
	wrote = snprintf(run->problem + run->length, PROBLEM_MAX - run->length, "%s%s",
	    run->length == 0 ? "" : "\n", err.text);
	if (wrote > 0 && (size_t)wrote < PROBLEM_MAX - run->length)
		run->length += (size_t)wrote;
}

static const char *
text_of(const struct tree_node *map, const char *key)
{
	const struct tree_node *node = tree_find(map, key);

	return node == NULL || node->kind != TREE_SCALAR ? "" : node->text;
}

static bool
has_unknown_key(
    struct run *run, const struct tree_node *map, const char *const *known, const char *where)
{
	struct cairn_error err = {0};

	if (schema_known_keys(run->tree, map, known, where, &err) == 0)
		return false;
	run->length = (size_t)snprintf(run->problem, PROBLEM_MAX, "%s", err.text);
	return true;
}

/* ---- what is expected ------------------------------------------------------------------- */

static bool
has_obligation(const struct guard_decision *d, const char *name)
{
	for (size_t i = 0; i < d->obligation_count; i++) {
		if (strcmp(d->obligations[i].name, name) == 0)
			return true;
	}
	return false;
}

static void
compare_obligations(struct run *run, const struct tree_node *expect, const struct guard_decision *d)
{
	const struct tree_node *map = tree_find(expect, "obligations");
	size_t count = map == NULL || map->kind != TREE_MAP ? 0 : map->count;

	for (const struct tree_node *at = count == 0 ? NULL : map->first; at != NULL;
	     at = at->next) {
		if (!has_obligation(d, at->key))
			problem(run, at, "the obligation '%s': expected %s, found none", at->key,
			    at->kind == TREE_SCALAR ? at->text : "a number");
	}
	for (size_t i = 0; i < d->obligation_count; i++) {
		const struct tree_node *at =
		    count == 0 ? NULL : tree_find(map, d->obligations[i].name);
		int64_t value = 0;

		if (at == NULL || tree_integer(at, &value) != 0 || value != d->obligations[i].value)
			problem(run, at == NULL ? expect : at,
			    "the obligation '%s': expected %s, found %" PRId64,
			    d->obligations[i].name,
			    at == NULL                    ? "none"
				: at->kind == TREE_SCALAR ? at->text
							  : "a number",
			    d->obligations[i].value);
	}
}

static void
compare(struct run *run, const struct tree_node *expect, const struct guard_decision *d)
{
	static const char *const known[] = {"verdict", "rule", "reason", "obligations", NULL};
	const struct tree_node *rule = tree_find(expect, "rule");
	const struct tree_node *reason = tree_find(expect, "reason");

	if (has_unknown_key(run, expect, known, "expect"))
		return;
	if (strcmp(text_of(expect, "verdict"), d->permit ? "permit" : "deny") != 0) {
		problem(run, expect, "the verdict is %s, by %s: %s", d->permit ? "permit" : "deny",
		    d->rule, d->reason);
		return;
	}
	if (rule != NULL && strcmp(text_of(expect, "rule"), d->rule) != 0)
		problem(run, rule, "the rule: expected '%s', found '%s'", text_of(expect, "rule"),
		    d->rule);
	if (reason != NULL && strcmp(text_of(expect, "reason"), d->reason) != 0)
		problem(run, reason, "the reason: expected '%s', found '%s'",
		    text_of(expect, "reason"), d->reason);
	compare_obligations(run, expect, d);
}

/* ---- the question ----------------------------------------------------------------------- */

static bool
read_day(struct run *run, const struct tree_node *ask, uint64_t *ret_now_ms)
{
	const struct tree_node *on = tree_find(ask, "on");
	int32_t day;

	if (on == NULL)
		return true;
	if (on->kind != TREE_SCALAR || permits_parse_day(on->text, &day) != 0 || day < 1) {
		problem(run, on, "'on' must be a day such as 2027-06-30");
		return false;
	}
	*ret_now_ms = (uint64_t)day * 86400000u;
	return true;
}

static void
run_case(struct run *run, const struct tree_node *node)
{
	static const char *const known[] = {
	    "subject", "principal", "role", "via", "asked_by", "purpose", "permit", "on", NULL};
	const struct tree_node *ask = node->kind == TREE_MAP ? tree_find(node, "question") : NULL;
	const struct tree_node *expect = node->kind == TREE_MAP ? tree_find(node, "expect") : NULL;
	struct guard_question q = {.request_id = ""};
	ProtobufCMessage *message = NULL;
	struct guard_decision d;

	if (ask == NULL || expect == NULL || ask->kind != TREE_MAP || expect->kind != TREE_MAP) {
		problem(run, node, "a case needs question: {...} and expect: {...}");
		return;
	}
	if (has_unknown_key(run, ask, known, "question") || !read_day(run, ask, &q.now_ms))
		return;
	q.subject = text_of(ask, "subject");
	q.principal = text_of(ask, "principal");
	q.role = tree_find(ask, "role") != NULL ? text_of(ask, "role")
						: guard_role(run->guard, q.principal);
	q.via = tree_find(ask, "via") != NULL ? text_of(ask, "via") : "control";
	q.asked_by = text_of(ask, "asked_by");
	q.purpose = text_of(ask, "purpose");
	q.permit = text_of(ask, "permit");
	if (run->ops->message != NULL)
		message = run->ops->message(run->ops->arg, q.subject);
	q.message = message;
	guard_decide(run->guard, &q, &d);
	if (message != NULL)
		protobuf_c_message_free_unpacked(message, NULL);
	compare(run, expect, &d);
}

int
cases_run(
    struct guard *guard, const char *path, const struct cases_ops *ops, struct cairn_error *err)
{
	struct run run = {.guard = guard, .ops = ops};
	const char *slash = strrchr(path, '/');
	struct tree *tree;
	int code = tree_read(path, slash == NULL ? path : slash + 1, &tree, err);

	if (code != 0)
		return code;
	if (tree->root->kind != TREE_MAP)
		code = tree_error(
		    tree, tree->root, err, "expected 'NAME: {question: ..., expect: ...}'");
	run.tree = tree;
	for (const struct tree_node *at = code == 0 ? tree->root->first : NULL; at != NULL;
	     at = at->next) {
		struct cases_result result = {at->key, at->line, run.problem};

		run.length = 0;
		run.problem[0] = 0;
		run_case(&run, at);
		ops->result(ops->arg, &result);
	}
	tree_free(tree);
	return code;
}
