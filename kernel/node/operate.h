/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_OPERATE_H
#define NODE_OPERATE_H

/* What operators ask of single plugins and jobs: kernel.plugin.why, kernel.plugin.log-level,
 * kernel.jobs.retry, kernel.jobs.drop.  JSON in and out, on the control socket; services.h says who
 * may ask. */

#include <jansson.h>

#include "node/node.h"

/* {name}: everything that explains the plugin's state. */
int operate_why(struct node *node, const json_t *request, json_t *reply, struct cairn_error *err);
/* {name, level}: from now on, also of processes that are started later. */
int operate_log_level(
    struct node *node, const json_t *request, json_t *reply, struct cairn_error *err);
/* {id} or {queue}: dead letters become ready, or go. */
int operate_jobs_retry(
    struct node *node, const json_t *request, json_t *reply, struct cairn_error *err);
int operate_jobs_drop(
    struct node *node, const json_t *request, json_t *reply, struct cairn_error *err);

/* `plugins` in the answer to a restart or rescan: how often each was started and failed up to now,
 * so that who asked can wait for what comes of it. */
int operate_counts(struct node *node, json_t *reply);

#endif
