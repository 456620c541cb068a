/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cairn plugin new: a project from PREFIX/share/cairn/templates.  The files of LANG-common and then
 * those of LANG-KIND are copied; "@NAME@" in a file's name and @NAME@, @IDENT@, @KIND@ and
 * @VERSION@ in its text are replaced, and ".in" at the end of its name is taken away.  A new
 * language or kind is a new folder there, and nothing here.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/paths.h"

#define TEMPLATE_MAX ((size_t)1 << 20)
#define TEMPLATES_MAX 64
#define NAME_MAX_BYTES 32
#define WORD_MAX_BYTES 16

struct project {
	const char *name, *kind, *lang;
	char ident[NAME_MAX_BYTES + 1]; /* the name with '_' for '-' */
	char templates[PATH_MAX];
	const char *dir;
	json_t *files; /* what was made */
	bool nested;   /* this is a folder in the project */
};

/* ---- replacing ----------------------------------------------------------------------------- */

static const char *
placeholder(const struct project *project, const char *at, size_t *ret_length)
{
	const struct {
		const char *mark, *text;
	} marks[] = {{"@NAME@", project->name}, {"@IDENT@", project->ident},
	    {"@KIND@", project->kind}, {"@VERSION@", CAIRN_VERSION}};

	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
		if (strncmp(at, marks[i].mark, strlen(marks[i].mark)) == 0) {
			*ret_length = strlen(marks[i].mark);
			return marks[i].text;
		}
	}
	return NULL;
}

static int
replace(const struct project *project, const char *text, struct buf *ret)
{
	int code = 0;

	while (*text != 0 && code == 0) {
		size_t length = strcspn(text, "@");
		const char *value = NULL;

		if (length == 0) {
			length = 1;
			value = placeholder(project, text, &length);
		}
		code = value != NULL ? buf_append_text(ret, value) : buf_append(ret, text, length);
		text += length;
	}
	return code;
}

/* ---- copying ------------------------------------------------------------------------------- */

static int
target_path(const struct project *project, const char *name, char ret[PATH_MAX])
{
	BUF_AUTO replaced = {.max = PATH_MAX};
	size_t length;
	int code = replace(project, name, &replaced);

	if (code != 0)
		return code;
	length = replaced.length;
	if (length > 3 && memcmp(replaced.data + length - 3, ".in", 3) == 0)
		length -= 3;
	code = snprintf(
	    ret, PATH_MAX, "%s/%.*s", project->dir, (int)length, (const char *)replaced.data);
	return code < 0 || code >= PATH_MAX ? CAIRN_ELIMIT : 0;
}

static int
copy_file(struct project *project, const char *folder, const char *name, struct cairn_error *err)
{
	BUF_AUTO text = {.max = TEMPLATE_MAX}, replaced = {.max = 2 * TEMPLATE_MAX};
	char from[PATH_MAX], to[PATH_MAX];
	struct stat st;
	int code = file_join(from, sizeof from, folder, name);

	if (code == 0)
		code = target_path(project, name, to);
	if (code != 0)
		return cairn_error_set(err, code, "the path is too long: %s", name);
	code = file_read(from, &text, err);
	if (code != 0)
		return code;
	if (stat(from, &st) != 0 || buf_text(&text) == NULL ||
	    replace(project, buf_text(&text), &replaced) != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "cannot use the template %s", from);
	code = file_write(to, replaced.data, replaced.length, st.st_mode & 0111 ? 0755 : 0644, err);
	if (code == 0)
		json_array_append_new(project->files, cli_text(to));
	return code;
}

static int copy_all(struct project *project, const char *folder, struct cairn_error *err);

/* The folder of a plugin's programs; there are none in it. */
static int
copy_nested(struct project *project, const char *from, const char *name, struct cairn_error *err)
{
	struct project nested = *project;
	char to[PATH_MAX];
	int code = target_path(project, name, to);

	if (code != 0 || project->nested)
		return cairn_error_set(err, CAIRN_ELIMIT, "cannot use the template %s", from);
	nested.dir = to;
	nested.nested = true;
	code = file_mkdirs(to, 0755, err);
	return code == 0 ? copy_all(&nested, from, err) : code;
}

static int
copy_entry(struct project *project, const char *folder, const char *name, struct cairn_error *err)
{
	char from[PATH_MAX];
	struct stat st;

	if (file_join(from, sizeof from, folder, name) == 0 && stat(from, &st) == 0 &&
	    S_ISDIR(st.st_mode))
		return copy_nested(project, from, name, err);
	return copy_file(project, folder, name, err);
}

static int
copy_all(struct project *project, const char *folder, struct cairn_error *err)
{
	struct dirent *entry;
	DIR *dir = opendir(folder);
	int code = 0;

	if (dir == NULL)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot read %s: %s", folder, strerror(errno));
	while (code == 0 && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			code = copy_entry(project, folder, entry->d_name, err);
	}
	closedir(dir);
	return code;
}

static int
copy_folder(struct project *project, const char *suffix, struct cairn_error *err)
{
	char folder[PATH_MAX];

	if (snprintf(folder, sizeof folder, "%s/%s-%s", project->templates, project->lang,
		suffix) >= (int)sizeof folder)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long");
	if (strcmp(suffix, "common") == 0 && !file_exists(folder))
		return 0;
	return copy_all(project, folder, err);
}

/* ---- checking ------------------------------------------------------------------------------ */

static bool
is_name(const char *text, size_t max)
{
	size_t length = strlen(text);

	return length >= 1 && length <= max && text[0] >= 'a' && text[0] <= 'z' &&
	    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

static int
check_name(const char *name, struct cairn_error *err)
{
	if (!is_name(name, NAME_MAX_BYTES))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "a plugin's name is 1 to %d of a-z, 0-9 and '-', and begins with a letter; "
		    "found '%.40s'",
		    NAME_MAX_BYTES, name);
	if (strcmp(name, "kernel") == 0 || strcmp(name, "test") == 0)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "'%s' is taken (the kernel's subjects and a build's targets): choose another",
		    name);
	return 0;
}

/* "c-connector, c-engine, ...": what there is to choose from. */
static void
list_templates(const char *templates, struct buf *ret)
{
	struct dirent **entries = NULL;
	int count = scandir(templates, &entries, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		const char *dash = strchr(name, '-');

		if (name[0] != '.' && dash != NULL && strcmp(dash, "-common") != 0)
			buf_append_format(ret, "%s%s", ret->length == 0 ? "" : ", ", name);
		free(entries[i]);
	}
	free(entries);
}

static int
check_template(const struct project *project, struct cairn_error *err)
{
	BUF_AUTO names = {.max = 400};
	char folder[PATH_MAX];
	const char *list;

	if (is_name(project->lang, WORD_MAX_BYTES) && is_name(project->kind, WORD_MAX_BYTES) &&
	    strcmp(project->kind, "common") != 0 &&
	    snprintf(folder, sizeof folder, "%s/%s-%s", project->templates, project->lang,
		project->kind) < (int)sizeof folder &&
	    file_exists(folder))
		return 0;
	list_templates(project->templates, &names);
	list = buf_text(&names);
	return cairn_error_set(err, CAIRN_ENOTFOUND,
	    "there is no template for --lang %.20s --kind %.20s; there are: %s", project->lang,
	    project->kind,
	    list == NULL || *list == 0 ? "none (is the installation complete?)" : list);
}

static int
make_folder(const char *dir, struct cairn_error *err)
{
	if (mkdir(dir, 0755) == 0)
		return 0;
	if (errno == EEXIST)
		return cairn_error_set(err, CAIRN_EEXIST,
		    "%s is there already; nothing was changed: give another --dir", dir);
	return cairn_error_set(err, CAIRN_EIO, "cannot make %s: %s", dir, strerror(errno));
}

static int
make_project(struct project *project, struct cairn_error *err)
{
	int code = check_name(project->name, err);

	if (code == 0 && paths_share("templates", project->templates) != 0)
		code = cairn_error_set(err, CAIRN_EIO, "cannot tell where this program lies");
	if (code == 0)
		code = check_template(project, err);
	if (code == 0)
		code = make_folder(project->dir, err);
	if (code == 0)
		code = copy_folder(project, "common", err);
	if (code == 0)
		code = copy_folder(project, project->kind, err);
	return code;
}

static int
run_new(struct cli *cli, int argc, char **argv)
{
	struct project project = {.kind = "engine", .lang = "c"};
	const struct cli_option options[] = {{"--kind", &project.kind, NULL},
	    {"--lang", &project.lang, NULL}, {"--dir", &project.dir, NULL}, {0}};
	struct cairn_error err = {0};

	argc = cli_options(cli, options, argc, argv);
	if (argc != 1)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "name the new plugin");
	project.name = argv[0];
	if (project.dir == NULL)
		project.dir = argv[0];
	for (size_t i = 0; i < NAME_MAX_BYTES && argv[0][i] != 0; i++)
		project.ident[i] = argv[0][i] == '-' ? '_' : argv[0][i];
	project.files = json_array();
	if (make_project(&project, &err) != 0) {
		json_decref(project.files);
		return cli_fail(cli, &err);
	}
	if (cli->json)
		return cli_print_json(json_pack("{s:s, s:o, s:o}", "name", project.name, "dir",
		    cli_text(project.dir), "files", project.files));
	json_decref(project.files);
	printf(
	    "made %s, a plugin of kind %s (%s); its README.md says how to build, test and run it\n",
	    project.dir, project.kind, project.lang);
	return CLI_DONE;
}

const struct cli_command cli_sdk_commands[] = {
    {"plugin new", "NAME [--kind K] [--lang L] [--dir DIR]", "begin a plugin of your own",
	"  --kind K    connector, engine (default), sink or policy\n"
	"  --lang L    c (default), lua, python or sh\n"
	"  --dir DIR   where; default ./NAME, which must not exist\n"
	"Makes a project that builds, passes its tests and runs in a node as it is.\n",
	"cairn plugin new word-count --kind engine", run_new},
    {0}};
