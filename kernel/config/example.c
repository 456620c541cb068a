/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commented YAML of a schema.  Every option stands there as a comment with its default, so
 * that an untouched file follows the defaults of the next version.
 */
#include "config/example.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRAP_COLUMNS 84

struct writer {
	const struct config_schema *schema;
	struct buf *buf;
	const struct example_given *given;
	unsigned depth;
};

static int
append_indent(const struct writer *w, const char *mark)
{
	return buf_append_format(w->buf, "%s%*s", mark, (int)(2 * w->depth), "");
}

int
example_comment(struct buf *buf, const char *text)
{
	int code = 0;

	while (*text != 0 && code == 0) {
		size_t length = strlen(text);

		if (length > WRAP_COLUMNS) {
			length = WRAP_COLUMNS;
			while (length > 0 && text[length] != ' ')
				length--;
			if (length == 0) /* one word longer than the line */
				length = strcspn(text, " ");
		}
		code = buf_append_format(buf, "# %.*s\n", (int)length, text);
		text += length;
		text += strspn(text, " ");
	}
	return code;
}

static int
append_kind(const struct writer *w, const struct config_option *option)
{
	char range[96];
	int code;

	schema_range_text(option, range, sizeof range);
	code = buf_append_format(w->buf, "# (%s%s%s%s", schema_type_text(option->type),
	    *range == 0 ? "" : " ", range,
	    *range == 0                         ? ""
		: option->type == CONFIG_LIST   ? " items"
		: option->type == CONFIG_STRING ? " characters"
						: "");
	if (option->choices != NULL && code == 0)
		code =
		    buf_append_text(w->buf, option->type == CONFIG_LIST ? " out of" : ", one of");
	for (size_t i = 0; option->choices != NULL && option->choices[i] != NULL && code == 0; i++)
		code = buf_append_format(w->buf, "%s %s", i == 0 ? "" : ",", option->choices[i]);
	if (code == 0)
		code = buf_append_text(
		    w->buf, option->fallback == NULL ? "; must be given)\n" : ")\n");
	return code;
}

static const char *
find_given(const struct writer *w, const char *key)
{
	for (const struct example_given *at = w->given; at != NULL && at->key != NULL; at++) {
		if (strcmp(at->key, key) == 0)
			return at->yaml;
	}
	return NULL;
}

/* "#    port: 11112": removing the '#' leaves valid YAML. */
static int
append_option(const struct writer *w, const struct config_option *option, const char *name)
{
	const char *given = find_given(w, option->key);
	const char *value = given != NULL ? given : option->fallback;
	int code = buf_append_text(w->buf, "\n");

	if (code == 0 && option->help != NULL)
		code = example_comment(w->buf, option->help);
	if (code == 0)
		code = append_kind(w, option);
	if (code == 0)
		code = append_indent(w, given != NULL ? "" : "#");
	if (code == 0)
		code = buf_append_format(w->buf, "%s: %s\n", name, value == NULL ? "" : value);
	return code;
}

static const char *
rest_of(const struct config_option *option, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(option->key, prefix, length) == 0 ? option->key + length : NULL;
}

/* A group is written where its first option stands, with all that belong to it. */
static bool
is_first_of(const struct writer *w, size_t index, size_t group_length)
{
	const char *key = w->schema->options[index].key;

	for (size_t i = 0; i < index; i++) {
		if (strncmp(w->schema->options[i].key, key, group_length) == 0)
			return false;
	}
	return true;
}

/* Recurses as deep as the schema's keys have dots, at most TREE_DEPTH_MAX. */
static int
append_level(struct writer *w, const char *prefix)
{
	int code = 0;

	for (size_t i = 0; i < w->schema->count && code == 0; i++) {
		const struct config_option *option = &w->schema->options[i];
		const char *rest = rest_of(option, prefix);
		char group[SCHEMA_KEY_MAX + 2];
		size_t length;

		if (rest == NULL)
			continue;
		length = strcspn(rest, ".");
		if (rest[length] == 0) {
			code = append_option(w, option, rest);
			continue;
		}
		snprintf(
		    group, sizeof group, "%.*s", (int)(strlen(prefix) + length + 1), option->key);
		if (!is_first_of(w, i, strlen(group)))
			continue;
		code = buf_append_text(w->buf, "\n");
		if (code == 0)
			code = append_indent(w, "#");
		if (code == 0)
			code = buf_append_format(w->buf, "%.*s:\n", (int)length, rest);
		w->depth++;
		if (code == 0)
			code = append_level(w, group);
		w->depth--;
	}
	return code;
}

int
example_schema(
    struct buf *buf, const struct config_schema *schema, const struct example_given *given)
{
	struct writer w = {.schema = schema, .buf = buf, .given = given};

	return append_level(&w, "");
}

int
example_take(struct buf *buf, int code, char **ret_text, struct cairn_error *err)
{
	const char *text = code == 0 ? buf_text(buf) : NULL;
	char *copy = text == NULL ? NULL : strdup(text);

	if (copy == NULL)
		return cairn_error_set(err, code == 0 ? CAIRN_ENOMEM : code,
		    "the example configuration does not fit in memory");
	*ret_text = copy;
	return 0;
}

static int
append_needs(struct buf *buf, const struct manifest *manifest)
{
	BUF_AUTO line = {.max = EXAMPLE_TEXT_MAX};
	const char *text;
	const char *article = strchr("aeiou", manifest->kind[0]) != NULL ? "An" : "A";
	int code = buf_append_format(&line, "%s %s. It asks for:", article, manifest->kind);

	for (size_t i = 0; i < manifest->capability_count && code == 0; i++)
		code =
		    buf_append_format(&line, "%s %s", i == 0 ? "" : ",", manifest->capabilities[i]);
	if (code == 0 && manifest->capability_count == 0)
		code = buf_append_text(&line, " nothing");
	text = code == 0 ? buf_text(&line) : NULL;
	return text == NULL ? CAIRN_ENOMEM : example_comment(buf, text);
}

int
manifest_example(const struct manifest *manifest, char **ret_text, struct cairn_error *err)
{
	BUF_AUTO buf = {.max = EXAMPLE_TEXT_MAX};
	int code = buf_append_format(&buf, "# %s %s\n", manifest->name, manifest->version);

	if (code == 0)
		code = example_comment(&buf, manifest->summary);
	if (code == 0)
		code = append_needs(&buf, manifest);
	if (code == 0)
		code = buf_append_text(&buf,
		    "#\n# Every option stands below with its default. To change one, remove the "
		    "'#'\n"
		    "# before it (and before the line of the group it is in) and edit the "
		    "value.\n");
	if (code == 0)
		code = example_schema(&buf, &manifest->schema, NULL);
	return example_take(&buf, code, ret_text, err);
}
