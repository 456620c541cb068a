/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cairn man: manual pages.  cairn(1) is made of what `cairn --help` prints, and a plugin's page of
 * its manifest and of the document beside its code, so that neither can be out of date.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli.h"
#include "config/capability.h"
#include "config/config.h"
#include "man/roff.h"

/* Errors of the buffer are all one: the page is too large, or memory is out. */
static int
finish(const struct cli *cli, struct buf *page, int code)
{
	if (code == 0)
		fwrite(page->data, 1, page->length, stdout);
	buf_fini(page);
	return code == 0
	    ? CLI_DONE
	    : cli_failf(cli, code, "the page cannot be made: %s", cairn_code_text(code));
}

/* ---- cairn(1) ------------------------------------------------------------------------------ */

static int
write_command(struct buf *page, const struct cli_command *command)
{
	int code = roff_macro(page, ".SS", command->name);

	if (code == 0)
		code = buf_append_text(page, ".PP\n");
	if (code == 0)
		code = buf_append_format(page, ".B cairn %s\n", command->name);
	if (code == 0 && command->args[0] != 0)
		code = roff_words(page, command->args, strlen(command->args), false);
	if (code == 0)
		code = buf_append_text(page, "\n.PP\n");
	if (code == 0)
		code = roff_words(page, command->summary, strlen(command->summary), false);
	if (code == 0)
		code = buf_append_text(page, ".\n");
	if (code == 0 && command->help[0] != 0)
		code = roff_literal(page, command->help);
	return code == 0 ? roff_literal(page, command->example) : code;
}

static int
print_cairn(const struct cli *cli)
{
	struct buf page = {.max = ROFF_BYTES_MAX};
	const struct cli_command *command;
	int code = buf_append_text(&page,
	    ".TH CAIRN 1 \"\" \"Cairn " CAIRN_VERSION "\" \"Cairn\"\n"
	    ".SH NAME\ncairn \\- operate a node of Cairn\n"
	    ".SH SYNOPSIS\n.B cairn\n[\\-\\-home DIR] [\\-\\-json] [\\-\\-timeout SECONDS] COMMAND "
	    "...\n"
	    ".SH OPTIONS\n.TP\n.B \\-\\-home DIR\nthe node; default $CAIRN_HOME, else "
	    "/var/lib/cairn\n.TP\n.B \\-\\-json\nprint one JSON object, also for errors\n"
	    ".TP\n.B \\-\\-timeout SECONDS\nhow long to wait for the node's answer\n"
	    ".TP\n.B \\-\\-help\nof a command: its options and an example\n.SH COMMANDS\n");

	for (size_t i = 0; code == 0 && (command = cli_command_at(i)) != NULL; i++)
		code = write_command(&page, command);
	if (code == 0)
		code = buf_append_text(&page,
		    ".SH EXIT STATUS\n0 done, 1 refused or failed, 2 wrong usage.\n"
		    ".SH SEE ALSO\n.BR cairnd (8),\n.BR cairn\\-host (8)\n");
	return finish(cli, &page, code);
}

/* ---- a plugin's ---------------------------------------------------------------------------- */

static int
write_tagged(struct buf *page, const char *tag, const char *text)
{
	int code = buf_append_text(page, ".TP\n");

	if (code == 0)
		code = roff_macro(page, ".B", tag);
	if (code == 0)
		code = roff_words(page, text, strlen(text), false);
	return code == 0 ? buf_append_text(page, "\n") : code;
}

static int
write_capabilities(struct buf *page, const struct manifest *manifest)
{
	char words[CAPABILITY_WORDS_MAX];
	int code = roff_macro(page, ".SH", "CAPABILITIES");

	if (code == 0 && manifest->capability_count == 0)
		code = buf_append_text(page, "None.\n");
	for (size_t i = 0; i < manifest->capability_count && code == 0; i++) {
		capability_words(manifest->capabilities[i], words);
		code = write_tagged(page, manifest->capabilities[i], words);
	}
	return code;
}

static const char *
type_words(enum config_type type)
{
	static const char *const words[] = {"string", "integer", "number", "true or false", "list"};

	return words[type];
}

static int
write_option(struct buf *page, const struct config_option *option)
{
	int code = write_tagged(page, option->key, option->help == NULL ? "" : option->help);

	if (code == 0)
		code = buf_append_format(page, ".br\n%s", type_words(option->type));
	if (code == 0 && option->has_min && option->has_max)
		code = buf_append_format(page, ", %g to %g", option->min, option->max);
	for (size_t i = 0; code == 0 && option->choices != NULL && option->choices[i] != NULL;
	     i++) {
		code = buf_append_text(page, i == 0 ? ": " : ", ");
		if (code == 0)
			code =
			    roff_words(page, option->choices[i], strlen(option->choices[i]), false);
	}
	if (code == 0)
		code =
		    buf_append_text(page, option->fallback == NULL ? "; required" : "; default ");
	if (code == 0 && option->fallback != NULL)
		code = roff_words(page, option->fallback, strlen(option->fallback), false);
	return code == 0 ? buf_append_text(page, "\n") : code;
}

static int
write_manifest(struct buf *page, const struct manifest *manifest)
{
	int code = buf_append_format(page,
	    ".TH CAIRN\\-%s 7 \"\" \"%s %s\" \"Cairn plugins\"\n.SH NAME\ncairn\\-%s \\- ",
	    manifest->name, manifest->name, manifest->version, manifest->name);

	if (code == 0)
		code = roff_words(page, manifest->summary, strlen(manifest->summary), false);
	if (code == 0)
		code = buf_append_format(page,
		    "\n.SH SYNOPSIS\n.B cairn plugin enable %s\n.SH SERVES\n%s", manifest->name,
		    manifest->serve_count == 0 ? "No calls.\n" : "");
	for (size_t i = 0; i < manifest->serve_count && code == 0; i++)
		code = write_tagged(page, manifest->serves[i].subject,
		    manifest->serves[i].guarded ? "guarded: the site's policy decides on each call"
						: "open to every plugin that was granted the call");
	if (code == 0)
		code = write_capabilities(page, manifest);
	if (code == 0)
		code = roff_macro(page, ".SH", "SETTINGS");
	if (code == 0)
		code = buf_append_format(
		    page, "In plugins/available/%s.yaml of the node's home.\n", manifest->name);
	for (size_t i = 0; i < manifest->schema.count && code == 0; i++)
		code = write_option(page, &manifest->schema.options[i]);
	return code;
}

static int
print_plugin(const struct cli *cli, const char *path, const char *document)
{
	struct buf page = {.max = ROFF_BYTES_MAX};
	BUF_AUTO text = {.max = ROFF_BYTES_MAX};
	struct manifest *manifest = NULL;
	struct cairn_error err = {0};
	int code = manifest_read(path, &manifest, &err);

	if (code == 0 && document != NULL)
		code = file_read(document, &text, &err);
	if (code != 0) {
		manifest_free(manifest);
		return cli_fail(cli, &err);
	}
	code = write_manifest(&page, manifest);
	manifest_free(manifest);
	if (code == 0 && document != NULL)
		code =
		    buf_text(&text) == NULL ? CAIRN_ELIMIT : roff_markdown(&page, buf_text(&text));
	if (code == 0)
		code = buf_append_text(&page, ".SH SEE ALSO\n.BR cairn (1),\n.BR cairnd (8)\n");
	return finish(cli, &page, code);
}

static int
run_man(struct cli *cli, int argc, char **argv)
{
	const char *document = NULL;
	const struct cli_option options[] = {{"--document", &document, NULL}, {0}};

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc > 1 || (argc == 0 && document != NULL))
		return cli_usage(cli, "name one plugin's file, or none");
	return argc == 0 ? print_cairn(cli) : print_plugin(cli, argv[0], document);
}

const struct cli_command cli_man_commands[] = {
    {"man", "[FILE [--document NAME.md]]", "print a manual page: cairn(1), or that of a plugin",
	"FILE is a shared object or NAME.plugin.yaml. What it serves, may do and can be set to is\n"
	"read from its manifest; --document adds a text in Markdown. For man -l, or to install.\n",
	"cairn man dicom.so --document dicom.md | man -l -", run_man},
    {0}};
