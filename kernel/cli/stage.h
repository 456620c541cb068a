/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_STAGE_H
#define CLI_STAGE_H

/* A folder that is filled all or not at all: what goes into it is made in a hidden folder inside,
 * and renamed into place when it is whole. */

#include <limits.h>
#include <stdbool.h>

#include <cairn/error.h>

struct stage {
	char home[PATH_MAX]; /* absolute */
	char path[PATH_MAX]; /* where to make things */
	bool made_home;
};

/* Makes `dir` if it is not there. */
int stage_begin(struct stage *ret, const char *dir, struct cairn_error *err);
/* Moves all in place, `last` after the others.  CAIRN_EEXIST, and nothing is changed, when the
 * folder holds one of the names already.  The stage is gone afterwards. */
int stage_commit(struct stage *stage, const char *last, struct cairn_error *err);
/* Leaves no trace. */
void stage_abort(struct stage *stage);

#endif
