/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/profile.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cairn/error.h>

/* What follows "KEY:" in the line, or NULL. */
static const char *
value_in(const char *line, const char *key)
{
	size_t length = strlen(key);

	if (strncmp(line, key, length) != 0 || line[length] != ':' ||
	    (line[length + 1] != ' ' && line[length + 1] != '\n' && line[length + 1] != 0))
		return NULL;
	return line + length + 1;
}

static const char *
next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end == NULL ? line + strlen(line) : end + 1;
}

static const char *
find_line(const char *text, const char *key, bool commented)
{
	for (const char *line = text; *line != 0; line = next_line(line)) {
		if (commented && line[0] != '#')
			continue;
		if (value_in(commented ? line + 1 : line, key) != NULL)
			return line;
	}
	return NULL;
}

static void
take_value(const char *at, char ret[PROFILE_VALUE_MAX + 1])
{
	size_t length;

	at += strspn(at, " ");
	length = strcspn(at, "\n");
	for (size_t i = 1; i < length; i++) {
		if (at[i] == '#' && at[i - 1] == ' ')
			length = i;
	}
	while (length > 0 && at[length - 1] == ' ')
		length--;
	snprintf(ret, PROFILE_VALUE_MAX + 1, "%.*s", (int)length, at);
}

int
profile_set(const char *text, const char *key, const char *value, struct buf *ret,
    char ret_before[PROFILE_VALUE_MAX + 1])
{
	const char *line = find_line(text, key, false);
	size_t length = strlen(text);
	int code;

	ret_before[0] = 0;
	if (line != NULL)
		take_value(value_in(line, key), ret_before);
	else
		line = find_line(text, key, true);
	if (line != NULL) {
		code = buf_append(ret, text, (size_t)(line - text));
		if (code == 0)
			code = buf_append_format(ret, "%s: %s\n", key, value);
		return code == 0 ? buf_append_text(ret, next_line(line)) : code;
	}
	code = buf_append_text(ret, text);
	if (code == 0 && length > 0 && text[length - 1] != '\n')
		code = buf_append_text(ret, "\n");
	return code == 0 ? buf_append_format(ret, "%s: %s\n", key, value) : code;
}
