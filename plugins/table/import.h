/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TABLE_IMPORT_H
#define TABLE_IMPORT_H

/*
 * The calls table.import, table.check and table.guess.  A table is read twice: first all of it is
 * checked, on a worker thread, and nothing is stated; then, when it may be imported, again, a batch
 * of rows at a time: read, pseudonyms asked for, staged.  Its set is committed at the end, in one
 * durable step, so that a table is imported as a whole or not at all.
 */

#include <cairn/plugin.h>

#include "facts/facts.h"

#define IMPORTS_MAX 4

struct import;

struct plugin {
	struct cairn *cairn;
	struct facts *facts;
	struct import *imports; /* under way */
	struct import *orphans; /* told their callers; their sets are still put in place */
	void (*ended)(struct plugin *plugin); /* when set: once none is under way */
	bool stopping;
};

int import_start(struct plugin *plugin, struct cairn_request *req, struct cairn_error *err);
/* Of this request, or NULL: all, because the plugin stops. */
void import_cancel(struct plugin *plugin, const struct cairn_request *req);
void import_free_orphans(struct plugin *plugin);

#endif
