/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A draft of a mapping.  What a column means is taken from its name (words.c), what its values look
 * like from the first rows.  Values come into the draft only as a code list, of columns whose name
 * is that of an attribute with few codes, and only such as come more than once: a name, a number or
 * a sentence of one patient is never among them.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"
#include "cohort/systems.h"
#include "import_private.h"
#include "words.h"

#define ROWS_MAX 100000
#define CODES_MAX 24
#define CODE_MAX 24 /* bytes */
#define DRAFT_MAX ((size_t)1 << 20)

static const char *const patterns[] = {
    "YYYY-MM-DD", "DD.MM.YYYY", "DD/MM/YYYY", "MM/DD/YYYY", "DD-MM-YYYY", "YYYY/MM/DD", "YYYYMMDD"};
#define PATTERNS (sizeof patterns / sizeof patterns[0])

struct guessed {
	char *name;
	const char *meaning;
	const struct cohort_attribute *attribute;
	uint64_t filled;
	bool no_date[PATTERNS];
	bool comma; /* a decimal one was seen */
	char codes[CODES_MAX][CODE_MAX + 1];
	uint64_t times[CODES_MAX];
	size_t code_count;
	bool many; /* more values than a code list has */
};

struct guessing {
	struct guessed *columns;
	size_t count;
	uint64_t rows;
	struct buf draft;
	bool failed;
};

static void
say(struct guessing *guessing, const char *text)
{
	if (buf_append_text(&guessing->draft, text) != 0)
		guessing->failed = true;
}

/* In double quotes, as YAML has them. */
static void
say_quoted(struct guessing *guessing, const char *text)
{
	say(guessing, "\"");
	for (; *text != 0; text++) {
		char bytes[5] = {*text};

		if (*text == '"' || *text == '\\') {
			bytes[0] = '\\';
			bytes[1] = *text;
		} else if ((unsigned char)*text < 0x20) {
			static const char hex[] = "0123456789abcdef";

			bytes[0] = '\\';
			bytes[1] = 'x';
			bytes[2] = hex[(unsigned char)*text >> 4];
			bytes[3] = hex[*text & 15];
		}
		say(guessing, bytes);
	}
	say(guessing, "\"");
}

/* ---- looking
 * -------------------------------------------------------------------------------------- */

static bool
fits(const char *text, const char *pattern)
{
	int part[3] = {0}; /* day, month, year */
	int32_t days;

	for (; *pattern != 0; pattern++, text++) {
		int which = *pattern == 'D' ? 0 : *pattern == 'M' ? 1 : *pattern == 'Y' ? 2 : 3;

		if (which == 3 ? *text != *pattern : *text < '0' || *text > '9')
			return false;
		if (which < 3)
			part[which] = part[which] * 10 + (*text - '0');
	}
	return *text == 0 && clock_days(part[2], part[1], part[0], &days) == 0;
}

static void
count_code(struct guessed *column, const struct row_cell *cell)
{
	if (column->many)
		return;
	for (size_t i = 0; i < column->code_count; i++) {
		if (strcmp(column->codes[i], cell->text) == 0) {
			column->times[i]++;
			return;
		}
	}
	if (column->code_count == CODES_MAX || cell->length > CODE_MAX) {
		column->many = true;
		return;
	}
	memcpy(column->codes[column->code_count], cell->text, cell->length + 1);
	column->times[column->code_count++] = 1;
}

static void
look(struct guessed *column, const struct row_cell *cell)
{
	if (cell->length == 0)
		return;
	column->filled++;
	for (size_t i = 0; i < PATTERNS; i++)
		column->no_date[i] = column->no_date[i] || !fits(cell->text, patterns[i]);
	if (strchr(cell->text, ',') != NULL && strspn(cell->text, "0123456789,-") == cell->length)
		column->comma = true;
	if (column->attribute != NULL && column->attribute->codes != NULL)
		count_code(column, cell);
}

static int
look_header(struct guessing *guessing, const struct row *header, struct cairn_error *err)
{
	guessing->columns = calloc(header->count + 1, sizeof *guessing->columns);
	for (size_t i = 0; guessing->columns != NULL && i < header->count; i++) {
		struct guessed *column = &guessing->columns[i];

		column->name = strdup(header->cells[i].text);
		if (column->name == NULL)
			break;
		column->meaning = words_find(column->name);
		if (column->meaning != NULL)
			column->attribute = cohort_attribute_find(column->meaning);
		guessing->count++;
	}
	return guessing->columns != NULL && guessing->count == header->count
	    ? 0
	    : cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
}

static int
look_rows(struct guessing *guessing, struct source *source, struct cairn_error *err)
{
	int code = 0;

	while (code == 0 && guessing->rows < ROWS_MAX) {
		code = source_next(source, err);
		if (code != 0)
			break;
		guessing->rows++;
		for (size_t i = 0; i < guessing->count && i < source->row.count; i++)
			look(&guessing->columns[i], &source->row.cells[i]);
	}
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

/* ---- saying
 * --------------------------------------------------------------------------------------- */

static void
say_dates(struct guessing *guessing, const struct guessed *column)
{
	size_t found = 0;
	const char *last = "";

	for (size_t i = 0; i < PATTERNS && column->filled > 0; i++) {
		if (!column->no_date[i]) {
			found++;
			last = patterns[i];
		}
	}
	say(guessing, ", date: ");
	if (found == 1) {
		say(guessing, last);
		return;
	}
	/* Not filled in: the mapping is refused until a person has said it. */
	say(guessing, found == 0 ? "TODO" : "TODO-DAY-OR-MONTH-FIRST");
}

static const char *
own_code(const struct cohort_attribute *attribute, const char *value)
{
	for (size_t i = 0; attribute->codes[i] != NULL; i++) {
		if (strcasecmp(attribute->codes[i], value) == 0)
			return attribute->codes[i];
	}
	return words_code(attribute->name, value);
}

static void
say_codes(struct guessing *guessing, const struct guessed *column)
{
	bool own = true, first = true;

	for (size_t i = 0; i < column->code_count; i++)
		own = own &&
		    strcasecmp(column->codes[i],
			own_code(column->attribute, column->codes[i]) == NULL
			    ? ""
			    : own_code(column->attribute, column->codes[i])) == 0;
	if (own && !column->many)
		return;
	say(guessing, ", codes: {");
	for (size_t i = 0; i < column->code_count && !column->many; i++) {
		const char *code = own_code(column->attribute, column->codes[i]);

		if (column->times[i] < 2 && code == NULL)
			continue;
		say(guessing, first ? "" : ", ");
		first = false;
		say_quoted(guessing, column->codes[i]);
		say(guessing, ": ");
		say_quoted(guessing, code != NULL ? code : "TODO");
	}
	say(guessing, first ? "\"TODO\": \"TODO\"}" : "}");
}

static void
say_fact(struct guessing *guessing, const struct guessed *column, const char *indent)
{
	const struct cohort_attribute *attribute = column->attribute;

	say(guessing, indent);
	say(guessing, "- {attribute: ");
	say(guessing, attribute->name);
	say(guessing, ", column: ");
	say_quoted(guessing, column->name);
	if (attribute->type == COHORT_DAY)
		say_dates(guessing, column);
	else if (attribute->type == COHORT_NUMBER && attribute->unit[0] != 0) {
		say(guessing, ", unit: \"");
		say(guessing, attribute->unit);
		say(guessing, "\"");
	} else if (attribute->codes != NULL)
		say_codes(guessing, column);
	else if (attribute->coded)
		say(guessing,
		    strcmp(attribute->name, "topography") == 0 ||
			    strcmp(attribute->name, "morphology") == 0
			? ", prefix: icdo3"
			: strcmp(attribute->name, "diagnosis") == 0 ? ", prefix: icd10"
								    : ", prefix: TODO");
	say(guessing, "}\n");
}

/* Those of one entity; whether there were any. */
static bool
say_entity(struct guessing *guessing, enum cohort_entity entity)
{
	bool any = false;

	for (size_t i = 0; i < guessing->count; i++) {
		const struct guessed *column = &guessing->columns[i];

		if (column->attribute == NULL || column->attribute->entity != entity)
			continue;
		if (!any && entity == COHORT_PATIENT) {
			say(guessing, "facts:\n");
		} else if (!any) {
			say(guessing, "  - kind: ");
			say(guessing, cohort_entity_name(entity));
			say(guessing, "\n    facts:\n");
		}
		any = true;
		say_fact(guessing, column, entity == COHORT_PATIENT ? "  " : "      ");
	}
	return any;
}

static void
say_patient(struct guessing *guessing)
{
	for (size_t i = 0; i < guessing->count; i++) {
		if (guessing->columns[i].meaning == NULL ||
		    strcmp(guessing->columns[i].meaning, "patient") != 0)
			continue;
		say(guessing, "patient:\n  column: ");
		say_quoted(guessing, guessing->columns[i].name);
		say(guessing,
		    "\n  issuer: \"\"  # as in the images (0010,0021), so that they meet\n");
		return;
	}
	say(guessing, "patient:\n  column: TODO  # which column says whose row it is?\n");
}

static void
say_rest(struct guessing *guessing)
{
	say(guessing, "\n# Not taken, because their names say nothing, or who the patient is:\n");
	for (size_t i = 0; i < guessing->count; i++) {
		const struct guessed *column = &guessing->columns[i];

		if (column->attribute != NULL ||
		    (column->meaning != NULL && strcmp(column->meaning, "patient") == 0))
			continue;
		say(guessing, "#   ");
		say_quoted(guessing, column->name);
		say(guessing,
		    column->meaning != NULL ? "  (identifies or is free text: leave it out)\n"
					    : "\n");
	}
}

static void
say_all(struct guessing *guessing, const struct source *source, const char *name)
{
	const char separator[] = {source->separator, 0};
	bool comma = false, entries = false;

	for (size_t i = 0; i < guessing->count; i++)
		comma = comma || guessing->columns[i].comma;
	say(guessing,
	    "# A draft: look at each line, fill in what says TODO, then: cairn table check FILE\n"
	    "# --mapping THIS. Attributes and their values: cairn cohort fields\n"
	    "table: ");
	say(guessing, name);
	say(guessing, "\n");
	if (source->format == MAPPING_CSV) {
		say(guessing, "format: csv\nseparator: ");
		say_quoted(guessing, separator);
		say(guessing, "\n");
	}
	if (source->latin)
		say(guessing, "encoding: windows-1252\n");
	say(guessing, comma ? "decimal: \",\"\n" : "decimal: \".\"\n");
	say(guessing, "missing: [\"\", \"NA\", \"n/a\", \"?\"]\n");
	say_patient(guessing);
	say_entity(guessing, COHORT_PATIENT);
	for (size_t i = 0; i < guessing->count; i++)
		entries = entries ||
		    (guessing->columns[i].attribute != NULL &&
			guessing->columns[i].attribute->entity >= COHORT_CONDITION);
	if (entries)
		say(guessing, "entries:\n");
	for (int entity = COHORT_CONDITION; entity < COHORT_ENTITIES; entity++)
		say_entity(guessing, (enum cohort_entity)entity);
	say_rest(guessing);
}

/* ---- the file
 * ------------------------------------------------------------------------------------- */

/* "/data/Breast Registry 2024.csv": breast-registry-2024. */
static void
table_name(const char *path, char ret[MAPPING_NAME_MAX + 1])
{
	const char *base = strrchr(path, '/');
	size_t used = 0;

	base = base == NULL ? path : base + 1;
	for (; *base != 0 && *base != '.' && used < MAPPING_NAME_MAX; base++) {
		char c = *base >= 'A' && *base <= 'Z' ? (char)(*base + 32) : *base;

		ret[used++] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
	}
	ret[used] = 0;
	if (used == 0)
		memcpy(ret, "table", 6);
}

/* The separator that the header has most of. */
static char
find_separator(struct source *source, struct cairn_error *err)
{
	static const char candidates[] = ",;\t|";
	size_t most = 0;
	char best = ',';

	for (size_t i = 0; candidates[i] != 0; i++) {
		struct cairn_error ignored = {0};

		source->separator = candidates[i];
		if (source_rewind(source, err) != 0)
			break;
		if (source_next(source, &ignored) == 0 && source->row.count > most) {
			most = source->row.count;
			best = candidates[i];
		}
	}
	return best;
}

static int
look_at(struct guessing *guessing, struct source *source, struct cairn_error *err)
{
	int code = source_rewind(source, err);

	if (code == 0)
		code = source_next(source, err);
	if (code == CAIRN_ENOTFOUND)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "the table is empty: its first row is to be the header");
	if (code == 0)
		code = look_header(guessing, &source->row, err);
	return code != 0 ? code : look_rows(guessing, source, err);
}

static void
forget(struct guessing *guessing)
{
	for (size_t i = 0; i < guessing->count; i++)
		free(guessing->columns[i].name);
	free(guessing->columns);
	guessing->columns = NULL;
	guessing->count = 0;
	guessing->rows = 0;
}

static int
guess(struct guessing *guessing, struct source *source, const char *path, struct cairn_error *err)
{
	char name[MAPPING_NAME_MAX + 1];
	int code;

	if (source->format == MAPPING_CSV)
		source->separator = find_separator(source, err);
	code = look_at(guessing, source, err);
	if (code == CAIRN_EINVAL && source->format != MAPPING_XLSX &&
	    strstr(err->text, "UTF-8") != NULL) {
		forget(guessing);
		*err = (struct cairn_error){0};
		source->latin = true;
		code = look_at(guessing, source, err);
	}
	if (code != 0)
		return code;
	table_name(path, name);
	say_all(guessing, source, name);
	return guessing->failed ? cairn_error_set(err, CAIRN_ELIMIT, "the draft is too long") : 0;
}

int
guess_mapping(const char *path, char **ret, struct cairn_error *err)
{
	struct guessing guessing = {0};
	struct source *source = calloc(1, sizeof *source);
	int code;

	if (source == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	buf_init(&guessing.draft, DRAFT_MAX);
	code = source_open(source, path, NULL, err);
	if (code == 0)
		code = guess(&guessing, source, path, err);
	source_close(source);
	free(source);
	forget(&guessing);
	if (code == 0) {
		*ret = strdup(buf_text(&guessing.draft) != NULL ? buf_text(&guessing.draft) : "");
		if (*ret == NULL)
			code = cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	buf_fini(&guessing.draft);
	return code;
}
