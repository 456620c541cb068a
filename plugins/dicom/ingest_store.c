/* SPDX-License-Identifier: Apache-2.0 */
/* From a whole header to a durable object: who the patient becomes, the rewritten header, the
 * object's place, its facts. */
#include "ingest_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "deid/facts.h"
#include "links.h"
#include "patients.h"

#define RETRY_MS 4
#define RETRIES_MAX 7500 /* 30 s */
#define PATH_TEXT_MAX 400
#define META_MAX 4096
#define NOTE_MAX 8192

/* ---- the object's bytes ----------------------------------------------------------------- */

int
ingest_store_bytes(struct ingest *ingest, const void *bytes, size_t length, struct cairn_error *err)
{
	int code;

	if (!ingest->announced->deflated)
		return objects_write(ingest->put, bytes, length, err);
	code = buf_append(&ingest->plain, bytes, length);
	return code == 0 ? 0
			 : cairn_error_set(err, code, "the data set is larger than %u MiB inflated",
			       INGEST_DEFLATED_MAX >> 20);
}

static int
write_header(struct ingest *ingest, const char *instance, const struct buf *header,
    const struct deid_end *end, struct cairn_error *err)
{
	const struct dcm_syntax *stored =
	    ingest->announced->deflated ? ingest->announced : end->syntax;
	BUF_AUTO meta = {.max = META_MAX};
	int code;

	if (ingest->announced->deflated && end->syntax != ingest->syntax)
		return cairn_error_set(err, CAIRN_ECORRUPT,
		    "the deflated data set is not explicit VR little endian (PS3.5 A.5)");
	code = dcm_meta_write(&meta, ingest->sop_class, instance, stored->uid);
	if (code != 0)
		return cairn_error_set(err, code, "out of memory");
	code = objects_write(ingest->put, meta.data, meta.length, err);
	if (code == 0)
		code = ingest_store_bytes(ingest, header->data, header->length, err);
	if (code == 0 && end->pixels) /* the element's own tag, VR and length, as they are */
		code = ingest_store_bytes(
		    ingest, ingest->head.data + end->offset, end->value_offset - end->offset, err);
	return code;
}

static int
store_header(struct ingest *ingest, const char *instance, struct cairn_error *err)
{
	struct deid_patient patient = {ingest->pseudonym, ingest->shift};
	struct deid_input input = {ingest->syntax, ingest->head.data, ingest->head.length};
	struct deid_end end;
	BUF_AUTO header = {.max = 2 * INGEST_HEADER_MAX};
	int code = deid_header(ingest->connector->profile, &patient, &input, &header, &end, err);

	return code != 0 ? code : write_header(ingest, instance, &header, &end, err);
}

static int
store_trailer(struct ingest *ingest, struct cairn_error *err)
{
	struct deid_patient patient = {ingest->pseudonym, ingest->shift};
	struct deid_input input = {
	    ingest->scan.end.syntax, ingest->trailer.data, ingest->trailer.length};
	BUF_AUTO out = {.max = 2 * INGEST_TRAILER_MAX};
	BUF_AUTO deflated = {.max = 2 * INGEST_DEFLATED_MAX};
	int code = 0;

	if (ingest->trailer.length > 0)
		code = deid_trailer(ingest->connector->profile, &patient, &input, &out, err);
	if (code == 0 && out.length > 0)
		code = ingest_store_bytes(ingest, out.data, out.length, err);
	if (code == 0 && ingest->announced->deflated)
		code = dcm_deflate(ingest->plain.data, ingest->plain.length, &deflated, err);
	if (code == 0 && deflated.length > 0)
		code = objects_write(ingest->put, deflated.data, deflated.length, err);
	return code;
}

/* ---- opening the object ----------------------------------------------------------------- */

/* PROJECT/PATIENT/STUDY/SERIES/INSTANCE.dcm, for `store: files`. */
static int
make_path(
    struct ingest *ingest, const char *instance, char ret[PATH_TEXT_MAX], struct cairn_error *err)
{
	struct deid_profile *profile = ingest->connector->profile;
	char study[DCM_UID_MAX + 1], series[DCM_UID_MAX + 1];
	int code = deid_uid(profile, ingest->scan.study, study, err);

	if (code == 0)
		code = deid_uid(profile, ingest->scan.series, series, err);
	if (code == 0)
		snprintf(ret, PATH_TEXT_MAX, "%.64s/%.64s/%s/%s/%s.dcm",
		    cairn_project(ingest->connector->cairn), ingest->pseudonym, study, series,
		    instance);
	return code;
}

static void retry_open(uv_timer_t *timer);

static void
wait_for_room(struct ingest *ingest)
{
	if (ingest->retries++ == RETRIES_MAX) {
		ingest_refuse(ingest, CAIRN_EAGAIN, STATUS_OUT_OF_RESOURCES,
		    "the store is too busy for too long; send again later");
		return;
	}
	ingest_wait(ingest);
	if (!ingest->timer_open) {
		uv_timer_init(cairn_loop(ingest->connector->cairn), &ingest->timer);
		ingest->timer.data = ingest;
		ingest->timer_open = true;
	}
	uv_timer_start(&ingest->timer, retry_open, RETRY_MS, 0);
}

/* What was collected behind the header comes before what was held meanwhile; the header itself is
 * not needed any more. */
static int
hold_rest(struct ingest *ingest)
{
	size_t value =
	    ingest->scan.end.pixels ? ingest->scan.end.value_offset : ingest->head.length;
	struct buf joined;
	int code;

	buf_init(&joined, ingest->held.max + INGEST_HEADER_MAX);
	code = buf_append(&joined, ingest->head.data + value, ingest->head.length - value);
	if (code == 0)
		code = buf_append(&joined, ingest->held.data, ingest->held.length);
	if (code != 0) {
		buf_fini(&joined);
		return code;
	}
	joined.max = ingest->held.max;
	buf_fini(&ingest->held);
	buf_fini(&ingest->head);
	ingest->held = joined;
	return 0;
}

/* The object exists from here on; its pixel data may stream. */
static void
opened(struct ingest *ingest, const char *instance)
{
	struct cairn_error err = {0};
	enum ingest_state state = INGEST_TRAILER;

	if (store_header(ingest, instance, &err) != 0) {
		ingest_refuse_error(ingest, &err);
	} else if (hold_rest(ingest) != 0) {
		ingest_refuse(ingest, CAIRN_ENOMEM, STATUS_OUT_OF_RESOURCES, "out of memory");
	} else {
		if (ingest->scan.end.pixels) {
			pixels_init(&ingest->pixels, ingest->scan.end.length);
			state = ingest->pixels.ended ? INGEST_TRAILER : INGEST_PIXELS;
		}
		ingest_go_on(ingest, state);
	}
}

static void
open_object(struct ingest *ingest)
{
	const struct ingest_result held = {.duplicate = true};
	char instance[DCM_UID_MAX + 1], path[PATH_TEXT_MAX];
	struct cairn_error err = {0};
	int code = deid_uid(ingest->connector->profile, ingest->scan.sop_instance, instance, &err);

	if (code == 0)
		code = make_path(ingest, instance, path, &err);
	if (code == 0)
		code = objects_begin(
		    ingest->connector->objects, instance, path, &ingest->put, NULL, &err);
	if (code == 0)
		opened(ingest, instance);
	else if (code == CAIRN_EEXIST)
		ingest_result(ingest, &held);
	else if (code == CAIRN_EAGAIN)
		wait_for_room(ingest);
	else if (code == CAIRN_ELIMIT)
		ingest_refuse(ingest, code, STATUS_OUT_OF_RESOURCES, "%.240s", err.text);
	else
		ingest_refuse_error(ingest, &err);
}

static void
retry_open(uv_timer_t *timer)
{
	open_object(timer->data);
}

/* ---- who it is -------------------------------------------------------------------------- */

static void
patient_known(void *arg, int code, const char *text, const struct deid_patient *patient)
{
	struct ingest *ingest = arg;

	ingest->waits--;
	if (ingest->abandoned) {
		ingest_release(ingest);
	} else if (code != 0) {
		ingest_refuse(ingest, code, STATUS_OUT_OF_RESOURCES, "no pseudonym: %.200s", text);
	} else if (!text_copy(ingest->pseudonym, sizeof ingest->pseudonym, patient->pseudonym)) {
		ingest_refuse(
		    ingest, CAIRN_EPROTO, STATUS_OUT_OF_RESOURCES, "the pseudonym is too long");
	} else {
		ingest->shift = patient->date_shift_days;
		open_object(ingest);
	}
}

static bool
contradicts(const char *said, const char *found)
{
	return said[0] != 0 && found[0] != 0 && strcmp(said, found) != 0;
}

/* Whether the header engine can make it safe, and the site wants it; refuses it otherwise. */
static bool
admit_kind(struct ingest *ingest)
{
	enum pixel_risk_policy policy = ingest->connector->pixel_risk;
	const char *reason = "";
	enum deid_risk risk;

	if (!deid_supported(ingest->sop_class, &reason)) {
		ingest_refuse(ingest, CAIRN_EUNSUPPORTED, STATUS_REFUSED, "%.240s", reason);
		return false;
	}
	risk = deid_pixel_risk(&ingest->scan, &reason);
	if (policy != PIXEL_RISK_ACCEPT &&
	    (risk == DEID_RISK_DECLARED ||
		(risk == DEID_RISK_SUSPECTED && policy == PIXEL_RISK_REFUSE_SUSPECTED))) {
		ingest_refuse(ingest, CAIRN_EUNSUPPORTED, STATUS_REFUSED,
		    "the pixels may identify: %.200s", reason);
		return false;
	}
	return true;
}

/* Whether the identifiers are there and agree; refuses it otherwise. */
static bool
admit(struct ingest *ingest)
{
	struct deid_scan *scan = &ingest->scan;

	if (ingest->binding &&
	    (contradicts(ingest->sop_class, scan->sop_class) ||
		contradicts(ingest->sop_instance, scan->sop_instance))) {
		ingest_refuse(ingest, CAIRN_EINVAL, STATUS_MISMATCH,
		    "SOP Class or Instance UID differ between command and data set");
		return false;
	}
	if (scan->sop_class[0] != 0 &&
	    !text_copy(ingest->sop_class, sizeof ingest->sop_class, scan->sop_class))
		ingest->sop_class[0] = 0;
	if (dcm_storage_class_name(ingest->sop_class) == NULL) {
		ingest_refuse(ingest, CAIRN_EUNSUPPORTED, STATUS_REFUSED,
		    "not a storage SOP class (PS3.4 B.5)%s",
		    ingest->sop_class[0] == 0 ? ": SOP Class UID (0008,0016) is missing" : "");
		return false;
	}
	if (!admit_kind(ingest))
		return false;
	if (scan->study[0] == 0 || scan->series[0] == 0 || scan->sop_instance[0] == 0) {
		ingest_refuse(ingest, CAIRN_EINVAL, STATUS_CANNOT_UNDERSTAND,
		    "Study, Series or SOP Instance UID is missing");
		return false;
	}
	/* A patient without an identifier is nobody else: the study stands for them. */
	if (scan->patient_id[0] == 0)
		(void)text_copy(scan->patient_id, sizeof scan->patient_id, scan->study);
	return true;
}

void
ingest_identify(struct ingest *ingest)
{
	struct cairn_error err = {0};
	bool now;

	if (!admit(ingest))
		return;
	links_state(ingest->connector->links, &ingest->scan);
	ingest->state = INGEST_WAITING;
	ingest->waits++;
	if (patients_find(ingest->connector->patients, ingest->scan.patient_id, ingest->scan.issuer,
		patient_known, ingest, &now, &err) != 0) {
		ingest->waits--;
		ingest_refuse(ingest, err.code, STATUS_OUT_OF_RESOURCES, "%.240s", err.text);
	} else if (!now) {
		ingest_wait(ingest); /* otherwise all has happened, and `ingest` may be gone */
	}
}

/* ---- committing ------------------------------------------------------------------------- */

static void
durable(void *arg, int code, const struct objects_ref *ref)
{
	static const struct ingest_result stored = {.code = 0};
	struct ingest *ingest = arg;

	(void)ref;
	ingest->waits--;
	if (ingest->abandoned)
		ingest_release(ingest);
	else if (code == 0)
		ingest_result(ingest, &stored);
	else
		ingest_refuse(
		    ingest, code, STATUS_OUT_OF_RESOURCES, "not stored: %s", cairn_code_text(code));
}

static int
commit(struct ingest *ingest, struct cairn_error *err)
{
	struct deid_patient patient = {ingest->pseudonym, ingest->shift};
	struct objects_put *put = ingest->put;
	struct deid_facts facts;
	uint8_t note[NOTE_MAX];
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

void
ingest_finish(struct ingest *ingest)
{
	struct cairn_error err = {0};

	if (ingest->state == INGEST_PIXELS) {
		ingest_refuse(ingest, CAIRN_ECORRUPT, STATUS_CANNOT_UNDERSTAND,
		    "the pixel data end too early");
		return;
	}
	ingest->state = INGEST_COMMITTING;
	if (store_trailer(ingest, &err) != 0 || commit(ingest, &err) != 0) {
		ingest_refuse_error(ingest, &err);
		return;
	}
	buf_fini(&ingest->plain);
	buf_fini(&ingest->trailer);
	ingest_charge(ingest);
}
