/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_PERMITS_H
#define GUARD_PERMITS_H

/*
 * The data permits that this site has been given, from settings.yaml:
 *
 *     permits:
 *       P-2026-7: {principal: alice@example.org, purpose: scientific-research,
 *                  expires: 2027-06-30, project: lung-1}
 *
 * `principal` and `purpose` may be lists.  A permit holds through its last day (UTC).  Without a
 * project it is for this node's.
 */

#include <stddef.h>
#include <stdint.h>

#include "config/tree.h"
#include "guard/guard.h"

#define PERMITS_TEXT_MAX 256

/* Every entry must be whole and say nothing else. */
int permits_check(const struct tree *tree, struct cairn_error *err);

/* True when the question rests on no permit, or on one that covers it at `now_ms` in `project`
 * (NULL: any).  Otherwise `ret` says what is wrong; to strangers, not more than that. */
bool permits_cover(const struct tree *tree, const struct guard_question *question,
    const char *project, uint64_t now_ms, char ret[PERMITS_TEXT_MAX]);

/* The last day, in days since 1970-01-01; of a permit that permits_check() found right. */
int32_t permits_last_day(const struct tree_node *permit);
/* "2027-06-30"; CAIRN_EINVAL for what is no day. */
int permits_parse_day(const char *text, int32_t *ret);
int32_t permits_today(uint64_t now_ms);

/* Calls `each` for every text at `key`: one, or a list of them. */
void permits_each(const struct tree_node *permit, const char *key,
    void (*each)(void *arg, const struct tree_node *word), void *arg);

#endif
