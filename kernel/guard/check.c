/* SPDX-License-Identifier: Apache-2.0 */
/* What the files themselves show; survey.c asks the rules. */
#include "guard/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "guard/finding.h"
#include "guard/mentions.h"
#include "guard/permits.h"
#include "guard/private.h"

#define SETTINGS "settings.yaml"

void
finding_add(struct findings *findings, bool error, const struct finding_place *place,
    const char *format, ...)
{
	struct guard_finding finding = {.error = error, .line = place->line};
	char text[CAIRN_ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	findings->errors += error;
	text_copy(finding.file, sizeof finding.file, place->file);
	if (place->line > 0)
		snprintf(finding.text, sizeof finding.text, "%s:%u: %.380s", place->file,
		    place->line, text);
	else
		snprintf(finding.text, sizeof finding.text, "%.400s", text);
	findings->report(findings->arg, &finding);
}

void
finding_rule_place(const struct policy_rule *rule, char file[64], struct finding_place *ret)
{
	snprintf(file, 64, "%.*s", (int)strcspn(rule->label, ":"), rule->label);
	*ret = (struct finding_place){file, rule->line};
}

/* ---- settings --------------------------------------------------------------------------- */

static bool
is_list_item(const struct tree *tree, const char *word)
{
	for (const struct tree_node *at = tree->root->first; at != NULL; at = at->next) {
		for (const struct tree_node *item = at->kind == TREE_LIST ? at->first : NULL;
		     item != NULL; item = item->next) {
			if (item->kind == TREE_SCALAR && strcmp(item->text, word) == 0)
				return true;
		}
	}
	return false;
}

static void
check_read(struct findings *findings)
{
	const struct guard *guard = findings->guard;

	for (const struct tree_node *at = guard->settings.tree->root->first; at != NULL;
	     at = at->next) {
		const struct finding_place place = {SETTINGS, at->line};

		if (strcmp(at->key, "principals") != 0 && strcmp(at->key, "permits") != 0 &&
		    !mentions_word(&guard->files, at->key, false))
			finding_add(findings, false, &place,
			    "no rule reads '%s', so that it changes nothing", at->key);
	}
}

static void
check_roles(struct findings *findings)
{
	const struct guard *guard = findings->guard;
	const struct settings *settings = &guard->settings;
	char near[64];

	for (size_t i = 0; i < settings->count; i++) {
		const struct settings_principal *principal = &settings->principals[i];
		const struct finding_place place = {SETTINGS, principal->line};

		if (mentions_word(&guard->files, principal->role, true) ||
		    is_list_item(settings->tree, principal->role))
			continue;
		if (mentions_nearest(&guard->files, principal->role, near))
			finding_add(findings, true, &place,
			    "principal '%s': no rule knows the role '%s'; did you mean '%s'?",
			    principal->name, principal->role, near);
		else
			finding_add(findings, true, &place,
			    "principal '%s': no rule knows the role '%s', so that every answer "
			    "would be no",
			    principal->name, principal->role);
	}
}

/* ---- permits ---------------------------------------------------------------------------- */

struct words {
	const struct guard *guard;
	struct findings *findings;
	const struct tree_node *permit;
};

static const char *
next_principal(const void *arg, size_t index)
{
	const struct settings *settings = arg;

	return index < settings->count ? settings->principals[index].name : NULL;
}

static void
check_holder(void *arg, const struct tree_node *word)
{
	const struct words *w = arg;
	const struct settings *settings = &w->guard->settings;
	const struct finding_place place = {SETTINGS, word->line};
	const char *near;

	if (strncmp(word->text, "local:", 6) == 0 || settings_role(settings, word->text)[0] != 0)
		return;
	near = text_suggest(word->text, next_principal, settings);
	finding_add(w->findings, true, &place, "permit '%s': '%s' is not among 'principals'%s%s%s",
	    w->permit->key, word->text, near == NULL ? "" : "; did you mean '",
	    near == NULL ? "" : near, near == NULL ? "" : "'?");
}

bool
finding_is_purposes(const struct tree_node *list)
{
	size_t length = strlen(list->key);

	return list->kind == TREE_LIST && length > 9 &&
	    strcmp(list->key + length - 9, "_purposes") == 0;
}

/* What data may and may not be used for: Articles 53(1) and 54 of (EU) 2025/327, in the words of
 * the settings that a node begins with. A site may have words of its own. */
static const char *
next_known(const void *arg, size_t index)
{
	static const char *const known[] = {"scientific-research", "ai-training", "innovation",
	    "public-health", "policy", "statistics", "education", "care-improvement",
	    "detrimental-decision", "employment", "insurance", "credit", "advertising",
	    "harmful-products", "operations", "quality-assurance"};

	(void)arg;
	return index < sizeof known / sizeof known[0] ? known[index] : NULL;
}

static void
check_spelling(struct findings *findings)
{
	const struct tree *tree = findings->guard->settings.tree;

	for (const struct tree_node *at = tree->root->first; at != NULL; at = at->next) {
		for (const struct tree_node *item = finding_is_purposes(at) ? at->first : NULL;
		     item != NULL; item = item->next) {
			const struct finding_place place = {SETTINGS, item->line};
			const char *near = item->kind != TREE_SCALAR
			    ? NULL
			    : text_suggest(item->text, next_known, NULL);

			if (near != NULL && strcmp(near, item->text) != 0)
				finding_add(findings, false, &place,
				    "'%s' in '%s' looks misspelt; did you mean '%s'?", item->text,
				    at->key, near);
		}
	}
}

/* The index-th text of all lists of purposes. */
static const char *
next_purpose(const void *arg, size_t index)
{
	const struct tree *tree = arg;

	for (const struct tree_node *at = tree->root->first; at != NULL; at = at->next) {
		for (const struct tree_node *item = finding_is_purposes(at) ? at->first : NULL;
		     item != NULL; item = item->next) {
			if (item->kind == TREE_SCALAR && index-- == 0)
				return item->text;
		}
	}
	return NULL;
}

static void
check_purpose(void *arg, const struct tree_node *word)
{
	const struct words *w = arg;
	const struct tree *tree = w->guard->settings.tree;
	const struct finding_place place = {SETTINGS, word->line};
	const char *near;
	size_t i = 0;

	while (next_purpose(tree, i) != NULL && strcmp(next_purpose(tree, i), word->text) != 0)
		i++;
	if (next_purpose(tree, i) != NULL || next_purpose(tree, 0) == NULL)
		return;
	near = text_suggest(word->text, next_purpose, tree);
	finding_add(w->findings, true, &place,
	    "permit '%s': no list of purposes here has '%s'%s%s%s", w->permit->key, word->text,
	    near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
	    near == NULL ? "" : "'?");
}

static void
check_permits(struct findings *findings)
{
	const struct guard *guard = findings->guard;
	const struct tree_node *permits = tree_find(guard->settings.tree->root, "permits");
	struct words words = {guard, findings, NULL};

	for (const struct tree_node *at = permits == NULL ? NULL : permits->first; at != NULL;
	     at = at->next) {
		const struct tree_node *project = tree_find(at, "project");
		const struct finding_place place = {SETTINGS, at->line};

		words.permit = at;
		permits_each(at, "principal", check_holder, &words);
		permits_each(at, "purpose", check_purpose, &words);
		if (permits_last_day(at) < permits_today(clock_wall_ms()))
			finding_add(findings, false, &place, "permit '%s' expired on %s", at->key,
			    tree_find(at, "expires")->text);
		if (project != NULL && guard->project != NULL &&
		    strcmp(project->text, guard->project) != 0)
			finding_add(findings, false, &place,
			    "permit '%s' is for project '%s', and this node's is '%s'", at->key,
			    project->text, guard->project);
	}
}

/* ---- subjects --------------------------------------------------------------------------- */

static const char *
next_subject(const void *arg, size_t index)
{
	const struct findings *findings = arg;

	return index < findings->count ? findings->served[index].subject : NULL;
}

static bool
is_served(const struct findings *findings, const char *pattern)
{
	for (size_t i = 0; i < findings->count; i++) {
		if (text_subject_matches(pattern, findings->served[i].subject))
			return true;
	}
	return false;
}

/* Several rules about one plugin that is not enabled are one finding. */
static bool
was_seen(const struct guard *guard, size_t rule, size_t subject, const char *pattern)
{
	struct policy_rule at;

	for (size_t i = 0; i <= rule && policy_rule(guard->policy, i, &at); i++) {
		size_t end = i == rule ? subject : at.subject_count;

		for (size_t j = 0; j < end; j++) {
			if (strcmp(at.subjects[j], pattern) == 0)
				return true;
		}
	}
	return false;
}

static void
check_rule_subjects(struct findings *findings, size_t index, const struct policy_rule *rule)
{
	struct finding_place place;
	char file[64];

	finding_rule_place(rule, file, &place);
	for (size_t i = 0; i < rule->subject_count; i++) {
		const char *pattern = rule->subjects[i], *near;

		if (is_served(findings, pattern) || was_seen(findings->guard, index, i, pattern))
			continue;
		/* A rule for a plugin that is not enabled does no harm, a misspelt one permits or
		 * denies nothing. */
		near = text_suggest(pattern, next_subject, findings);
		if (near != NULL)
			finding_add(findings, false, &place,
			    "rule '%s' is about '%s', which no enabled plugin serves; did you mean "
			    "'%s'?",
			    strchr(rule->label, ':') + 1, pattern, near);
	}
}

static bool
is_ruled(const struct guard *guard, const char *subject)
{
	struct policy_rule rule;

	for (size_t i = 0; policy_rule(guard->policy, i, &rule); i++) {
		for (size_t j = 0; j < rule.subject_count; j++) {
			if (text_subject_matches(rule.subjects[j], subject))
				return true;
		}
	}
	return false;
}

static void
check_subjects(struct findings *findings)
{
	const struct finding_place whole = {"", 0};
	struct policy_rule rule;

	for (size_t i = 0; policy_rule(findings->guard->policy, i, &rule); i++)
		check_rule_subjects(findings, i, &rule);
	for (size_t i = 0; i < findings->count; i++) {
		if (findings->served[i].guarded && !findings->served[i].own &&
		    !is_ruled(findings->guard, findings->served[i].subject))
			finding_add(findings, false, &whole,
			    "no rule is about '%s', so that it is always denied",
			    findings->served[i].subject);
	}
}

/* ---- all of it -------------------------------------------------------------------------- */

size_t
guard_check(struct guard *guard, const struct guard_served *served, size_t count,
    guard_finding_fn report, void *arg)
{
	struct findings findings = {guard, served, count, report, arg, 0};
	const struct finding_place whole = {"", 0};

	if (guard_rule_count(guard) == 0) {
		finding_add(&findings, true, &whole,
		    "there is no rule in policies/*.lua, so that every question would be denied; "
		    "`cairn init` in an empty directory shows the default ones");
		return findings.errors;
	}
	if (guard->settings.tree != NULL) {
		check_read(&findings);
		check_roles(&findings);
		check_spelling(&findings);
		check_permits(&findings);
	}
	/* With nothing but the kernel's own subjects the node is being set up, and this no news. */
	if (count > 1)
		check_subjects(&findings);
	survey(&findings);
	return findings.errors;
}
