/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn fhir`: tries a mapping out, without a node; and asks a running one. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "print.h"
#include "source.h"

#define CHUNK ((size_t)256 << 10)

static const char usage[] =
    "usage: cairn fhir map FILE... [--mapping FILE.lua] print the facts of each resource\n"
    "       cairn fhir mapping                         print the mapping that comes with Cairn\n"
    "       cairn fhir pull                            fetch from the configured server now\n"
    "       cairn fhir status                          how the connector is\n";

static int
fail(const struct cairn_error *err)
{
	fprintf(stderr, "cairn fhir: %s\n", err->text);
	return 1;
}

static int
print_each(void *arg, const struct map_result *result, const char *url, struct cairn_error *err)
{
	(void)arg, (void)url, (void)err;
	print_result(stdout, result);
	return 0;
}

static int
load(const char *path, struct mapping **ret, struct cairn_error *err)
{
	BUF_AUTO text = {.max = MAPPING_BYTES_MAX};
	const char *home = getenv("CAIRN_HOME");
	char own[PATH_MAX];

	if (path == NULL && home != NULL &&
	    file_join(own, sizeof own, home, "mappings/fhir.lua") == 0 && file_exists(own))
		path = own;
	if (path == NULL)
		return mapping_load(ret, "fhir.lua", mapping_default, mapping_default_length, err);
	if (file_read(path, &text, err) != 0)
		return err->code;
	return mapping_load(ret, path, (const char *)text.data, text.length, err);
}

static int
read_file(struct source *source, FILE *file, struct cairn_error *err)
{
	char *chunk = malloc(CHUNK);
	int code = chunk == NULL ? cairn_error_set(err, CAIRN_ENOMEM, "out of memory") : 0;
	size_t got;

	while (code == 0 && (got = fread(chunk, 1, CHUNK, file)) > 0)
		code = source_feed(source, chunk, got, err);
	if (code == 0)
		code = source_end(source, err);
	free(chunk);
	return code;
}

static int
map_file(const struct mapping *mapping, const char *path)
{
	size_t length = strlen(path);
	bool lines = length > 7 && strcmp(path + length - 7, ".ndjson") == 0;
	struct cairn_error err = {0};
	struct source source = {0};
	FILE *file = fopen(path, "rbe");
	int code = 0;

	if (file == NULL)
		code = cairn_error_set(&err, CAIRN_ENOTFOUND, "cannot read %s", path);
	if (code == 0)
		code = source_open(&source, mapping, lines ? RECORDS_LINES : RECORDS_DOCUMENT,
		    print_each, NULL, &err);
	if (code == 0 && (code = read_file(&source, file, &err)) != 0)
		cairn_error_prefix(&err, code, "%s", path);
	if (file != NULL)
		fclose(file);
	source_close(&source);
	return code == 0 ? 0 : fail(&err);
}

/* `words`: files, and perhaps --mapping with its file. */
static int
map(int count, char **words)
{
	const char *own = NULL;
	struct cairn_error err = {0};
	struct mapping *mapping = NULL;
	int status = 0, files = 0;

	for (int i = 0; i + 1 < count; i++)
		own = strcmp(words[i], "--mapping") == 0 ? words[i + 1] : own;
	if (load(own, &mapping, &err) != 0)
		return fail(&err);
	for (int i = 0; i < count; i++) {
		if (strcmp(words[i], "--mapping") == 0) {
			i++;
			continue;
		}
		files++;
		if (map_file(mapping, words[i]) != 0)
			status = 1;
	}
	mapping_free(mapping);
	if (files == 0)
		fputs(usage, stderr);
	return files == 0 ? 2 : status;
}

/* `cairn call` asks; this only knows the words. */
static int
ask(char *subject)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof path - 8);
	char *slash;
	char *const arguments[] = {(char *)(uintptr_t) "cairn", (char *)(uintptr_t) "call", subject,
	    (char *)(uintptr_t) "--purpose", (char *)(uintptr_t) "operations",
	    (char *)(uintptr_t) "--timeout", (char *)(uintptr_t) "86400", NULL};

	if (length <= 0)
		return 1;
	path[length] = 0;
	slash = strrchr(path, '/');
	memcpy(slash + 1, "cairn", 6);
	execv(path, arguments);
	perror(path);
	return 1;
}

int
main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	char pull[] = "fhir.pull", status[] = "fhir.status";

	if (strcmp(word, "mapping") == 0 && argc == 2)
		return fwrite(mapping_default, mapping_default_length, 1, stdout) == 1 ? 0 : 1;
	if (strcmp(word, "map") == 0 && argc > 2)
		return map(argc - 2, argv + 2);
	if (strcmp(word, "pull") == 0 && argc == 2)
		return ask(pull);
	if (strcmp(word, "status") == 0 && argc == 2)
		return ask(status);
	fputs(usage, strcmp(word, "--help") == 0 ? stdout : stderr);
	return strcmp(word, "--help") == 0 ? 0 : 2;
}
