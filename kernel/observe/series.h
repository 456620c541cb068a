/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBSERVE_SERIES_H
#define OBSERVE_SERIES_H

/*
 * The figures of one plugin.  NAME of the plugin `my-pacs` is shown as cairn_plugin_own_NAME with
 * the label `plugin`: two plugins may use one name, which is then one family if they agree on its
 * type, and nothing that a plugin says can pass for the kernel's.
 */

#include <stdbool.h>

#include "cairn/bus.pb-c.h"
#include "observe/page.h"

struct series_set;

struct series_set *series_set_new(const char *plugin);
void series_set_free(struct series_set *set);
const char *series_set_plugin(const struct series_set *set);

/* False: not taken. */
bool series_take(struct series_set *set, const Cairn__Metric *metric);
void series_gone(struct series_set *set);
/* A family is shown once, with the type that the first of `sets` gave it; another's of the same
 * name and another type are left out. */
void series_page(struct series_set *const *sets, size_t count, struct page *page);

#endif
