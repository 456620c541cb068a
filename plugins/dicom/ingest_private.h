/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_INGEST_PRIVATE_H
#define DICOM_INGEST_PRIVATE_H

/*
 * What ingest.c (the stream and its endings), ingest_memory.c (what all of them hold) and
 * ingest_store.c (from the header to the durable object) share.
 *
 * Lifetime: an ingest ends once, by ingest_result() (done is called) or ingest_abort().  It is then
 * `abandoned`: off the connector's list, its buffers and its object given up.  The struct itself
 * stays while `waits` counts somebody who will still touch it: a callback that will come, or a
 * function further up the stack.  Whoever counted it calls ingest_release() when it was abandoned
 * meanwhile.
 */

#include "base/buf.h"
#include "dicom/part10.h"
#include "ingest.h"
#include "pixels.h"

/* PS3.4 B.2.3 */
#define STATUS_OUT_OF_RESOURCES 0xa700
#define STATUS_MISMATCH 0xa900
#define STATUS_CANNOT_UNDERSTAND 0xc000
#define STATUS_REFUSED 0xc001 /* ours: the site's settings say no */

enum ingest_state {
	INGEST_HEADER,  /* collecting, up to the pixel data */
	INGEST_WAITING, /* for the pseudonym, or for room in the store; what comes is held */
	INGEST_PIXELS,
	INGEST_TRAILER,
	INGEST_COMMITTING,
};

struct ingest {
	struct connector *connector;
	struct ingest *next, **link; /* in connector->ingests */
	const struct dcm_syntax *announced;
	const struct dcm_syntax *syntax; /* of what is read: differs when deflated */
	const struct ingest_sink *sink;
	void *arg;
	enum ingest_state state;
	bool ended;  /* all bytes have come */
	bool paused; /* the source is */
	bool abandoned;
	bool binding; /* the data set must not contradict the claim */
	unsigned waits;
	unsigned retries;
	char sop_class[DCM_UID_MAX + 1];
	char sop_instance[DCM_UID_MAX + 1];
	struct buf head;    /* the original header */
	struct buf held;    /* what came while waiting */
	struct buf packed;  /* deflated: as it comes in */
	struct buf plain;   /* deflated: as it goes out */
	struct buf trailer; /* what follows the pixel data */
	uint64_t charged;   /* of the connector's memory: what these five hold */
	struct deid_scan scan;
	char pseudonym[DEID_PSEUDONYM_MAX + 1];
	int32_t shift;
	struct pixels pixels;
	struct objects_put *put;
	uv_timer_t timer;
	bool timer_open;
};

/* ---- ingest.c --------------------------------------------------------------------------- */

void ingest_release(struct ingest *ingest);
void ingest_result(struct ingest *ingest, const struct ingest_result *result);
void ingest_refuse(struct ingest *ingest, int code, uint16_t status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* By kind of error: the data set is wrong, or we cannot take it now. */
void ingest_refuse_error(struct ingest *ingest, const struct cairn_error *err);

/* What comes from now on is held, and the source asked to pause. */
void ingest_wait(struct ingest *ingest);
/* What was waited for is there: goes on with what was held.  The ingest may be gone afterwards. */
void ingest_go_on(struct ingest *ingest, enum ingest_state state);

/* ---- ingest_memory.c -------------------------------------------------------------------- */

/* Puts an ingest on the connector's list, and takes it off with all that it holds. */
void ingest_link(struct ingest *ingest);
void ingest_unlink(struct ingest *ingest);
/* Counts what the buffers hold now; to be called after one has grown.  When all together hold more
 * than the connector may, the one that holds most is refused: perhaps this one. */
void ingest_charge(struct ingest *ingest);

/* ---- ingest_store.c --------------------------------------------------------------------- */

/* The header is scanned and admitted: asks for the pseudonym, then opens the object. */
void ingest_identify(struct ingest *ingest);
/* Pixel data on their way.  A deflated data set is collected, and deflated again when whole. */
int ingest_store_bytes(
    struct ingest *ingest, const void *bytes, size_t length, struct cairn_error *err);
/* All bytes have come. */
void ingest_finish(struct ingest *ingest);

#endif
