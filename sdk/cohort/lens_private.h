/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_LENS_PRIVATE_H
#define COHORT_LENS_PRIVATE_H

/* What the reader and the writer of Lens share: leaves, which the writer reads as well, to see
 * whether a note still says the same. */

#include "cohort/lens.h"
#include "cohort/maker.h"

/* {"key", "type", "value"}, without notes. */
int lens_read_leaf(const struct dialect *dialect, const json_t *json, Cairn__Expression **ret,
    struct cairn_error *err);
/* The same the other way; CAIRN_EINVAL with the reason where Lens cannot say it. */
int lens_write_leaf(
    const struct dialect *dialect, const Cairn__Leaf *leaf, json_t **ret, struct cairn_error *err);
/* "AND" and so on; NULL for an operand that Lens has not. */
const char *lens_operand(Cairn__Expression__Operand operand);

#endif
