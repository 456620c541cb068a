/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a data set on its way in.  The first byte chooses the encoding, the second how large
 * the pieces are, the third what happens at the end: an orderly end, an abort, no pseudonym.
 * Whatever comes, the instance is stored or refused with a reason, and nothing of it stays in
 * memory.
 */
#include <stdlib.h>
#include <string.h>

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "cairn/imaging.pb-c.h"
#include "ingest.h"
#include "outbox.h"
#include "patients.h"

#define STEPS_MAX 100000

struct cairn {
	uv_loop_t loop;
	struct connector connector;
	cairn_call_fn asked; /* NULL: nothing is */
	void *asked_arg;
};

struct source {
	struct ingest *ingest;
	bool paused;
	bool done;
	struct ingest_result result;
};

static struct cairn fixture;

static void
check(bool holds)
{
	if (!holds)
		abort();
}

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
	return "fuzz";
}

/* Nothing is linked. */
size_t
cairn_config_list_length(struct cairn *cairn, const char *key)
{
	(void)cairn;
	(void)key;
	return 0;
}

const char *
cairn_config_list_get(struct cairn *cairn, const char *key, size_t index)
{
	(void)cairn;
	(void)key;
	(void)index;
	return NULL;
}

/* wide: it is the ABI's signature */
/* wide: the ABI's own signature */
int
cairn_call(struct cairn *cairn, const char *subject, const void *body, size_t length,
    unsigned timeout_ms, cairn_call_fn done, void *arg)
{
	(void)subject, (void)body, (void)length, (void)timeout_ms;
	check(cairn->asked == NULL);
	cairn->asked = done;
	cairn->asked_arg = arg;
	return 0;
}

int
cairn_job_put(struct cairn *cairn, const struct cairn_job_put *jobs, size_t count,
    cairn_call_fn done, void *arg)
{
	(void)cairn, (void)jobs, (void)count, (void)done, (void)arg;
	return CAIRN_EUNAVAILABLE;
}

static void
answer(int code)
{
	static const uint8_t pseudonym[] = {0x0a, 4, 'f', 'u', 'z', 'z', 0x10, 61};
	cairn_call_fn done = fixture.asked;

	fixture.asked = NULL;
	if (done != NULL)
		done(fixture.asked_arg, code, "no", pseudonym, sizeof pseudonym);
}

/* ---- a sender ---------------------------------------------------------------------------- */

static void
source_pause(void *arg)
{
	struct source *source = arg;

	check(!source->paused);
	source->paused = true;
}

static void
source_resume(void *arg)
{
	struct source *source = arg;

	check(source->paused);
	source->paused = false;
}

static void
source_done(void *arg, const struct ingest_result *result)
{
	struct source *source = arg;

	check(!source->done && result->paused == source->paused);
	check(result->code == 0 ? result->status == 0
				: result->reason[0] != 0 && result->status != 0);
	source->done = true;
	source->ingest = NULL;
	source->result = *result;
}

static const struct ingest_sink sink = {source_pause, source_resume, source_done};

static void
send_all(struct source *source, const uint8_t *data, size_t size, size_t piece, unsigned how)
{
	bool more = true;

	for (size_t at = 0; at < size && more; at += piece) {
		size_t length = size - at < piece ? size - at : piece;
		uint8_t *copy = malloc(length);

		check(copy != NULL);
		memcpy(copy, data + at, length);
		more = ingest_data(source->ingest, copy, length);
		free(copy);
		check(more == !source->done);
		answer(how == 2 ? CAIRN_ETIMEOUT : 0);
		more = !source->done;
	}
}

static void
settle(const struct source *source)
{
	for (int i = 0; !source->done; i++) {
		check(i < STEPS_MAX);
		uv_run(&fixture.loop, UV_RUN_ONCE);
	}
}

/* ---- the store --------------------------------------------------------------------------- */

static char folder[] = "/tmp/fuzz_ingest.XXXXXX";

static int
remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status, (void)kind, (void)walk;
	return remove(path);
}

static void
remove_folder(void)
{
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
open_all(void)
{
	static const uint8_t key[DEID_UID_KEY_SIZE] = "a key for the fuzzer, no secret";
	const struct deid_config config = {
	    .uid_key = key, .project = "fuzz", .options = DEID_MODIFIED_DATES};
	struct objects_options options = {.durability = OBJECTS_PROCESS};
	struct connector *connector = &fixture.connector;

	check(mkdtemp(folder) != NULL && atexit(remove_folder) == 0);
	options.dir = folder;
	check(uv_loop_init(&fixture.loop) == 0);
	connector->cairn = &fixture;
	connector->buffered_max = 1 << 20;
	connector->pixel_risk = PIXEL_RISK_ACCEPT;
	check(deid_profile_new(&connector->profile, &config, NULL) == 0);
	check(objects_open(&connector->objects, &fixture.loop, &options, NULL) == 0);
	check(patients_new(&connector->patients, &fixture, NULL) == 0);
	check(outbox_new(&connector->outbox, connector, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const syntaxes[] = {DCM_IMPLICIT_LE, DCM_EXPLICIT_LE, DCM_EXPLICIT_BE,
	    DCM_DEFLATED_LE, "1.2.840.10008.1.2.4.50"};
	struct ingest_claim claim = {.sop_class = "", .sop_instance = ""};
	struct source source = {0};
	unsigned how;

	if (size < 3)
		return 0;
	if (fixture.connector.objects == NULL)
		open_all();
	claim.syntax = dcm_syntax_find(syntaxes[data[0] % 5]);
	how = data[2] % 3;
	check(ingest_new(&source.ingest, &fixture.connector, &claim, &sink, &source) == 0);
	send_all(&source, data + 3, size - 3, (size_t)data[1] * 16 + 1, how);
	if (!source.done && how == 1)
		ingest_abort(source.ingest);
	else if (!source.done)
		ingest_end(source.ingest);
	answer(how == 2 ? CAIRN_ETIMEOUT : 0);
	if (how != 1)
		settle(&source);
	uv_run(&fixture.loop, UV_RUN_NOWAIT);
	check(fixture.connector.ingests == NULL && fixture.connector.buffered == 0);
	return 0;
}
