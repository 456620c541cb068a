/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINK_ISSUERS_H
#define LINK_ISSUERS_H

/*
 * One spelling of each assigning authority.  node.yaml's `issuers` lists what a site calls the
 * same, as ALIAS=CANONICAL; there, case does not matter.  What the table does not name is taken as
 * it is written for patient ids, because their pseudonyms were always made so; for other types,
 * without blanks, "urn:oid:" and case.  No issuer ("") is one of its own, unless "=CANONICAL" says
 * whose the numbers without one are.
 */

#include <stdbool.h>
#include <stddef.h>

#include <cairn/error.h>

#define ISSUERS_MAX 1000
#define ISSUER_MAX 255 /* bytes of an issuer that is linked */
#define ISSUER_TYPE_MAX 63

/* Ends in NULL.  CAIRN_EINVAL for an entry without '=', without canonical name, too long, for an
 * alias that stands twice, and for a canonical name that is itself another's alias. */
int issuers_check(char *const *table, struct cairn_error *err);

/* `table` may be NULL.  CAIRN_ELIMIT for one longer than ISSUER_MAX (not for a patient id that is
 * in no table: `*ret` is `issuer` itself then, so that what had a pseudonym keeps it). */
int issuers_canonical(char *const *table, bool patient_id, const char *issuer,
    char buffer[ISSUER_MAX + 1], const char **ret);

/* "mrn" is "patient-id"; others in lower case.  CAIRN_EINVAL for anything but letters, digits, '-'
 * '_' '.' and for an empty or longer one. */
int issuers_type(const char *type, char ret[ISSUER_TYPE_MAX + 1]);

#endif
