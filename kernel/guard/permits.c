/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/permits.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "config/schema.h"

#define DAY_MS 86400000u
#define ID_MAX 64
#define DATE_LENGTH 10

/* ---- words ------------------------------------------------------------------------------ */

void
permits_each(const struct tree_node *permit, const char *key,
    void (*each)(void *arg, const struct tree_node *word), void *arg)
{
	const struct tree_node *node = tree_find(permit, key);

	if (node == NULL)
		return;
	if (node->kind == TREE_SCALAR)
		each(arg, node);
	else
		for (const struct tree_node *at = node->first; at != NULL; at = at->next)
			each(arg, at);
}

struct search {
	const char *word;
	bool found;
};

static void
compare(void *arg, const struct tree_node *word)
{
	struct search *search = arg;

	search->found = search->found || strcmp(word->text, search->word) == 0;
}

static bool
names(const struct tree_node *permit, const char *key, const char *word)
{
	struct search search = {.word = word == NULL ? "" : word};

	permits_each(permit, key, compare, &search);
	return search.found;
}

/* "2027-06-30" */
int
permits_parse_day(const char *text, int32_t *ret)
{
	int part[3] = {0};
	size_t at = 0;

	if (strlen(text) != DATE_LENGTH)
		return CAIRN_EINVAL;
	for (size_t i = 0; i < DATE_LENGTH; i++) {
		if (i == 4 || i == 7) {
			if (text[i] != '-')
				return CAIRN_EINVAL;
			at++;
		} else if (text[i] < '0' || text[i] > '9') {
			return CAIRN_EINVAL;
		} else {
			part[at] = part[at] * 10 + (text[i] - '0');
		}
	}
	return clock_days(part[0], part[1], part[2], ret);
}

int32_t
permits_last_day(const struct tree_node *permit)
{
	const struct tree_node *expires = tree_find(permit, "expires");
	int32_t day = INT32_MIN;

	if (expires != NULL && expires->kind == TREE_SCALAR)
		permits_parse_day(expires->text, &day);
	return day;
}

int32_t
permits_today(uint64_t now_ms)
{
	return (int32_t)(now_ms / DAY_MS);
}

/* ---- the list --------------------------------------------------------------------------- */

static bool
is_word(const struct tree_node *node)
{
	return node->kind == TREE_SCALAR && node->length > 0 && schema_text_is_plain(node->text);
}

static int
check_words(const struct tree *tree, const struct tree_node *permit, const char *key,
    struct cairn_error *err)
{
	const struct tree_node *node = tree_find(permit, key);
	bool good = node != NULL && (node->kind == TREE_LIST ? node->count > 0 : is_word(node));

	for (const struct tree_node *at = good ? node->first : NULL; at != NULL; at = at->next)
		good = good && is_word(at);
	if (good)
		return 0;
	return tree_error(tree, node == NULL ? permit : node, err,
	    "permit '%s' needs its %s: one, or a list of them", permit->key, key);
}

static int
check_permit(const struct tree *tree, const struct tree_node *permit, struct cairn_error *err)
{
	static const char *const known[] = {
	    "principal", "purpose", "expires", "project", "note", NULL};
	const struct tree_node *expires, *project;
	int code;

	if (permit->kind != TREE_MAP || strlen(permit->key) > ID_MAX)
		return tree_error(tree, permit, err,
		    "a permit reads P-1: {principal: alice@example.org, purpose: "
		    "scientific-research, expires: 2027-06-30}, its id at most %d characters",
		    ID_MAX);
	code = schema_known_keys(tree, permit, known, permit->key, err);
	if (code == 0)
		code = check_words(tree, permit, "principal", err);
	if (code == 0)
		code = check_words(tree, permit, "purpose", err);
	if (code != 0)
		return code;
	expires = tree_find(permit, "expires");
	if (permits_last_day(permit) == INT32_MIN)
		return tree_error(tree, expires == NULL ? permit : expires, err,
		    "permit '%s' needs its last day, such as expires: 2027-06-30", permit->key);
	project = tree_find(permit, "project");
	if (project != NULL && !is_word(project))
		return tree_error(
		    tree, project, err, "permit '%s': project must be a name", permit->key);
	return 0;
}

int
permits_check(const struct tree *tree, struct cairn_error *err)
{
	const struct tree_node *permits = tree_find(tree->root, "permits");
	int code = 0;

	if (permits == NULL || tree_is_null(permits))
		return 0;
	if (permits->kind != TREE_MAP)
		return tree_error(tree, permits, err,
		    "'permits' must be a map of ids such as P-1: {principal: alice@example.org, "
		    "purpose: scientific-research, expires: 2027-06-30}");
	for (const struct tree_node *at = permits->first; at != NULL && code == 0; at = at->next)
		code = check_permit(tree, at, err);
	return code;
}

/* ---- one question ----------------------------------------------------------------------- */

static const struct tree_node *
find_permit(const struct tree *tree, const char *id)
{
	const struct tree_node *permits = tree == NULL ? NULL : tree_find(tree->root, "permits");

	return permits == NULL || permits->kind != TREE_MAP ? NULL : tree_find(permits, id);
}

bool
permits_cover(const struct tree *tree, const struct guard_question *question, const char *project,
    uint64_t now_ms, char ret[PERMITS_TEXT_MAX])
{
	const char *id = question->permit == NULL ? "" : question->permit;
	const struct tree_node *permit, *of;

	if (*id == 0)
		return true;
	permit = find_permit(tree, id);
	of = permit == NULL ? NULL : tree_find(permit, "project");
	/* Whose it is comes first: to anybody else it says nothing more. */
	if (permit == NULL)
		snprintf(ret, PERMITS_TEXT_MAX,
		    "permit '%.80s' is not known at this site; its officer lists permits under "
		    "'permits' in settings.yaml",
		    id);
	else if (!names(permit, "principal", question->principal))
		snprintf(ret, PERMITS_TEXT_MAX, "permit '%.80s' was not given to '%.100s'", id,
		    question->principal == NULL ? "" : question->principal);
	else if (permits_last_day(permit) < permits_today(now_ms))
		snprintf(ret, PERMITS_TEXT_MAX, "permit '%.80s' expired on %s", id,
		    tree_find(permit, "expires")->text);
	else if (of != NULL && project != NULL && strcmp(of->text, project) != 0)
		snprintf(ret, PERMITS_TEXT_MAX,
		    "permit '%.60s' is for project '%.60s', and this node's project is '%.60s'", id,
		    of->text, project);
	else if (!names(permit, "purpose", question->purpose))
		snprintf(ret, PERMITS_TEXT_MAX, "permit '%.80s' is not for the purpose '%.100s'",
		    id, question->purpose == NULL ? "" : question->purpose);
	else
		return true;
	return false;
}
