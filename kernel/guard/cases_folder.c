/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "guard/cases.h"

struct counting {
	const struct guard_served *served;
	size_t served_count;
	struct cases_count *count;
};

static ProtobufCMessage *
message(void *arg, const char *subject)
{
	const struct counting *counting = arg;

	for (size_t i = 0; i < counting->served_count; i++) {
		if (strcmp(counting->served[i].subject, subject) == 0)
			return guard_sample(counting->served[i].request);
	}
	return NULL;
}

static void
take_result(void *arg, const struct cases_result *result)
{
	struct counting *counting = arg;

	if (result->problem[0] == 0)
		counting->count->right++;
	else
		counting->count->wrong++;
}

static bool
is_cases(const char *name)
{
	size_t length = strlen(name);

	return length > 5 && name[0] != '.' && strcmp(name + length - 5, ".yaml") == 0;
}

static int
run_all(struct guard *guard, DIR *dir, const char *folder, const struct cases_ops *ops,
    struct cairn_error *err)
{
	struct dirent *entry;
	char path[PATH_MAX];
	unsigned files = 0;
	int code = 0;

	while (code == 0 && files < CASES_FILES_MAX && (entry = readdir(dir)) != NULL) {
		if (!is_cases(entry->d_name) ||
		    file_join(path, sizeof path, folder, entry->d_name) != 0)
			continue;
		files++;
		code = cases_run(guard, path, ops, err);
	}
	return code;
}

int
cases_folder(struct guard *guard, const char *folder, const struct guard_served *served,
    size_t served_count, struct cases_count *ret, struct cairn_error *err)
{
	struct cases_count count = {0};
	struct counting counting = {served, served_count, &count};
	const struct cases_ops ops = {message, take_result, &counting};
	DIR *dir = opendir(folder);
	int code;

	if (dir == NULL && errno == ENOENT) {
		*ret = count;
		return 0;
	}
	if (dir == NULL)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot read %s: %s", folder, strerror(errno));
	code = run_all(guard, dir, folder, &ops, err);
	closedir(dir);
	if (code == 0)
		*ret = count;
	return code;
}

void
cases_text(const struct cases_count *count, char *ret, size_t size)
{
	snprintf(ret, size,
	    "%u of %u cases in policies/cases are decided otherwise than they say; `cairn policy "
	    "test` shows how",
	    count->wrong, count->wrong + count->right);
}
