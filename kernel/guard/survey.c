/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sample questions: each role of this site asks each guarded subject for each purpose, first
 * without a permit, then with one that the list of permits is not asked about.  What nobody is
 * permitted, and what is demanded of those who do not carry it out, comes to light.
 */
#include <stdio.h>
#include <string.h>

#include "guard/finding.h"
#include "guard/private.h"

#define ROLES_MAX 32
#define PURPOSES_MAX 128
#define FAILURES_MAX 3 /* a rule that runs away costs its whole budget each time */
#define TOLD_MAX 32
#define PURPOSES_TOLD 3

struct asker {
	const char *role, *name;
	bool permitted;
};

struct purpose {
	const char *word;
	unsigned line;
	bool forbidden, permitted;
};

struct survey {
	struct findings *findings;
	struct asker askers[ROLES_MAX];
	size_t asker_count;
	struct purpose purposes[PURPOSES_MAX];
	size_t purpose_count;
	unsigned failures;
	char told[TOLD_MAX][96]; /* obligations that were found wanting already */
	size_t told_count;
};

static void
add_asker(struct survey *s, const char *role, const char *name)
{
	for (size_t i = 0; i < s->asker_count; i++) {
		if (strcmp(s->askers[i].role, role) == 0)
			return;
	}
	if (s->asker_count < ROLES_MAX)
		s->askers[s->asker_count++] = (struct asker){role, name, false};
}

static void
add_purpose(struct survey *s, const struct tree_node *word, bool forbidden)
{
	if (word->kind == TREE_SCALAR && s->purpose_count < PURPOSES_MAX)
		s->purposes[s->purpose_count++] =
		    (struct purpose){word->text, word->line, forbidden, false};
}

static void
gather(struct survey *s)
{
	const struct settings *settings = &s->findings->guard->settings;
	const struct tree_node *root = settings->tree == NULL ? NULL : settings->tree->root;

	add_asker(s, "operator", "local:root");
	for (size_t i = 0; i < settings->count; i++)
		add_asker(s, settings->principals[i].role, settings->principals[i].name);
	for (const struct tree_node *at = root == NULL ? NULL : root->first; at != NULL;
	     at = at->next) {
		for (const struct tree_node *word = finding_is_purposes(at) ? at->first : NULL;
		     word != NULL; word = word->next)
			add_purpose(s, word, strncmp(at->key, "forbidden", 9) == 0);
	}
}

/* ---- what a decision shows -------------------------------------------------------------- */

static bool
find_place(const struct survey *s, const char *label, char file[64], struct finding_place *ret)
{
	struct policy_rule rule;

	for (size_t i = 0; policy_rule(s->findings->guard->policy, i, &rule); i++) {
		if (strcmp(rule.label, label) == 0) {
			finding_rule_place(&rule, file, ret);
			return true;
		}
	}
	*ret = (struct finding_place){"", 0};
	return false;
}

/* True the first time. */
static bool
tell_once(struct survey *s, const char *subject, const char *name)
{
	char text[96];

	snprintf(text, sizeof text, "%.60s %.31s", subject, name);
	for (size_t i = 0; i < s->told_count; i++) {
		if (strcmp(s->told[i], text) == 0)
			return false;
	}
	if (s->told_count == TOLD_MAX)
		return false;
	memcpy(s->told[s->told_count++], text, sizeof text);
	return true;
}

static void
check_obligations(
    struct survey *s, const struct guard_served *served, const struct guard_decision *d)
{
	struct finding_place place;
	char file[64];

	for (size_t i = 0; i < d->obligation_count; i++) {
		const char *name = d->obligations[i].name;
		size_t j = 0;

		if (strcmp(name, "budget") == 0) /* the kernel's own */
			continue;
		while (served->fulfils != NULL && served->fulfils[j] != NULL &&
		    strcmp(served->fulfils[j], name) != 0)
			j++;
		if ((served->fulfils != NULL && served->fulfils[j] != NULL) ||
		    !tell_once(s, served->subject, name))
			continue;
		find_place(s, d->rule, file, &place);
		if (served->fulfils != NULL)
			finding_add(s->findings, true, &place,
			    "the obligation '%s' is not one that '%s' carries out, so that its "
			    "answers would be withheld",
			    name, served->subject);
		else
			finding_add(s->findings, false, &place,
			    "the plugin that serves '%s' does not say whether it carries out '%s' "
			    "('fulfils' in its manifest); if it does not, answers are withheld",
			    served->subject, name);
	}
}

static void
report_failure(struct survey *s, const struct guard_decision *d)
{
	struct finding_place place;
	char file[64];

	s->failures++;
	find_place(s, d->rule, file, &place);
	finding_add(
	    s->findings, false, &place, "a sample question was denied because %s", d->reason);
}

/* ---- asking ----------------------------------------------------------------------------- */

static void
ask(struct survey *s, const struct guard_served *served, struct asker *asker,
    struct purpose *purpose, struct guard_question *question)
{
	static const char *const permits[] = {"", "sample"};

	for (size_t i = 0; i < 2 && s->failures < FAILURES_MAX; i++) {
		struct guard_decision d;

		question->permit = permits[i];
		guard_ask_rules(s->findings->guard, question, &d);
		if (d.failed)
			report_failure(s, &d);
		if (!d.permit)
			continue;
		asker->permitted = true;
		if (purpose != NULL)
			purpose->permitted = true;
		check_obligations(s, served, &d);
		return;
	}
}

static void
ask_about(struct survey *s, const struct guard_served *served, const ProtobufCMessage *message)
{
	for (size_t i = 0; i < s->asker_count; i++) {
		struct guard_question question = {.subject = served->subject,
		    .principal = s->askers[i].name,
		    .role = s->askers[i].role,
		    .via = "control",
		    .asked_by = "",
		    .purpose = "",
		    .request_id = "",
		    .message = message};

		ask(s, served, &s->askers[i], NULL, &question);
		for (size_t j = 0; j < s->purpose_count; j++) {
			question.purpose = s->purposes[j].word;
			ask(s, served, &s->askers[i], &s->purposes[j], &question);
		}
	}
}

/* Each by itself when it may be misspelt; many are those of a plugin that is not enabled. */
static void
report_purposes(struct survey *s)
{
	const struct purpose *first = NULL;
	struct finding_place place = {"settings.yaml", 0};
	size_t count = 0;

	for (size_t i = s->purpose_count; i > 0; i--) {
		if (!s->purposes[i - 1].permitted && !s->purposes[i - 1].forbidden) {
			first = &s->purposes[i - 1];
			count++;
		}
	}
	if (count <= PURPOSES_TOLD) {
		for (size_t i = 0; i < s->purpose_count; i++) {
			const struct purpose *purpose = &s->purposes[i];

			place.line = purpose->line;
			if (!purpose->permitted && !purpose->forbidden)
				finding_add(s->findings, false, &place,
				    "no rule permits anybody anything for the purpose '%s'",
				    purpose->word);
		}
		return;
	}
	place.line = first->line;
	finding_add(s->findings, false, &place,
	    "no rule permits anybody anything for %zu of the purposes, such as '%s'; is the plugin "
	    "that they are for enabled?",
	    count, first->word);
}

static void
report_unpermitted(struct survey *s)
{
	report_purposes(s);
	for (size_t i = 0; i < s->purpose_count; i++) {
		const struct purpose *purpose = &s->purposes[i];
		const struct finding_place place = {"settings.yaml", purpose->line};

		if (purpose->permitted && purpose->forbidden)
			finding_add(s->findings, false, &place,
			    "the purpose '%s' is called forbidden, and a rule permits it",
			    purpose->word);
	}
	for (size_t i = 1; i < s->asker_count; i++) {
		const struct finding_place whole = {"", 0};

		if (!s->askers[i].permitted)
			finding_add(s->findings, false, &whole,
			    "no rule permits the role '%s' (of %s) anything", s->askers[i].role,
			    s->askers[i].name);
	}
}

void
survey(struct findings *findings)
{
	struct survey s = {.findings = findings};
	size_t asked = 0;

	gather(&s);
	for (size_t i = 0; i < findings->count; i++) {
		ProtobufCMessage *message;

		if (!findings->served[i].guarded)
			continue;
		message = guard_sample(findings->served[i].request);
		ask_about(&s, &findings->served[i], message);
		asked++;
		if (message != NULL)
			protobuf_c_message_free_unpacked(message, NULL);
	}
	if (asked > 0 && s.failures == 0)
		report_unpermitted(&s);
}
