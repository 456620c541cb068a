/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_IMPORT_H
#define DICOM_IMPORT_H

/*
 * imaging.import: reads files and folders on this machine, a few at a time, into ingest.  Folders
 * are walked without following links; every file is imported or refused with the reason.
 */

#include "connector.h"

/* Answers the request when all is done; progress on the way.  CAIRN_ELIMIT when four are under way.
 */
int import_start(struct connector *connector, struct cairn_request *req, struct cairn_error *err);

/* The caller of `req` is gone, or (NULL: all) the plugin stops: no further file is begun. */
void import_cancel(struct connector *connector, const struct cairn_request *req);

#endif
