/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_STORE_H
#define CONFIG_STORE_H

/*
 * The home's store of installed plugins:
 *
 *     HOME/state/kernel/plugins/NAME/VERSION/NAME.so     and NAME.so.sig where it was signed
 *     HOME/state/kernel/plugins/NAME/VERSION/NAME.plugin.yaml   of a script, which lies beside it
 *     HOME/state/kernel/plugins/NAME/current  -> VERSION  what the node runs
 *     HOME/state/kernel/plugins/NAME/previous -> VERSION  what `rollback` goes back to
 *
 * Without `current`, the node looks in its plugin_dir.
 */

#include <limits.h>
#include <stdbool.h>

#include <cairn/error.h>

#include "config/config.h"

#define STORE_VERSION_MAX 64

/* What a link names; "" when it is not there. */
void store_link_get(
    const char *home, const char *name, const char *link, char ret[STORE_VERSION_MAX + 1]);
/* Replaces it at once; "" removes it. */
int store_link_set(const char *home, const char *name, const char *link, const char *version,
    struct cairn_error *err);

/* Copies the bytes that were admitted, and the signature beside `path` if there is one.
 * `*ret_added` says whether they were not there before.  CAIRN_EEXIST when the same version is
 * `current` or `previous` with other bytes; others of that version are replaced. */
int store_add(const char *home, const struct plugin_config *plugin, const char *path,
    bool *ret_added, struct cairn_error *err);
int store_path(const char *home, const char *name, const char *version, char ret[PATH_MAX],
    struct cairn_error *err);
void store_remove_version(const char *home, const char *name, const char *version);
/* Everything of that plugin. */
int store_remove(const char *home, const char *name, struct cairn_error *err);

#endif
