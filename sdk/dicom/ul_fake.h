/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_UL_FAKE_H
#define DICOM_UL_FAKE_H

/* For tests and fuzz targets: an association over arrays instead of TCP, and the bytes of PDUs. */

#include "base/buf.h"
#include "dicom/ul_assoc.h"

struct ul_fake {
	struct ul_assoc assoc; /* first */
	struct ul_options options;
	struct ul_ops ops;
	struct buf sent;
	struct buf stash; /* fed while paused */
	bool closed;
	bool artim;
	bool woken;
	bool full; /* admits nobody */
};

/* In Sta2, as after Evt5. */
void ul_fake_init(struct ul_fake *fake, const struct ul_ops *ops, void *arg);
void ul_fake_fini(struct ul_fake *fake);

/* What the server does with received bytes, and at the next turn of the loop. */
void ul_fake_feed(struct ul_fake *fake, const void *bytes, size_t length);
void ul_fake_turn(struct ul_fake *fake);

/* The type and the last byte of the first PDU that was sent since the last call; 0 when none. */
unsigned ul_fake_sent(struct ul_fake *fake, struct buf *ret_pdu);

/* ---- bytes ------------------------------------------------------------------------------- */

void ul_fake_pdu(struct buf *out, unsigned type, const void *body, size_t length);
/* A P-DATA-TF with one PDV. */
void ul_fake_pdv(
    struct buf *out, uint8_t context, unsigned flags, const void *bytes, size_t length);
/* An A-ASSOCIATE-RQ from STORE to CAIRN with one context for each abstract syntax (ids 1, 3, ...),
 * implicit and explicit little endian. */
void ul_fake_request(struct buf *out, const char *const *abstracts, size_t count, uint32_t max_pdu);

#endif
