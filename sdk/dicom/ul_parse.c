/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From bytes to events.  The parser takes whatever has arrived and keeps no more than a header, or
 * the body of one small PDU; the fragments of P-DATA-TF go to the consumer as they lie in the
 * receive buffer.  A PDU that is well formed but unwelcome is skipped by its length.  After one
 * that is not well formed no boundary can be trusted, and everything that follows is dropped.
 */
#include "dicom/ul_assoc.h"

#include <string.h>

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void
invalid(struct ul_assoc *assoc, enum ul_abort_reason reason)
{
	assoc->parser.phase = UL_PHASE_LOST;
	assoc->abort_reason = (uint8_t)reason;
	ul_event(assoc, UL_EVT19_INVALID_PDU);
}

static void
pdu_done(struct ul_parser *parser)
{
	parser->phase = UL_PHASE_HEADER;
	parser->header_used = 0;
}

/* ---- PDUs that are read whole ------------------------------------------------------------ */

static void
request_complete(struct ul_assoc *assoc)
{
	struct buf *body = &assoc->parser.body;
	struct ul_request *request;
	int code = ul_request_parse(body->data, body->length, &request);

	if (code == 0) {
		memcpy(assoc->titles, body->data + UL_TITLES_OFFSET, UL_TITLES_SIZE);
		memcpy(assoc->called, request->called, sizeof assoc->called);
		memcpy(assoc->calling, request->calling, sizeof assoc->calling);
		assoc->request = request;
	}
	buf_fini(body);
	pdu_done(&assoc->parser);
	if (code == 0)
		ul_event(assoc, UL_EVT6_ASSOCIATE_RQ);
	else if (code == CAIRN_ENOMEM)
		ul_drop(assoc, UL_LIMIT);
	else
		invalid(assoc, UL_ABORT_INVALID_PARAMETER);
}

static void
body_complete(struct ul_assoc *assoc)
{
	struct ul_parser *parser = &assoc->parser;

	if (parser->type == UL_ASSOCIATE_RQ) {
		request_complete(assoc);
		return;
	}
	buf_fini(&parser->body);
	pdu_done(parser);
	assoc->abort_reason = UL_ABORT_UNEXPECTED_PDU; /* if the table says abort */
	if (parser->type == UL_RELEASE_RQ)
		ul_event(assoc, UL_EVT12_RELEASE_RQ);
	else if (parser->type == UL_RELEASE_RP)
		ul_event(assoc, UL_EVT13_RELEASE_RP);
	else
		ul_event(assoc, UL_EVT16_ABORT);
}

static size_t
take_body(struct ul_assoc *assoc, const uint8_t *bytes, size_t length)
{
	struct ul_parser *parser = &assoc->parser;
	size_t used = least(length, parser->pdu_left);

	parser->pdu_left -= used;
	if (buf_append(&parser->body, bytes, used) != 0)
		ul_drop(assoc, UL_LIMIT);
	else if (parser->pdu_left == 0)
		body_complete(assoc);
	return used;
}

/* ---- the header of a PDU ----------------------------------------------------------------- */

static void
begin_body(struct ul_assoc *assoc, size_t least_length, size_t most_length)
{
	struct ul_parser *parser = &assoc->parser;

	if (parser->pdu_left < least_length || parser->pdu_left > most_length)
		invalid(assoc, UL_ABORT_INVALID_PARAMETER);
	else
		parser->phase = UL_PHASE_BODY;
}

/* Raises an event for a PDU whose body does not matter, or (P-DATA-TF) is streamed. */
static void
begin_skip(struct ul_assoc *assoc, enum ul_event event)
{
	assoc->abort_reason = UL_ABORT_UNEXPECTED_PDU;
	assoc->parser.phase = UL_PHASE_SKIP;
	ul_event(assoc, event);
	if (assoc->parser.phase == UL_PHASE_SKIP && assoc->parser.pdu_left == 0)
		pdu_done(&assoc->parser);
}

static void
begin_data(struct ul_assoc *assoc)
{
	size_t length = assoc->parser.pdu_left;
	bool wanted = assoc->state == UL_STA6 || assoc->state == UL_STA7;

	assoc->parser.header_used = 0; /* the PDV's header comes next */
	if (wanted && (length < UL_PDV_HEADER_SIZE || length > assoc->options->max_pdu))
		invalid(assoc, UL_ABORT_INVALID_PARAMETER);
	else
		begin_skip(assoc, UL_EVT10_P_DATA_TF);
}

static void
pdu_begin(struct ul_assoc *assoc)
{
	struct ul_parser *parser = &assoc->parser;

	parser->type = parser->header[0];
	parser->pdu_left = ul_read_u32(parser->header + 2);
	switch (parser->type) {
	case UL_ASSOCIATE_RQ:
		if (assoc->state == UL_STA2)
			begin_body(assoc, UL_REQUEST_MIN, assoc->options->max_request_bytes);
		else
			begin_skip(assoc, UL_EVT6_ASSOCIATE_RQ);
		break;
	case UL_ASSOCIATE_AC:
		begin_skip(assoc, UL_EVT3_ASSOCIATE_AC);
		break;
	case UL_ASSOCIATE_RJ:
		begin_skip(assoc, UL_EVT4_ASSOCIATE_RJ);
		break;
	case UL_P_DATA_TF:
		begin_data(assoc);
		break;
	case UL_RELEASE_RQ:
	case UL_RELEASE_RP:
	case UL_ABORT_PDU:
		begin_body(assoc, 4, 4);
		break;
	default:
		invalid(assoc, UL_ABORT_UNRECOGNIZED_PDU);
	}
}

/* ---- P-DATA-TF --------------------------------------------------------------------------- */

/* After a callback or a finished PDV: where are we? */
static void
pdv_next(struct ul_assoc *assoc)
{
	struct ul_parser *parser = &assoc->parser;

	if (parser->phase == UL_PHASE_LOST)
		return;
	if (parser->pdu_left == 0) {
		pdu_done(parser);
	} else if (assoc->state != UL_STA6 && assoc->state != UL_STA7) {
		parser->phase = UL_PHASE_SKIP;
	} else if (parser->pdv_left == 0) {
		parser->phase = UL_PHASE_PDV_HEADER;
		parser->header_used = 0;
		if (parser->pdu_left < UL_PDV_HEADER_SIZE)
			invalid(assoc, UL_ABORT_INVALID_PARAMETER);
	}
}

static void
deliver(struct ul_assoc *assoc, const uint8_t *bytes, size_t length)
{
	struct ul_parser *parser = &assoc->parser;
	unsigned flags = parser->flags & UL_COMMAND;

	parser->pdu_left -= length;
	parser->pdv_left -= length;
	if (parser->pdv_left == 0)
		flags = parser->flags;
	assoc->ops->on_pdv(assoc->ops_arg, assoc, parser->context, flags, bytes, length);
	pdv_next(assoc);
}

static void
pdv_begin(struct ul_assoc *assoc)
{
	struct ul_parser *parser = &assoc->parser;
	size_t length = ul_read_u32(parser->header);

	parser->pdu_left -= UL_PDV_HEADER_SIZE;
	parser->context = parser->header[4];
	parser->flags = parser->header[5] & (UL_COMMAND | UL_LAST);
	if (length < 2 || length - 2 > parser->pdu_left ||
	    ul_context_find(assoc, parser->context) == NULL) {
		invalid(assoc, UL_ABORT_INVALID_PARAMETER);
		return;
	}
	parser->pdv_left = length - 2;
	parser->phase = UL_PHASE_PDV_DATA;
	if (parser->pdv_left == 0)
		deliver(assoc, parser->header, 0);
}

/* ---- feeding ----------------------------------------------------------------------------- */

static size_t
take_header(struct ul_assoc *assoc, const uint8_t *bytes, size_t length,
    void (*complete)(struct ul_assoc *assoc))
{
	struct ul_parser *parser = &assoc->parser;
	size_t used = least(length, UL_HEADER_SIZE - parser->header_used);

	memcpy(parser->header + parser->header_used, bytes, used);
	parser->header_used += used;
	if (parser->header_used == UL_HEADER_SIZE)
		complete(assoc);
	return used;
}

static size_t
take_data(struct ul_assoc *assoc, const uint8_t *bytes, size_t length)
{
	size_t used = least(length, assoc->parser.pdv_left);

	deliver(assoc, bytes, used);
	return used;
}

static size_t
take_rest(struct ul_assoc *assoc, size_t length)
{
	struct ul_parser *parser = &assoc->parser;
	size_t used = least(length, parser->pdu_left);

	parser->pdu_left -= used;
	if (parser->pdu_left == 0)
		pdu_done(parser);
	return used;
}

static size_t
step(struct ul_assoc *assoc, const uint8_t *bytes, size_t length)
{
	switch (assoc->parser.phase) {
	case UL_PHASE_HEADER:
		return take_header(assoc, bytes, length, pdu_begin);
	case UL_PHASE_BODY:
		return take_body(assoc, bytes, length);
	case UL_PHASE_PDV_HEADER:
		return take_header(assoc, bytes, length, pdv_begin);
	case UL_PHASE_PDV_DATA:
		return take_data(assoc, bytes, length);
	case UL_PHASE_SKIP:
		return take_rest(assoc, length);
	case UL_PHASE_LOST:
		break;
	}
	return length;
}

size_t
ul_assoc_feed(struct ul_assoc *assoc, const uint8_t *bytes, size_t length)
{
	size_t used = 0;

	while (used < length && assoc->paused == 0 && assoc->state != UL_STA1)
		used += step(assoc, bytes + used, length - used);
	return used;
}
