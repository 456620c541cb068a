/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_REPORT_H
#define NODE_REPORT_H

/* kernel.record: what plugins with the capability `record` say that they did, into the ledger. */

#include "node/router.h"

#define REPORT_SUBJECT "kernel.record"
#define REPORT_RECORDS_MAX 256   /* in one call */
#define REPORT_FIELDS_MAX 32     /* of one record */
#define REPORT_VALUE_MAX 1024    /* bytes */
#define REPORT_PER_MINUTE 12000u /* of one plugin */

/* Ends in one REPLY to the plugin, once the records are on disk. */
void report_call(
    struct node *node, const struct router_origin *origin, const Cairn__Envelope *envelope);

#endif
