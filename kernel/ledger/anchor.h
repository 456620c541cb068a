/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_ANCHOR_H
#define LEDGER_ANCHOR_H

/*
 * A copy of the newest checkpoint outside the ledger's directory.  A ledger that is gone, or was
 * put back to an earlier state, does not hold what the anchor says, and is not silently begun anew.
 */

#include <openssl/types.h>

#include <cairn/error.h>

#include "ledger/store.h"

/* Whether the ledger holds the checkpoint in the file `path`; 0 when there is no such file.
 * CAIRN_ECORRUPT with what to do. */
int anchor_check(
    const char *path, const struct store *store, EVP_PKEY *key, struct cairn_error *err);

/* Writes the newest checkpoint there. */
int anchor_write(const char *path, const struct store *store, struct cairn_error *err);

#endif
