/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/spelling.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cohort/beacon.h"
#include "cohort/expr.h"
#include "cohort/lens.h"

static int
read_file(const struct cli *cli, const char *path, char **ret, size_t *ret_length)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *in = standard ? stdin : fopen(path, "re");
	char *text;
	bool failed;

	if (in == NULL)
		return cli_failf(cli, CAIRN_EIO, "%s: %s", path, strerror(errno));
	text = malloc(LENS_BYTES_MAX + 2);
	*ret_length = text != NULL ? fread(text, 1, LENS_BYTES_MAX + 1, in) : 0;
	failed = text == NULL || ferror(in) != 0;
	if (!standard)
		fclose(in);
	if (failed) {
		free(text);
		return cli_failf(cli, CAIRN_EIO, "%s: cannot be read", path);
	}
	*ret = text;
	return CLI_DONE;
}

/* What a file says that is not taken back is a failure, what a person typed is wrong usage. */
static int
refused(const struct cli *cli, struct cairn_error *err, const char *path)
{
	if (path != NULL)
		cairn_error_prefix(err, err->code, "%s", path);
	cli_fail(cli, err);
	if (!cli->json)
		fputs("  what can be asked: cairn cohort fields\n", stderr);
	return CLI_USAGE;
}

static int
read_lens(const struct spelling *spelling, const char *text, size_t length, Cairn__Expression **ret,
    struct cairn_error *err)
{
	struct dialect *dialect = NULL;
	int code = dialect_open(&dialect, spelling->keys, err);

	if (code == 0)
		code = lens_parse(dialect, text, length, ret, err);
	dialect_free(dialect);
	return code;
}

static int
read_expression(
    const struct cli *cli, const struct spelling *spelling, char **argv, Cairn__Expression **ret)
{
	const char *path = spelling->lens != NULL ? spelling->lens : spelling->beacon;
	struct cairn_error err = {0};
	char *text = NULL;
	size_t length = 0;
	int code, status = path != NULL ? read_file(cli, path, &text, &length) : CLI_DONE;

	if (status != CLI_DONE)
		return status;
	if (path == NULL)
		code = cohort_parse(argv[0], ret, &err);
	else if (spelling->lens != NULL)
		code = read_lens(spelling, text, length, ret, &err);
	else
		code = beacon_parse(text, length, ret, &err);
	free(text);
	return code != 0 ? refused(cli, &err, path) : CLI_DONE;
}

int
spelling_read(const struct cli *cli, const struct spelling *spelling, int argc, char **argv,
    Cairn__Expression **ret, char **ret_text)
{
	int files = (spelling->lens != NULL) + (spelling->beacon != NULL);
	struct cairn_error err = {0};
	int status;

	if (files == 0 && argc == 0)
		return cli_usage(cli, "give an expression ('*' for everyone)");
	if (files == 0 && argc > 1)
		return cli_usage(cli, "put the expression in quotes, as one argument");
	if (files + argc > 1)
		return cli_usage(cli, "one expression: as text, with --lens or with --beacon");
	status = read_expression(cli, spelling, argv, ret);
	if (status != CLI_DONE)
		return status;
	if (files == 0)
		*ret_text = strdup(argv[0]);
	else if (cohort_print(*ret, ret_text, &err) != 0)
		return cli_fail(cli, &err);
	return *ret_text != NULL ? CLI_DONE : cli_failf(cli, CAIRN_ENOMEM, "out of memory");
}

int
spelling_write(const struct cli *cli, const struct spelling *spelling,
    const Cairn__Expression *expression, const char *to, char **ret)
{
	struct dialect *dialect = NULL;
	struct cairn_error err = {0};
	int code;

	if (strcmp(to, "text") == 0) {
		code = cohort_print(expression, ret, &err);
	} else if (strcmp(to, "beacon") == 0) {
		code = beacon_print(expression, ret, &err);
	} else if (strcmp(to, "lens") == 0) {
		code = dialect_open(&dialect, spelling->keys, &err);
		if (code == 0)
			code = lens_print(dialect, expression, ret, &err);
		dialect_free(dialect);
	} else {
		return cli_usage(cli, "--to is text, lens or beacon, not '%s'", to);
	}
	return code == 0 ? CLI_DONE : cli_fail(cli, &err);
}
