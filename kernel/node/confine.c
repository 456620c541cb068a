/* SPDX-License-Identifier: Apache-2.0 */
#include "node/confine.h"

#include <fts.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "node/access.h"
#include "node/handover.h"
#include "node/owner.h"
#include "sandbox/watch.h"

/* ---- refusals --------------------------------------------------------------------------- */

static void
on_refused(void *arg, const char *text)
{
	struct node_plugin *plugin = arg;
	char sentence[CAIRN_ERROR_TEXT_MAX];

	snprintf(
	    sentence, sizeof sentence, "plugin '%.32s' %s", plugin->config.manifest->name, text);
	node_plugin_refuse(plugin, sentence);
}

static void
on_closed(void *arg, struct watch *watch)
{
	struct node_plugin *plugin = arg;

	for (size_t i = 0; i < NODE_WATCHES_MAX; i++) {
		if (plugin->watches[i] == watch)
			plugin->watches[i] = NULL;
	}
}

static const struct watch_ops watch_ops = {.refused = on_refused, .closed = on_closed};

/* An incarnation that hands over lives beside its successor; of three, the first is long gone. */
static struct watch **
free_slot(struct node_plugin *plugin)
{
	for (size_t i = 0; i < NODE_WATCHES_MAX; i++) {
		if (plugin->watches[i] == NULL)
			return &plugin->watches[i];
	}
	watch_close(plugin->watches[0]);
	memmove(plugin->watches, plugin->watches + 1,
	    (NODE_WATCHES_MAX - 1) * sizeof plugin->watches[0]);
	return &plugin->watches[NODE_WATCHES_MAX - 1];
}

void
confine_close(struct node *node)
{
	if (node->disk_timer.data != NULL)
		uv_close((uv_handle_t *)&node->disk_timer, NULL);
	node->disk_timer.data = NULL;
	for (size_t i = 0; i < node->plugin_count; i++) {
		for (size_t j = 0; j < NODE_WATCHES_MAX; j++) {
			if (node->plugins[i]->watches[j] != NULL)
				watch_close(node->plugins[i]->watches[j]);
			node->plugins[i]->watches[j] = NULL;
		}
	}
}

/* ---- disk ------------------------------------------------------------------------------- */

/* More files than are looked at are too many for this. */
#define ENTRIES_MAX 10000

static uint64_t
folder_mb(const char *path)
{
	char *const paths[] = {(char *)(uintptr_t)path, NULL};
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	const FTSENT *entry;
	uint64_t blocks = 0;
	unsigned count = 0;

	if (tree == NULL)
		return 0;
	while ((entry = fts_read(tree)) != NULL && count++ < ENTRIES_MAX) {
		if (entry->fts_info == FTS_F || entry->fts_info == FTS_DP)
			blocks += (uint64_t)entry->fts_statp->st_blocks;
	}
	fts_close(tree);
	return blocks / 2048;
}

static void
check_disk(struct node_plugin *plugin)
{
	const struct node_config *config = plugin->node->config;
	const char *name = plugin->config.manifest->name;
	char path[PATH_MAX], text[160];

	if (plugin->process == NULL || node_plugin_state(plugin) != SUPERVISOR_READY ||
	    snprintf(path, sizeof path, "%s/state/%s", config->home, name) >= (int)sizeof path)
		return;
	if (folder_mb(path) <= config->plugin_disk_mb)
		return;
	snprintf(text, sizeof text,
	    "plugin '%.32s' keeps more than plugin_disk_mb (%u MiB) in state/%.32s: stopped", name,
	    config->plugin_disk_mb, name);
	node_plugin_refuse(plugin, text);
	supervisor_stop(plugin->process, NULL, NULL);
}

static void
on_disk_timer(uv_timer_t *timer)
{
	struct node *node = timer->data;

	for (size_t i = 0; i < node->plugin_count; i++) {
		if (!node->plugins[i]->removed)
			check_disk(node->plugins[i]);
	}
}

void
confine_watch_disk(struct node *node)
{
	uv_timer_init(node->loop, &node->disk_timer);
	node->disk_timer.data = node;
	uv_timer_start(&node->disk_timer, on_disk_timer, CONFINE_DISK_MS, CONFINE_DISK_MS);
}

/* ---- a start ---------------------------------------------------------------------------- */

static int
bin_dir_get(char ret[PATH_MAX], struct cairn_error *err)
{
	size_t size = PATH_MAX;
	char *slash;

	if (uv_exepath(ret, &size) != 0 || (slash = strrchr(ret, '/')) == NULL)
		return cairn_error_set(err, CAIRN_EIO, "cannot tell where this program lies");
	*slash = 0;
	return 0;
}

int
confine_host(void *arg, struct supervisor_plugin *process, int *ret_fd, unsigned *ret_uid,
    struct cairn_error *err)
{
	struct node *node = arg;
	struct node_plugin *plugin = supervisor_user(process);
	const struct manifest *manifest = handover_manifest(plugin, process);
	struct sandbox_policy policy;
	char bin_dir[PATH_MAX];
	unsigned uid = 0;
	int code = bin_dir_get(bin_dir, err);

	if (code == 0)
		code = owner_take(node->config, manifest, bin_dir, &uid, err);
	if (code == 0)
		code = access_policy(node->config, manifest, bin_dir, &policy, err);
	if (code != 0)
		return code;
	policy.uid = policy.gid = uid;
	code = watch_new(free_slot(plugin), node->loop, &policy, &watch_ops, plugin, ret_fd, err);
	sandbox_policy_fini(&policy);
	if (code == 0)
		*ret_uid = uid;
	return code;
}

struct node_plugin *
confine_plugin_of(const struct node *node, int pid)
{
	int session = getsid(pid);

	for (size_t i = 0; i < node->plugin_count && session > 0; i++) {
		struct supervisor_info info = {0};

		if (node->plugins[i]->process != NULL)
			supervisor_info_get(node->plugins[i]->process, &info);
		if ((info.pid != 0 && info.pid == session) ||
		    handover_pid(node->plugins[i]) == session)
			return node->plugins[i];
	}
	return NULL;
}
