/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/changes.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "guard/private.h"

struct comparing {
	changes_fn each;
	void *arg;
};

/* ---- a value as text --------------------------------------------------------------------- */

static int append(struct buf *out, const struct tree_node *node);

/* Of one depth with append(); a tree is at most TREE_DEPTH_MAX deep. */
static int
append_children(struct buf *out, const struct tree_node *node)
{
	const char *brackets = node->kind == TREE_LIST ? "[]" : "{}";
	int code = buf_append(out, brackets, 1);

	for (const struct tree_node *at = node->first; at != NULL && code == 0; at = at->next) {
		if (at != node->first)
			code = buf_append_text(out, ", ");
		if (code == 0 && at->key != NULL)
			code = buf_append_format(out, "%s: ", at->key);
		if (code == 0)
			code = append(out, at);
	}
	return code == 0 ? buf_append(out, brackets + 1, 1) : code;
}

static int
append(struct buf *out, const struct tree_node *node)
{
	if (node->kind != TREE_SCALAR)
		return append_children(out, node);
	return buf_append(out, node->text, node->length);
}

static void
value_text(struct buf *out, const struct tree_node *node)
{
	if (node == NULL)
		(void)buf_append_text(out, "nothing");
	else
		(void)append(out, node); /* what is beyond the file's own size does not come */
}

/* ---- comparing --------------------------------------------------------------------------- */

static bool
is_map(const struct tree_node *node)
{
	return node != NULL && node->kind == TREE_MAP;
}

static void
report(const struct comparing *comparing, const char *key, const struct tree_node *before,
    const struct tree_node *after)
{
	BUF_AUTO old = {.max = 2 * TREE_FILE_MAX}, new = {.max = 2 * TREE_FILE_MAX};
	char was[CHANGES_TEXT_MAX], is[CHANGES_TEXT_MAX];

	value_text(&old, before);
	value_text(&new, after);
	if (old.length == new.length &&
	    (old.length == 0 || memcmp(old.data, new.data, old.length) == 0))
		return;
	snprintf(was, sizeof was, "%.*s", (int)old.length, (const char *)old.data);
	snprintf(is, sizeof is, "%.*s", (int)new.length, (const char *)new.data);
	comparing->each(comparing->arg, key, was, is);
}

/* Recurses into maps, which are at most TREE_DEPTH_MAX deep. */
static void
compare(const struct comparing *comparing, const char *key, const struct tree_node *before,
    const struct tree_node *after)
{
	char path[CHANGES_KEY_MAX];
	const char *dot = key[0] == 0 ? "" : ".";

	if ((before != NULL && !is_map(before)) || (after != NULL && !is_map(after))) {
		report(comparing, key, before, after);
		return;
	}
	for (const struct tree_node *at = after == NULL ? NULL : after->first; at != NULL;
	     at = at->next) {
		snprintf(path, sizeof path, "%s%s%s", key, dot, at->key);
		compare(comparing, path, before == NULL ? NULL : tree_find(before, at->key), at);
	}
	for (const struct tree_node *at = before == NULL ? NULL : before->first; at != NULL;
	     at = at->next) {
		if (after != NULL && tree_find(after, at->key) != NULL)
			continue;
		snprintf(path, sizeof path, "%s%s%s", key, dot, at->key);
		compare(comparing, path, at, NULL);
	}
}

static const struct tree_node *
root(const struct guard *guard)
{
	return guard->settings.tree == NULL ? NULL : guard->settings.tree->root;
}

void
guard_changes(const struct guard *before, const struct guard *after, changes_fn each, void *arg)
{
	const struct comparing comparing = {each, arg};

	compare(&comparing, "", root(before), root(after));
}
