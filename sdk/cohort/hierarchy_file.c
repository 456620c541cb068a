/* SPDX-License-Identifier: Apache-2.0 */
/* A site's hierarchy as a table: a child and its parent on each line. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cohort/graph.h"
#include "cohort/systems.h"

#define LINE_MAX_BYTES 8192
#define COLUMNS_MAX 16

struct table {
	const char *path;
	unsigned line;
	char separator;
	size_t child, parent; /* their columns */
	struct cairn_error *err;
};

static int
refuse(const struct table *t, const char *what, const char *found)
{
	return cairn_error_set(t->err, CAIRN_EINVAL, "%s, line %u: %s%s%.60s%s", t->path, t->line,
	    what, found != NULL ? ": \"" : "", found != NULL ? found : "",
	    found != NULL ? "\"" : "");
}

/* Takes the next field from `*at`, without quotes; a quote inside a quoted field is written twice.
 * NULL when a quote is never closed. */
static char *
next_field(char **at, char separator)
{
	char *start = *at, *to = *at, *from = *at;
	bool quoted = *from == '"';

	if (quoted)
		from++;
	while (*from != 0 && (quoted || *from != separator)) {
		if (quoted && *from == '"' && *++from != '"') {
			quoted = false;
			continue;
		}
		*to++ = *from++;
	}
	if (quoted)
		return NULL;
	*at = *from == 0 ? NULL : from + 1;
	*to = 0;
	return start;
}

static size_t
split(struct table *t, char *line, char *fields[COLUMNS_MAX])
{
	size_t count = 0;

	line[strcspn(line, "\r\n")] = 0;
	for (char *at = line; at != NULL && count < COLUMNS_MAX; count++) {
		fields[count] = next_field(&at, t->separator);
		if (fields[count] == NULL)
			return 0;
		fields[count] += strspn(fields[count], " ");
	}
	return count;
}

/* A heading says which column is which. */
static bool
read_heading(struct table *t, char *const *fields, size_t count)
{
	size_t child = COLUMNS_MAX, parent = COLUMNS_MAX;

	for (size_t i = 0; i < count; i++) {
		if (strcasecmp(fields[i], "child") == 0)
			child = i;
		if (strcasecmp(fields[i], "parent") == 0)
			parent = i;
	}
	if (child == COLUMNS_MAX || parent == COLUMNS_MAX)
		return false;
	t->child = child;
	t->parent = parent;
	return true;
}

static int
to_code(const struct table *t, const char *field, char ret[COHORT_VALUE_MAX])
{
	int code = cohort_code_value(field, ret);

	if (code != 0 && strstr(field, "://") != NULL && strchr(field, '|') == NULL)
		code = cohort_iri_code(field, ret);
	return code == 0 ? 0
			 : refuse(t, "expected a code with its system, such as ncit:C4017", field);
}

static int
read_line(struct hierarchy *h, struct table *t, char *line, uint32_t file)
{
	char child[COHORT_VALUE_MAX], parent[COHORT_VALUE_MAX], *fields[COLUMNS_MAX];
	size_t count = split(t, line, fields);
	int code;

	if (count == 0)
		return refuse(t, "a quote is never closed", NULL);
	if (count == 1 && fields[0][0] == 0)
		return 0;
	if (t->line == 1 && read_heading(t, fields, count))
		return 0;
	if (count <= t->child || count <= t->parent)
		return refuse(t, "expected a child and a parent", fields[0]);
	code = to_code(t, fields[t->child], child);
	if (code == 0)
		code = to_code(t, fields[t->parent], parent);
	if (code != 0)
		return code;
	code = graph_add(h, child, parent, t->line, file);
	return code == 0 ? 0 : refuse(t, "the hierarchies are too large", NULL);
}

static char
separator_of(const char *line)
{
	return strchr(line, '\t') != NULL ? '\t' : strchr(line, ';') != NULL ? ';' : ',';
}

static int
read_table(struct hierarchy *h, struct table *t, FILE *in, uint32_t file)
{
	char line[LINE_MAX_BYTES];
	int code = 0;

	while (code == 0 && fgets(line, sizeof line, in) != NULL) {
		char *start = line;

		t->line++;
		if (strlen(line) == sizeof line - 1 && strchr(line, '\n') == NULL)
			return refuse(t, "the line is too long", NULL);
		if (t->line == 1) {
			start += strncmp(line, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
			t->separator = separator_of(start);
		}
		code = read_line(h, t, start, file);
	}
	if (code == 0 && ferror(in))
		code = cairn_error_set(t->err, CAIRN_EIO, "%s: cannot be read", t->path);
	return code;
}

static bool
has_ending(const char *path, const char *ending)
{
	size_t length = strlen(path), want = strlen(ending);

	return length > want && strcasecmp(path + length - want, ending) == 0;
}

int
hierarchy_file_read(struct hierarchy *h, const char *path, uint32_t file, struct cairn_error *err)
{
	struct table table = {.path = path, .parent = 1, .err = err};
	FILE *in;
	int code;

	if (has_ending(path, ".owl") || has_ending(path, ".rdf"))
		return hierarchy_owl_read(h, path, file, err);
	if (!has_ending(path, ".csv") && !has_ending(path, ".tsv"))
		return cairn_error_set(
		    err, CAIRN_EINVAL, "%s: a hierarchy is a .csv, .tsv, .owl or .rdf file", path);
	in = fopen(path, "re");
	if (in == NULL)
		return cairn_error_set(err, CAIRN_EIO, "%s: %s", path, strerror(errno));
	code = read_table(h, &table, in, file);
	fclose(in);
	return code;
}
