/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_INGEST_H
#define DICOM_INGEST_H

/*
 * One instance on its way in.  The data set comes in pieces of any size; its header is collected in
 * memory, rewritten, and only then does a byte reach the object store; the pixel data streams
 * through.  What a sender can make us hold is bounded: the header, what follows the pixel data, and
 * a deflated data set (which has to be inflated whole).  What all senders together make us hold is
 * bounded by connector->buffered_max; beyond it the largest is refused.  (Beside it stands what one
 * header, or one deflated data set, needs while it is rewritten: at most 192 MiB, for one at a
 * time.)
 */

#include "connector.h"

#define INGEST_HEADER_MAX (16u << 20)
#define INGEST_TRAILER_MAX (1u << 20)
#define INGEST_DEFLATED_MAX (64u << 20)
#define INGEST_HELD_MAX INGEST_DEFLATED_MAX /* while the source is paused */

/* How it ended.  The reason may be shown to the sender and logged: it names attributes and limits,
 * never values. */
struct ingest_result {
	int code;        /* 0: the instance is durable */
	bool duplicate;  /* it was held already */
	bool paused;     /* the source is paused, and will not be resumed by us */
	uint16_t status; /* for C-STORE (PS3.4 B.2.3) */
	char reason[256];
};

struct ingest_sink {
	/* Between them ingest_data() and ingest_end() must not be called (they need not nest). */
	void (*pause)(void *arg);
	void (*resume)(void *arg);
	/* Once, never from inside ingest_new(); afterwards the ingest is gone. */
	void (*done)(void *arg, const struct ingest_result *result);
};

struct ingest;

/* What is said about the data set to come, "" when nothing. */
struct ingest_claim {
	const struct dcm_syntax *syntax;
	const char *sop_class;
	const char *sop_instance;
	/* A C-STORE command binds (PS3.4 B.2.3, A900H); file meta information is often out of date
	 * in the field, so there the data set's own UIDs count. */
	bool binding;
};

/* `sink` is borrowed, the claim copied. */
int ingest_new(struct ingest **ret, struct connector *connector, const struct ingest_claim *claim,
    const struct ingest_sink *sink, void *arg);

/* False when the instance has ended meanwhile (done was called): stop sending. */
bool ingest_data(struct ingest *ingest, const uint8_t *bytes, size_t length);
void ingest_end(struct ingest *ingest);
/* The source is gone; done will not be called.  (What is being committed is stored nevertheless.)
 */
void ingest_abort(struct ingest *ingest);

/* Refuses all that are not being committed yet; afterwards none of them uses the store. */
void ingest_stop_all(struct connector *connector);

#endif
