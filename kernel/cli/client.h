/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

/* One call to a running node over HOME/run/control.sock, blocking. */

#include <jansson.h>

#include "cairn/bus.pb-c.h"
#include "cli/cli.h"

struct client_call {
	const char *subject;
	const char *purpose; /* NULL: none */
	const char *permit;
	const char *as;    /* principal to ask as; NULL: the local user */
	char *const *lend; /* absolute paths that the plugin may read while we wait */
	size_t lend_count;
	const void *body;
	size_t length;
	unsigned timeout_ms;
	void (*progress)(void *arg, const Cairn__Envelope *envelope); /* may be NULL */
	void *arg;
	const int *interrupt; /* readable: do not wait on (CAIRN_ECANCELLED); NULL: never */
};

/* `*ret_reply` (freed with cairn__envelope__free_unpacked) whatever its code says; a non-zero
 * return means that there is no reply: CAIRN_EUNAVAILABLE when the node is not running. */
int client_call(const char *home, const struct client_call *call, Cairn__Envelope **ret_reply,
    struct cairn_error *err);

/* A kernel.* call: JSON in (may be NULL, released), JSON out; --timeout, else 10 s. */
int client_json(const struct cli *cli, const char *subject, json_t *request, json_t **ret,
    struct cairn_error *err);

/* True when a node answers in `home`. */
bool client_running(const char *home);

#endif
