/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_TESTING_FAKE_KERNEL_H
#define RUNTIME_TESTING_FAKE_KERNEL_H

/*
 * The other end of a plugin's channel, in the same process and on the same loop: a unit test links
 * its plugin, hands its descriptor to fake_kernel_start(), and calls it.  Functions that wait run
 * the loop and fail the test after FAKE_KERNEL_WAIT_MS.
 */

#include <cairn/plugin.h>

#include "base/test.h"
#include "cairn/bus.pb-c.h"

#define FAKE_KERNEL_WAIT_MS 20000

struct fake_kernel;

/* Opens the socket and starts the plugin with `welcome` (NULL: an empty one).  Returns the code of
 * READY; its text is in `err`. */
int fake_kernel_start(struct fake_kernel **ret, const struct cairn_plugin *plugin,
    const Cairn__Welcome *welcome, struct cairn_error *err);
/* Asks the plugin to stop, waits for it, frees. Returns the status the process would have had. */
int fake_kernel_stop(struct fake_kernel *kernel);
/* Breaks the connection, as a dead kernel does.  Returns the status; frees. */
int fake_kernel_die(struct fake_kernel *kernel);

int fake_kernel_send(struct fake_kernel *kernel, const Cairn__Envelope *envelope);
/* The next message of that kind (others stay in order); the caller frees it. */
Cairn__Envelope *fake_kernel_receive(struct fake_kernel *kernel, Cairn__Envelope__Kind kind);
/* How many messages of that kind have come and were not received. */
size_t fake_kernel_pending(struct fake_kernel *kernel, Cairn__Envelope__Kind kind);
/* Sends a PING and waits for its PONG: whatever the plugin does at once has been done then. */
void fake_kernel_settle(struct fake_kernel *kernel);

/* Sends a CALL and waits for its REPLY; the caller frees it. */
Cairn__Envelope *fake_kernel_call(
    struct fake_kernel *kernel, const char *subject, const void *body, size_t length);

#endif
