/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_ATTACH_H
#define LEDGER_ATTACH_H

#include "ledger/ledger.h"
#include "ledger/store.h"

/* The store of an open ledger, for readers in its process; its handles do not change. */
const struct store *ledger_store(const struct ledger *ledger);

#endif
