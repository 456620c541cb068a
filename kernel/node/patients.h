/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_PATIENTS_H
#define NODE_PATIENTS_H

/* patient.*: what the site's own staff may see and change of patients' identifiers.  The kernel
 * serves them itself, and the guard decides, as for a plugin's subjects. */

#include "node/call.h"

/* What is served, as a manifest would say; NULL when the kernel serves no such guarded subject, or
 * past the end. */
const struct manifest_serve *patients_serve_find(const char *subject);
const struct manifest_serve *patients_serve_at(size_t index);

/* A call that the guard has permitted; ends it now or later. */
void patients_call(struct router *router, struct call *call);

#endif
