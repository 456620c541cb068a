/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin's glue against a runtime of one thread, in which the test says when work happens. */
#include <stdio.h>

#include "cohort/expr.h"
#include "fake_runtime.h"
#include "population.h"

/* ---- helpers ----------------------------------------------------------------------------- */

static void
begin(struct cairn *cairn)
{
	struct cairn_error err = {0};

	*cairn = (struct cairn){0};
	test_dir_make(&cairn->dir);
	assert_ok(cairn_plugin.start(cairn, &cairn->self, &err), &err);
}

/* All work that is asked for, and what it asks for in turn. */
static void
run_works(struct cairn *cairn)
{
	while (cairn->work_count > 0) {
		size_t last = --cairn->work_count;

		cairn->works[last].work(cairn->works[last].arg);
		cairn->works[last].after(cairn->works[last].arg);
	}
}

static void
end(struct cairn *cairn)
{
	if (!cairn->stopped)
		cairn_plugin.stop(cairn->self);
	run_works(cairn);
	assert_true(cairn->stopped);
	free(cairn->self);
	test_dir_remove(&cairn->dir);
}

static struct cairn_job
facts_job(unsigned patients)
{
	struct item items[64] = {0};
	struct cairn_job job = {0};
	Cairn__FactBatch *batch;
	uint8_t *body;

	for (unsigned i = 0; i < patients; i++)
		items[i] = (struct item){.path = {i, 0, 0, i}};
	batch = batch_new(items, patients);
	job.length = cairn__fact_batch__get_packed_size(batch);
	body = malloc(job.length + 1);
	assert_non_null(body);
	cairn__fact_batch__pack(batch, body);
	job.body = body;
	batch_free(batch);
	return job;
}

static void
job_fini(struct cairn_job *job)
{
	free((void *)(uintptr_t)job->body);
}

static struct cairn_request
count_request(const char *obligation, const char *another)
{
	struct cairn_request req = {
	    .subject = "cohort.count", .obligations = {obligation, another}};
	Cairn__CountRequest request = CAIRN__COUNT_REQUEST__INIT;
	struct cairn_error err = {0};

	assert_ok(cohort_parse("*", &request.expression, &err), &err);
	req.length = cairn__count_request__pack(&request, req.body);
	cairn__expression__free_unpacked(request.expression, NULL);
	return req;
}

static void
give(struct cairn *cairn, struct cairn_job *job)
{
	struct cairn_error err = {0};

	assert_ok(cairn_plugin.job(cairn->self, job, &err), &err);
}

static void
call(struct cairn *cairn, struct cairn_request *req)
{
	struct cairn_error err = {0};

	assert_ok(cairn_plugin.call(cairn->self, req, &err), &err);
}

/* ---- tests ------------------------------------------------------------------------------- */

static void
a_job_is_acknowledged_after_its_commit(void **state)
{
	struct cairn cairn;
	struct cairn_job job = facts_job(20);
	struct cairn_request req = count_request(NULL, NULL);
	Cairn__CountAnswer *answer;

	(void)state;
	begin(&cairn);
	give(&cairn, &job);
	assert_int_equal(job.done + job.retried, 0);
	run_works(&cairn);
	assert_int_equal(job.done, 1);
	call(&cairn, &req);
	run_works(&cairn);
	answer = cairn__count_answer__unpack(NULL, req.reply_length, req.reply);
	assert_int_equal(answer->count, 20);
	cairn__count_answer__free_unpacked(answer, NULL);
	end(&cairn);
	job_fini(&job);
}

static void
what_is_done_is_counted(void **state)
{
	struct cairn cairn;
	struct cairn_job job = facts_job(20);
	struct cairn_request exact = count_request(NULL, NULL);
	struct cairn_request rounded = count_request("round", NULL);

	(void)state;
	begin(&cairn);
	cairn.metrics[0] = 0;
	give(&cairn, &job);
	run_works(&cairn);
	assert_non_null(strstr(cairn.metrics, "instances_applied_total[changed] "));
	assert_null(strstr(cairn.metrics, "[refused]"));
	cairn.metrics[0] = 0;
	call(&cairn, &exact);
	run_works(&cairn);
	assert_string_equal(cairn.metrics, "questions_total[exact] question_seconds[] ");
	cairn.metrics[0] = 0;
	call(&cairn, &rounded);
	cairn_plugin.cancel(cairn.self, &rounded);
	run_works(&cairn);
	assert_string_equal(cairn.metrics, "questions_total[cancelled] question_seconds[] ");
	end(&cairn);
	job_fini(&job);
}

static void
a_poison_job_is_retried_with_its_reason_and_spoils_no_other(void **state)
{
	struct cairn cairn;
	struct cairn_job first = facts_job(1), good = facts_job(2);
	struct cairn_job poison = {.body = "\xff\xff", .length = 2};

	(void)state;
	begin(&cairn);
	give(&cairn, &first);
	give(&cairn, &poison);
	give(&cairn, &good);
	run_works(&cairn);
	assert_int_equal(first.done, 1);
	assert_int_equal(good.done, 1);
	assert_int_equal(poison.done, 0);
	assert_int_equal(poison.retried, 1);
	assert_string_equal(poison.reason, "the job is not a FactBatch");
	end(&cairn);
	job_fini(&first);
	job_fini(&good);
}

static void
only_obligations_that_are_carried_out_are_reported(void **state)
{
	struct cairn cairn;
	struct cairn_request count = count_request("min_cell", "round");
	struct cairn_request unknown = count_request("shuffle", "min_cell");
	struct cairn_request select = count_request("min_cell", "round");

	(void)state;
	begin(&cairn);
	select.subject = "cohort.select";
	call(&cairn, &count);
	call(&cairn, &unknown);
	call(&cairn, &select);
	assert_string_equal(count.fulfilled, "min_cell=10 round=10 ");
	assert_string_equal(unknown.fulfilled, "min_cell=10 ");
	assert_string_equal(select.fulfilled, "min_cell=10 ");
	run_works(&cairn);
	assert_int_equal(count.answers, 1);
	assert_int_equal(unknown.answers, 1);
	assert_int_equal(select.answers, 1);
	end(&cairn);
}

static void
what_can_be_asked_is_said_at_once(void **state)
{
	struct cairn cairn;
	struct cairn_request req = {.subject = "cohort.fields"},
			     other = {.subject = "cohort.field"};
	struct cairn_error err = {0};
	Cairn__FieldsAnswer *answer;

	(void)state;
	begin(&cairn);
	call(&cairn, &req);
	assert_int_equal(req.answers, 1);
	answer = cairn__fields_answer__unpack(NULL, req.reply_length, req.reply);
	assert_non_null(answer);
	assert_in_range(answer->n_fields, COHORT_ATTRIBUTES / 2, COHORT_ATTRIBUTES);
	cairn__fields_answer__free_unpacked(answer, NULL);
	assert_int_equal(cairn_plugin.call(cairn.self, &other, &err), CAIRN_ENOTFOUND);
	end(&cairn);
}

static void
a_cancelled_question_fails_once(void **state)
{
	struct cairn cairn;
	struct cairn_request req = count_request(NULL, NULL);

	(void)state;
	begin(&cairn);
	call(&cairn, &req);
	cairn_plugin.cancel(cairn.self, &req);
	run_works(&cairn);
	assert_int_equal(req.answers, 1);
	assert_int_equal(req.code, CAIRN_ECANCELLED);
	end(&cairn);
}

static void
stopping_waits_for_the_work_under_way(void **state)
{
	struct cairn cairn;
	struct cairn_job writing = facts_job(1), waiting = facts_job(2);
	struct cairn_request req = count_request(NULL, NULL);

	(void)state;
	begin(&cairn);
	give(&cairn, &writing);
	give(&cairn, &waiting);
	call(&cairn, &req);
	cairn_plugin.stop(cairn.self);
	assert_false(cairn.stopped);
	run_works(&cairn);
	assert_true(cairn.stopped);
	assert_int_equal(writing.done, 1);
	assert_int_equal(waiting.done + waiting.retried, 0);
	assert_int_equal(req.answers, 1);
	end(&cairn);
	job_fini(&writing);
	job_fini(&waiting);
}

static void
more_questions_than_the_limit_are_refused(void **state)
{
	struct cairn cairn;
	struct cairn_request reqs[64], one_more = count_request(NULL, NULL);
	struct cairn_error err = {0};

	(void)state;
	begin(&cairn);
	for (size_t i = 0; i < 64; i++) {
		reqs[i] = count_request(NULL, NULL);
		call(&cairn, &reqs[i]);
	}
	assert_int_equal(cairn_plugin.call(cairn.self, &one_more, &err), CAIRN_ELIMIT);
	run_works(&cairn);
	end(&cairn);
}

static enum cairn_severity
worst(struct cairn *cairn)
{
	struct cairn_finding last = {CAIRN_FINE, NULL, NULL, NULL};

	cairn_plugin.health(cairn->self, (struct cairn_findings *)&last);
	return last.severity;
}

static void
health_is_a_fault_while_facts_cannot_be_written(void **state)
{
	struct cairn cairn;
	struct cairn_job job = facts_job(1);

	(void)state;
	begin(&cairn);
	assert_int_equal(worst(&cairn), CAIRN_FINE);
	cairn.work_refused = true;
	give(&cairn, &job);
	assert_int_equal(job.retried, 1);
	assert_int_equal(worst(&cairn), CAIRN_FAULT);
	cairn.work_refused = false;
	give(&cairn, &job);
	run_works(&cairn);
	assert_int_equal(worst(&cairn), CAIRN_FINE);
	end(&cairn);
	job_fini(&job);
}

/* `code`, or the 20 patients of facts_job() of whom every other one carries it. */
static void
carriers_say(struct cairn *cairn, int code)
{
	static uint8_t bits[3] = {0x55, 0x55, 0x05};
	Cairn__CarriersAnswer answer = CAIRN__CARRIERS_ANSWER__INIT;
	char names[21][16], *pointers[21];
	uint8_t body[1024];
	size_t length;

	for (unsigned i = 0; i < 21; i++) {
		snprintf(names[i], sizeof names[i], "patient-%u", i < 20 ? i : 999);
		pointers[i] = names[i];
	}
	answer.version = (char *)(uintptr_t) "one";
	answer.patients = pointers;
	answer.n_patients = 21;
	answer.carriers = (ProtobufCBinaryData){sizeof bits, bits};
	length = cairn__carriers_answer__pack(&answer, body);
	cairn->called(cairn->called_arg, code, "why", body, code == 0 ? length : 0);
	run_works(cairn);
}

static struct cairn_request
variant_request(const char *text)
{
	struct cairn_request req = {.subject = "cohort.count"};
	Cairn__CountRequest request = CAIRN__COUNT_REQUEST__INIT;
	struct cairn_error err = {0};

	assert_ok(cohort_parse(text, &request.expression, &err), &err);
	req.length = cairn__count_request__pack(&request, req.body);
	cairn__expression__free_unpacked(request.expression, NULL);
	return req;
}

static uint64_t
counted(const struct cairn_request *req)
{
	Cairn__CountAnswer *answer =
	    cairn__count_answer__unpack(NULL, req->reply_length, req->reply);
	uint64_t count;

	assert_int_equal(req->answers, 1);
	assert_int_equal(req->code, 0);
	assert_non_null(answer);
	count = answer->count;
	cairn__count_answer__free_unpacked(answer, NULL);
	return count;
}

static void
carriers_of_a_variant_are_asked_for_and_counted(void **state)
{
	struct cairn cairn;
	struct cairn_job job = facts_job(20);
	struct cairn_request two = variant_request("gene = EGFR or not variant (KRAS, G12C)");
	struct cairn_request none = variant_request("gene = EGFR");
	struct cairn_request fails = variant_request("gene = EGFR");

	(void)state;
	begin(&cairn);
	give(&cairn, &job);
	run_works(&cairn);
	call(&cairn, &two);
	assert_int_equal(cairn.calls, 1);
	carriers_say(&cairn, 0);
	assert_int_equal(cairn.calls, 2);
	carriers_say(&cairn, 0);
	assert_int_equal(counted(&two), 20);
	call(&cairn, &none);
	carriers_say(&cairn, CAIRN_ENOTFOUND);
	assert_int_equal(counted(&none), 0);
	call(&cairn, &fails);
	carriers_say(&cairn, CAIRN_ETIMEOUT);
	assert_int_equal(fails.code, CAIRN_ETIMEOUT);
	assert_int_equal(fails.answers, 1);
	end(&cairn);
	job_fini(&job);
}

/* The index's identity, after telling it what is held and which index has it. */
static void
tell(struct cairn *cairn, const char *handed_to, uint64_t held, char ret[17])
{
	struct cairn_request req = {.subject = "cohort.index"};
	Cairn__IndexRequest request = CAIRN__INDEX_REQUEST__INIT;
	Cairn__IndexAnswer *answer;

	request.handed_to = (char *)(uintptr_t)handed_to;
	request.held = held;
	req.length = cairn__index_request__pack(&request, req.body);
	call(cairn, &req);
	answer = cairn__index_answer__unpack(NULL, req.reply_length, req.reply);
	assert_non_null(answer);
	assert_int_equal(strlen(answer->identity), 16);
	memcpy(ret, answer->identity, 17);
	cairn__index_answer__free_unpacked(answer, NULL);
}

static int
ask(struct cairn *cairn)
{
	struct cairn_request req = count_request(NULL, NULL);
	struct cairn_error err = {0};
	int code = cairn_plugin.call(cairn->self, &req, &err);

	run_works(cairn);
	return code;
}

static void
give_progress(struct cairn *cairn, const char *identity, bool complete)
{
	Cairn__FactBatch batch = CAIRN__FACT_BATCH__INIT;
	struct cairn_job job = {0};
	uint8_t body[64];

	batch.index = (char *)(uintptr_t)identity;
	batch.held = 3;
	batch.complete = complete;
	job.length = cairn__fact_batch__pack(&batch, body);
	job.body = body;
	give(cairn, &job);
	run_works(cairn);
	assert_int_equal(job.done, 1);
}

static void
no_count_is_given_until_a_new_index_has_everything(void **state)
{
	struct cairn cairn;
	char identity[17], same[17];

	(void)state;
	begin(&cairn);
	assert_int_equal(ask(&cairn), 0);
	tell(&cairn, "", 3, identity);
	assert_int_equal(ask(&cairn), CAIRN_EUNAVAILABLE);
	assert_int_equal(worst(&cairn), CAIRN_WARNING);
	give_progress(&cairn, identity, false);
	tell(&cairn, identity, 3, same); /* all is put, and not yet applied */
	assert_string_equal(same, identity);
	assert_int_equal(ask(&cairn), CAIRN_EUNAVAILABLE);
	give_progress(&cairn, "0123456789abcdef", true); /* of another index */
	assert_int_equal(ask(&cairn), CAIRN_EUNAVAILABLE);
	give_progress(&cairn, identity, true);
	assert_int_equal(ask(&cairn), 0);
	assert_int_equal(worst(&cairn), CAIRN_FINE);
	end(&cairn);
}

static void
reindexing_makes_it_another_index_that_has_nothing_yet(void **state)
{
	struct cairn_request req = {.subject = "cohort.reindex"};
	struct cairn_error err = {0};
	char before[17], after[17];
	struct cairn cairn;

	(void)state;
	begin(&cairn);
	assert_int_equal(cairn_plugin.call(cairn.self, &req, &err), CAIRN_EUNAVAILABLE);
	tell(&cairn, "", 0, before);
	call(&cairn, &req);
	tell(&cairn, before, 3, after);
	assert_string_not_equal(before, after);
	assert_int_equal(ask(&cairn), CAIRN_EUNAVAILABLE);
	give_progress(&cairn, after, true);
	tell(&cairn, after, 3, after);
	assert_int_equal(ask(&cairn), 0);
	end(&cairn);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_job_is_acknowledged_after_its_commit),
	    cmocka_unit_test(what_is_done_is_counted),
	    cmocka_unit_test(a_poison_job_is_retried_with_its_reason_and_spoils_no_other),
	    cmocka_unit_test(only_obligations_that_are_carried_out_are_reported),
	    cmocka_unit_test(what_can_be_asked_is_said_at_once),
	    cmocka_unit_test(a_cancelled_question_fails_once),
	    cmocka_unit_test(carriers_of_a_variant_are_asked_for_and_counted),
	    cmocka_unit_test(health_is_a_fault_while_facts_cannot_be_written),
	    cmocka_unit_test(stopping_waits_for_the_work_under_way),
	    cmocka_unit_test(more_questions_than_the_limit_are_refused),
	    cmocka_unit_test(no_count_is_given_until_a_new_index_has_everything),
	    cmocka_unit_test(reindexing_makes_it_another_index_that_has_nothing_yet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
