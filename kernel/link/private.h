/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINK_PRIVATE_H
#define LINK_PRIVATE_H

/* What apply.c (statements, merges) and conflict.c (what contradicts, and its end) share. */

#include "link/apply.h"

int apply_failed(int rc, struct cairn_error *err);
/* A root becomes another's: `from` and `to` differ and are roots. */
int apply_join_roots(struct link_writer *w, const struct link_key *from, const struct link_key *to,
    struct cairn_error *err);

/* Keeps that `statement` leads to `b` beside `a` (new: out->conflict_new); out->conflict is its
 * number, also where it was known. */
int conflict_keep(struct link_writer *w, const struct link_statement *statement,
    const struct link_key *a, const struct link_key *b, struct cairn_error *err);

#endif
