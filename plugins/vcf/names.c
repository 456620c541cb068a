/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"

struct row {
	char *sample, *patient; /* in `text` */
};

struct names {
	struct buf text;
	struct row *rows; /* sorted by sample */
	size_t count;
	pcre2_code *rule, *normal, *tumour;
	bool rule_on_file;
};

static int
compare_rows(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->sample, ((const struct row *)b)->sample);
}

/* ---- the table ---------------------------------------------------------------------------- */

/* A field, with or without quotation marks (RFC 4180, without line ends inside); ends it with a
 * zero.  NULL: not closed. */
static char *
take_field(char **at)
{
	char *start = *at, *out = start, *in = start;

	if (*in == '"') {
		for (in++; *in != 0 && !(*in == '"' && in[1] != '"'); in++) {
			if (*in == '"')
				in++;
			*out++ = *in;
		}
		if (*in != '"')
			return NULL;
		in++;
	} else {
		while (*in != 0 && *in != ',')
			*out++ = *in++;
	}
	*at = *in == ',' ? in + 1 : in;
	if (*in != 0 && *in != ',')
		return NULL;
	*out = 0;
	return start;
}

static int
take_row(struct names *names, char *line, size_t number, struct cairn_error *err)
{
	char *at = line, *sample, *patient;
	bool more = strchr(line, ',') != NULL;

	sample = take_field(&at);
	patient = sample == NULL || !more ? NULL : take_field(&at);
	if (patient == NULL || *sample == 0 || *patient == 0 || strlen(patient) > NAMES_TEXT_MAX)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "line %zu is not SAMPLE,PATIENT (the identifier has at most %u bytes)", number,
		    NAMES_TEXT_MAX);
	if (number == 1 && strcmp(sample, "sample") == 0)
		return 0; /* the titles */
	if (names->count == NAMES_ROWS_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "more than %u rows", NAMES_ROWS_MAX);
	names->rows[names->count++] = (struct row){sample, patient};
	return 0;
}

static int
no_contradictions(const struct names *names, struct cairn_error *err)
{
	for (size_t i = 1; i < names->count; i++) {
		if (strcmp(names->rows[i - 1].sample, names->rows[i].sample) == 0 &&
		    strcmp(names->rows[i - 1].patient, names->rows[i].patient) != 0)
			return cairn_error_set(
			    err, CAIRN_EINVAL, "a sample is there twice, with two patients");
	}
	return 0;
}

static int
read_rows(struct names *names, struct cairn_error *err)
{
	char *line = (char *)names->text.data;
	size_t lines = 1, number = 0;
	int code = 0;

	for (const char *c = line; *c != 0; c++)
		lines += *c == '\n';
	names->rows = calloc(lines, sizeof *names->rows);
	if (names->rows == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	while (code == 0 && line != NULL && *line != 0) {
		char *end = strchr(line, '\n');

		if (end != NULL)
			*end = 0;
		if (end != NULL && end > line && end[-1] == '\r')
			end[-1] = 0;
		number++;
		if (*line != 0 && *line != '#')
			code = take_row(names, line, number, err);
		line = end == NULL ? NULL : end + 1;
	}
	if (code != 0)
		return code;
	qsort(names->rows, names->count, sizeof *names->rows, compare_rows);
	return no_contradictions(names, err);
}

static int
read_table(struct names *names, const char *path, struct cairn_error *err)
{
	int code;

	buf_init(&names->text, NAMES_BYTES_MAX);
	if (path == NULL || *path == 0)
		return 0;
	code = file_read(path, &names->text, err);
	if (code == 0 && buf_text(&names->text) == NULL)
		code = cairn_error_set(err, CAIRN_ELIMIT, "larger than 64 MiB");
	if (code == 0)
		code = read_rows(names, err);
	return code == 0 ? 0 : cairn_error_prefix(err, code, "the table of samples %s", path);
}

/* ---- expressions -------------------------------------------------------------------------- */

static int
compile(const char *text, const char *option, uint32_t captures, pcre2_code **ret,
    struct cairn_error *err)
{
	PCRE2_SIZE offset;
	uint32_t count = 0;
	int number;

	if (text == NULL || *text == 0)
		return 0;
	*ret = pcre2_compile(
	    (PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &number, &offset, NULL);
	if (*ret == NULL)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "%s: '%.100s' is no regular expression (at character %zu)", option, text,
		    (size_t)offset + 1);
	pcre2_pattern_info(*ret, PCRE2_INFO_CAPTURECOUNT, &count);
	if (count != captures)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "%s: '%.100s' has %u groups in parentheses; %s", option, text, count,
		    captures == 1 ? "one says which part is the patient's identifier"
				  : "none is meant");
	return 0;
}

/* What the one group matched, or all of it; bounded, for an expression may be slow. */
static bool
match(const pcre2_code *code, const char *text, char *ret, size_t size)
{
	pcre2_match_data *data = pcre2_match_data_create(2, NULL);
	pcre2_match_context *context = pcre2_match_context_create(NULL);
	bool found = false;

	if (data != NULL && context != NULL) {
		pcre2_set_match_limit(context, 100000);
		found = pcre2_match(
			    code, (PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, 0, 0, data, context) > 0;
	}
	if (found && ret != NULL) {
		PCRE2_SIZE length = size;

		found = pcre2_substring_copy_bynumber(data, 1, (PCRE2_UCHAR *)ret, &length) == 0 &&
		    length > 0;
	}
	pcre2_match_data_free(data);
	pcre2_match_context_free(context);
	return found;
}

/* ---- all of it ---------------------------------------------------------------------------- */

int
names_new(struct names **ret, const struct names_options *options, struct cairn_error *err)
{
	struct names *names = calloc(1, sizeof *names);
	int code;

	if (names == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	names->rule_on_file = options->rule_on_file;
	code = read_table(names, options->table, err);
	if (code == 0)
		code = compile(options->rule, "rule", 1, &names->rule, err);
	if (code == 0)
		code = compile(options->normal, "normal", 0, &names->normal, err);
	if (code == 0)
		code = compile(options->tumour, "tumour", 0, &names->tumour, err);
	if (code != 0) {
		names_free(names);
		return code;
	}
	*ret = names;
	return 0;
}

void
names_free(struct names *names)
{
	if (names == NULL)
		return;
	pcre2_code_free(names->rule);
	pcre2_code_free(names->normal);
	pcre2_code_free(names->tumour);
	free(names->rows);
	buf_fini(&names->text);
	free(names);
}

static bool
row_of(const struct names *names, const char *sample, char ret[NAMES_TEXT_MAX + 1])
{
	struct row key = {.sample = (char *)(uintptr_t)sample};
	const struct row *found =
	    bsearch(&key, names->rows, names->count, sizeof key, compare_rows);

	return found != NULL && text_copy(ret, NAMES_TEXT_MAX + 1, found->patient);
}

bool
names_patient(
    const struct names *names, const char *file, const char *sample, char ret[NAMES_TEXT_MAX + 1])
{
	char both[1024];
	int length = snprintf(both, sizeof both, "%s:%s", file, sample);

	if (names->count > 0 &&
	    ((length > 0 && (size_t)length < sizeof both && row_of(names, both, ret)) ||
		row_of(names, sample, ret)))
		return true;
	return names->rule != NULL &&
	    match(names->rule, names->rule_on_file ? file : sample, ret, NAMES_TEXT_MAX + 1);
}

bool
names_is_normal(const struct names *names, const char *sample)
{
	return names->normal != NULL && match(names->normal, sample, NULL, 0);
}

bool
names_is_tumour(const struct names *names, const char *sample)
{
	return names->tumour != NULL && match(names->tumour, sample, NULL, 0);
}

size_t
names_rows(const struct names *names)
{
	return names->count;
}
