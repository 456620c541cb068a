/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CONTROL_H
#define NODE_CONTROL_H

/*
 * The control socket, HOME/run/control.sock: a Unix stream socket, mode 0600.  Frames are a 4-byte
 * big-endian length and an Envelope.  The peer sends CALL and CANCEL and gets PROGRESS and REPLY.
 *
 * Who speaks is known from the socket (SO_PEERCRED): "local:USER", role operator.  A call may name
 * somebody else as its principal (`cairn count --as`); then the role is what the policy's settings
 * say of that name, and the local user is recorded as asked_by.
 */

#include "node/node.h"

#define CONTROL_CONNECTIONS_MAX 64
#define CONTROL_FRAME_MAX (16u << 20)

int control_open(
    struct control **ret, struct node *node, const char *path, struct cairn_error *err);
void control_close(struct control *control, void (*closed)(void *arg), void *arg);

#endif
