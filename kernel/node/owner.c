/* SPDX-License-Identifier: Apache-2.0 */
#include "node/owner.h"

#include <dirent.h>
#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "node/node.h"

#define TOPIC "sandbox"

static bool
shares_objects(const struct manifest *manifest)
{
	return manifest_has(manifest, "objects:read") || manifest_has(manifest, "objects:write") ||
	    manifest_has(manifest, "intake:write");
}

/* ---- reaching --------------------------------------------------------------------------- */

/* The first folder above `path` that other users may not pass, or "". */
static void
first_barrier(const char *path, char ret[PATH_MAX])
{
	struct stat st;
	size_t length = strlen(path);

	for (size_t i = 1; i <= length; i++) {
		if (path[i] != '/')
			continue;
		memcpy(ret, path, i);
		ret[i] = 0;
		if (stat(ret, &st) != 0 || (st.st_mode & S_IXOTH) == 0)
			return;
	}
	ret[0] = 0;
}

/* Passing is not listing: what lies in them keeps its own modes. */
static int
open_way(const char *home, struct cairn_error *err)
{
	static const char *const names[] = {"", "run", "state"};
	char path[PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (file_join(path, sizeof path, home, names[i]) != 0)
			return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", home);
		if (stat(path, &st) != 0 || chmod(path, (st.st_mode & 07777) | S_IXOTH) != 0)
			return cairn_error_set(err, CAIRN_EIO,
			    "cannot let the plugins' users into %s: %s", path, strerror(errno));
	}
	return 0;
}

static bool
is_reachable(const struct node_config *config, const char *bin_dir)
{
	char barrier[PATH_MAX], path[PATH_MAX];
	const char *const paths[] = {config->home, path};

	snprintf(path, sizeof path, "%s/x", bin_dir);
	for (size_t i = 0; i < 2; i++) {
		first_barrier(paths[i], barrier);
		if (barrier[0] == 0)
			continue;
		log_warning(TOPIC,
		    "plugins run as root without its privileges instead of as users of their own, "
		    "because other users cannot pass %s; `chmod o+x %s` lets them",
		    barrier, barrier);
		return false;
	}
	return true;
}

/* ---- giving ----------------------------------------------------------------------------- */

/* The folder itself comes last, so that the next start does it all again when we are killed. */
static int
give_tree(FTS *tree, unsigned uid)
{
	FTSENT *entry;

	while ((entry = fts_read(tree)) != NULL) {
		if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR)
			return -1;
		if (entry->fts_info != FTS_D && lchown(entry->fts_accpath, uid, uid) != 0)
			return -1;
	}
	return errno == 0 ? 0 : -1;
}

static int
give(const char *path, unsigned uid, struct cairn_error *err)
{
	char *const paths[] = {(char *)(uintptr_t)path, NULL};
	struct stat st;
	FTS *tree;
	int rv;

	if (stat(path, &st) != 0)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot look at %s: %s", path, strerror(errno));
	if (st.st_uid == uid)
		return 0;
	tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	rv = tree == NULL ? -1 : give_tree(tree, uid);
	if (rv != 0)
		cairn_error_set(
		    err, CAIRN_EIO, "cannot give %s to user %u: %s", path, uid, strerror(errno));
	if (tree != NULL)
		fts_close(tree);
	return rv == 0 ? 0 : CAIRN_EIO;
}

/* ---- choosing --------------------------------------------------------------------------- */

static bool
is_in_range(const struct node_config *config, unsigned uid)
{
	return uid > config->plugin_user && uid < config->plugin_user + NODE_PLUGINS_MAX;
}

static void
mark_taken(const struct node_config *config, bool taken[NODE_PLUGINS_MAX])
{
	char path[PATH_MAX], entry_path[PATH_MAX];
	const struct dirent *entry;
	struct stat st;
	DIR *dir;

	if (file_join(path, sizeof path, config->home, "state") != 0)
		return;
	dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.' &&
		    file_join(entry_path, sizeof entry_path, path, entry->d_name) == 0 &&
		    stat(entry_path, &st) == 0 && is_in_range(config, st.st_uid))
			taken[st.st_uid - config->plugin_user] = true;
	}
	if (dir != NULL)
		closedir(dir);
}

static int
choose(const struct node_config *config, const char *state, unsigned *ret, struct cairn_error *err)
{
	bool taken[NODE_PLUGINS_MAX] = {true};
	struct stat st;

	if (stat(state, &st) == 0 && is_in_range(config, st.st_uid)) {
		*ret = st.st_uid;
		return 0;
	}
	mark_taken(config, taken);
	for (unsigned i = 1; i < NODE_PLUGINS_MAX; i++) {
		if (!taken[i]) {
			*ret = config->plugin_user + i;
			return 0;
		}
	}
	return cairn_error_set(err, CAIRN_ELIMIT,
	    "all %d users of the plugins are taken; remove what is not needed from %s/state",
	    NODE_PLUGINS_MAX, config->home);
}

static int
give_shared(const struct node_config *config, unsigned uid, struct cairn_error *err)
{
	static const char *const names[] = {"objects", "intake"};
	char path[PATH_MAX];
	int code = 0;

	for (size_t i = 0; code == 0 && i < 2; i++) {
		if (file_join(path, sizeof path, config->home, names[i]) != 0)
			return cairn_error_set(
			    err, CAIRN_ELIMIT, "the path is too long: %s", config->home);
		code = give(path, uid, err);
	}
	return code;
}

int
owner_take(const struct node_config *config, const struct manifest *manifest, const char *bin_dir,
    unsigned *ret_uid, struct cairn_error *err)
{
	bool shares = shares_objects(manifest);
	char state[PATH_MAX];
	unsigned uid = 0;
	int code = 0;

	*ret_uid = 0;
	if (geteuid() != 0)
		return 0;
	if (snprintf(state, sizeof state, "%s/state/%s", config->home, manifest->name) >=
	    (int)sizeof state)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", config->home);
	if (config->plugin_user != 0 && is_reachable(config, bin_dir)) {
		uid = config->plugin_user;
		code = shares ? 0 : choose(config, state, &uid, err);
		if (code == 0)
			code = open_way(config->home, err);
	}
	if (code == 0)
		code = give(state, uid, err);
	if (code == 0 && shares)
		code = give_shared(config, uid, err);
	if (code == 0)
		*ret_uid = uid;
	return code;
}
