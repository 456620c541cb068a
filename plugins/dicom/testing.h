/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_TESTING_H
#define DICOM_TESTING_H

/*
 * For the tests beside it: a connector on a real object store in a temporary folder, whose runtime
 * (what plugin.h declares) is this fixture.  What the connector asks of the kernel lies in `asked`
 * until the test answers; work runs when the test says so.
 */

#include "base/test.h"
#include "cairn/facts.pb-c.h"
#include "connector.h"
#include "dicom/writer.h"
#include "ingest.h"

#define ASKED_MAX 64

struct asked {
	char subject[64]; /* of a call; "" for a job */
	char key[128];    /* of a job */
	uint8_t *body;
	size_t length;
	cairn_call_fn done;
	void *arg;
};

/* The connection to the kernel. */
struct cairn {
	uv_loop_t loop;
	struct test_dir dir;
	struct connector connector;
	struct asked asked[ASKED_MAX];
	size_t asked_count;
	struct {
		void (*work)(void *arg);
		void (*after)(void *arg);
		void *arg;
	} works[ASKED_MAX];
	size_t works_count;
	char records[131072]; /* for the ledger, a line each */
	bool no_worker;       /* cairn_work() fails */
	bool ended;           /* what fixture_stop() waits for */
};

struct cairn_request {
	uint8_t body[1024];
	size_t length;
	unsigned answers, progress;
	int code;
	char text[256];
	uint8_t reply[65536];
	size_t reply_length;
};

/* Opens store, profile and patients; the outbox when `outbox`. */
void fixture_start(struct cairn *fixture, enum objects_layout layout, bool outbox);
/* As plugin.c does it, then frees all. */
void fixture_stop(struct cairn *fixture);
/* Turns the loop until `*flag`; the test fails after some seconds. */
void fixture_wait(struct cairn *fixture, const bool *flag);
void fixture_turn(struct cairn *fixture);
/* Answers the oldest question: the pseudonym, or that the job is on disk; or `code`. */
void fixture_answer(struct cairn *fixture, int code);
void fixture_run_works(struct cairn *fixture);

/* ---- a sender --------------------------------------------------------------------------- */

struct source {
	struct ingest *ingest; /* NULL once it has ended */
	unsigned pauses, resumes;
	bool done;
	struct ingest_result result;
};

void source_begin(struct source *source, struct cairn *fixture, const char *syntax);
void source_begin_claim(
    struct source *source, struct cairn *fixture, const struct ingest_claim *claim);
/* In pieces of `piece` bytes; answers for the pseudonym when paused. */
void source_send(
    struct source *source, struct cairn *fixture, const struct buf *bytes, size_t piece);
/* All of it and its end; waits for the result. */
void source_store(struct source *source, struct cairn *fixture, const char *syntax,
    const struct buf *bytes, size_t piece);

/* ---- an instance ------------------------------------------------------------------------ */

#define SAMPLE_CT "1.2.840.10008.5.1.4.1.1.2"
#define SAMPLE_SR "1.2.840.10008.5.1.4.1.1.88.11"
#define SAMPLE_UID "1.2.3.4.5.6"
#define SAMPLE_SECRET "Zyxwvut"

/* A CT with a patient's name, `pixels` bytes of pixel data (0: none, and an SR) and attributes
 * behind them.  Encapsulated syntaxes get them in three fragments, an empty one among them. */
void sample_make(struct buf *ret, const char *syntax, const char *uid, size_t pixels);
uint8_t sample_pixel(size_t index);

/* What the store holds under the new UID of `uid`; fails the test when it is not there. */
void stored_read(struct cairn *fixture, const char *uid, struct buf *ret);
/* A data set in plain encoding is in `ret`; whether it holds the bytes. */
bool buf_holds(const struct buf *buf, const void *bytes, size_t length);

#endif
