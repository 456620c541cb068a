/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_TESTING_H
#define COHORT_TESTING_H

/* Random trees for tests of the language's spellings. */

#include <stddef.h>
#include <stdint.h>

#include "cairn/cohort.pb-c.h"

/* A number below `limit`; `*seed` is not 0. */
size_t testing_below(uint64_t *seed, size_t limit);
/* Of every operand, operator and type; passes cohort_check(). */
Cairn__Expression *testing_tree(uint64_t *seed, unsigned depth);
/* Of leaves of the table, and, or, xor and not. */
Cairn__Expression *testing_lens_tree(uint64_t *seed, unsigned depth);
/* Leaves of the table and perhaps a variant. */
Cairn__Expression *testing_conjunction(uint64_t *seed);

#endif
