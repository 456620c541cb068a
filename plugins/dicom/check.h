/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_CHECK_H
#define DICOM_CHECK_H

/* What `cairn check` and `cairn doctor` hear of this plugin. */

#include "connector.h"

void dicom_check(struct cairn *cairn, struct cairn_findings *findings);
void dicom_health(struct connector *connector, struct cairn_findings *findings);
/* Notes where we listen, so that dicom_check() knows our own port from another program's. */
void dicom_check_note(struct connector *connector);

/* Whether an entry of `peers` can match anybody; otherwise why not. */
const char *dicom_peer_fault(const char *entry);

#endif
