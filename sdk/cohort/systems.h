/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_SYSTEMS_H
#define COHORT_SYSTEMS_H

/*
 * Code systems.  A value of a coded attribute is written `prefix:code` ("icd10:C34.1",
 * "snomed:254837009"); a code of a system that is not known here keeps its URI: "URI|code".
 *
 * ICD-10 and its national modifications (ICD-10-CM, ICD-10-GM) share the prefix icd10: a category
 * means the same in all of them, and a question about C34 is about all of them.
 */

#include <stdbool.h>

#include <cairn/error.h>

#include "cohort/expr.h"

/* The prefix of a coding system given by its URI, OID ("urn:oid:2.16.840.1.113883.6.96" or without
 * urn:oid:), HL7 table 0396 name ("SCT", "LN", "I10") or DICOM designator; NULL when unknown.
 * Without regard to case. */
const char *cohort_system_prefix(const char *uri);

/* The URI as FHIR writes it; NULL when the prefix is unknown.  Without regard to case. */
const char *cohort_system_uri(const char *prefix);

/* The prefixes, in the order of the table; NULL past the end. */
const char *cohort_system_at(size_t index);

/* "prefix:code", or "uri|code" for an unknown system, with the code brought to its usual form: ICD
 * codes in upper case with their dot ("c501" is icd10:C50.1, "C34.-" is icd10:C34), no prefix
 * repeated in the code ("HP:0001250", "HGNC:1100").  `uri` may be a prefix.  CAIRN_EINVAL for an
 * empty code or system, one with spaces or control characters, or one that is too long; `ret` is
 * untouched then. */
int cohort_code(const char *uri, const char *code, char ret[COHORT_VALUE_MAX]);

/* The same of a value as a person writes it: "ICD10:c501" becomes "icd10:C50.1"; a national
 * modification's name (icd10cm:, icd10gm:) becomes icd10:.  CAIRN_EINVAL where there is neither a
 * known prefix nor a URI. */
int cohort_code_value(const char *value, char ret[COHORT_VALUE_MAX]);

/* A class's IRI in an ontology, as a code: "http://purl.obolibrary.org/obo/NCIT_C4017" is
 * ncit:C4017, "http://snomed.info/id/254837009" is snomed:254837009; any other is cut before its
 * last part: "http://x.org/y|Z". */
int cohort_iri_code(const char *iri, char ret[COHORT_VALUE_MAX]);

#endif
