/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_RECORD_H
#define LEDGER_RECORD_H

/*
 * Records as bytes.  What the caller says (kind ... fields) is packed once, by the loop; index,
 * time and previous hash are known only in the commit and are packed as a head in front of it:
 * protobuf messages may be joined.  Nothing is ever packed again.
 */

#include <stddef.h>
#include <stdint.h>

#include "cairn/ledger.pb-c.h"
#include "ledger/ledger.h"
#include "ledger/merkle.h"

#define RECORD_BODY_MAX 65536 /* packed bytes of what one entry says */
#define RECORD_FIELDS_MAX 256
#define RECORD_HEAD_MAX 64
#define RECORD_MAX (RECORD_HEAD_MAX + RECORD_BODY_MAX)

/* The packed body, on the heap, behind `skip` bytes for the caller's own use.
 * CAIRN_ELIMIT when the entry is too large. */
int record_pack_body(const struct ledger_entry *entry, size_t skip, uint8_t **ret,
    size_t *ret_length, struct cairn_error *err);

/* `previous` NULL for the first.  Returns the head's length. */
size_t record_pack_head(
    uint64_t index, uint64_t time_ms, const uint8_t *previous, uint8_t ret[RECORD_HEAD_MAX]);

/* Unpacks stored bytes, which may be damaged.  CAIRN_ECORRUPT when they are no record. */
int record_unpack(const void *bytes, size_t length, Cairn__Record **ret, struct cairn_error *err);

/* Is this record `index`, and does it carry the leaf hash of the one before (NULL: the first)? */
int record_check(const void *bytes, size_t length, uint64_t index, const uint8_t *previous,
    struct cairn_error *err);

#endif
