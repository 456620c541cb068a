/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machine of PS3.8 9.2: Table 9-10 (which action in which state on which event) and the
 * actions of Tables 9-6 to 9-9, by their names there, for the acceptor.  A cell that the standard
 * leaves empty is an event that cannot come, or a local request that is refused.
 *
 * The next state is entered before the action runs, because indications call the consumer, who may
 * answer at once.
 */
#include "dicom/ul_assoc.h"

#include <stdlib.h>
#include <string.h>

static void
send_short(struct ul_assoc *assoc, enum ul_pdu_type type, uint8_t a, uint8_t b, uint8_t c)
{
	uint8_t pdu[UL_SHORT_PDU_SIZE];

	ul_short_build(pdu, type, (const uint8_t[]){a, b, c});
	assoc->transport->send(assoc, pdu, sizeof pdu);
}

/* ---- association establishment, Table 9-6 ------------------------------------------------ */

static void
ae_5(struct ul_assoc *assoc)
{
	assoc->transport->artim(assoc, true);
}

static void
send_rejection(struct ul_assoc *assoc)
{
	assoc->was_rejected = true;
	ul_assoc_end(assoc, UL_REJECTED);
	send_short(
	    assoc, UL_ASSOCIATE_RJ, assoc->rejection[0], assoc->rejection[1], assoc->rejection[2]);
	assoc->transport->artim(assoc, true);
}

static void
set_rejection(struct ul_assoc *assoc, enum ul_reject_result result, enum ul_reject_source source,
    enum ul_reject_reason reason)
{
	assoc->rejection[0] = (uint8_t)result;
	assoc->rejection[1] = (uint8_t)source;
	assoc->rejection[2] = (uint8_t)reason;
}

/* "Acceptable by service-dul", PS3.8 9.3.4: what we refuse without asking the consumer. */
static bool
acceptable(struct ul_assoc *assoc)
{
	const struct ul_request *request = assoc->request;

	if ((request->version & 1) == 0)
		set_rejection(assoc, UL_REJECT_PERMANENT, UL_REJECT_ACSE, UL_REJECT_VERSION);
	else if (strcmp(request->application_context, UL_APPLICATION_CONTEXT) != 0)
		set_rejection(
		    assoc, UL_REJECT_PERMANENT, UL_REJECT_USER, UL_REJECT_APPLICATION_CONTEXT);
	else if (request->context_count > assoc->options->max_contexts ||
	    !assoc->transport->admit(assoc))
		set_rejection(
		    assoc, UL_REJECT_TRANSIENT, UL_REJECT_PRESENTATION, UL_REJECT_LOCAL_LIMIT);
	else
		return true;
	return false;
}

static void
ae_6(struct ul_assoc *assoc)
{
	assoc->transport->artim(assoc, false);
	if (!acceptable(assoc)) {
		assoc->state = UL_STA13;
		send_rejection(assoc);
		return;
	}
	assoc->announced = true;
	assoc->ops->on_associate(assoc->ops_arg, assoc, assoc->request);
}

static int
keep_accepted(struct ul_assoc *assoc)
{
	const struct ul_request *request = assoc->request;
	struct ul_accepted *accepted = calloc(request->context_count, sizeof *accepted);
	size_t count = 0;

	if (accepted == NULL)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < request->context_count; i++) {
		const struct ul_context *context = &request->contexts[i];
		const char *transfer = context->transfers[context->chosen];

		if (context->result != UL_CONTEXT_ACCEPTED)
			continue;
		accepted[count].id = context->id;
		/* The parser let no longer ones through. */
		memcpy(accepted[count].abstract, context->abstract, strlen(context->abstract) + 1);
		memcpy(accepted[count].transfer, transfer, strlen(transfer) + 1);
		count++;
	}
	assoc->accepted = accepted;
	assoc->accepted_count = count;
	assoc->peer_max = request->max_pdu;
	return 0;
}

static void
ae_7(struct ul_assoc *assoc)
{
	BUF_AUTO pdu = {.max = 32768}; /* 128 contexts of 76 bytes, and the rest */
	int code = keep_accepted(assoc);

	if (code == 0)
		code =
		    ul_accept_build(&pdu, assoc->request, assoc->titles, assoc->options->max_pdu);
	ul_request_free(assoc->request);
	assoc->request = NULL;
	if (code != 0) {
		ul_drop(assoc, UL_LIMIT);
		return;
	}
	assoc->was_accepted = true;
	assoc->transport->send(assoc, pdu.data, pdu.length);
}

static void
ae_8(struct ul_assoc *assoc)
{
	ul_request_free(assoc->request);
	assoc->request = NULL;
	send_rejection(assoc);
}

/* ---- data transfer, Table 9-7 ------------------------------------------------------------ */

static void
dt_1(struct ul_assoc *assoc)
{
	assoc->transport->send(assoc, assoc->send_bytes, assoc->send_length);
}

/* The indications are the on_pdv calls that the parser makes as the fragments arrive. */
static void
dt_2(struct ul_assoc *assoc)
{
	assoc->parser.phase = UL_PHASE_PDV_HEADER;
}

/* ---- release, Table 9-8 ------------------------------------------------------------------ */

static void
ar_1(struct ul_assoc *assoc)
{
	send_short(assoc, UL_RELEASE_RQ, 0, 0, 0);
}

/* A-RELEASE indication; we always agree, so the response follows at once. */
static void
ar_2(struct ul_assoc *assoc)
{
	ul_event(assoc, UL_EVT14_RELEASE_RESPONSE);
}

static void
ar_3(struct ul_assoc *assoc)
{
	ul_assoc_end(assoc, UL_RELEASED);
	assoc->transport->close(assoc);
}

static void
ar_4(struct ul_assoc *assoc)
{
	ul_assoc_end(assoc, UL_RELEASED);
	send_short(assoc, UL_RELEASE_RP, 0, 0, 0);
	assoc->transport->artim(assoc, true);
}

static void
ar_5(struct ul_assoc *assoc)
{
	assoc->transport->artim(assoc, false);
	assoc->transport->close(assoc);
}

/* A-RELEASE indication in a collision: the acceptor answers after the requestor has (AR-10). */
static void
ar_8(struct ul_assoc *assoc)
{
	(void)assoc;
}

static void
ar_10(struct ul_assoc *assoc)
{
	ul_event(assoc, UL_EVT14_RELEASE_RESPONSE);
}

/* ---- abort, Table 9-9 -------------------------------------------------------------------- */

static void
aa_1(struct ul_assoc *assoc)
{
	ul_assoc_end(assoc, UL_ABORTED);
	send_short(assoc, UL_ABORT_PDU, 0, UL_ABORT_USER, UL_ABORT_NO_REASON);
	assoc->transport->artim(assoc, true);
}

static void
aa_2(struct ul_assoc *assoc)
{
	assoc->transport->artim(assoc, false);
	assoc->transport->close(assoc);
}

static void
aa_3(struct ul_assoc *assoc)
{
	ul_assoc_end(assoc, UL_PEER_ABORTED);
	assoc->transport->close(assoc);
}

static void
aa_4(struct ul_assoc *assoc)
{
	ul_assoc_end(assoc, UL_LOST);
	assoc->transport->close(assoc);
}

static void
aa_6(struct ul_assoc *assoc)
{
	(void)assoc; /* ignore the PDU */
}

static void
aa_7(struct ul_assoc *assoc)
{
	send_short(assoc, UL_ABORT_PDU, 0, UL_ABORT_PROVIDER, assoc->abort_reason);
}

static void
aa_8(struct ul_assoc *assoc)
{
	ul_assoc_end(assoc, UL_PROTOCOL_ERROR);
	send_short(assoc, UL_ABORT_PDU, 0, UL_ABORT_PROVIDER, assoc->abort_reason);
	assoc->transport->artim(assoc, true);
}

/* ---- the tables -------------------------------------------------------------------------- */

enum action {
	NONE,
	AE_5,
	AE_6,
	AE_7,
	AE_8,
	DT_1,
	DT_2,
	AR_1,
	AR_2,
	AR_3,
	AR_4,
	AR_5,
	AR_6,
	AR_7,
	AR_8,
	AR_10,
	AA_1,
	AA_2,
	AA_3,
	AA_4,
	AA_5,
	AA_6,
	AA_7,
	AA_8,
};

static const struct {
	void (*run)(struct ul_assoc *assoc);
	enum ul_state next;
} actions[] = {
    [AE_5] = {ae_5, UL_STA2},
    [AE_6] = {ae_6, UL_STA3}, /* or Sta13 */
    [AE_7] = {ae_7, UL_STA6},
    [AE_8] = {ae_8, UL_STA13},
    [DT_1] = {dt_1, UL_STA6},
    [DT_2] = {dt_2, UL_STA6},
    [AR_1] = {ar_1, UL_STA7},
    [AR_2] = {ar_2, UL_STA8},
    [AR_3] = {ar_3, UL_STA1},
    [AR_4] = {ar_4, UL_STA13},
    [AR_5] = {ar_5, UL_STA1},
    [AR_6] = {dt_2, UL_STA7}, /* DT-2 in another state */
    [AR_7] = {dt_1, UL_STA8}, /* DT-1 in another state */
    [AR_8] = {ar_8, UL_STA10},
    [AR_10] = {ar_10, UL_STA12},
    [AA_1] = {aa_1, UL_STA13},
    [AA_2] = {aa_2, UL_STA1},
    [AA_3] = {aa_3, UL_STA1},
    [AA_4] = {aa_4, UL_STA1},
    [AA_5] = {aa_2, UL_STA1}, /* the transport is gone: closing it frees what we hold */
    [AA_6] = {aa_6, UL_STA13},
    [AA_7] = {aa_7, UL_STA13},
    [AA_8] = {aa_8, UL_STA13},
};

/* Columns: Sta1 Sta2 Sta3 (4 5) Sta6 Sta7 Sta8 (9) Sta10 (11) Sta12 Sta13. */
#define ROW(s1, s2, s3, s6, s7, s8, s10, s12, s13)                                          \
	{                                                                                   \
		[UL_STA1] = (s1), [UL_STA2] = (s2), [UL_STA3] = (s3), [UL_STA6] = (s6),     \
		[UL_STA7] = (s7), [UL_STA8] = (s8), [UL_STA10] = (s10), [UL_STA12] = (s12), \
		[UL_STA13] = (s13)                                                          \
	}

static const uint8_t table[UL_EVENTS][UL_STATES] = {
    /* clang-format off */
    /*                                     Sta1  Sta2  Sta3  Sta6  Sta7  Sta8  Sta10 Sta12 Sta13 */
    [UL_EVT3_ASSOCIATE_AC] =         ROW(NONE, AA_1, AA_8, AA_8, AA_8, AA_8, AA_8, AA_8, AA_6),
    [UL_EVT4_ASSOCIATE_RJ] =         ROW(NONE, AA_1, AA_8, AA_8, AA_8, AA_8, AA_8, AA_8, AA_6),
    [UL_EVT5_TRANSPORT_INDICATION] = ROW(AE_5, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE),
    [UL_EVT6_ASSOCIATE_RQ] =         ROW(NONE, AE_6, AA_8, AA_8, AA_8, AA_8, AA_8, AA_8, AA_7),
    [UL_EVT7_ACCEPT] =               ROW(NONE, NONE, AE_7, NONE, NONE, NONE, NONE, NONE, NONE),
    [UL_EVT8_REJECT] =               ROW(NONE, NONE, AE_8, NONE, NONE, NONE, NONE, NONE, NONE),
    [UL_EVT9_P_DATA_REQUEST] =       ROW(NONE, NONE, NONE, DT_1, NONE, AR_7, NONE, NONE, NONE),
    [UL_EVT10_P_DATA_TF] =           ROW(NONE, AA_1, AA_8, DT_2, AR_6, AA_8, AA_8, AA_8, AA_6),
    [UL_EVT11_RELEASE_REQUEST] =     ROW(NONE, NONE, NONE, AR_1, NONE, NONE, NONE, NONE, NONE),
    [UL_EVT12_RELEASE_RQ] =          ROW(NONE, AA_1, AA_8, AR_2, AR_8, AA_8, AA_8, AA_8, AA_6),
    [UL_EVT13_RELEASE_RP] =          ROW(NONE, AA_1, AA_8, AA_8, AR_3, AA_8, AR_10, AA_8, AA_6),
    [UL_EVT14_RELEASE_RESPONSE] =    ROW(NONE, NONE, NONE, NONE, NONE, AR_4, NONE, AR_4, NONE),
    [UL_EVT15_ABORT_REQUEST] =       ROW(NONE, NONE, AA_1, AA_1, AA_1, AA_1, AA_1, AA_1, NONE),
    [UL_EVT16_ABORT] =               ROW(NONE, AA_2, AA_3, AA_3, AA_3, AA_3, AA_3, AA_3, AA_2),
    [UL_EVT17_TRANSPORT_CLOSED] =    ROW(NONE, AA_5, AA_4, AA_4, AA_4, AA_4, AA_4, AA_4, AR_5),
    [UL_EVT18_ARTIM_EXPIRED] =       ROW(NONE, AA_2, NONE, NONE, NONE, NONE, NONE, NONE, AA_2),
    [UL_EVT19_INVALID_PDU] =         ROW(NONE, AA_1, AA_8, AA_8, AA_8, AA_8, AA_8, AA_8, AA_7),
    /* clang-format on */
};

int
ul_event(struct ul_assoc *assoc, enum ul_event event)
{
	uint8_t action = table[event][assoc->state];

	if (action == NONE)
		return CAIRN_EINVAL;
	assoc->state = actions[action].next;
	actions[action].run(assoc);
	return 0;
}

void
ul_assoc_end(struct ul_assoc *assoc, enum ul_reason reason)
{
	if (assoc->ended)
		return;
	assoc->ended = true;
	assoc->reason = reason;
	assoc->paused = 0; /* nobody resumes it now, and the transport's end must be seen */
	assoc->transport->wake(assoc);
}

void
ul_drop(struct ul_assoc *assoc, enum ul_reason reason)
{
	ul_assoc_end(assoc, reason);
	assoc->state = UL_STA1;
	assoc->transport->close(assoc);
}

void
ul_assoc_wake(struct ul_assoc *assoc)
{
	if (!assoc->ended || !assoc->announced)
		return;
	assoc->announced = false;
	assoc->ops->on_closed(assoc->ops_arg, assoc, assoc->reason);
}
