/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_PATIENTS_H
#define DICOM_PATIENTS_H

/*
 * Who a patient becomes.  The site key is the kernel's; we ask it for each patient
 * (pseudonym.patient) and remember the answer for a minute.  What is remembered is keyed by a
 * digest, so that no identifier stays in memory longer than its instance.
 */

#include "connector.h"

#define PATIENTS_REMEMBERED 16384
#define PATIENTS_WAITING_MAX 4096
#define PATIENTS_FRESH_MS 60000 /* by then a patient may have been merged into another */

/* `code` 0 with the patient, valid during the callback. */
typedef void (*patients_fn)(
    void *arg, int code, const char *text, const struct deid_patient *patient);

int patients_new(struct patients **ret, struct cairn *cairn, struct cairn_error *err);
void patients_free(struct patients *patients);

/* Calls `done` now, when the patient is known, or later, from the loop; exactly once unless an
 * error is returned.  `*ret_now` says which.  CAIRN_ELIMIT when 4,096 wait. */
int patients_find(struct patients *patients, const char *identifier, const char *issuer,
    patients_fn done, void *arg, bool *ret_now, struct cairn_error *err);

#endif
