/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FHIR_IMPORT_H
#define FHIR_IMPORT_H

/* The call fhir.import: files and folders on this machine, .json and .ndjson.  A file is one step:
 * of one that is not right to its end nothing is taken. */

#include "connector.h"

int import_start(struct connector *connector, struct cairn_request *req, struct cairn_error *err);
void import_cancel(struct connector *connector, const struct cairn_request *req); /* NULL: all */

/* Where the references of files belong: the configured server, since they are mostly its exports.
 */
const char *import_source(struct connector *connector);

#endif
