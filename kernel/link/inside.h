/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINK_INSIDE_H
#define LINK_INSIDE_H

/* What link.c, change.c and show.c share. */

#include "link/link.h"

struct link_kind {
	char *type, *issuer, *source; /* one allocation, `type` */
};

struct link {
	uv_loop_t *loop;
	struct linkstore store;
	struct identity *identity;
	const char *project;
	char *const *issuers;
	MDB_txn *reader; /* reset between reads */
	bool empty;      /* nothing was ever linked: lookups need no transaction */
	uint64_t open;   /* conflicts */
	struct link_kind *kinds[LINK_KINDS_MAX]; /* from 1; the worker reads what is set before it
						    begins */
	size_t kind_count;
	size_t kinds_kept;                /* on disk; the worker's */
	struct link_change *first, *last; /* wait */
	size_t waiting;
	struct link_change *batch; /* with the worker */
	uv_work_t work;
	bool working;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* The reader as of now; NULL when LMDB fails. */
MDB_txn *link_read(struct link *link);
void link_read_done(struct link *link);
const char *link_kind_text(void *arg, uint16_t kind, const char **ret_issuer);
/* Counts the open conflicts anew. */
void link_count_open(struct link *link);
void link_finish(struct link *link);

#endif
