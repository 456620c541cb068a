/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FHIR_PRINT_H
#define FHIR_PRINT_H

#include <stdio.h>

#include "map.h"

/* What a resource becomes, for whoever tests a mapping: on their own screen, with true days. */
void print_result(FILE *to, const struct map_result *result);

#endif
