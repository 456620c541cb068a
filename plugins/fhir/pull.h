/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FHIR_PULL_H
#define FHIR_PULL_H

/*
 * Fetching from a FHIR R4 server.  `mode: search` asks for each type what changed since the last
 * time (_lastUpdated) and follows link.next; `mode: export` starts a Bulk Data $export, waits for
 * it and reads its files.  What was taken and how far the pull is are kept in one transaction after
 * each step, so that a plugin that was killed goes on there.
 */

#include "connector.h"

int pull_open(struct connector *connector, struct cairn_error *err);
void pull_close(struct connector *connector); /* connector_rest() once it is closed */

/* Begins one, or joins the one under way; answered when it ends. */
int pull_call(struct connector *connector, struct cairn_request *req, struct cairn_error *err);
int pull_status(struct connector *connector, struct cairn_request *req, struct cairn_error *err);
void pull_cancel(struct connector *connector, const struct cairn_request *req);
void pull_health(struct connector *connector, struct cairn_findings *findings);

#endif
