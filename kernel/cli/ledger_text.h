/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LEDGER_TEXT_H
#define CLI_LEDGER_TEXT_H

/* A record's fields as a person reads them. */

#include "cairn/ledger.pb-c.h"

/* The cohort expression that the ledger keeps as JSON, as one would type it; NULL when it is none.
 * The caller frees. */
char *ledger_text_expression(const char *json);

/* What was done, in one line: "modality = CT: about 40 PATIENT", "120 imported, 3 refused"; "" when
 * the record has nothing of the kind.  The caller frees; NULL without memory. */
char *ledger_text_summary(const Cairn__Record *record);

#endif
