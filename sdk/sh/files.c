/* SPDX-License-Identifier: Apache-2.0 */
#include "sh/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_TEXT_MAX 4096
#define FD_MAX 1000000

static int
add(struct files *files, const char *name, size_t length, const char *path, bool runs,
    struct cairn_error *err)
{
	struct file file = {.name = strndup(name, length), .path = strdup(path), .runs = runs};

	if (file.name == NULL || file.path == NULL || files->count == FILES_MAX) {
		free(file.name);
		free(file.path);
		return cairn_error_set(err, CAIRN_ELIMIT, "more than %d files", FILES_MAX);
	}
	files->list[files->count++] = file;
	return 0;
}

/* One line of CAIRN_FILES. */
static int
add_line(struct files *files, const char *line, size_t length, struct cairn_error *err)
{
	char path[64];
	char *end;
	unsigned long fd = strtoul(line, &end, 10);
	const size_t words = strlen(" runs ");

	if (fd > FD_MAX ||
	    (strncmp(end, " runs ", words) != 0 && strncmp(end, " data ", words) != 0) ||
	    (size_t)(end - line) + words >= length)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "CAIRN_FILES is not as cairn-host makes it");
	snprintf(path, sizeof path, "/proc/self/fd/%lu", fd);
	return add(
	    files, end + words, length - (size_t)(end - line) - words, path, end[1] == 'r', err);
}

static int
add_lines(struct files *files, const char *lines, struct cairn_error *err)
{
	int code = 0;

	while (*lines != 0 && code == 0) {
		size_t length = strcspn(lines, "\n");

		code = add_line(files, lines, length, err);
		lines += length + (lines[length] == '\n');
	}
	return code;
}

static int
add_folder(struct files *files, const char *folder, struct cairn_error *err)
{
	const struct dirent *entry;
	char path[PATH_TEXT_MAX];
	struct stat st;
	DIR *dir = opendir(folder);
	int code = 0;

	if (dir == NULL)
		return cairn_error_set(
		    err, CAIRN_ENOTFOUND, "%s: cannot be read: %s", folder, strerror(errno));
	while (code == 0 && (entry = readdir(dir)) != NULL) {
		if (snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) <
			(int)sizeof path &&
		    stat(path, &st) == 0 && S_ISREG(st.st_mode))
			code = add(files, entry->d_name, strlen(entry->d_name), path,
			    (st.st_mode & 0111) != 0, err);
	}
	closedir(dir);
	return code;
}

int
files_find(struct files *files, const char *lines, const char *folder, struct cairn_error *err)
{
	return lines != NULL ? add_lines(files, lines, err) : add_folder(files, folder, err);
}

void
files_free(struct files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->list[i].name);
		free(files->list[i].path);
	}
	files->count = 0;
}

const char *
files_program(const struct files *files, const char *name)
{
	for (size_t i = 0; i < files->count; i++) {
		if (files->list[i].runs && strcmp(files->list[i].name, name) == 0)
			return files->list[i].path;
	}
	return NULL;
}
