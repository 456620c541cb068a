/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_UL_ASSOC_H
#define DICOM_UL_ASSOC_H

/*
 * One association without its transport: the state machine of PS3.8 9.2 (ul_machine.c) and the
 * incremental PDU parser that feeds it (ul_parse.c).  The server gives it a TCP connection, tests
 * and fuzz targets give it arrays.
 */

#include "base/buf.h"
#include "dicom/ul.h"
#include "dicom/ul_pdu.h"

enum ul_state {        /* PS3.8 9.2.2; those of a requestor (4, 5, 9, 11) are never entered */
	UL_STA1 = 1,   /* idle: no transport connection */
	UL_STA2 = 2,   /* transport connection open, awaiting A-ASSOCIATE-RQ */
	UL_STA3 = 3,   /* awaiting our consumer's answer to the request */
	UL_STA6 = 6,   /* association established */
	UL_STA7 = 7,   /* awaiting A-RELEASE-RP */
	UL_STA8 = 8,   /* awaiting our A-RELEASE response */
	UL_STA10 = 10, /* release collision, acceptor: awaiting A-RELEASE-RP */
	UL_STA12 = 12, /* release collision, acceptor: awaiting our A-RELEASE response */
	UL_STA13 = 13, /* awaiting the end of the transport connection */
};
#define UL_STATES 14

enum ul_event { /* PS3.8 Table 9-10 */
	UL_EVT3_ASSOCIATE_AC = 3,
	UL_EVT4_ASSOCIATE_RJ = 4,
	UL_EVT5_TRANSPORT_INDICATION = 5,
	UL_EVT6_ASSOCIATE_RQ = 6,
	UL_EVT7_ACCEPT = 7,
	UL_EVT8_REJECT = 8,
	UL_EVT9_P_DATA_REQUEST = 9,
	UL_EVT10_P_DATA_TF = 10,
	UL_EVT11_RELEASE_REQUEST = 11,
	UL_EVT12_RELEASE_RQ = 12,
	UL_EVT13_RELEASE_RP = 13,
	UL_EVT14_RELEASE_RESPONSE = 14,
	UL_EVT15_ABORT_REQUEST = 15,
	UL_EVT16_ABORT = 16,
	UL_EVT17_TRANSPORT_CLOSED = 17,
	UL_EVT18_ARTIM_EXPIRED = 18,
	UL_EVT19_INVALID_PDU = 19,
};
#define UL_EVENTS 20

/* What the association asks of whoever carries it. */
struct ul_transport {
	/* Sends all or queues it; what fails for good ends in ul_drop() or Evt17. */
	void (*send)(struct ul_assoc *assoc, const uint8_t *bytes, size_t length);
	void (*close)(struct ul_assoc *assoc);
	void (*artim)(struct ul_assoc *assoc, bool run); /* run: start or restart */
	void (*pause)(struct ul_assoc *assoc);           /* deliver nothing more */
	/* Call ul_assoc_wake() soon, from the loop, and go on reading unless paused. */
	void (*wake)(struct ul_assoc *assoc);
	bool (*admit)(struct ul_assoc *assoc); /* is there room for one more association? */
};

enum ul_phase {
	UL_PHASE_HEADER, /* of a PDU */
	UL_PHASE_BODY,   /* of a PDU that is parsed whole: all but P-DATA-TF */
	UL_PHASE_PDV_HEADER,
	UL_PHASE_PDV_DATA,
	UL_PHASE_SKIP, /* the rest of a PDU that nobody wants */
	UL_PHASE_LOST, /* no PDU boundary is known any more: everything is dropped */
};

struct ul_parser {
	enum ul_phase phase;
	uint8_t header[UL_HEADER_SIZE]; /* of the PDU or of the PDV */
	size_t header_used;
	uint8_t type;
	size_t pdu_left;
	size_t pdv_left;
	unsigned flags;
	uint8_t context;
	struct buf body;
};

struct ul_assoc {
	enum ul_state state;
	const struct ul_transport *transport;
	const struct ul_options *options;
	const struct ul_ops *ops;
	void *ops_arg;
	void *user;
	void *layer;
	struct ul_parser parser;
	unsigned paused;
	unsigned held;

	struct ul_request *request; /* in Sta3 */
	struct ul_accepted *accepted;
	size_t accepted_count;
	uint32_t peer_max; /* after a P-DATA-TF's header, as the peer takes; 0 is unlimited */
	uint8_t titles[UL_TITLES_SIZE];
	char called[UL_AE_MAX + 1];
	char calling[UL_AE_MAX + 1];
	char peer[UL_PEER_MAX];

	/* Arguments of the event under way. */
	uint8_t rejection[3]; /* result, source, reason */
	uint8_t abort_reason; /* for an A-ABORT by the provider */
	const uint8_t *send_bytes;
	size_t send_length;

	bool announced; /* on_associate was called, on_closed was not yet */
	bool ended;
	bool was_accepted;
	bool was_rejected;
	enum ul_reason reason; /* when ended */
};

/* All zero before.  The transport raises UL_EVT5_TRANSPORT_INDICATION next. */
void ul_assoc_init(struct ul_assoc *assoc, const struct ul_transport *transport,
    const struct ul_options *options, const struct ul_ops *ops, void *ops_arg);
void ul_assoc_fini(struct ul_assoc *assoc);

/* Runs an event through the table.  CAIRN_EINVAL for a combination the standard leaves empty. */
int ul_event(struct ul_assoc *assoc, enum ul_event event);

/* Takes received bytes; returns how many were used: all of them, unless paused or closed. */
size_t ul_assoc_feed(struct ul_assoc *assoc, const uint8_t *bytes, size_t length);

/* Delivers what is due from the loop: on_closed. */
void ul_assoc_wake(struct ul_assoc *assoc);

/* Notes how the association ended (the first reason stays) and has on_closed called later. */
void ul_assoc_end(struct ul_assoc *assoc, enum ul_reason reason);

/* Ends it and closes the transport at once, without a word to the peer. */
void ul_drop(struct ul_assoc *assoc, enum ul_reason reason);

#endif
