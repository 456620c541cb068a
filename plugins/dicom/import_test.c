/* SPDX-License-Identifier: Apache-2.0 */
#include "import.h"

#include <unistd.h>

#include "base/file.h"
#include "cairn/imaging.pb-c.h"
#include "dicom/part10.h"
#include "testing.h"

static void
save(const char *path, const char *uid, size_t pixels)
{
	BUF_AUTO file = {.max = 1 << 20}, sample = {0};
	FILE *out = fopen(path, "wb");

	sample_make(&sample, DCM_EXPLICIT_LE, uid, pixels);
	assert_non_null(out);
	assert_int_equal(dcm_meta_write(&file, SAMPLE_CT, uid, DCM_EXPLICIT_LE), 0);
	assert_int_equal(fwrite(file.data, 1, file.length, out), file.length);
	assert_int_equal(fwrite(sample.data, 1, sample.length, out), sample.length);
	fclose(out);
}

static void
make_files(struct test_dir *dir, unsigned count, size_t pixels)
{
	test_dir_make(dir);
	for (unsigned i = 0; i < count; i++) {
		char path[128], uid[32];

		snprintf(path, sizeof path, "%s/%u.dcm", dir->path, i);
		snprintf(uid, sizeof uid, "1.2.3.%u", i + 1);
		save(path, uid, pixels);
	}
}

static int
begin(struct cairn *fixture, struct cairn_request *req, const char *path, struct cairn_error *err)
{
	Cairn__ImportRequest request = CAIRN__IMPORT_REQUEST__INIT;
	char *paths[] = {(char *)(uintptr_t)path};

	*req = (struct cairn_request){0};
	request.paths = paths;
	request.n_paths = 1;
	req->length = cairn__import_request__pack(&request, req->body);
	return import_start(&fixture->connector, req, err);
}

static void
start(struct cairn *fixture, struct cairn_request *req, const char *path)
{
	struct cairn_error err = {0};

	assert_ok(begin(fixture, req, path, &err), &err);
}

/* Runs work, answers and the loop until the request is answered. */
static void
finish(struct cairn *fixture, struct cairn_request *req)
{
	for (int i = 0; req->answers == 0; i++) {
		assert_true(i < 100000);
		fixture_run_works(fixture);
		while (fixture->asked_count > 0)
			fixture_answer(fixture, 0);
		uv_run(&fixture->loop, UV_RUN_NOWAIT);
	}
	assert_int_equal(req->answers, 1);
}

static Cairn__ImportProgress *
reply(const struct cairn_request *req)
{
	Cairn__ImportProgress *message =
	    cairn__import_progress__unpack(NULL, req->reply_length, req->reply);

	assert_non_null(message);
	assert_int_equal(req->code, 0);
	return message;
}

static void
every_file_of_a_folder_is_imported(void **state)
{
	Cairn__ImportProgress *message;
	struct cairn_request req;
	struct cairn fixture;
	struct test_dir dir;

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	make_files(&dir, 50, 400);
	start(&fixture, &req, dir.path);
	finish(&fixture, &req);
	message = reply(&req);
	assert_int_equal(message->files_total, 50);
	assert_int_equal(message->imported, 50);
	assert_int_equal(message->refused, 0);
	cairn__import_progress__free_unpacked(message, NULL);
	assert_null(fixture.connector.imports);
	fixture_stop(&fixture);
	test_dir_remove(&dir);
}

static void
a_file_that_vanishes_is_refused_with_the_reason(void **state)
{
	Cairn__ImportProgress *message;
	struct cairn_request req;
	struct cairn fixture;
	struct test_dir dir;
	char path[128];

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	make_files(&dir, 3, 400);
	start(&fixture, &req, dir.path);
	/* The walk only; then one goes. */
	fixture.works_count = 0;
	fixture.works[0].work(fixture.works[0].arg);
	snprintf(path, sizeof path, "%s/1.dcm", dir.path);
	assert_int_equal(unlink(path), 0);
	fixture.works[0].after(fixture.works[0].arg);
	finish(&fixture, &req);
	message = reply(&req);
	assert_int_equal(message->imported, 2);
	assert_int_equal(message->refused, 1);
	assert_string_equal(message->refusals[0]->path, path);
	assert_string_equal(
	    message->refusals[0]->reason, "cannot be read: No such file or directory");
	cairn__import_progress__free_unpacked(message, NULL);
	fixture_stop(&fixture);
	test_dir_remove(&dir);
}

/* After each number of steps: the request fails once, nothing is left. */
static void
a_cancelled_import_ends_wherever_it_is(void **state)
{
	struct test_dir dir;
	struct cairn_request req;

	(void)state;
	make_files(&dir, 6, 400);
	for (unsigned steps = 0; steps < 12; steps++) {
		struct cairn fixture;

		fixture_start(&fixture, OBJECTS_SEGMENTS, true);
		start(&fixture, &req, dir.path);
		for (unsigned i = 0; i < steps; i++) {
			if (i % 3 == 0)
				fixture_run_works(&fixture);
			else if (i % 3 == 1 && fixture.asked_count > 0)
				fixture_answer(&fixture, 0);
			else
				fixture_turn(&fixture);
		}
		if (req.answers > 0)
			steps = 12;
		else
			import_cancel(&fixture.connector, &req);
		finish(&fixture, &req);
		assert_true(steps == 12 || req.code == CAIRN_ECANCELLED);
		assert_null(fixture.connector.imports);
		fixture_stop(&fixture);
	}
	test_dir_remove(&dir);
}

static void
an_import_that_gets_no_worker_fails_and_is_no_recursion(void **state)
{
	struct cairn_request req;
	struct cairn fixture;
	struct test_dir dir;

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	make_files(&dir, 5, 400);
	start(&fixture, &req, dir.path);
	fixture.works_count = 0;
	fixture.works[0].work(fixture.works[0].arg);
	fixture.no_worker = true;
	fixture.works[0].after(fixture.works[0].arg);
	assert_int_equal(req.answers, 1);
	assert_int_equal(req.code, CAIRN_EUNAVAILABLE);
	assert_non_null(strstr(req.text, "no worker thread is free"));
	fixture_stop(&fixture);
	test_dir_remove(&dir);
}

static void
a_stop_ends_an_import_whose_instance_waits(void **state)
{
	struct cairn_request req;
	struct cairn fixture;
	struct test_dir dir;

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	make_files(&dir, 5, 400);
	start(&fixture, &req, dir.path);
	fixture_run_works(&fixture);
	assert_true(fixture.asked_count > 0); /* for pseudonyms */
	import_cancel(&fixture.connector, NULL);
	fixture_stop(&fixture);
	assert_int_equal(req.answers, 1);
	assert_int_equal(req.code, CAIRN_ECANCELLED);
	assert_null(fixture.connector.imports);
	test_dir_remove(&dir);
}

static void
a_refusal_while_the_source_is_paused_ends_its_file_only(void **state)
{
	Cairn__ImportProgress *message;
	struct cairn_request req;
	struct cairn fixture;
	struct test_dir dir;

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	make_files(&dir, 2, 600000); /* more than one read */
	start(&fixture, &req, dir.path);
	fixture_run_works(&fixture);
	assert_int_equal(fixture.asked_count, 2);
	fixture_answer(&fixture, CAIRN_ETIMEOUT);
	finish(&fixture, &req);
	message = reply(&req);
	assert_int_equal(message->imported, 1);
	assert_int_equal(message->refused, 1);
	assert_string_equal(message->refusals[0]->reason, "no pseudonym: the test says no");
	cairn__import_progress__free_unpacked(message, NULL);
	fixture_stop(&fixture);
	test_dir_remove(&dir);
}

static void
paths_must_be_absolute_and_imports_few(void **state)
{
	struct cairn_request reqs[5];
	struct cairn_error err = {0};
	struct cairn fixture;
	struct test_dir dir;

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	make_files(&dir, 0, 400);
	assert_int_equal(begin(&fixture, &reqs[0], "relative", &err), CAIRN_EINVAL);
	for (int i = 0; i < 4; i++)
		start(&fixture, &reqs[i], dir.path);
	assert_int_equal(begin(&fixture, &reqs[4], dir.path, &err), CAIRN_ELIMIT);
	for (int i = 0; i < 4; i++)
		finish(&fixture, &reqs[i]);
	fixture_stop(&fixture);
	test_dir_remove(&dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_file_of_a_folder_is_imported),
	    cmocka_unit_test(a_file_that_vanishes_is_refused_with_the_reason),
	    cmocka_unit_test(a_cancelled_import_ends_wherever_it_is),
	    cmocka_unit_test(an_import_that_gets_no_worker_fails_and_is_no_recursion),
	    cmocka_unit_test(a_stop_ends_an_import_whose_instance_waits),
	    cmocka_unit_test(a_refusal_while_the_source_is_paused_ends_its_file_only),
	    cmocka_unit_test(paths_must_be_absolute_and_imports_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
