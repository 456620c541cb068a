/* SPDX-License-Identifier: Apache-2.0 */
/* The stream of one instance, its pauses and its endings.  ingest_private.h says who frees when. */
#include "ingest_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Of the first bytes only as much is looked at as a header usually needs, so that most of the pixel
 * data is not copied twice. */
#define HEADER_SLICE 8192

/* ---- endings ---------------------------------------------------------------------------- */

static void
timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
ingest_release(struct ingest *ingest)
{
	if (ingest->waits > 0)
		return; /* the last one who waits comes here again */
	if (ingest->timer_open)
		uv_close((uv_handle_t *)&ingest->timer, timer_closed);
	else
		free(ingest);
}

static void
abandon(struct ingest *ingest)
{
	ingest->abandoned = true;
	objects_abort(ingest->put);
	ingest->put = NULL;
	if (ingest->timer_open)
		uv_timer_stop(&ingest->timer);
	ingest_unlink(ingest);
	ingest_release(ingest);
}

void
ingest_abort(struct ingest *ingest)
{
	if (!ingest->abandoned)
		abandon(ingest);
}

void
ingest_result(struct ingest *ingest, const struct ingest_result *result)
{
	const struct ingest_sink *sink = ingest->sink;
	void *arg = ingest->arg;
	struct connector *connector = ingest->connector;
	struct ingest_result told = *result;

	if (ingest->abandoned)
		return;
	if (result->code != 0)
		connector->refused++;
	else if (result->duplicate)
		connector->duplicates++;
	else
		connector->stored++;
	told.paused = ingest->paused;
	abandon(ingest);
	sink->done(arg, &told);
}

void
ingest_refuse(struct ingest *ingest, int code, uint16_t status, const char *format, ...)
{
	struct ingest_result result = {.code = code, .status = status};
	va_list args;

	va_start(args, format);
	vsnprintf(result.reason, sizeof result.reason, format, args);
	va_end(args);
	ingest_result(ingest, &result);
}

void
ingest_refuse_error(struct ingest *ingest, const struct cairn_error *err)
{
	bool wrong =
	    err->code == CAIRN_ECORRUPT || err->code == CAIRN_EINVAL || err->code == CAIRN_ELIMIT;

	ingest_refuse(ingest, err->code, wrong ? STATUS_CANNOT_UNDERSTAND : STATUS_OUT_OF_RESOURCES,
	    "%.240s", err->text);
}

/* ---- the stream ------------------------------------------------------------------------- */

/* Reads on in what has come.  True when the header is complete; `*ret_failed` when it was refused,
 * and the ingest may be gone. */
static bool
scan_header(struct ingest *ingest, bool *ret_failed)
{
	struct cairn_error err = {0};
	int code = deid_scan_more(
	    &ingest->scan, ingest->head.data, ingest->head.length, ingest->ended, &err);

	*ret_failed = code != 0 && code != CAIRN_EAGAIN;
	if (*ret_failed)
		ingest_refuse_error(ingest, &err);
	return code == 0;
}

static size_t
take_header(struct ingest *ingest, const uint8_t *bytes, size_t length)
{
	size_t slice = length < HEADER_SLICE ? length : HEADER_SLICE;
	bool failed;

	if (buf_append(&ingest->head, bytes, slice) != 0)
		ingest_refuse(ingest, CAIRN_ELIMIT, STATUS_OUT_OF_RESOURCES,
		    "the header is larger than %u MiB", INGEST_HEADER_MAX >> 20);
	else if (scan_header(ingest, &failed))
		ingest_identify(ingest);
	return slice;
}

static size_t
take_pixels(struct ingest *ingest, const uint8_t *bytes, size_t length)
{
	struct cairn_error err = {0};
	size_t taken = 0;
	int code = pixels_take(&ingest->pixels, bytes, length, &taken, &err);

	if (code != 0)
		ingest_refuse_error(ingest, &err);
	else if (ingest_store_bytes(ingest, bytes, taken, &err) != 0)
		ingest_refuse(
		    ingest, err.code, STATUS_OUT_OF_RESOURCES, "not stored: %.200s", err.text);
	else if (ingest->pixels.ended)
		ingest->state = INGEST_TRAILER;
	return taken;
}

static void
take_whole(
    struct ingest *ingest, struct buf *into, const char *what, const uint8_t *bytes, size_t length)
{
	if (buf_append(into, bytes, length) != 0)
		ingest_refuse(ingest, CAIRN_ELIMIT, STATUS_OUT_OF_RESOURCES, "%s more than %zu MiB",
		    what, into->max >> 20);
}

static void
take(struct ingest *ingest, const uint8_t *bytes, size_t length)
{
	while (length > 0 && !ingest->abandoned) {
		size_t taken = length;

		switch (ingest->state) {
		case INGEST_HEADER:
			taken = take_header(ingest, bytes, length);
			break;
		case INGEST_WAITING:
			take_whole(
			    ingest, &ingest->held, "the sender does not wait:", bytes, length);
			break;
		case INGEST_PIXELS:
			taken = take_pixels(ingest, bytes, length);
			break;
		case INGEST_TRAILER:
			take_whole(
			    ingest, &ingest->trailer, "behind the pixel data stand", bytes, length);
			break;
		case INGEST_COMMITTING:
			return;
		}
		bytes += taken;
		length -= taken;
	}
}

/* Whatever happens on the way, the struct stays until the end of this.  False when it is gone. */
static bool
take_guarded(struct ingest *ingest, const uint8_t *bytes, size_t length, bool as_it_comes)
{
	bool abandoned;

	ingest->waits++;
	if (as_it_comes && ingest->announced->deflated)
		take_whole(ingest, &ingest->packed, "the deflated data set has", bytes, length);
	else
		take(ingest, bytes, length);
	ingest_charge(ingest);
	ingest->waits--;
	abandoned = ingest->abandoned;
	if (abandoned)
		ingest_release(ingest);
	return !abandoned;
}

bool
ingest_data(struct ingest *ingest, const uint8_t *bytes, size_t length)
{
	return take_guarded(ingest, bytes, length, true);
}

/* ---- waiting ---------------------------------------------------------------------------- */

void
ingest_wait(struct ingest *ingest)
{
	ingest->state = INGEST_WAITING;
	if (!ingest->paused) {
		ingest->paused = true;
		ingest->sink->pause(ingest->arg);
	}
}

void
ingest_go_on(struct ingest *ingest, enum ingest_state state)
{
	struct buf held = ingest->held;
	bool here;

	ingest->state = state;
	buf_init(&ingest->held, held.max);
	here = take_guarded(ingest, held.data, held.length, false);
	buf_fini(&held);
	if (!here || ingest->state == INGEST_WAITING)
		return;
	if (ingest->ended) {
		ingest_finish(ingest);
	} else if (ingest->paused) {
		ingest->paused = false;
		ingest->sink->resume(ingest->arg);
	}
}

/* ---- beginning and end ------------------------------------------------------------------ */

static bool
inflate_all(struct ingest *ingest)
{
	BUF_AUTO raw = {.max = INGEST_DEFLATED_MAX};
	struct cairn_error err = {0};

	if (dcm_inflate(ingest->packed.data, ingest->packed.length, &raw, &err) != 0) {
		ingest_refuse_error(ingest, &err);
		return false;
	}
	buf_fini(&ingest->packed);
	return take_guarded(ingest, raw.data, raw.length, false);
}

void
ingest_end(struct ingest *ingest)
{
	bool failed = false;

	if (ingest->announced->deflated && !inflate_all(ingest))
		return;
	ingest->ended = true;
	if (ingest->state == INGEST_WAITING)
		return; /* ingest_go_on() goes on */
	if (ingest->state != INGEST_HEADER)
		ingest_finish(ingest);
	else if (scan_header(ingest, &failed))
		ingest_identify(ingest);
	else if (!failed)
		ingest_refuse(ingest, CAIRN_ECORRUPT, STATUS_CANNOT_UNDERSTAND,
		    "the data set ends too early");
}

int
ingest_new(struct ingest **ret, struct connector *connector, const struct ingest_claim *claim,
    const struct ingest_sink *sink, void *arg)
{
	struct ingest *ingest = calloc(1, sizeof *ingest);

	if (ingest == NULL)
		return CAIRN_ENOMEM;
	if (!text_copy(ingest->sop_class, sizeof ingest->sop_class, claim->sop_class) ||
	    !text_copy(ingest->sop_instance, sizeof ingest->sop_instance, claim->sop_instance)) {
		free(ingest);
		return CAIRN_EINVAL;
	}
	ingest->connector = connector;
	ingest->announced = claim->syntax;
	ingest->syntax = claim->syntax->deflated ? dcm_syntax_find(DCM_EXPLICIT_LE) : claim->syntax;
	ingest->binding = claim->binding;
	ingest->sink = sink;
	ingest->arg = arg;
	buf_init(&ingest->head, INGEST_HEADER_MAX);
	buf_init(&ingest->held, INGEST_HELD_MAX);
	buf_init(&ingest->packed, INGEST_DEFLATED_MAX);
	buf_init(&ingest->plain, INGEST_DEFLATED_MAX);
	buf_init(&ingest->trailer, INGEST_TRAILER_MAX);
	deid_scan_begin(&ingest->scan, ingest->syntax);
	ingest_link(ingest);
	*ret = ingest;
	return 0;
}
