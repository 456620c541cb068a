/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a backup.  The first says what as: a list, which must say the same once it was
 * written again, or a tar file, which becomes a whole home or leaves nothing behind, and reaches
 * nothing outside.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/backup.h"

static void
must(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static void
read_list(const uint8_t *data, size_t size)
{
	struct backup_list list = {0}, again = {0};
	char *text;

	if (backup_list_parse((const char *)data, size, &list, NULL) != 0)
		return;
	text = backup_list_text(&list);
	if (text != NULL) {
		must(backup_list_parse(text, strlen(text), &again, NULL) == 0);
		must(again.count == list.count && again.keys == list.keys);
		for (size_t i = 0; i < list.count; i++) {
			must(backup_path_valid(list.entries[i].path));
			must(strcmp(list.entries[i].path, again.entries[i].path) == 0);
			must(list.entries[i].kind != BACKUP_FILE ||
			    list.entries[i].size == again.entries[i].size);
		}
		backup_list_fini(&again);
	}
	free(text);
	backup_list_fini(&list);
}

static unsigned
names_in(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	unsigned count = 0;

	must(dir != NULL);
	while ((entry = readdir(dir)) != NULL)
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return count;
}

static void
restore(const uint8_t *data, size_t size)
{
	char folder[] = "/dev/shm/fuzz-backup-XXXXXX", home[64], from[64];
	FD_AUTO fd = memfd_create("backup", MFD_CLOEXEC);
	struct backup_list list = {0};
	struct stat st;

	must(fd >= 0 && mkdtemp(folder) != NULL && file_write_all(fd, data, size) == 0);
	snprintf(home, sizeof home, "%s/home", folder);
	snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
	if (restore_home(from, home, NULL, &list, NULL) == 0) {
		must(lstat(home, &st) == 0 && S_ISDIR(st.st_mode) && names_in(folder) == 1);
		backup_list_fini(&list);
	} else {
		must(names_in(folder) == 0);
	}
	backup_remove_tree(folder);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] == 'l')
		read_list(data + 1, size - 1);
	else
		restore(data + 1, size - 1);
	return 0;
}
