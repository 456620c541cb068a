/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "deid/facts.h"
#include "dicom/reader.h"
#include "outbox.h"
#include "patients.h"
#include "pixels.h"

/* Of the first bytes only as much is looked at as a header usually needs, so that most of the pixel
 * data is not copied twice. */
#define HEADER_SLICE 8192
#define RETRY_MS 4
#define RETRIES_MAX 7500 /* 30 s */
#define PATH_TEXT_MAX 400

/* PS3.4 B.2.3 */
#define STATUS_OUT_OF_RESOURCES 0xa700
#define STATUS_MISMATCH 0xa900
#define STATUS_CANNOT_UNDERSTAND 0xc000
#define STATUS_REFUSED 0xc001 /* ours: the site's settings say no */

enum state {
	HEADER,  /* collecting, up to the pixel data */
	WAITING, /* for the pseudonym, or for room in the store; what comes is held */
	PIXELS,
	TRAILER,
	COMMITTING,
};

struct ingest {
	struct connector *connector;
	const struct dcm_syntax *syntax; /* of what the reader sees */
	const struct dcm_syntax *stored; /* of what is stored: differs when deflated */
	const struct ingest_sink *sink;
	void *arg;
	enum state state;
	bool ended;      /* all bytes have come */
	bool paused;
	bool abandoned;  /* by ingest_abort while somebody will still call back */
	bool has_pixels;
	bool binding;    /* the data set must not contradict the claim */
	unsigned waits;  /* callbacks that hold a pointer to us */
	unsigned retries;
	char sop_class[DCM_UID_MAX + 1];
	char sop_instance[DCM_UID_MAX + 1];
	struct dcm_reader reader;
	struct buf head;    /* the original header */
	struct buf held;    /* what came while waiting */
	struct buf packed;  /* deflated: as it comes in */
	struct buf plain;   /* deflated: as it goes out */
	struct buf trailer;
	struct deid_scan scan;
	char pseudonym[DEID_PSEUDONYM_MAX + 1];
	int32_t shift;
	struct pixels pixels;
	struct objects_put *put;
	uv_timer_t timer;
	bool timer_open;
};

static void take(struct ingest *ingest, const uint8_t *bytes, size_t length);
static void finish(struct ingest *ingest);

/* ---- endings ---------------------------------------------------------------------------- */

static void
free_memory(struct ingest *ingest)
{
	buf_fini(&ingest->head);
	buf_fini(&ingest->held);
	buf_fini(&ingest->packed);
	buf_fini(&ingest->plain);
	buf_fini(&ingest->trailer);
	explicit_bzero(&ingest->scan, sizeof ingest->scan);
	free(ingest);
}

static void
timer_closed(uv_handle_t *handle)
{
	free_memory(handle->data);
}

static void
release(struct ingest *ingest)
{
	if (ingest->put != NULL)
		objects_abort(ingest->put);
	ingest->put = NULL;
	ingest->abandoned = true;
	if (ingest->waits > 0)
		return; /* the last callback frees */
	if (ingest->timer_open)
		uv_close((uv_handle_t *)&ingest->timer, timer_closed);
	else
		free_memory(ingest);
}

void
ingest_abort(struct ingest *ingest)
{
	if (!ingest->abandoned)
		release(ingest);
}

static void
end(struct ingest *ingest, const struct ingest_result *result)
{
	const struct ingest_sink *sink = ingest->sink;
	void *arg = ingest->arg;
	struct connector *connector = ingest->connector;

	if (ingest->abandoned)
		return;
	if (result->code != 0)
		connector->refused++;
	else if (result->duplicate)
		connector->duplicates++;
	else
		connector->stored++;
	if (ingest->paused)
		sink->resume(arg);
	release(ingest);
	sink->done(arg, result);
}

static void refuse(struct ingest *ingest, int code, uint16_t status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void
refuse(struct ingest *ingest, int code, uint16_t status, const char *format, ...)
{
	struct ingest_result result = {.code = code, .status = status};
	va_list args;

	va_start(args, format);
	vsnprintf(result.reason, sizeof result.reason, format, args);
	va_end(args);
	end(ingest, &result);
}

/* By kind of error: the data set is wrong, or we cannot take it now. */
static void
refuse_error(struct ingest *ingest, const struct cairn_error *err)
{
	bool wrong = err->code == CAIRN_ECORRUPT || err->code == CAIRN_EINVAL ||
	    err->code == CAIRN_ELIMIT;

	refuse(ingest, err->code, wrong ? STATUS_CANNOT_UNDERSTAND : STATUS_OUT_OF_RESOURCES, "%.240s",
	    err->text);
}

/* ---- waiting ---------------------------------------------------------------------------- */

static void
pause_source(struct ingest *ingest)
{
	ingest->state = WAITING;
	if (!ingest->paused) {
		ingest->paused = true;
		ingest->sink->pause(ingest->arg);
	}
}

/* The answer that we waited for is there: go on with what was held back. */
static void
end_wait(struct ingest *ingest, enum state state)
{
	struct buf held = ingest->held;

	ingest->state = state;
	buf_init(&ingest->held, held.max);
	ingest->waits++; /* `take` may end the instance: it must not be freed under us */
	if (held.length > 0)
		take(ingest, held.data, held.length);
	buf_fini(&held);
	ingest->waits--;
	if (ingest->abandoned) {
		release(ingest);
		return;
	}
	if (ingest->state == WAITING)
		return;
	if (ingest->ended)
		finish(ingest);
	else if (ingest->paused) {
		ingest->paused = false;
		ingest->sink->resume(ingest->arg);
	}
}

/* ---- into the store --------------------------------------------------------------------- */

/* A deflated data set is deflated again when it is whole. */
static int
store_bytes(struct ingest *ingest, const void *bytes, size_t length, struct cairn_error *err)
{
	int code;

	if (!ingest->stored->deflated)
		return objects_write(ingest->put, bytes, length, err);
	code = buf_append(&ingest->plain, bytes, length);
	return code == 0 ? 0 : cairn_error_set(err, code, "the data set is larger than %u MiB inflated",
	                           INGEST_DEFLATED_MAX >> 20);
}

static int
make_path(struct ingest *ingest, const char *instance, char ret[PATH_TEXT_MAX],
    struct cairn_error *err)
{
	char study[DCM_UID_MAX + 1], series[DCM_UID_MAX + 1];
	int code = deid_uid(ingest->connector->profile, ingest->scan.study, study, err);

	if (code == 0)
		code = deid_uid(ingest->connector->profile, ingest->scan.series, series, err);
	if (code == 0)
		snprintf(ret, PATH_TEXT_MAX, "%.64s/%.64s/%s/%s/%s.dcm",
		    cairn_project(ingest->connector->cairn), ingest->pseudonym, study, series, instance);
	return code;
}

static int
store_header(struct ingest *ingest, const char *instance, struct cairn_error *err)
{
	struct deid_patient patient = {ingest->pseudonym, ingest->shift};
	struct deid_input input = {ingest->syntax, ingest->head.data, ingest->head.length};
	struct deid_end header_end;
	BUF_AUTO meta = {.max = 4096};
	BUF_AUTO header = {.max = 2 * INGEST_HEADER_MAX};
	int code = dcm_meta_write(&meta, ingest->sop_class, instance, ingest->stored->uid);

	if (code != 0)
		return cairn_error_set(err, code, "out of memory");
	code = objects_write(ingest->put, meta.data, meta.length, err);
	if (code == 0)
		code = deid_header(ingest->connector->profile, &patient, &input, &header, &header_end, err);
	if (code == 0)
		code = store_bytes(ingest, header.data, header.length, err);
	if (code == 0 && header_end.pixels) /* the element's own tag, VR and length, as they are */
		code = store_bytes(ingest, ingest->head.data + header_end.offset,
		    header_end.value_offset - header_end.offset, err);
	return code;
}

static void retry_open(uv_timer_t *timer);

static void
wait_for_room(struct ingest *ingest)
{
	if (ingest->retries++ == RETRIES_MAX) {
		refuse(ingest, CAIRN_EAGAIN, STATUS_OUT_OF_RESOURCES,
		    "the store is too busy for too long; send again later");
		return;
	}
	pause_source(ingest);
	if (!ingest->timer_open) {
		uv_timer_init(cairn_loop(ingest->connector->cairn), &ingest->timer);
		ingest->timer.data = ingest;
		ingest->timer_open = true;
	}
	uv_timer_start(&ingest->timer, retry_open, RETRY_MS, 0);
}

/* What was collected behind the header comes before what was held meanwhile. */
static int
hold_rest(struct ingest *ingest)
{
	size_t value = ingest->scan.end.value_offset;
	struct buf joined;
	int code = 0;

	buf_init(&joined, ingest->held.max + INGEST_HEADER_MAX);
	if (ingest->has_pixels)
		code = buf_append(&joined, ingest->head.data + value, ingest->head.length - value);
	if (code == 0)
		code = buf_append(&joined, ingest->held.data, ingest->held.length);
	if (code != 0) {
		buf_fini(&joined);
		return code;
	}
	buf_fini(&ingest->held);
	ingest->held = joined;
	return 0;
}

/* The object exists from here on; its pixel data may stream. */
static void
opened(struct ingest *ingest, const char *instance)
{
	struct cairn_error err = {0};

	if (store_header(ingest, instance, &err) != 0) {
		refuse_error(ingest, &err);
	} else if (hold_rest(ingest) != 0) {
		refuse(ingest, CAIRN_ENOMEM, STATUS_OUT_OF_RESOURCES, "out of memory");
	} else {
		if (ingest->has_pixels)
			pixels_init(&ingest->pixels, ingest->scan.end.length);
		end_wait(ingest, !ingest->has_pixels || ingest->pixels.ended ? TRAILER : PIXELS);
	}
}

static void
open_object(struct ingest *ingest)
{
	struct ingest_result held = {.duplicate = true};
	char instance[DCM_UID_MAX + 1], path[PATH_TEXT_MAX];
	struct cairn_error err = {0};
	int code = deid_uid(ingest->connector->profile, ingest->scan.sop_instance, instance, &err);

	if (code == 0)
		code = make_path(ingest, instance, path, &err);
	if (code == 0)
		code = objects_begin(ingest->connector->objects, instance, path, &ingest->put, NULL, &err);
	if (code == 0)
		opened(ingest, instance);
	else if (code == CAIRN_EEXIST)
		end(ingest, &held);
	else if (code == CAIRN_EAGAIN)
		wait_for_room(ingest);
	else if (code == CAIRN_ELIMIT)
		refuse(ingest, code, STATUS_OUT_OF_RESOURCES, "%.240s", err.text);
	else
		refuse_error(ingest, &err);
}

static void
retry_open(uv_timer_t *timer)
{
	struct ingest *ingest = timer->data;

	if (!ingest->abandoned)
		open_object(ingest);
}

/* ---- the header ------------------------------------------------------------------------- */

static void
patient_known(void *arg, int code, const char *text, const struct deid_patient *patient)
{
	struct ingest *ingest = arg;

	ingest->waits--;
	if (ingest->abandoned) {
		release(ingest);
		return;
	}
	if (code != 0) {
		refuse(ingest, code, STATUS_OUT_OF_RESOURCES, "no pseudonym: %.200s", text);
		return;
	}
	if (!text_copy(ingest->pseudonym, sizeof ingest->pseudonym, patient->pseudonym)) {
		refuse(ingest, CAIRN_EPROTO, STATUS_OUT_OF_RESOURCES, "the pseudonym is too long");
		return;
	}
	ingest->shift = patient->date_shift_days;
	open_object(ingest);
}

static bool
contradicts(const char *said, const char *found)
{
	return said[0] != 0 && found[0] != 0 && strcmp(said, found) != 0;
}

/* Whether this instance may come in; refuses it otherwise. */
static bool
admit(struct ingest *ingest)
{
	const struct deid_scan *scan = &ingest->scan;
	enum pixel_risk_policy policy = ingest->connector->pixel_risk;
	const char *reason = "";
	enum deid_risk risk;

	if (ingest->binding && (contradicts(ingest->sop_class, scan->sop_class) ||
	                           contradicts(ingest->sop_instance, scan->sop_instance))) {
		refuse(ingest, CAIRN_EINVAL, STATUS_MISMATCH,
		    "SOP Class or Instance UID differ between command and data set");
		return false;
	}
	if (scan->sop_class[0] != 0 &&
	    !text_copy(ingest->sop_class, sizeof ingest->sop_class, scan->sop_class))
		ingest->sop_class[0] = 0;
	if (dcm_storage_class_name(ingest->sop_class) == NULL) {
		refuse(ingest, CAIRN_EUNSUPPORTED, STATUS_REFUSED, "not a storage SOP class (PS3.4 B.5)%s",
		    ingest->sop_class[0] == 0 ? ": SOP Class UID (0008,0016) is missing" : "");
		return false;
	}
	if (!deid_supported(ingest->sop_class, &reason)) {
		refuse(ingest, CAIRN_EUNSUPPORTED, STATUS_REFUSED, "%.240s", reason);
		return false;
	}
	if (scan->study[0] == 0 || scan->series[0] == 0 || scan->sop_instance[0] == 0) {
		refuse(ingest, CAIRN_EINVAL, STATUS_CANNOT_UNDERSTAND,
		    "Study, Series or SOP Instance UID is missing");
		return false;
	}
	risk = deid_pixel_risk(scan, &reason);
	if (policy != PIXEL_RISK_ACCEPT &&
	    (risk == DEID_RISK_DECLARED ||
	        (risk == DEID_RISK_SUSPECTED && policy == PIXEL_RISK_REFUSE_SUSPECTED))) {
		refuse(ingest, CAIRN_EUNSUPPORTED, STATUS_REFUSED, "the pixels may identify: %.200s",
		    reason);
		return false;
	}
	return true;
}

static void
header_complete(struct ingest *ingest)
{
	struct deid_input input = {ingest->syntax, ingest->head.data, ingest->head.length};
	struct cairn_error err = {0};
	bool now;

	if (deid_scan(&input, &ingest->scan, &err) != 0) {
		refuse_error(ingest, &err);
		return;
	}
	ingest->has_pixels = ingest->scan.end.pixels;
	if (!admit(ingest))
		return;
	/* A patient without an identifier is nobody else: the study stands for them. */
	if (ingest->scan.patient_id[0] == 0 &&
	    !text_copy(ingest->scan.patient_id, sizeof ingest->scan.patient_id, ingest->scan.study)) {
		refuse(ingest, CAIRN_EINVAL, STATUS_CANNOT_UNDERSTAND, "Patient ID is missing");
		return;
	}
	ingest->state = WAITING;
	ingest->waits++;
	if (patients_find(ingest->connector->patients, ingest->scan.patient_id, ingest->scan.issuer,
	        patient_known, ingest, &now, &err) != 0) {
		ingest->waits--;
		refuse_error(ingest, &err);
	} else if (!now) {
		pause_source(ingest); /* otherwise all has happened, and `ingest` may be gone */
	}
}

/* Runs the reader over what has come.  True when the header is complete. */
static bool
read_header(struct ingest *ingest, bool *ret_failed)
{
	struct cairn_error err = {0};
	struct dcm_token token;

	*ret_failed = false;
	for (;;) {
		if (dcm_reader_next(&ingest->reader, ingest->head.data, ingest->head.length, ingest->ended,
		        &token, &err) != 0) {
			*ret_failed = true;
			refuse_error(ingest, &err);
			return false;
		}
		if (token.kind == DCM_MORE)
			return false;
		if (token.kind == DCM_PIXELS || token.kind == DCM_END)
			return true;
	}
}

/* ---- the stream ------------------------------------------------------------------------- */

static size_t
take_header(struct ingest *ingest, const uint8_t *bytes, size_t length)
{
	size_t slice = length < HEADER_SLICE ? length : HEADER_SLICE;
	bool failed;

	if (buf_append(&ingest->head, bytes, slice) != 0)
		refuse(ingest, CAIRN_ELIMIT, STATUS_OUT_OF_RESOURCES,
		    "the header is larger than %u MiB", INGEST_HEADER_MAX >> 20);
	else if (read_header(ingest, &failed))
		header_complete(ingest);
	return slice;
}

static size_t
take_pixels(struct ingest *ingest, const uint8_t *bytes, size_t length)
{
	struct cairn_error err = {0};
	size_t taken = 0;
	int code = pixels_take(&ingest->pixels, bytes, length, &taken, &err);

	if (code == 0)
		code = store_bytes(ingest, bytes, taken, &err);
	if (code != 0)
		refuse_error(ingest, &err);
	else if (ingest->pixels.ended)
		ingest->state = TRAILER;
	return taken;
}

static void
take_whole(struct ingest *ingest, struct buf *into, const char *what, const uint8_t *bytes,
    size_t length)
{
	if (buf_append(into, bytes, length) != 0)
		refuse(ingest, CAIRN_ELIMIT, STATUS_OUT_OF_RESOURCES, "%s more than %zu MiB", what,
		    into->max >> 20);
}

static void
take(struct ingest *ingest, const uint8_t *bytes, size_t length)
{
	while (length > 0 && !ingest->abandoned) {
		size_t taken = length;

		switch (ingest->state) {
		case HEADER:
			taken = take_header(ingest, bytes, length);
			break;
		case WAITING:
			take_whole(ingest, &ingest->held, "the sender does not wait:", bytes, length);
			break;
		case PIXELS:
			taken = take_pixels(ingest, bytes, length);
			break;
		case TRAILER:
			take_whole(ingest, &ingest->trailer, "behind the pixel data stand", bytes, length);
			break;
		case COMMITTING:
			return;
		}
		bytes += taken;
		length -= taken;
	}
}

/* Guards against being freed inside `take`. */
static bool
take_guarded(struct ingest *ingest, const uint8_t *bytes, size_t length)
{
	bool abandoned;

	ingest->waits++;
	take(ingest, bytes, length);
	ingest->waits--;
	abandoned = ingest->abandoned;
	if (abandoned)
		release(ingest);
	return !abandoned;
}

bool
ingest_data(struct ingest *ingest, const uint8_t *bytes, size_t length)
{
	if (ingest->abandoned)
		return false;
	if (ingest->stored->deflated) {
		ingest->waits++;
		take_whole(ingest, &ingest->packed, "the deflated data set has", bytes, length);
		ingest->waits--;
		if (!ingest->abandoned)
			return true;
		release(ingest);
		return false;
	}
	return take_guarded(ingest, bytes, length);
}

/* ---- the end ---------------------------------------------------------------------------- */

static void
durable(void *arg, int code, const struct objects_ref *ref)
{
	struct ingest *ingest = arg;
	struct ingest_result result = {0};

	(void)ref;
	ingest->waits--;
	if (code == 0)
		outbox_kick(ingest->connector->outbox);
	if (ingest->abandoned)
		release(ingest);
	else if (code == 0)
		end(ingest, &result);
	else
		refuse(ingest, code, STATUS_OUT_OF_RESOURCES, "not stored: %s", cairn_code_text(code));
}

static int
store_trailer(struct ingest *ingest, struct cairn_error *err)
{
	struct deid_patient patient = {ingest->pseudonym, ingest->shift};
	struct deid_input input = {ingest->syntax, ingest->trailer.data, ingest->trailer.length};
	BUF_AUTO out = {.max = 2 * INGEST_TRAILER_MAX};
	BUF_AUTO deflated = {.max = 2 * INGEST_DEFLATED_MAX};
	int code = 0;

	if (ingest->trailer.length > 0)
		code = deid_trailer(ingest->connector->profile, &patient, &input, &out, err);
	if (code == 0 && out.length > 0)
		code = store_bytes(ingest, out.data, out.length, err);
	if (code == 0 && ingest->stored->deflated)
		code = dcm_deflate(ingest->plain.data, ingest->plain.length, &deflated, err);
	if (code == 0 && deflated.length > 0)
		code = objects_write(ingest->put, deflated.data, deflated.length, err);
	return code;
}

static int
commit(struct ingest *ingest, struct cairn_error *err)
{
	struct deid_patient patient = {ingest->pseudonym, ingest->shift};
	struct objects_put *put = ingest->put;
	struct deid_facts facts;
	uint8_t note[8192];
	size_t length;
	int code = deid_facts(ingest->connector->profile, &ingest->scan, &patient, &facts, err);

	if (code != 0)
		return code;
	length = cairn__instance_facts__get_packed_size(&facts.message);
	if (length > sizeof note)
		return cairn_error_set(err, CAIRN_ELIMIT, "the facts have %zu bytes", length);
	cairn__instance_facts__pack(&facts.message, note);
	ingest->put = NULL; /* gone, whatever is returned */
	ingest->waits++;
	code = objects_commit(put, note, length, durable, ingest, err);
	if (code != 0)
		ingest->waits--;
	return code;
}

static void
finish(struct ingest *ingest)
{
	struct cairn_error err = {0};

	if (ingest->state == PIXELS) {
		refuse(ingest, CAIRN_ECORRUPT, STATUS_CANNOT_UNDERSTAND, "the pixel data end too early");
		return;
	}
	ingest->state = COMMITTING;
	if (store_trailer(ingest, &err) != 0 || commit(ingest, &err) != 0)
		refuse_error(ingest, &err);
}

static bool
inflate_all(struct ingest *ingest)
{
	BUF_AUTO raw = {.max = INGEST_DEFLATED_MAX};
	struct cairn_error err = {0};

	if (dcm_inflate(ingest->packed.data, ingest->packed.length, &raw, &err) != 0) {
		refuse_error(ingest, &err);
		return false;
	}
	buf_fini(&ingest->packed);
	return take_guarded(ingest, raw.data, raw.length);
}

void
ingest_end(struct ingest *ingest)
{
	bool failed = false;

	if (ingest->abandoned)
		return;
	if (ingest->stored->deflated && !inflate_all(ingest))
		return;
	ingest->ended = true;
	if (ingest->state == WAITING)
		return; /* end_wait goes on */
	if (ingest->state != HEADER) {
		finish(ingest);
	} else if (read_header(ingest, &failed)) {
		header_complete(ingest);
	} else if (!failed) {
		refuse(ingest, CAIRN_ECORRUPT, STATUS_CANNOT_UNDERSTAND, "the data set ends too early");
	}
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
	ingest->stored = claim->syntax;
	ingest->syntax = claim->syntax->deflated ? dcm_syntax_find(DCM_EXPLICIT_LE) : claim->syntax;
	ingest->binding = claim->binding;
	ingest->sink = sink;
	ingest->arg = arg;
	buf_init(&ingest->head, INGEST_HEADER_MAX);
	buf_init(&ingest->held, INGEST_DEFLATED_MAX);
	buf_init(&ingest->packed, INGEST_DEFLATED_MAX);
	buf_init(&ingest->plain, INGEST_DEFLATED_MAX);
	buf_init(&ingest->trailer, INGEST_TRAILER_MAX);
	dcm_reader_init(&ingest->reader, ingest->syntax, 0);
	*ret = ingest;
	return 0;
}
