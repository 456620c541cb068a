/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "node/words.h"

/* ---- errors ----------------------------------------------------------------------------- */

int
cli_fail(const struct cli *cli, const struct cairn_error *err)
{
	const char *name = cli->command == NULL ? "" : cli->command->name;

	if (cli->json) {
		cli_print_json(json_pack("{s:{s:s, s:i, s:o}}", "error", "kind",
		    cairn_code_text(err->code), "code", err->code, "text", cli_text(err->text)));
		return CLI_FAILED;
	}
	fprintf(stderr, "cairn%s%s: ", name[0] == 0 ? "" : " ", name);
	cli_print_safe(stderr, err->text);
	fputc('\n', stderr);
	return CLI_FAILED;
}

int
cli_failf(const struct cli *cli, int code, const char *format, ...)
{
	struct cairn_error err = {.code = code};
	va_list args;

	va_start(args, format);
	vsnprintf(err.text, sizeof err.text, format, args);
	va_end(args);
	return cli_fail(cli, &err);
}

int
cli_usage(const struct cli *cli, const char *format, ...)
{
	const struct cli_command *command = cli->command;
	va_list args;

	fprintf(stderr, "cairn %s: ", command->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nusage: cairn %s%s%s\n  e.g.: %s\n", command->name,
	    command->args[0] == 0 ? "" : " ", command->args, command->example);
	return CLI_USAGE;
}

int
cli_print_json(json_t *value)
{
	int status = CLI_DONE;

	if (value == NULL || json_dumpf(value, stdout, JSON_COMPACT) != 0) {
		fputs("cairn: the answer could not be put into JSON\n", stderr);
		status = CLI_FAILED;
	} else {
		putchar('\n');
	}
	json_decref(value);
	return status;
}

static char *
clean_copy(const char *text, bool lines)
{
	size_t size = strlen(text) + 1;
	char *copy = malloc(size);

	if (copy != NULL)
		words_clean(copy, size, text, lines);
	return copy;
}

json_t *
cli_text(const char *text)
{
	char *copy = clean_copy(text, true);
	json_t *value = copy == NULL ? NULL : json_string(copy);

	free(copy);
	return value;
}

/* Newlines stay: several messages have a second line with a caret. */
void
cli_print_safe(FILE *to, const char *text)
{
	char *copy = clean_copy(text, true);

	fputs(copy == NULL ? "(out of memory)" : copy, to);
	free(copy);
}

const char *
cli_json_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "" : text;
}

long long
cli_json_number(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

/* ---- options ---------------------------------------------------------------------------- */

static const struct cli_option *
find_option(const struct cli_option *options, const char *word, size_t length)
{
	for (; options->name != NULL; options++) {
		if (strlen(options->name) == length && strncmp(options->name, word, length) == 0)
			return options;
	}
	return NULL;
}

static const char *
option_name(const void *arg, size_t index)
{
	const struct cli_option *options = arg;

	return options[index].name; /* NULL after the last, as the table ends with one */
}

static int
unknown_option(const struct cli *cli, const struct cli_option *options, const char *word)
{
	const char *near = text_suggest(word, option_name, options);

	if (near != NULL)
		cli_usage(cli, "unknown option '%s'; did you mean '%s'?", word, near);
	else
		cli_usage(cli, "unknown option '%s'", word);
	return -1;
}

int
cli_options(const struct cli *cli, const struct cli_option *options, int argc, char **argv)
{
	int kept = 0;
	bool ended = false;

	for (int i = 0; i < argc; i++) {
		const struct cli_option *option;
		const char *equals;

		if (ended || argv[i][0] != '-' || argv[i][1] == 0) {
			argv[kept++] = argv[i];
			continue;
		}
		if (strcmp(argv[i], "--") == 0) {
			ended = true;
			continue;
		}
		equals = strchr(argv[i], '=');
		option = find_option(options, argv[i],
		    equals == NULL ? strlen(argv[i]) : (size_t)(equals - argv[i]));
		if (option == NULL)
			return unknown_option(cli, options, argv[i]);
		if (option->value == NULL) {
			*option->flag = true;
		} else if (equals != NULL) {
			*option->value = equals + 1;
		} else if (i + 1 < argc) {
			*option->value = argv[++i];
		} else {
			cli_usage(cli, "%s needs a value", option->name);
			return -1;
		}
	}
	return kept;
}

/* ---- tables ----------------------------------------------------------------------------- */

const char *
cli_colour(const struct cli *cli, enum cli_colour colour)
{
	static const char *const codes[] = {
	    "\033[0m", "\033[32m", "\033[33m", "\033[31m", "\033[2m", "\033[1m"};

	return cli->colour ? codes[colour] : "";
}

int
cli_table_row(
    struct cli_table *table, enum cli_colour colour, size_t columns, const char *const *cells)
{
	size_t rows = table->rows + 1;
	char **grown = realloc(table->cells, rows * columns * sizeof *grown);
	enum cli_colour *colours;

	if (grown == NULL)
		return CAIRN_ENOMEM;
	table->cells = grown;
	colours = realloc(table->colours, rows * sizeof *colours);
	if (colours == NULL)
		return CAIRN_ENOMEM;
	table->colours = colours;
	for (size_t i = 0; i < columns; i++) {
		char *copy = clean_copy(cells[i], false);

		if (copy == NULL)
			return CAIRN_ENOMEM;
		grown[table->rows * columns + i] = copy;
	}
	colours[table->rows] = colour;
	table->columns = columns;
	table->rows = rows;
	return 0;
}

/* In characters; most are one column wide. */
static size_t
cell_width(const char *cell)
{
	size_t width = 0;

	for (; *cell != 0; cell++)
		width += ((unsigned char)*cell & 0xc0) != 0x80;
	return width;
}

static size_t
column_width(const struct cli_table *table, size_t column)
{
	size_t width = 0;

	for (size_t row = 0; row < table->rows; row++) {
		size_t length = cell_width(table->cells[row * table->columns + column]);

		width = length > width ? length : width;
	}
	return width;
}

void
cli_table_print(const struct cli *cli, struct cli_table *table)
{
	for (size_t row = 0; row < table->rows; row++) {
		fputs(cli_colour(cli, table->colours[row]), stdout);
		for (size_t column = 0; column < table->columns; column++) {
			char *cell = table->cells[row * table->columns + column];
			size_t width =
			    column + 1 < table->columns ? column_width(table, column) + 2 : 0;
			size_t length = cell_width(cell);

			fputs(cell, stdout);
			for (; length < width; length++)
				putchar(' ');
		}
		fputs(cli_colour(cli, CLI_PLAIN), stdout);
		putchar('\n');
	}
	for (size_t i = 0; i < table->rows * table->columns; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table->colours);
	*table = (struct cli_table){0};
}
