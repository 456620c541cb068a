/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_PREFIX_H
#define COHORT_PREFIX_H

/* Code systems whose codes say themselves what is above them.  Codes are in lower case. */

#include <stdbool.h>
#include <stddef.h>

/* icd10:, icdo3: or atc:. */
bool prefix_system(const char *code);
/* Shortens the code to the one above it ("icd10:c34.11", "icd10:c34.1", "icd10:c34"); false where
 * there is none. */
bool prefix_parent(char *code);
/* A block of categories, both included: "icd10:c00-c75", "icdo3:8500-8543". */
bool prefix_is_block(const char *code);
bool prefix_in_block(const char *block, const char *code);
/* What all codes of the block begin with. */
size_t prefix_of_block(const char *block);

#endif
