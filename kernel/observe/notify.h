/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBSERVE_NOTIFY_H
#define OBSERVE_NOTIFY_H

/*
 * sd_notify(3): tells the service manager how the service is, as datagrams to the Unix socket that
 * NOTIFY_SOCKET names.  Best effort and never waiting; without that variable nothing happens. Where
 * WATCHDOG_USEC asks for it, a sign of life goes out from the loop at half that time, so that a
 * loop which stands still is seen.
 */

#include <uv.h>

struct notify;

/* NULL when there is no service manager to tell, or out of memory; the others take that. */
struct notify *notify_open(uv_loop_t *loop);
/* One message: "READY=1", "STATUS=..." (no newline in `text`). */
void notify_say(struct notify *notify, const char *text);
void notify_status(struct notify *notify, const char *text);
/* Reloading begins (with the time that systemd wants to know). */
void notify_reloading(struct notify *notify);
void notify_close(struct notify *notify);

#endif
