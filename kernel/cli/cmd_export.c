/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export: asks the cohort engine (under the policy) which instances an expression selects, a page
 * at a time, and copies each from the object store to an ordinary Part 10 file, checking its
 * digest.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "cairn/cohort.pb-c.h"
#include "cli/cli.h"
#include "cli/question.h"
#include "cohort/expr.h"
#include "depth.h"
#include "objects/store.h"

#define PAGE 5000
#define PROGRESS_EVERY 500

struct export
{
	struct cli *cli;
	const char *dir;
	struct objects_reader *objects;
	uint64_t written, present, failed, missing; /* the missing are among the failed */
	bool finished;                              /* to the last page */
};

static int
write_piece(void *arg, const uint8_t *bytes, size_t length)
{
	const int *fd = arg;

	return file_write_all(*fd, bytes, length);
}

/* Pseudonyms and UIDs make safe file names; whatever else comes does not leave the folder. */
static bool
is_safe_name(const char *name)
{
	return name[0] != 0 && name[0] != '.' &&
	    strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_") ==
	    strlen(name);
}

static int
instance_path(const struct export *export, const Cairn__SelectedInstance *instance,
    char ret[PATH_MAX], struct cairn_error *err)
{
	int wrote;

	if (!is_safe_name(instance->patient) || !is_safe_name(instance->study) ||
	    !is_safe_name(instance->series) || !is_safe_name(instance->instance))
		return cairn_error_set(err, CAIRN_ECORRUPT, "an identifier is no file name");
	wrote = snprintf(ret, PATH_MAX, "%s/%s/%s/%s", export->dir, instance->patient,
	    instance->study, instance->series);
	if (wrote < 0 || wrote + 80 > PATH_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", export->dir);
	if (file_mkdirs(ret, 0755, err) != 0)
		return err->code;
	snprintf(ret + wrote, (size_t)(PATH_MAX - wrote), "/%.64s.dcm", instance->instance);
	return 0;
}

/* Some file systems say only at the close that there was no room. */
static int
close_written(int *fd)
{
	int status = close(*fd);

	*fd = -1;
	return status;
}

/* A file that is there already is left alone when it is what we would write. */
static int
check_present(const char *path, const struct objects_ref *ref, struct cairn_error *err)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	FD_AUTO fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t bytes[16384], found[EVP_MAX_MD_SIZE];
	ssize_t got = -1;
	bool good = digest != NULL && fd >= 0 && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1;

	while (good && (got = read(fd, bytes, sizeof bytes)) > 0)
		good = EVP_DigestUpdate(digest, bytes, (size_t)got) == 1;
	good = good && got == 0 && EVP_DigestFinal_ex(digest, found, NULL) == 1;
	EVP_MD_CTX_free(digest);
	if (!good)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot read %s, which is there already", path);
	if (memcmp(found, ref->sha256, sizeof ref->sha256) != 0)
		return cairn_error_set(err, CAIRN_EEXIST,
		    "%s is there already and differs; remove it or export to another folder", path);
	return 0;
}

static int
copy_object(
    struct export *export, const struct objects_ref *ref, const char *path, struct cairn_error *err)
{
	char temporary[PATH_MAX];
	FD_AUTO fd = -1;
	int code;

	if (snprintf(temporary, sizeof temporary, "%s.part", path) >= (int)sizeof temporary)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot create %s: %s", temporary, strerror(errno));
	code = objects_reader_get(export->objects, ref, write_piece, &fd, err);
	if (code == 0 && close_written(&fd) != 0)
		code = cairn_error_set(
		    err, CAIRN_EIO, "cannot write %s: %s", temporary, strerror(errno));
	if (code == 0 && rename(temporary, path) != 0)
		code = cairn_error_set(err, CAIRN_EIO, "cannot name %s: %s", path, strerror(errno));
	if (code != 0)
		unlink(temporary);
	return code;
}

static int
find_object(struct export *export, const Cairn__SelectedInstance *instance, struct objects_ref *ret,
    struct cairn_error *err)
{
	int code = objects_reader_find(export->objects, instance->instance, ret, err);

	if (code != CAIRN_ENOTFOUND)
		return code;
	export->missing++;
	return cairn_error_set(err, CAIRN_ENOTFOUND,
	    "the index knows this instance, and the object store does not hold it");
}

static int
export_instance(
    struct export *export, const Cairn__SelectedInstance *instance, struct cairn_error *err)
{
	struct objects_ref ref;
	char path[PATH_MAX];
	int code = instance_path(export, instance, path, err);

	/* By key: compaction may have moved the object since its facts were written. */
	if (code == 0)
		code = find_object(export, instance, &ref, err);
	if (code == 0 && access(path, F_OK) == 0) {
		code = check_present(path, &ref, err);
		export->present += code == 0;
		return code;
	}
	if (code == 0)
		code = copy_object(export, &ref, path, err);
	if (code == 0)
		export->written++;
	return code;
}

static void
export_page(struct export *export, const Cairn__SelectAnswer *page)
{
	for (size_t i = 0; i < page->n_instances; i++) {
		struct cairn_error err = {0};

		if (export_instance(export, page->instances[i], &err) != 0) {
			export->failed++;
			fprintf(stderr, "cairn export: %.64s: ", page->instances[i]->instance);
			cli_print_safe(stderr, err.text);
			fputc('\n', stderr);
		}
		if (export->cli->tty && !export->cli->json &&
		    export->written % PROGRESS_EVERY == 1) {
			printf("\r%" PRIu64 " written\033[K", export->written);
			fflush(stdout);
		}
	}
}

static int
unsupported(struct cli *cli, const Cairn__SelectAnswer *page)
{
	return cli_failf(cli, CAIRN_EUNSUPPORTED,
	    "this node cannot evaluate '%s'; nothing was exported", page->criteria[0]);
}

static int
export_pages(struct export *export, struct question *question, Cairn__SelectRequest *request)
{
	request->limit = PAGE;
	do {
		Cairn__Envelope *reply = NULL;
		Cairn__SelectAnswer *page;
		int status = question_ask(question, &reply);

		if (status != CLI_DONE)
			return status;
		page = (Cairn__SelectAnswer *)proto_unpack(
		    &cairn__select_answer__descriptor, NULL, reply->body.data, reply->body.len);
		cairn__envelope__free_unpacked(reply, NULL);
		if (page == NULL)
			return cli_failf(
			    export->cli, CAIRN_EPROTO, "the node's answer is no SelectAnswer");
		if (page->n_criteria > 0) {
			status = unsupported(export->cli, page);
			cairn__select_answer__free_unpacked(page, NULL);
			return status;
		}
		export_page(export, page);
		request->after = page->next;
		cairn__select_answer__free_unpacked(page, NULL);
	} while (request->after != 0);
	export->finished = true;
	return export->failed == 0 ? CLI_DONE : CLI_FAILED;
}

static int
print_exported(const struct export *export)
{
	if (export->cli->json)
		return cli_print_json(json_pack("{s:o, s:I, s:I, s:I, s:I}", "dir",
		    cli_text(export->dir), "written", (json_int_t) export->written, "present",
		    (json_int_t) export->present, "failed", (json_int_t) export->failed, "missing",
		    (json_int_t) export->missing));
	printf("%s%" PRIu64 " instances written to %s", export->cli->tty ? "\r\033[K" : "",
	    export->written, export->dir);
	if (export->present > 0)
		printf(", %" PRIu64 " were there already", export->present);
	if (export->failed > 0)
		printf(", %" PRIu64 " failed", export->failed);
	putchar('\n');
	if (export->missing > 0)
		printf("%" PRIu64
		       " of them are counted and not held, named above: images were lost, or "
		       "removed behind the node.\nBring %s/objects back from a backup (cairn "
		       "restore --help), or send those images again.\n",
		    export->missing, export->cli->home);
	return CLI_DONE;
}

static int
export_expression(struct export *export, struct question *question, const char *text)
{
	Cairn__SelectRequest request = CAIRN__SELECT_REQUEST__INIT;
	Cairn__Expression *expression = NULL;
	struct cairn_error err = {0};
	char objects[PATH_MAX];
	int status;

	if (cohort_parse(text, &expression, &err) != 0) {
		cli_fail(export->cli, &err);
		return CLI_USAGE;
	}
	request.expression = expression;
	question->message = &request.base;
	if (file_join(objects, sizeof objects, export->cli->home, "objects") != 0)
		status = cli_failf(export->cli, CAIRN_ELIMIT, "the home's path is too long");
	else if (objects_reader_open(&export->objects, objects, &err) != 0)
		status = cli_fail(export->cli, &err);
	else
		status = export_pages(export, question, &request);
	objects_reader_close(export->objects);
	cairn__expression__free_unpacked(expression, NULL);
	if (export->objects != NULL && export->finished)
		print_exported(export);
	return status;
}

/* Whether `dir`, or of what is not there yet the folder that is, lies in a node's home. */
static bool
find_home(const char *dir, char ret[PATH_MAX])
{
	char path[PATH_MAX], yaml[PATH_MAX];
	char *slash;

	if (snprintf(path, sizeof path, "%s", dir) >= (int)sizeof path)
		return false;
	while (realpath(path, ret) == NULL) {
		slash = strrchr(path, '/');
		if (slash == path || slash == NULL)
			snprintf(path, sizeof path, "%s", slash == NULL ? "." : "/");
		else
			*slash = 0;
	}
	for (;;) {
		if (file_join(yaml, sizeof yaml, ret, "node.yaml") == 0 && file_exists(yaml))
			return true;
		slash = strrchr(ret, '/');
		if (slash == NULL || slash[1] == 0)
			return false;
		slash[slash == ret] = 0;
	}
}

int
cli_export_run(struct cli *cli, int argc, char **argv)
{
	struct question question = {.cli = cli, .subject = "cohort.select", .timeout_ms = 60000};
	const struct cli_option options[] = {{"--purpose", &question.purpose, NULL},
	    {"--as", &question.as, NULL}, {"--permit", &question.permit, NULL}, {0}};
	struct export export = {.cli = cli};
	char home[PATH_MAX];

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc != 2)
		return cli_usage(cli, "give an expression in quotes and a directory");
	if (question.purpose == NULL)
		return cli_usage(cli, "say what for, with --purpose (e.g. quality-assurance)");
	export.dir = argv[1];
	if (find_home(export.dir, home))
		return cli_failf(cli, CAIRN_EINVAL,
		    "%s lies in the home of the node in %s; nothing was exported: name a folder "
		    "outside it",
		    export.dir, home);
	return export_expression(&export, &question, argv[0]);
}
