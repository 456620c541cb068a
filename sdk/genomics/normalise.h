/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GENOMICS_NORMALISE_H
#define GENOMICS_NORMALISE_H

/* One spelling of a variant (Tan et al. 2015): minimal, and left-aligned where there is a
 * reference. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#define NORMALISE_SHIFT_MAX 1000u /* bases to the left; a repeat that is longer is left there */

/* REF and ALT in upper case, without what both end or begin with. Both stay at least one base
 * long.  Symbols and breakends are left as they are. */
void normalise_trim(
    char *ref, char *alt, uint32_t *pos, const char **ret_ref, const char **ret_alt);
bool normalise_is_bases(const char *allele);

struct normalise; /* a reference, opened through its index (.fai) */
int normalise_open(struct normalise **ret, const char *fasta, struct cairn_error *err);
void normalise_close(struct normalise *normalise);
/* Left-aligns a trimmed insertion or deletion; `*ret_ref` and `*ret_alt` are to be freed, NULL when
 * nothing changed.  CAIRN_EINVAL when the reference has other bases at that place. */
int normalise_align(struct normalise *normalise, const char *contig, const char *ref,
    const char *alt, uint32_t *pos, char *ret[2], struct cairn_error *err);

#endif
