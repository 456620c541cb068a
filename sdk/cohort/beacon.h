/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_BEACON_H
#define COHORT_BEACON_H

/*
 * Requests of GA4GH Beacon v2, to and from the cohort language.
 *
 *   {"meta": .., "query": {"filters": [..], "requestParameters": {..}, ..}}, the query alone, or
 * the list of filters alone
 *
 * Filters and the one variant are chained by `and`; Beacon has no other operator.
 *   {"id": CURIE}                       the term and all below it, unless "includeDescendantTerms"
 * is false; which field: by the term (NCIT:C16576 is sex = female) or by its code system (ICD10 and
 * the like: diagnosis, LOINC: observation, ATC and RxNorm: medication)
 *   {"id": FIELD, "operator", "value"}  a field's own name; % stands for any characters, P70Y is 70
 *   g_variant (or flat)                 `same variant (..)`: geneId, aminoacidChange, assemblyId,
 *                                       referenceName, start (0-based), referenceBases,
 * alternateBases What would be lost is refused with the reason, not left out: similarity, another
 * scope, data sets, ranges of a variant's end, its type and length.  What has no meaning here
 * (meta, pagination, granularity) is kept in notes and written again, byte for byte as compact
 * JSON.
 */

#include <stddef.h>

#include <cairn/error.h>

#include "cairn/cohort.pb-c.h"

#define BEACON_BYTES_MAX (1 << 20)
#define BEACON_FILTERS_MAX 1000

int beacon_parse(const char *json, size_t length, Cairn__Expression **ret, struct cairn_error *err);
/* Compact JSON; malloc'ed.  Only a conjunction of criteria and at most one variant can be said. */
int beacon_print(const Cairn__Expression *expression, char **ret, struct cairn_error *err);

#endif
