/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_LINKS_H
#define DICOM_LINKS_H

/*
 * Says to the kernel which accession and which other number are a patient's, so that a report or a
 * sample that names only those meets the images.  Once for each patient and accession, as far as
 * is remembered; nothing waits for the answer.  What contradicts is the kernel's to record, and the
 * images stay those of their Patient ID.
 */

#include "connector.h"

#define LINKS_REMEMBERED 16384
#define LINKS_WAITING_MAX 256 /* what is beyond is said with a later instance */

struct links;

int links_new(struct links **ret, struct cairn *cairn, struct cairn_error *err);
/* Answers may still come: it is gone when the last one has. */
void links_free(struct links *links);
/* `links` may be NULL: nothing is said. */
void links_state(struct links *links, const struct deid_scan *scan);

#endif
