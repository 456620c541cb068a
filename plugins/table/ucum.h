/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TABLE_UCUM_H
#define TABLE_UCUM_H

#include <stdbool.h>

/* What a number in `from` is multiplied with to be one in `to`; units of UCUM (case-sensitive) made
 * of g, mol, L, m, s, min, h, d, wk, mo, a, %, 1, [IU], U, 10*N, with metric prefixes and one
 * slash. False when one is not known or they measure different things. */
bool ucum_factor(const char *from, const char *to, double *ret);

#endif
