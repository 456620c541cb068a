/* SPDX-License-Identifier: Apache-2.0 */
#include "provenance/trust.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"

#define TRUST_FILE "plugins/trust"
#define TRUST_BYTES_MAX ((size_t)4 << 20)
#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789-"

static const char *const words[] = {[TRUST_PIN] = "pin", [TRUST_GRANT] = "grant"};

static const char heading[] =
    "# Which files this node runs as plugins (pin NAME sha256:DIGEST), and what they may do\n"
    "# (grant NAME CAPABILITY).  Written by `cairn plugin enable`, `install` and `remove`.\n";

void
trust_fini(struct trust *trust)
{
	free(trust->lines);
	*trust = (struct trust){0};
}

/* ---- asking ----------------------------------------------------------------------------- */

static bool
is_of(const struct trust_line *line, enum trust_kind kind, const char *name)
{
	return line->kind == kind && strcmp(line->name, name) == 0;
}

bool
trust_has(const struct trust *trust, enum trust_kind kind, const char *name, const char *value)
{
	for (size_t i = 0; i < trust->count; i++) {
		const struct trust_line *line = &trust->lines[i];

		if (is_of(line, kind, name) &&
		    (kind == TRUST_GRANT ? text_subject_matches(line->value, value)
					 : strcmp(line->value, value) == 0))
			return true;
	}
	return false;
}

size_t
trust_count(const struct trust *trust, enum trust_kind kind, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < trust->count; i++)
		count += is_of(&trust->lines[i], kind, name);
	return count;
}

const char *
trust_first(const struct trust *trust, enum trust_kind kind, const char *name)
{
	for (size_t i = 0; i < trust->count; i++) {
		if (is_of(&trust->lines[i], kind, name))
			return trust->lines[i].value;
	}
	return NULL;
}

/* ---- changing --------------------------------------------------------------------------- */

/* A pattern in a grant does not make the exact line superfluous: it may be removed later. */
static bool
is_there(const struct trust *trust, const struct trust_line *wanted)
{
	for (size_t i = 0; i < trust->count; i++) {
		if (is_of(&trust->lines[i], wanted->kind, wanted->name) &&
		    strcmp(trust->lines[i].value, wanted->value) == 0)
			return true;
	}
	return false;
}

int
trust_add(struct trust *trust, enum trust_kind kind, const char *name, const char *value,
    struct cairn_error *err)
{
	struct trust_line line = {.kind = kind};
	struct trust_line *grown;

	if (!text_copy(line.name, sizeof line.name, name) ||
	    !text_copy(line.value, sizeof line.value, value) || value[0] == 0 ||
	    strpbrk(value, " \n\r\t") != NULL || strspn(name, NAME_LETTERS) != strlen(name))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "cannot be written to plugins/trust: '%s' of plugin '%s'", value, name);
	if (is_there(trust, &line))
		return 0;
	if (trust->count == TRUST_LINES_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "plugins/trust holds %d lines, which is the most that it may", TRUST_LINES_MAX);
	grown = realloc(trust->lines, (trust->count + 1) * sizeof *grown);
	if (grown == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "plugins/trust: out of memory");
	trust->lines = grown;
	trust->lines[trust->count++] = line;
	return 0;
}

void
trust_remove(struct trust *trust, enum trust_kind kind, const char *name, const char *value)
{
	size_t kept = 0;

	for (size_t i = 0; i < trust->count; i++) {
		const struct trust_line *line = &trust->lines[i];

		if (!is_of(line, kind, name) || (value != NULL && strcmp(line->value, value) != 0))
			trust->lines[kept++] = *line;
	}
	trust->count = kept;
}

/* ---- the file --------------------------------------------------------------------------- */

/* The word at `*at`, ended by a blank or the line's end; false when it is none or too long. */
static bool
take_word(const char **at, const char *end, char *ret, size_t size)
{
	size_t length = 0;

	while (*at < end && (**at == ' ' || **at == '\t'))
		(*at)++;
	while (*at + length < end && (*at)[length] != ' ' && (*at)[length] != '\t')
		length++;
	if (length == 0 || length >= size || memchr(*at, 0, length) != NULL)
		return false;
	memcpy(ret, *at, length);
	ret[length] = 0;
	*at += length;
	return true;
}

static int
parse_line(
    struct trust *trust, const char *at, const char *end, size_t number, struct cairn_error *err)
{
	char word[8], name[TRUST_NAME_MAX + 1], value[TRUST_VALUE_MAX + 1], rest[2];
	bool good = take_word(&at, end, word, sizeof word) &&
	    take_word(&at, end, name, sizeof name) && take_word(&at, end, value, sizeof value) &&
	    !take_word(&at, end, rest, sizeof rest);

	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	for (size_t kind = 0; good && at == end && kind < sizeof words / sizeof words[0]; kind++) {
		int code;

		if (strcmp(words[kind], word) != 0)
			continue;
		code = trust_add(trust, (enum trust_kind)kind, name, value, err);
		return code == 0 ? 0 : cairn_error_prefix(err, code, "plugins/trust:%zu", number);
	}
	return cairn_error_set(err, CAIRN_EINVAL,
	    "plugins/trust:%zu: expected `pin NAME sha256:DIGEST` or `grant NAME CAPABILITY`; "
	    "remove the line, or enable the plugin again",
	    number);
}

int
trust_parse(const char *text, size_t length, struct trust *ret, struct cairn_error *err)
{
	struct trust trust = {0};
	const char *end = text + length;
	int code = 0;

	for (size_t number = 1; text < end && code == 0; number++) {
		const char *next = memchr(text, '\n', (size_t)(end - text));
		const char *stop = next == NULL ? end : next;

		if (stop > text && *text != '#')
			code = parse_line(&trust, text, stop, number, err);
		text = next == NULL ? end : next + 1;
	}
	if (code != 0)
		trust_fini(&trust);
	else
		*ret = trust;
	return code;
}

static int
file_path(const char *home, char ret[PATH_MAX], struct cairn_error *err)
{
	if (file_join(ret, PATH_MAX, home, TRUST_FILE) != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", home);
	return 0;
}

int
trust_load(const char *home, struct trust *ret, struct cairn_error *err)
{
	BUF_AUTO text = {.max = TRUST_BYTES_MAX};
	char path[PATH_MAX];
	int code = file_path(home, path, err);

	if (code != 0)
		return code;
	if (!file_exists(path)) {
		*ret = (struct trust){0};
		return 0;
	}
	code = file_read(path, &text, err);
	return code != 0 ? code : trust_parse((const char *)text.data, text.length, ret, err);
}

int
trust_save(const char *home, const struct trust *trust, struct cairn_error *err)
{
	BUF_AUTO text = {.max = TRUST_BYTES_MAX};
	char path[PATH_MAX];
	int code = buf_append_text(&text, heading);

	for (size_t i = 0; code == 0 && i < trust->count; i++)
		code = buf_append_format(&text, "%s %s %s\n", words[trust->lines[i].kind],
		    trust->lines[i].name, trust->lines[i].value);
	if (code != 0)
		return cairn_error_set(err, code, "plugins/trust does not fit in memory");
	code = file_path(home, path, err);
	return code != 0 ? code : file_write(path, text.data, text.length, 0600, err);
}
