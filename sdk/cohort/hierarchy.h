/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_HIERARCHY_H
#define COHORT_HIERARCHY_H

/*
 * What is below a code: for UNDER.
 *
 * Built in, because the codes say it themselves: ICD-10 and ICD-O-3 (icd10:C34 has icd10:C34.1
 * below it; a block is written icd10:C00-C75, icdo3:8500-8543) and ATC (atc:L01 has atc:L01XE03).
 * Built in as a small table: which ICD categories, and which of EUCAIM's terms, are below the five
 * SNOMED CT diagnoses of EUCAIM's catalogue (snomed:363358000 has icd10:C34).  All else comes from
 * files of the site:
 *
 *   .csv .tsv   child and parent, a line each, as "prefix:code", "URI|code" or an IRI; a first line
 *               "child,parent" (or "parent,child", which says the order) is a heading
 *   .owl .rdf   RDF/XML: owl:Class with rdfs:subClassOf of a named class
 *
 * A code may have several parents.  A cycle is refused with the line of one of its edges.
 *
 * A hierarchy is read-only once opened and may be used by any thread.
 */

#include <stdbool.h>
#include <stddef.h>

#include <cairn/error.h>

#define HIERARCHY_FILES_MAX 64
#define HIERARCHY_TERMS_MAX 2000000
#define HIERARCHY_EDGES_MAX 8000000
#define HIERARCHY_BYTES_MAX (256 << 20) /* of all codes' text together */

struct hierarchy;

/* `files` are paths; none: what is built in only. */
int hierarchy_open(
    struct hierarchy **ret, const char *const *files, size_t count, struct cairn_error *err);
void hierarchy_free(struct hierarchy *hierarchy);

/* Codes and edges from files. */
size_t hierarchy_terms(const struct hierarchy *hierarchy);
size_t hierarchy_edges(const struct hierarchy *hierarchy);

/* Whether anything is known of what is below the code: its system is built in, or it occurs in a
 * file or in the table.  Where this is false, UNDER selects the code alone. */
bool hierarchy_knows(const struct hierarchy *hierarchy, const char *code);

/* All that is covered by one of some ancestors: the ancestor itself and what is below it. */
struct hierarchy_below;

int hierarchy_below_new(const struct hierarchy *hierarchy, const char *const *ancestors,
    size_t count, struct hierarchy_below **ret, struct cairn_error *err);
void hierarchy_below_free(struct hierarchy_below *below);

/* Whether a code (as it stands in a fact) is covered.  Without regard to ASCII case. */
bool hierarchy_below_has(const struct hierarchy_below *below, const char *code);

/* Every covered code, each once; where `prefix`, every longer code that begins like that may be
 * covered as well, and hierarchy_below_has() decides.  So an engine looks up those that are whole,
 * and scans its values from the others.  Non-zero from `each` ends it and is returned. */
int hierarchy_below_each(const struct hierarchy_below *below,
    int (*each)(void *arg, const char *code, bool prefix), void *arg);

/* One question, without the set: slower where many codes are asked about. */
bool hierarchy_covers(const struct hierarchy *hierarchy, const char *ancestor, const char *code);

#endif
