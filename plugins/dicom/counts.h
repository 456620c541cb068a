/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_COUNTS_H
#define DICOM_COUNTS_H

/* What the connector counts in plain variables, given to the node's metrics once a second. */

#include "connector.h"

struct counts;

int counts_new(struct counts **ret, struct connector *connector, struct cairn_error *err);
/* Gives what is left; `freed` is called from the loop. */
void counts_free(struct counts *counts, void (*freed)(void *arg), void *arg);

#endif
