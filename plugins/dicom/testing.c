/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include <stdio.h>

#include "base/clock.h"
#include "cairn/imaging.pb-c.h"
#include "outbox.h"
#include "patients.h"

#define WAIT_MS 20000

static const uint8_t uid_key[DEID_UID_KEY_SIZE] = "a key for the tests, no secret.";

/* ---- the runtime ------------------------------------------------------------------------- */

void
cairn_log(enum cairn_log_level level, const char *format, ...)
{
	(void)level, (void)format;
}

struct uv_loop_s *
cairn_loop(struct cairn *cairn)
{
	return &cairn->loop;
}

const char *
cairn_project(struct cairn *cairn)
{
	(void)cairn;
	return "tests";
}

/* No test configures a server. */
int
cairn_listener(
    struct cairn *cairn, const char *address, uint16_t port, int *ret_fd, struct cairn_error *err)
{
	(void)cairn, (void)address, (void)port, (void)ret_fd;
	return cairn_error_set(err, CAIRN_EUNSUPPORTED, "a test listens nowhere");
}

const char *
cairn_config_string(struct cairn *cairn, const char *key)
{
	(void)cairn, (void)key;
	return "";
}

int64_t
cairn_config_integer(struct cairn *cairn, const char *key)
{
	(void)cairn, (void)key;
	return 0;
}

bool
cairn_config_bool(struct cairn *cairn, const char *key)
{
	(void)cairn, (void)key;
	return false;
}

size_t
cairn_config_list_length(struct cairn *cairn, const char *key)
{
	(void)cairn;
	return strcmp(key, "link") == 0 ? 1 : 0;
}

const char *
cairn_config_list_get(struct cairn *cairn, const char *key, size_t index)
{
	(void)cairn, (void)index;
	return strcmp(key, "link") == 0 ? "accession" : "";
}

void
cairn_metric_observe(
    struct cairn *cairn, const struct cairn_metric *metric, const char *value, double seconds)
{
	(void)cairn, (void)metric, (void)value, (void)seconds;
}

static struct asked *
ask(struct cairn *cairn, const void *body, size_t length, cairn_call_fn done, void *arg)
{
	struct asked *asked = &cairn->asked[cairn->asked_count++];

	assert_true(cairn->asked_count <= ASKED_MAX);
	*asked =
	    (struct asked){.body = malloc(length + 1), .length = length, .done = done, .arg = arg};
	assert_non_null(asked->body);
	memcpy(asked->body, body, length);
	return asked;
}

/* wide: the ABI's own signature */
int
cairn_call(struct cairn *cairn, const char *subject, const void *body, size_t length,
    unsigned timeout_ms, cairn_call_fn done, void *arg)
{
	struct asked *asked = ask(cairn, body, length, done, arg);

	assert_true(timeout_ms > 0);
	snprintf(asked->subject, sizeof asked->subject, "%s", subject);
	return 0;
}

int
cairn_job_put(struct cairn *cairn, const struct cairn_job_put *jobs, size_t count,
    cairn_call_fn done, void *arg)
{
	struct asked *asked = ask(cairn, jobs[0].body, jobs[0].length, done, arg);

	assert_int_equal(count, 1);
	assert_string_equal(jobs[0].queue, "facts");
	snprintf(asked->key, sizeof asked->key, "%s", jobs[0].key);
	return 0;
}

int
cairn_record(struct cairn *cairn, const struct cairn_record *records, size_t count,
    cairn_call_fn done, void *arg)
{
	struct asked *asked = ask(cairn, "", 0, done, arg);

	snprintf(asked->subject, sizeof asked->subject, "kernel.record");
	for (size_t i = 0; i < count; i++) {
		size_t used = strlen(cairn->records);

		used += (size_t)snprintf(cairn->records + used, sizeof cairn->records - used,
		    "%s %s [%s]", records[i].subject, records[i].verdict, records[i].reason);
		for (size_t j = 0; j < records[i].field_count; j++)
			used +=
			    (size_t)snprintf(cairn->records + used, sizeof cairn->records - used,
				" %s=%s", records[i].fields[j].name, records[i].fields[j].value);
		assert_true(used + 1 < sizeof cairn->records);
		cairn->records[used] = '\n';
	}
	return 0;
}

int
cairn_work(struct cairn *cairn, void (*work)(void *), void (*after)(void *), void *arg)
{
	if (cairn->no_worker)
		return CAIRN_ELIMIT;
	assert_true(cairn->works_count < ASKED_MAX);
	cairn->works[cairn->works_count].work = work;
	cairn->works[cairn->works_count].after = after;
	cairn->works[cairn->works_count++].arg = arg;
	return 0;
}

const void *
cairn_request_body(const struct cairn_request *req, size_t *ret_length)
{
	*ret_length = req->length;
	return req->body;
}

int
cairn_progress(struct cairn_request *req, const void *body, size_t length)
{
	(void)body, (void)length;
	req->progress++;
	return 0;
}

int
cairn_reply(struct cairn_request *req, const void *body, size_t length)
{
	assert_true(length <= sizeof req->reply);
	memcpy(req->reply, body, length);
	req->reply_length = length;
	req->answers++;
	return 0;
}

int
cairn_fail(struct cairn_request *req, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(req->text, sizeof req->text, format, args);
	va_end(args);
	req->code = code;
	req->answers++;
	return 0;
}

/* ---- the fixture ------------------------------------------------------------------------- */

void
fixture_start(struct cairn *fixture, enum objects_layout layout, bool outbox)
{
	struct connector *connector = &fixture->connector;
	const struct deid_config config = {.uid_key = uid_key,
	    .project = "tests",
	    .options = DEID_MODIFIED_DATES | DEID_PATIENT_CHARACTERISTICS};
	struct objects_options options = {.durability = OBJECTS_PROCESS, .layout = layout};
	struct cairn_error err = {0};

	*fixture = (struct cairn){0};
	test_dir_make(&fixture->dir);
	assert_int_equal(uv_loop_init(&fixture->loop), 0);
	connector->cairn = fixture;
	connector->buffered_max = 64u << 20;
	options.dir = fixture->dir.path;
	assert_ok(deid_profile_new(&connector->profile, &config, &err), &err);
	assert_ok(objects_open(&connector->objects, &fixture->loop, &options, &err), &err);
	assert_ok(patients_new(&connector->patients, fixture, &err), &err);
	if (outbox)
		assert_ok(outbox_new(&connector->outbox, connector, &err), &err);
}

static void
stopped(void *arg)
{
	struct cairn *fixture = arg;

	fixture->ended = true;
}

void
fixture_stop(struct cairn *fixture)
{
	struct connector *connector = &fixture->connector;

	connector->stopping = true;
	ingest_stop_all(connector);
	fixture->ended = false;
	objects_close(connector->objects, stopped, fixture);
	fixture_wait(fixture, &fixture->ended);
	fixture->ended = false;
	if (connector->outbox != NULL) {
		outbox_free(connector->outbox, stopped, fixture);
		fixture_wait(fixture, &fixture->ended);
	}
	while (fixture->asked_count > 0)
		fixture_answer(fixture, CAIRN_ECANCELLED);
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	assert_null(connector->ingests);
	assert_int_equal(connector->buffered, 0);
	assert_int_equal(uv_loop_close(&fixture->loop), 0);
	patients_free(connector->patients);
	deid_profile_free(connector->profile);
	test_dir_remove(&fixture->dir);
}

static void
too_late(uv_timer_t *timer)
{
	bool *late = timer->data;

	*late = true;
}

void
fixture_wait(struct cairn *fixture, const bool *flag)
{
	bool late = false;
	uv_timer_t timer;

	uv_timer_init(&fixture->loop, &timer);
	timer.data = &late;
	uv_timer_start(&timer, too_late, WAIT_MS, 0);
	while (!*flag && !late)
		uv_run(&fixture->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&fixture->loop, UV_RUN_NOWAIT);
	assert_false(late);
}

void
fixture_turn(struct cairn *fixture)
{
	uv_run(&fixture->loop, UV_RUN_NOWAIT);
}

void
fixture_answer(struct cairn *fixture, int code)
{
	Cairn__PseudonymAnswer answer = CAIRN__PSEUDONYM_ANSWER__INIT;
	uint8_t body[128];
	struct asked asked = fixture->asked[0];
	size_t length = 0;

	assert_true(fixture->asked_count > 0);
	memmove(fixture->asked, fixture->asked + 1, --fixture->asked_count * sizeof asked);
	answer.pseudonym = (char *)(uintptr_t) "p7seudonym";
	answer.date_shift_days = -31;
	if (code == 0 && asked.subject[0] != 0)
		length = cairn__pseudonym_answer__pack(&answer, body);
	asked.done(asked.arg, code, code == 0 ? "" : "the test says no", body, length);
	free(asked.body);
}

void
fixture_run_works(struct cairn *fixture)
{
	while (fixture->works_count > 0) {
		void (*work)(void *) = fixture->works[0].work;
		void (*after)(void *) = fixture->works[0].after;
		void *arg = fixture->works[0].arg;

		memmove(fixture->works, fixture->works + 1,
		    --fixture->works_count * sizeof fixture->works[0]);
		work(arg);
		after(arg);
	}
}

/* ---- a sender ---------------------------------------------------------------------------- */

static void
source_pause(void *arg)
{
	struct source *source = arg;

	assert_int_equal(source->pauses, source->resumes);
	source->pauses++;
}

static void
source_resume(void *arg)
{
	struct source *source = arg;

	source->resumes++;
	assert_int_equal(source->pauses, source->resumes);
}

static void
source_done(void *arg, const struct ingest_result *result)
{
	struct source *source = arg;

	assert_false(source->done);
	assert_int_equal(result->paused, source->pauses > source->resumes);
	source->done = true;
	source->ingest = NULL;
	source->result = *result;
}

static const struct ingest_sink sink = {source_pause, source_resume, source_done};

void
source_begin_claim(struct source *source, struct cairn *fixture, const struct ingest_claim *claim)
{
	*source = (struct source){0};
	assert_int_equal(ingest_new(&source->ingest, &fixture->connector, claim, &sink, source), 0);
}

void
source_begin(struct source *source, struct cairn *fixture, const char *syntax)
{
	const struct ingest_claim claim = {dcm_syntax_find(syntax), "", "", false};

	source_begin_claim(source, fixture, &claim);
}

void
source_send(struct source *source, struct cairn *fixture, const struct buf *bytes, size_t piece)
{
	for (size_t at = 0; at < bytes->length && !source->done; at += piece) {
		size_t rest = bytes->length - at;
		size_t length = rest < piece ? rest : piece;
		/* In a block of its own size, so that reading past it is seen. */
		uint8_t *copy = malloc(length);
		bool more;

		assert_non_null(copy);
		memcpy(copy, bytes->data + at, length);
		more = ingest_data(source->ingest, copy, length);
		assert_int_equal(more, !source->done);
		free(copy);
		while (
		    source->pauses > source->resumes && !source->done && fixture->asked_count > 0)
			fixture_answer(fixture, 0);
	}
}

void
source_store(struct source *source, struct cairn *fixture, const char *syntax,
    const struct buf *bytes, size_t piece)
{
	source_begin(source, fixture, syntax);
	source_send(source, fixture, bytes, piece);
	if (!source->done)
		ingest_end(source->ingest);
	if (!source->done && fixture->asked_count > 0 && fixture->asked[0].subject[0] != 0)
		fixture_answer(fixture, 0);
	fixture_wait(fixture, &source->done);
}

/* ---- an instance ------------------------------------------------------------------------- */

uint8_t
sample_pixel(size_t index)
{
	return (uint8_t)(index * 131 + index / 251 + 17);
}

static void
put(struct dcm_writer *w, uint32_t tag, const char *vr, const char *text)
{
	assert_int_equal(dcm_put_text(w, tag, DCM_VR(vr[0], vr[1]), text), 0);
}

static void
put_pixels(struct dcm_writer *w, bool encapsulated, const uint8_t *bytes, size_t length)
{
	if (!encapsulated) {
		assert_int_equal(
		    dcm_put_bytes(w, DCM_TAG(0x7fe0, 0x0010), DCM_VR('O', 'W'), bytes, length), 0);
		return;
	}
	assert_int_equal(
	    dcm_put_header(w, DCM_TAG(0x7fe0, 0x0010), DCM_VR('O', 'B'), DCM_UNDEFINED), 0);
	assert_int_equal(dcm_put_fragment(w, NULL, 0), 0); /* an empty offset table */
	assert_int_equal(dcm_put_fragment(w, bytes, length / 4 * 2), 0);
	assert_int_equal(dcm_put_fragment(w, bytes + length / 4 * 2, length - length / 4 * 2), 0);
	assert_int_equal(dcm_put_sequence_end(w), 0);
}

void
sample_make(struct buf *ret, const char *syntax, const char *uid, size_t pixels)
{
	const struct dcm_syntax *known = dcm_syntax_find(syntax);
	BUF_AUTO bytes = {.max = 1 << 24}, plain = {.max = 1 << 24};
	struct dcm_writer w;

	dcm_writer_init(&w, &plain, known->deflated ? dcm_syntax_find(DCM_EXPLICIT_LE) : known);
	for (size_t i = 0; i < pixels; i++)
		assert_int_equal(buf_append(&bytes, &(uint8_t){sample_pixel(i)}, 1), 0);
	put(&w, 0x00080016, "UI", pixels > 0 ? SAMPLE_CT : SAMPLE_SR);
	put(&w, 0x00080018, "UI", uid);
	put(&w, 0x00080020, "DA", "20240131");
	put(&w, 0x00080060, "CS", pixels > 0 ? "CT" : "SR");
	put(&w, 0x00100010, "PN", SAMPLE_SECRET "^Anna");
	put(&w, 0x00100020, "LO", SAMPLE_SECRET "-17");
	put(&w, 0x0020000d, "UI", "1.2.3.4");
	put(&w, 0x0020000e, "UI", "1.2.3.4.5");
	if (pixels > 0) {
		put_pixels(&w, known->encapsulated, bytes.data, bytes.length);
		put(&w, 0x7fe10010, "LO", SAMPLE_SECRET " BEHIND");
		assert_int_equal(dcm_put_bytes(&w, 0xfffcfffc, DCM_VR('O', 'B'), "\0\0\0\0", 4), 0);
	}
	buf_init(ret, 1 << 24);
	if (known->deflated)
		assert_int_equal(dcm_deflate(plain.data, plain.length, ret, NULL), 0);
	else
		assert_int_equal(buf_append(ret, plain.data, plain.length), 0);
}

static int
collect(void *arg, const uint8_t *bytes, size_t length)
{
	return buf_append(arg, bytes, length);
}

void
stored_read(struct cairn *fixture, const char *uid, struct buf *ret)
{
	struct objects_reader *reader;
	struct objects_ref ref;
	struct cairn_error err = {0};
	char key[DCM_UID_MAX + 1];

	buf_init(ret, 1 << 24);
	assert_ok(deid_uid(fixture->connector.profile, uid, key, &err), &err);
	assert_ok(objects_reader_share(&reader, fixture->connector.objects, &err), &err);
	assert_ok(objects_reader_find(reader, key, &ref, &err), &err);
	assert_ok(objects_reader_get(reader, &ref, collect, ret, &err), &err);
	objects_reader_close(reader);
}

bool
buf_holds(const struct buf *buf, const void *bytes, size_t length)
{
	return length == 0 || memmem(buf->data, buf->length, bytes, length) != NULL;
}
