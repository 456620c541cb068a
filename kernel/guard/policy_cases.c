/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_cases POLICIES CASES.yaml...: puts the questions of the case files to a site's policies
 * and compares the decisions.  Prints what differs; exit code 0 only when nothing does.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/tree.h"
#include "guard/guard.h"

struct run {
	struct guard *guard;
	const struct tree *tree;
	unsigned passed, failed;
};

static const char *
text_of(const struct tree_node *map, const char *key)
{
	const struct tree_node *node = map == NULL ? NULL : tree_find(map, key);

	return node == NULL || node->kind != TREE_SCALAR ? "" : node->text;
}

static void
differs(const struct run *run, const struct tree_node *at, const char *what, const char *found)
{
	printf("%s:%u: %s expected '%s', found '%s'\n", run->tree->origin, at->line, what, at->text,
	    found);
}

static bool
has_unknown_key(const struct run *run, const struct tree_node *map, const char *const *known)
{
	for (const struct tree_node *at = map->first; at != NULL; at = at->next) {
		size_t i = 0;

		while (known[i] != NULL && strcmp(known[i], at->key) != 0)
			i++;
		if (known[i] == NULL) {
			printf("%s:%u: unknown key '%s'\n", run->tree->origin, at->line, at->key);
			return true;
		}
	}
	return false;
}

static bool
same_obligations(
    const struct run *run, const struct tree_node *expect, const struct guard_decision *d)
{
	const struct tree_node *map = tree_find(expect, "obligations");
	size_t count = map == NULL || map->kind != TREE_MAP ? 0 : map->count;

	if (count != d->obligation_count) {
		printf("%s:%u: %zu obligations expected, found %zu\n", run->tree->origin,
		    expect->line, count, d->obligation_count);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		const struct tree_node *at = tree_find(map, d->obligations[i].name);
		int64_t value = 0;

		if (at == NULL || tree_integer(at, &value) != 0 ||
		    value != d->obligations[i].value) {
			printf("%s:%u: obligation %s is %" PRId64 "\n", run->tree->origin,
			    map->line, d->obligations[i].name, d->obligations[i].value);
			return false;
		}
	}
	return true;
}

static bool
compare(const struct run *run, const struct tree_node *expect, const struct guard_decision *d)
{
	static const char *const known[] = {"verdict", "rule", "reason", "obligations", NULL};
	const struct tree_node *verdict = tree_find(expect, "verdict");
	const struct tree_node *rule = tree_find(expect, "rule");
	const struct tree_node *reason = tree_find(expect, "reason");
	bool good = !has_unknown_key(run, expect, known);

	if (verdict == NULL || strcmp(verdict->text, d->permit ? "permit" : "deny") != 0) {
		printf("%s:%u: the verdict is %s, by %s: %s\n", run->tree->origin, expect->line,
		    d->permit ? "permit" : "deny", d->rule, d->reason);
		return false;
	}
	if (rule != NULL && strcmp(rule->text, d->rule) != 0) {
		differs(run, rule, "rule", d->rule);
		good = false;
	}
	if (reason != NULL && strcmp(reason->text, d->reason) != 0) {
		differs(run, reason, "reason", d->reason);
		good = false;
	}
	return same_obligations(run, expect, d) && good;
}

/* The role is what the site's settings say, unless the case gives the one that the kernel would. */
static bool
run_case(const struct run *run, const struct tree_node *node)
{
	static const char *const known[] = {
	    "subject", "principal", "role", "via", "asked_by", "purpose", "permit", NULL};
	const struct tree_node *ask = tree_find(node, "question");
	const struct tree_node *expect = tree_find(node, "expect");
	struct guard_question q = {0};
	struct guard_decision d;

	if (ask == NULL || expect == NULL || ask->kind != TREE_MAP || expect->kind != TREE_MAP ||
	    has_unknown_key(run, ask, known)) {
		printf("%s:%u: a case needs question: {...} and expect: {...}\n", run->tree->origin,
		    node->line);
		return false;
	}
	q.subject = text_of(ask, "subject");
	q.principal = text_of(ask, "principal");
	q.role = tree_find(ask, "role") != NULL ? text_of(ask, "role")
						: guard_role(run->guard, q.principal);
	q.via = tree_find(ask, "via") != NULL ? text_of(ask, "via") : "control";
	q.asked_by = text_of(ask, "asked_by");
	q.purpose = text_of(ask, "purpose");
	q.permit = text_of(ask, "permit");
	guard_decide(run->guard, &q, &d);
	return compare(run, expect, &d);
}

static int
run_file(struct run *run, const char *path)
{
	struct cairn_error err = {0};
	struct tree *tree;

	if (tree_read(path, NULL, &tree, &err) != 0) {
		printf("%s\n", err.text);
		return 1;
	}
	run->tree = tree;
	if (tree->root->kind != TREE_MAP) {
		printf("%s: expected 'NAME: {question: ..., expect: ...}'\n", path);
		run->failed++;
	}
	for (const struct tree_node *at = tree->root->first; at != NULL; at = at->next) {
		bool good = at->kind == TREE_MAP && run_case(run, at);

		printf("%s %s\n", good ? "ok    " : "FAILED", at->key == NULL ? "?" : at->key);
		run->passed += good;
		run->failed += !good;
	}
	tree_free(tree);
	return 0;
}

int
main(int argc, char **argv)
{
	struct guard_options options = {.policies_dir = argc > 2 ? argv[1] : NULL};
	struct run run = {0};
	struct cairn_error err = {0};
	int code = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: policy_cases POLICIES CASES.yaml...\n");
		return 2;
	}
	if (guard_open(&run.guard, &options, &err) != 0) {
		printf("%s\n", err.text);
		return 1;
	}
	for (int i = 2; i < argc && code == 0; i++)
		code = run_file(&run, argv[i]);
	guard_free(run.guard);
	printf("%u right, %u wrong\n", run.passed, run.failed);
	return code != 0 || run.failed > 0 || run.passed == 0;
}
