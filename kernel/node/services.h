/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_SERVICES_H
#define NODE_SERVICES_H

/*
 * The subjects that the kernel itself serves.  kernel.* take and give JSON and are for the local
 * operator on the control socket; pseudonym.* take and give protobuf and are for plugins with the
 * capability call:pseudonym.patient or call:pseudonym.merge.  patient.* are guarded (patients.h).
 */

#include "base/buf.h"
#include "node/router.h"

#define SERVICES_REPLY_MAX (16u << 20)
#define SERVICES_LATER 1 /* router_finish() answers */

/* True when the kernel serves `subject`; then `*ret_code` and `reply` (or `err`) are the answer. */
bool services_call(struct node *node, const char *subject, const struct router_origin *origin,
    const struct router_principal *principal, const ProtobufCBinaryData *body, int *ret_code,
    struct buf *reply, struct cairn_error *err);

/* The index-th subject of the kernel, NULL past the end; for "did you mean". */
const char *services_subject(size_t index);

#endif
