/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_HEALTH_H
#define NODE_HEALTH_H

/*
 * How the plugins say they are, for `cairn doctor`.  kernel.health with {"ask": true} asks all that
 * are ready and answers at once with what is known; who wants the answers asks again (without
 * "ask") until each plugin has `answered`.  So a plugin that hangs delays nobody and is seen.
 */

#include <jansson.h>

#include "node/node.h"

struct health;

/* kernel.health */
int health_serve(struct node *node, const json_t *request, json_t *reply, struct cairn_error *err);
/* A HEALTH from the plugin. */
void health_answered(struct node_plugin *plugin, const Cairn__Envelope *envelope);
void health_free(struct health *health);

/* Milliseconds between wall clock and time since boot: it changes when the clock is set. */
int64_t health_clock_offset_ms(void);

#endif
