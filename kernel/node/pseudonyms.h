/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_PSEUDONYMS_H
#define NODE_PSEUDONYMS_H

/* pseudonym.patient and pseudonym.merge, which plugins with the capability call; and what follows
 * from any change of links: records in the ledger, and the job that has facts moved. */

#include "base/buf.h"
#include "cairn/imaging.pb-c.h"
#include "link/link.h"
#include "node/router.h"

int pseudonyms_open(struct node *node, struct cairn_error *err);

/* 0 with the reply, SERVICES_LATER, or an error. */
int pseudonyms_serve(struct node *node, const char *subject, const struct router_origin *origin,
    const ProtobufCBinaryData *body, struct buf *reply, struct cairn_error *err);

/* Adds a statement of these identifiers; the room was given to link_change_new(). */
int pseudonyms_add(struct node *node, struct link_change *change,
    Cairn__PatientIdentifier *const *identifiers, size_t count, uint32_t line,
    struct cairn_error *err);
/* What a change that is on disk means for others. */
void pseudonyms_changed(struct node *node, const struct link_change *change);

#endif
