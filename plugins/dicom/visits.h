/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_VISITS_H
#define DICOM_VISITS_H

/*
 * What the ledger learns of associations: one record for each, when it has ended and its last
 * instance has its answer.  Records go out together, once a second or when there are many, so that
 * storing waits for none of them.  Refused associations are recorded too, so many a minute; the
 * rest of that minute becomes one record that counts them.  Of what the kernel does not take, the
 * newest VISITS_WAITING_MAX wait; what is beyond is counted, and the count recorded.
 *
 * A record of an association that ended within the second before this process is killed is lost;
 * the instances are not.
 */

#include "connector.h"
#include "dicom/ul.h"

#define VISITS_WAITING_MAX 4096
#define VISITS_REFUSED_MAX 10 /* a minute, one by one */
#define VISITS_PAUSE_MS 1000

struct visit {
	char calling[UL_AE_MAX + 1], called[UL_AE_MAX + 1];
	char peer[64];
	uint64_t first_ms, last_ms; /* wall time: of the association, of the last thing about it */
	uint64_t stored, held, refused, bytes;
	unsigned waiting; /* instances without an answer */
	bool closed, released;
	char reason[160]; /* why it failed or was refused */
};

struct visits;

int visits_new(struct visits **ret, struct connector *connector, struct cairn_error *err);
/* Sends what waits, and waits for no answer; `freed` is called from the loop. */
void visits_free(struct visits *visits, void (*freed)(void *arg), void *arg);

/* NULL without memory: the association is served, and not recorded. */
struct visit *visits_begin(const char *calling, const char *called, const char *peer);
/* The association is over, `reason` NULL for a release. */
void visits_close(struct visits *visits, struct visit *visit, const char *reason);
/* An instance of it begins and has its answer; may be after its end. */
void visits_instance(struct visit *visit);
void visits_answered(struct visits *visits, struct visit *visit, int code, bool duplicate);
void visits_refused(struct visits *visits, const struct visit *visit);

#endif
