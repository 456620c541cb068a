/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_UL_PEER_H
#define DICOM_UL_PEER_H

/* For the upper layer's tests: both ends of one association, the consumer's and the peer's. */

#include "base/test.h"

#include "dicom/ul_fake.h"

#define CT "1.2.840.10008.5.1.4.1.1.2"
#define MR "1.2.840.10008.5.1.4.1.1.4"
#define EXPLICIT_LE "1.2.840.10008.1.2.1"

struct ul_peer {
	struct ul_fake fake;
	struct buf out;  /* bytes to feed */
	struct buf pdu;  /* the last one that came back */
	struct buf data; /* delivered by on_pdv */
	unsigned associations;
	unsigned pieces;
	unsigned lasts;
	unsigned closed;
	enum ul_reason reason;
	bool keep_waiting; /* do not answer the request */
	bool pause_each;   /* pause in every on_pdv */
	bool abort_each;
	struct ul_request *request;
};

/* Checks at its end that on_closed came once for each association. */
int ul_peer_setup(void **state);
int ul_peer_teardown(void **state);
void ul_peer_again(struct ul_peer *peer); /* a fresh connection */

void ul_peer_feed(struct ul_peer *peer);       /* what is in `out`, and empties it */
unsigned ul_peer_answer(struct ul_peer *peer); /* the next PDU into `pdu`; its type or 0 */
void ul_peer_associate_with(struct ul_peer *peer, uint32_t max_pdu); /* only the request */
void ul_peer_associate(struct ul_peer *peer);
void ul_peer_send_short(struct ul_peer *peer, unsigned type);
void ul_peer_expect_abort(struct ul_peer *peer, unsigned source, unsigned reason);

#endif
