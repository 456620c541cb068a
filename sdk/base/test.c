/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700
#include "base/test.h"

#include <ftw.h>
#include <unistd.h>

void
test_dir_make(struct test_dir *dir)
{
	snprintf(dir->path, sizeof dir->path, "/tmp/cairn-test-XXXXXX");
	assert_non_null(mkdtemp(dir->path));
}

static int
remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void
test_dir_remove(struct test_dir *dir)
{
	nftw(dir->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
