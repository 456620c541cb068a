/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/paths.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cairn/error.h>

/* PREFIX, which is two levels above the program. */
static int
find_prefix(char ret[PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", ret, PATH_MAX - 1);

	if (length <= 0)
		return CAIRN_EIO;
	ret[length] = 0;
	for (int level = 0; level < 2; level++) {
		char *slash = strrchr(ret, '/');

		if (slash == NULL)
			return CAIRN_EIO;
		*slash = 0;
	}
	return 0;
}

static int
below_prefix(const char *folder, const char *name, char ret[PATH_MAX])
{
	char prefix[PATH_MAX];
	int code = find_prefix(prefix);
	int wrote;

	if (code != 0)
		return code;
	wrote = snprintf(ret, PATH_MAX, "%s/%s%s", prefix, folder, name);
	return wrote < 0 || wrote >= PATH_MAX ? CAIRN_ELIMIT : 0;
}

int
paths_program(const char *name, char ret[PATH_MAX])
{
	return below_prefix("bin/", name, ret);
}

int
paths_plugins(char ret[PATH_MAX])
{
	return below_prefix("lib/cairn/plugins", "", ret);
}

int
paths_library(const char *name, char ret[PATH_MAX])
{
	return below_prefix("lib/cairn/", name, ret);
}

int
paths_share(const char *name, char ret[PATH_MAX])
{
	return below_prefix("share/cairn/", name, ret);
}
