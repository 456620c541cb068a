/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin: jobs and calls come on the loop, the index works on worker threads.
 *
 * Jobs that arrive while a batch is being written wait and form the next batch, so that batches are
 * as large as the disk is slow: one transaction and one sync for all of them, then all are
 * acknowledged.  A job with something broken in it is retried, which changes nothing that was
 * applied, until the kernel puts it among the dead letters, where a person finds it and the reason.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include <cairn/plugin.h>

#include "answer.h"
#include "ask.h"
#include "base/clock.h"
#include "base/file.h"
#include "check.h"
#include "cohort/hierarchy.h"
#include "figures.h"
#include "source.h"

#define JOBS_MAX 256                      /* in one transaction */
#define BATCH_BYTES_MAX ((size_t)2 << 20) /* of jobs in one transaction: bounds LMDB's memory */
#define WAITING_MAX 4096                  /* jobs */
#define QUESTIONS_MAX 64                  /* under way at a time */
#define REASON_MAX 200

struct batch_job {
	struct cairn_job *job;
	const void *body;
	size_t length;
	char reason[REASON_MAX]; /* why it cannot be done, "" when it was */
};

/* A subject whose request has an expression. */
struct subject {
	const char *name;
	int (*answer)(
	    struct index *, const struct answer_question *, struct buf *, struct cairn_error *);
	const ProtobufCMessageDescriptor *request;
	size_t rules; /* how many of fulfil_rules()'s it carries out */
};

struct question {
	struct cohort *cohort;
	struct ask ask;
	struct cairn_request *req;
	struct answer_question question;
	uint64_t began_ns;
	int (*answer)(
	    struct index *, const struct answer_question *, struct buf *, struct cairn_error *);
	atomic_bool cancel;
	struct buf reply;
	struct cairn_error err;
	int code;
	struct question *next;
};

struct cohort {
	struct cairn *cairn;
	struct index *index;
	struct release *release;
	bool stopping;
	struct batch_job batch[JOBS_MAX]; /* the worker's while `writing` */
	size_t batch_count;
	bool writing;
	struct cairn_error write_err;
	struct index_applied applied; /* in this batch */
	uint64_t figures_ms;
	uint64_t written_ms, busy_since_ms;     /* check.h */
	struct cairn_job *waiting[WAITING_MAX]; /* a ring */
	size_t waiting_first, waiting_count;
	struct source source;
	struct question *questions;
	size_t question_count;
	struct carriers_dictionary *dictionary; /* of the carriers' patients, or NULL */
};

static void
finish_stopping(struct cohort *cohort)
{
	if (!cohort->stopping || cohort->writing || cohort->question_count > 0)
		return;
	release_close(cohort->release);
	index_close(cohort->index);
	cohort->index = NULL;
	carriers_dictionary_unref(cohort->dictionary);
	cohort->dictionary = NULL;
	cairn_stopped(cohort->cairn);
}

/* ---- facts ------------------------------------------------------------------------------- */

/* Worker: one job into the transaction. */
static int
apply_job(struct index_write *write, struct batch_job *job, struct index_applied *all,
    struct cairn_error *err)
{
	struct index_applied applied = {0};
	Cairn__FactBatch *batch = cairn__fact_batch__unpack(NULL, job->length, job->body);
	int code;

	if (batch == NULL) {
		snprintf(job->reason, sizeof job->reason, "the job is not a FactBatch");
		return 0;
	}
	code = index_apply(write, batch, &applied, err);
	if (code == 0)
		code = index_note_progress(write, batch, err);
	cairn__fact_batch__free_unpacked(batch, NULL);
	all->changed += applied.changed;
	all->unchanged += applied.unchanged;
	all->refused += applied.refused;
	if (applied.refused > 0)
		snprintf(job->reason, sizeof job->reason,
		    "%llu of the job's instances are broken: %s",
		    (unsigned long long)applied.refused, applied.reason);
	return code;
}

/* Worker. */
static void
write_batch(void *arg)
{
	struct cohort *cohort = arg;
	struct index_write *write = NULL;
	struct cairn_error *err = &cohort->write_err;
	int code;

	*err = (struct cairn_error){0};
	cohort->applied = (struct index_applied){0};
	code = index_begin(cohort->index, &write, err);
	if (code != 0)
		return;
	for (size_t i = 0; i < cohort->batch_count && code == 0; i++)
		code = apply_job(write, &cohort->batch[i], &cohort->applied, err);
	if (code == 0)
		index_commit(write, err);
	else
		index_abort(write);
}

static void start_batch(struct cohort *cohort);

static void
batch_written(void *arg)
{
	struct cohort *cohort = arg;
	bool failed = cohort->write_err.code != 0;

	if (failed)
		cairn_log(CAIRN_LOG_ERROR, "%zu jobs were not written and will be tried again: %s",
		    cohort->batch_count, cohort->write_err.text);
	for (size_t i = 0; i < cohort->batch_count; i++) {
		struct batch_job *job = &cohort->batch[i];

		if (!failed && job->reason[0] == 0) {
			cairn_job_done(job->job);
			continue;
		}
		if (!failed)
			cairn_log(CAIRN_LOG_WARNING, "job %s, attempt %u: %s",
			    cairn_job_key(job->job), cairn_job_attempt(job->job), job->reason);
		cairn_job_retry(job->job, failed ? cohort->write_err.text : job->reason);
	}
	if (!failed) {
		cohort->written_ms = clock_wall_ms();
		figures_applied(
		    cohort->cairn, cohort->index, &cohort->applied, &cohort->figures_ms);
	}
	cohort->busy_since_ms = cohort->waiting_count > 0 ? clock_monotonic_ms() : 0;
	cohort->batch_count = 0;
	cohort->writing = false;
	start_batch(cohort);
	finish_stopping(cohort);
}

/* Everything that waits becomes one transaction, up to JOBS_MAX and BATCH_BYTES_MAX. */
static void
start_batch(struct cohort *cohort)
{
	size_t bytes = 0;

	if (cohort->writing || cohort->stopping || cohort->waiting_count == 0)
		return;
	while (cohort->waiting_count > 0 && cohort->batch_count < JOBS_MAX &&
	    bytes < BATCH_BYTES_MAX) {
		struct batch_job *job = &cohort->batch[cohort->batch_count++];

		job->job = cohort->waiting[cohort->waiting_first];
		job->body = cairn_job_body(job->job, &job->length);
		job->reason[0] = 0;
		bytes += job->length;
		cohort->waiting_first = (cohort->waiting_first + 1) % WAITING_MAX;
		cohort->waiting_count--;
	}
	cohort->writing = true;
	if (cairn_work(cohort->cairn, write_batch, batch_written, cohort) == 0)
		return;
	cairn_error_set(&cohort->write_err, CAIRN_EUNAVAILABLE, "no worker thread");
	batch_written(cohort);
}

static int
take_job(void *self, struct cairn_job *job, struct cairn_error *err)
{
	struct cohort *cohort = self;

	if (cohort->waiting_count == WAITING_MAX)
		return cairn_error_set(
		    err, CAIRN_EAGAIN, "%d jobs are waiting already", WAITING_MAX);
	cohort->waiting[(cohort->waiting_first + cohort->waiting_count++) % WAITING_MAX] = job;
	if (cohort->busy_since_ms == 0)
		cohort->busy_since_ms = clock_monotonic_ms();
	start_batch(cohort);
	return 0;
}

/* ---- questions --------------------------------------------------------------------------- */

/* Worker. */
static void
work_on_question(void *arg)
{
	struct question *question = arg;

	question->code = question->answer(
	    question->cohort->index, &question->question, &question->reply, &question->err);
}

static void
forget_question(struct question *question)
{
	struct cohort *cohort = question->cohort;
	struct question **link = &cohort->questions;

	while (*link != question)
		link = &(*link)->next;
	*link = question->next;
	cohort->question_count--;
	buf_fini(&question->reply);
	ask_fini(&question->ask);
	free(question);
}

static void
question_answered(void *arg)
{
	struct question *question = arg;
	struct cohort *cohort = question->cohort;

	if (question->code == 0)
		cairn_reply(question->req, question->reply.data, question->reply.length);
	else
		cairn_fail(question->req, question->code, "%s", question->err.text);
	figures_answered(cohort->cairn, question->answer == answer_count, question->code,
	    &question->reply, (double)(uv_hrtime() - question->began_ns) / 1e9);
	forget_question(question);
	finish_stopping(cohort);
}

static int
read_rule(const struct cairn_request *req, const char *name, uint32_t *ret, struct cairn_error *err)
{
	int64_t value = 0;

	if (!cairn_obligation_integer(req, name, &value))
		return 0;
	if (value < 0 || value > UINT32_MAX)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "the policy's obligation %s is out of range: %lld", name, (long long)value);
	*ret = (uint32_t)value;
	return 0;
}

/* Only what the answer will do is reported: rows cannot be rounded, so that a selection under
 * `round` is withheld by the kernel, as is any answer under an obligation that we do not know. */
static int
fulfil_rules(
    struct cairn_request *req, size_t count, struct answer_rules *ret, struct cairn_error *err)
{
	int64_t value;
	const struct {
		const char *name;
		uint32_t *ret;
	} rules[] = {{"min_cell", &ret->min_cell}, {"round", &ret->round},
	    {"difference", &ret->difference}, {"noise", &ret->noise}};
	int code = 0;

	for (size_t i = 0; i < count && code == 0; i++) {
		code = read_rule(req, rules[i].name, rules[i].ret, err);
		if (code == 0 && cairn_obligation_integer(req, rules[i].name, &value))
			code = cairn_fulfil(req, rules[i].name, value);
	}
	return code;
}

/* Says what can be asked; the index has no part in it. */
static int
reply_fields(struct cairn_request *req, struct cairn_error *err)
{
	BUF_AUTO reply = {.max = ANSWER_BYTES_MAX};
	int code = answer_fields(&reply, err);

	return code != 0 ? code : cairn_reply(req, reply.data, reply.length);
}

/* Who carries which variants is known, or nobody had to be asked. */
static void
carriers_known(void *arg, int code, const char *why)
{
	struct question *question = arg;

	if (code == 0) {
		question->question.asking.carriers = &question->ask.carriers;
		code = cairn_work(
		    question->cohort->cairn, work_on_question, question_answered, question);
		why = "no worker thread";
	}
	if (code == 0)
		return;
	question->code = cairn_error_set(&question->err, code, "%s", why);
	question_answered(question);
}

static int
begin_question(struct question *question, const struct subject *subject, struct cairn_error *err)
{
	struct cohort *cohort = question->cohort;
	int code;

	question->ask = (struct ask){.cairn = cohort->cairn,
	    .dictionary = &cohort->dictionary,
	    .done = carriers_known,
	    .arg = question};
	code = ask_begin(&question->ask, subject->request, question->question.body,
	    question->question.length, err);
	if (code != 0)
		return code > 0 ? 0 : code;
	return cairn_work(cohort->cairn, work_on_question, question_answered, question);
}

static int
ask_index(struct cohort *cohort, struct cairn_request *req, const struct subject *subject,
    struct cairn_error *err)
{
	struct question *question;
	int code = source_whole(&cohort->source, cohort->index, err);

	if (code != 0)
		return code;
	if (cohort->question_count == QUESTIONS_MAX)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "%d questions are under way already", QUESTIONS_MAX);
	question = calloc(1, sizeof *question);
	if (question == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	question->cohort = cohort;
	question->req = req;
	question->answer = subject->answer;
	question->began_ns = uv_hrtime();
	question->question.asking.cancel = &question->cancel;
	question->question.release = cohort->release;
	question->question.body = cairn_request_body(req, &question->question.length);
	buf_init(&question->reply, ANSWER_BYTES_MAX);
	code = fulfil_rules(req, subject->rules, &question->question.rules, err);
	question->next = cohort->questions;
	cohort->questions = question;
	cohort->question_count++;
	if (code == 0)
		code = begin_question(question, subject, err);
	if (code != 0)
		forget_question(question);
	return code;
}

/* A connector's words, or an operator's wish. */
static int
talk_of_index(struct cohort *cohort, struct cairn_request *req, bool renew, struct cairn_error *err)
{
	BUF_AUTO reply = {.max = ANSWER_BYTES_MAX};
	size_t length;
	const void *body = cairn_request_body(req, &length);
	int code = renew ? source_reindex(&cohort->source, cohort->index, &reply, err)
			 : source_hear(&cohort->source, cohort->index, body, length, &reply, err);

	if (code != 0)
		return code;
	if (renew)
		cairn_log(CAIRN_LOG_INFO,
		    "the index is being rebuilt, as an operator asked; no count is given until all "
		    "facts are in it again");
	return cairn_reply(req, reply.data, reply.length);
}

static const struct subject subjects[] = {
    {"cohort.count", answer_count, &cairn__count_request__descriptor, 4},
    {"cohort.select", answer_select, &cairn__select_request__descriptor, 1},
    {"cohort.explain", answer_explain, &cairn__explain_request__descriptor, 4},
    {"cohort.breakdown", answer_breakdown, &cairn__breakdown_request__descriptor, 4},
    {"cohort.distribution", answer_distribution, &cairn__distribution_request__descriptor, 4},
};

static int
answer_call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	const char *subject = cairn_request_subject(req);

	for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++)
		if (strcmp(subject, subjects[i].name) == 0)
			return ask_index(self, req, &subjects[i], err);
	if (strcmp(subject, "cohort.fields") == 0)
		return reply_fields(req, err);
	if (strcmp(subject, "cohort.index") == 0)
		return talk_of_index(self, req, false, err);
	if (strcmp(subject, "cohort.reindex") == 0)
		return talk_of_index(self, req, true, err);
	return cairn_error_set(err, CAIRN_ENOTFOUND, "no such subject");
}

static void
cancel_call(void *self, struct cairn_request *req)
{
	struct cohort *cohort = self;

	for (struct question *q = cohort->questions; q != NULL; q = q->next)
		if (q->req == req)
			atomic_store(&q->cancel, true);
}

/* ---- life -------------------------------------------------------------------------------- */

static int
open_state(struct cohort *cohort, struct cairn *cairn, struct cairn_error *err)
{
	char dir[4096], told[4096];
	const char *files[HIERARCHY_FILES_MAX];
	struct index_options options = {.dir = dir,
	    .map_size = (size_t)cairn_config_integer(cairn, "map_size_mb") << 20,
	    .query_bytes = (size_t)cairn_config_integer(cairn, "query_mb") << 20,
	    .hierarchies = files,
	    .hierarchy_count = cairn_config_list_length(cairn, "hierarchies")};
	struct release_options memory = {
	    .dir = told, .bytes_max = (size_t)cairn_config_integer(cairn, "release_mb") << 20};
	int code = file_join(dir, sizeof dir, cairn_state_dir(cairn), "index");

	for (size_t i = 0; i < options.hierarchy_count; i++)
		files[i] = cairn_config_list_get(cairn, "hierarchies", i);
	if (code == 0)
		code = file_join(told, sizeof told, cairn_state_dir(cairn), "told");
	if (code == 0)
		code = index_open(&cohort->index, &options, err);
	if (code == 0)
		code = release_open(&cohort->release, &memory, err);
	return code;
}

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	struct cohort *cohort = calloc(1, sizeof *cohort);
	int code;

	if (cohort == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	cohort->cairn = cairn;
	code = open_state(cohort, cairn, err);
	if (code != 0) {
		index_close(cohort->index);
		free(cohort);
		return cairn_error_prefix(err, code, "cohort");
	}
	figures_applied(cairn, cohort->index, NULL, &cohort->figures_ms);
	if (index_discarded(cohort->index) != 0)
		cairn_log(CAIRN_LOG_WARNING,
		    "the index was of format %u, which this build does not read: it was discarded "
		    "and is made anew from what the connectors hold; no count is given until then",
		    index_discarded(cohort->index));
	*ret_self = cohort;
	return 0;
}

static void
health(void *self, struct cairn_findings *findings)
{
	const struct cohort *cohort = self;
	/* A batch that a worker writes now is the worker's. */
	const struct cohort_state state = {.jobs = cohort->waiting_count + cohort->batch_count,
	    .written_ms = cohort->written_ms,
	    .busy_since_ms = cohort->busy_since_ms,
	    .failure = cohort->writing ? "" : cohort->write_err.text,
	    .source = &cohort->source,
	    .index = cohort->index};

	cohort_health(cohort->cairn, &state, findings);
}

/* What waits was not acknowledged and comes again; what is being worked on is finished first. */
static void
stop(void *self)
{
	struct cohort *cohort = self;

	cohort->stopping = true;
	for (struct question *q = cohort->questions; q != NULL; q = q->next)
		atomic_store(&q->cancel, true);
	finish_stopping(cohort);
}

CAIRN_PLUGIN("cohort", "0.1.0",
    "kind: engine\n"
    "summary: Indexes facts and answers cohort expressions with typed, disclosure-controlled "
    "counts\n"
    "serves:\n"
    "  - {subject: cohort.count, guarded: true, request: cairn.CountRequest,\n"
    "     answer: cairn.CountAnswer,\n"
    "     record: [expression, kind, level, criteria, count, rounded_to],\n"
    "     fulfils: [min_cell, round, difference, noise]}\n"
    "  - {subject: cohort.select, guarded: true, request: cairn.SelectRequest,\n"
    "     answer: cairn.SelectAnswer,\n"
    "     record: [expression, kind, level, criteria, instances], fulfils: [min_cell]}\n"
    "  - {subject: cohort.explain, guarded: true, request: cairn.ExplainRequest,\n"
    "     answer: cairn.ExplainAnswer, record: [expression, kind, level, criteria],\n"
    "     fulfils: [min_cell, round, difference, noise]}\n"
    "  - {subject: cohort.breakdown, guarded: true, request: cairn.BreakdownRequest,\n"
    "     answer: cairn.BreakdownAnswer, record: [expression, attributes, kind, level, criteria],\n"
    "     fulfils: [min_cell, round, difference, noise]}\n"
    "  - {subject: cohort.distribution, guarded: true, request: cairn.DistributionRequest,\n"
    "     answer: cairn.DistributionAnswer, record: [expression, attribute, kind, level, "
    "criteria],\n"
    "     fulfils: [min_cell, round, difference, noise]}\n"
    "  - {subject: cohort.fields, guarded: false, answer: cairn.FieldsAnswer}\n"
    "  - {subject: cohort.index, guarded: false, request: cairn.IndexRequest,\n"
    "     answer: cairn.IndexAnswer}\n"
    "  - {subject: cohort.reindex, guarded: true, request: cairn.ReindexRequest,\n"
    "     answer: cairn.IndexAnswer, record: [identity], fulfils: []}\n"
    "capabilities: ['job:facts', 'call:genomics.carriers']\n"
    "config:\n"
    "  hierarchies: {type: list, default: [], max: 64, help: 'Files that say which codes are below "
    "which, for criteria like diagnosis in ncit:C4017: CSV or TSV of child and parent, or OWL. "
    "ICD-10, ICD-O-3 and ATC are known without.'}\n"
    "  map_size_mb: {type: integer, default: 16384, min: 16, max: 4194304, help: 'How large the "
    "index may grow on disk, in MiB. It takes only what it uses; raise it when the index is "
    "full.'}\n"
    "  query_mb: {type: integer, default: 256, min: 1, max: 65536, help: 'How much memory one "
    "question may use, in MiB.'}\n"
    "  release_mb: {type: integer, default: 1024, min: 1, max: 1048576, help: 'How much may be "
    "kept "
    "of which patients were behind earlier answers, in MiB. When it is full, only what was asked "
    "before is answered.'}\n",
    .start = start, .call = answer_call, .job = take_job, .stop = stop, .cancel = cancel_call,
    .check = cohort_check_settings, .health = health)
