/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBSERVE_ENDPOINT_H
#define OBSERVE_ENDPOINT_H

/*
 * Answers GET /metrics at one address of this machine.  One request a connection; at most
 * ENDPOINT_CONNECTIONS_MAX at once (others are closed), and ENDPOINT_TIMEOUT_MS for each.
 */

#include <uv.h>

#include <cairn/error.h>

#include "observe/page.h"

#define ENDPOINT_CONNECTIONS_MAX 16
#define ENDPOINT_TIMEOUT_MS 5000

struct endpoint;

/* Fills the page, on the loop. */
typedef void (*endpoint_fill_fn)(void *arg, struct page *page);

/* `address`: "127.0.0.1:9464", "[::1]:9464", or an absolute path of a Unix socket, which is made
 * with mode 0660.  Port 0 takes any; endpoint_port() says which. */
int endpoint_open(struct endpoint **ret, uv_loop_t *loop, const char *address,
    endpoint_fill_fn fill, void *arg, struct cairn_error *err);
int endpoint_port(const struct endpoint *endpoint);
/* Pages that were asked for and answered. */
uint64_t endpoint_pages(const struct endpoint *endpoint);
/* Closes everything; the memory goes when the loop has run.  NULL is fine. */
void endpoint_close(struct endpoint *endpoint);

#endif
