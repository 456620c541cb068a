/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_BEACON_PRIVATE_H
#define COHORT_BEACON_PRIVATE_H

#include "cohort/beacon.h"
#include "cohort/maker.h"

/* One filter, without notes. */
int beacon_read_filter(const json_t *json, Cairn__Expression **ret, struct cairn_error *err);
int beacon_write_filter(const Cairn__Leaf *leaf, json_t **ret, struct cairn_error *err);
/* g_variant, without notes: `same variant (..)`. */
int beacon_read_variant(const json_t *json, Cairn__Expression **ret, struct cairn_error *err);
int beacon_write_variant(const Cairn__Expression *same, json_t **ret, struct cairn_error *err);
/* Whether this is a parameter of a variant (flat spelling). */
bool beacon_is_variant_key(const char *key);

#endif
