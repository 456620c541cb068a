/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "outbox.h"

#define JPEG "1.2.840.10008.1.2.4.50"
#define PIXELS 5000

static const char *const syntaxes[] = {
    DCM_IMPLICIT_LE, DCM_EXPLICIT_LE, DCM_EXPLICIT_BE, DCM_DEFLATED_LE, JPEG};
#define SYNTAXES (sizeof syntaxes / sizeof syntaxes[0])

/* The stored file's data set, inflated where it is deflated. */
static void
read_dataset(struct cairn *fixture, const char *uid, const char *syntax, struct buf *ret)
{
	BUF_AUTO file = {0};
	struct cairn_error err = {0};
	struct dcm_meta meta;

	stored_read(fixture, uid, &file);
	assert_ok(dcm_meta_read(file.data, file.length, true, &meta, &err), &err);
	assert_string_equal(meta.transfer_syntax, syntax);
	buf_init(ret, 1 << 24);
	if (meta.syntax->deflated)
		assert_ok(dcm_inflate(file.data + meta.dataset_offset,
			      file.length - meta.dataset_offset, ret, &err),
		    &err);
	else
		assert_int_equal(buf_append(ret, file.data + meta.dataset_offset,
				     file.length - meta.dataset_offset),
		    0);
}

/* It is a data set to its end, says whose it is, and none of the patient is left. */
static void
check_dataset(const struct buf *data, const char *syntax, size_t pixels)
{
	const struct dcm_syntax *known = dcm_syntax_find(syntax);
	struct deid_input input = {
	    known->deflated ? dcm_syntax_find(DCM_EXPLICIT_LE) : known, data->data, data->length};
	BUF_AUTO part = {.max = 1 << 20};
	struct cairn_error err = {0};
	struct dcm_reader reader;
	struct dcm_token token;
	struct deid_scan scan;

	assert_ok(deid_scan(&input, &scan, &err), &err);
	assert_string_equal(scan.patient_id, "p7seudonym");
	assert_int_equal(scan.end.pixels, pixels > 0);
	dcm_reader_init(&reader, input.syntax, 0);
	reader.pixels_as_elements = true;
	do
		assert_ok(
		    dcm_reader_next(&reader, data->data, data->length, true, &token, &err), &err);
	while (token.kind != DCM_END);
	assert_false(buf_holds(data, SAMPLE_SECRET, strlen(SAMPLE_SECRET)));
	for (size_t i = pixels / 4 * 2; i < pixels; i++)
		assert_int_equal(buf_append(&part, &(uint8_t){sample_pixel(i)}, 1), 0);
	assert_true(buf_holds(data, part.data, part.length));
}

static void
store_and_check(const char *syntax, size_t pixels, size_t piece)
{
	BUF_AUTO sample = {0}, stored = {0};
	struct cairn fixture;
	struct source source;

	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	sample_make(&sample, syntax, SAMPLE_UID, pixels);
	source_store(&source, &fixture, syntax, &sample, piece);
	assert_string_equal(source.result.reason, "");
	assert_int_equal(source.result.code, 0);
	assert_false(source.result.duplicate);
	read_dataset(&fixture, SAMPLE_UID, syntax, &stored);
	check_dataset(&stored, syntax, pixels);
	fixture_stop(&fixture);
}

static void
every_encoding_is_stored_whole_and_byte_by_byte(void **state)
{
	static const size_t pieces[] = {1, 7, 8192, SIZE_MAX / 2};

	(void)state;
	for (size_t i = 0; i < SYNTAXES; i++)
		for (size_t j = 0; j < sizeof pieces / sizeof pieces[0]; j++)
			store_and_check(syntaxes[i], PIXELS, pieces[j]);
}

static void
a_report_without_pixels_is_stored(void **state)
{
	(void)state;
	store_and_check(DCM_EXPLICIT_LE, 0, 64);
	store_and_check(DCM_IMPLICIT_LE, 0, SIZE_MAX / 2);
	store_and_check(DCM_DEFLATED_LE, 0, 3);
}

/* Where the pixel data element begins: cut there, the rest is a data set without pixels. */
static size_t
pixels_begin(const struct buf *sample, const char *syntax)
{
	const struct deid_input input = {dcm_syntax_find(syntax), sample->data, sample->length};
	struct deid_scan scan;

	if (input.syntax->deflated)
		return 0;
	assert_int_equal(deid_scan(&input, &scan, NULL), 0);
	return scan.end.offset;
}

static void
what_ends_too_early_is_refused_at_every_byte(void **state)
{
	struct cairn fixture;
	struct source source;
	char uid[32];

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	for (size_t i = 0; i < SYNTAXES; i++) {
		BUF_AUTO sample = {0};
		size_t whole, pixels;

		snprintf(uid, sizeof uid, "1.2.3.%zu", i + 1);
		sample_make(&sample, syntaxes[i], uid, 40);
		whole = sample.length;
		pixels = pixels_begin(&sample, syntaxes[i]);
		for (size_t cut = 1; cut < whole; cut++) {
			if (cut == pixels)
				continue;
			sample.length = cut;
			source_store(&source, &fixture, syntaxes[i], &sample, 100000);
			/* What may be missing without harm: what follows the pixel data. */
			if (source.result.code == 0) {
				assert_true(cut > whole - 60);
				break;
			}
			assert_int_equal(source.result.status, 0xc000);
			assert_true(strlen(source.result.reason) > 10);
		}
	}
	fixture_stop(&fixture);
}

static void
an_instance_that_is_held_is_a_duplicate(void **state)
{
	BUF_AUTO sample = {0};
	struct cairn fixture;
	struct source first, second;

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	sample_make(&sample, DCM_EXPLICIT_LE, SAMPLE_UID, PIXELS);
	source_store(&first, &fixture, DCM_EXPLICIT_LE, &sample, 1000);
	source_store(&second, &fixture, DCM_EXPLICIT_LE, &sample, 1000);
	assert_int_equal(second.result.code, 0);
	assert_true(second.result.duplicate);
	assert_int_equal(fixture.connector.stored, 1);
	assert_int_equal(fixture.connector.duplicates, 1);
	fixture_stop(&fixture);
}

/* The patient is not known yet, so the source is paused when it turns out. */
static void
a_duplicate_found_while_paused_says_that_the_source_is(void **state)
{
	BUF_AUTO sample = {0};
	struct cairn fixture;
	struct source first, second;

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	sample_make(&sample, DCM_EXPLICIT_LE, SAMPLE_UID, PIXELS);
	source_begin(&second, &fixture, DCM_EXPLICIT_LE);
	assert_true(ingest_data(second.ingest, sample.data, sample.length));
	assert_int_equal(second.pauses, 1);
	source_begin(&first, &fixture, DCM_EXPLICIT_LE);
	assert_true(ingest_data(first.ingest, sample.data, sample.length));
	ingest_end(first.ingest);
	assert_int_equal(fixture.asked_count, 2);
	/* The one that asked last is answered first. */
	fixture.asked[2] = fixture.asked[0];
	fixture.asked[0] = fixture.asked[1];
	fixture.asked[1] = fixture.asked[2];
	fixture_answer(&fixture, 0);
	fixture_wait(&fixture, &first.done);
	fixture_answer(&fixture, 0);
	assert_true(second.done);
	assert_true(second.result.duplicate);
	assert_true(second.result.paused);
	fixture_stop(&fixture);
}

static void
the_second_of_one_instance_waits_for_the_first(void **state)
{
	BUF_AUTO sample = {0};
	struct cairn fixture;
	struct source first, second;

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	sample_make(&sample, DCM_EXPLICIT_LE, SAMPLE_UID, PIXELS);
	source_begin(&first, &fixture, DCM_EXPLICIT_LE);
	source_send(&first, &fixture, &sample, 1000);
	source_begin(&second, &fixture, DCM_EXPLICIT_LE);
	assert_true(ingest_data(second.ingest, sample.data, sample.length));
	assert_int_equal(second.pauses, 1);
	ingest_end(second.ingest);
	assert_false(second.done);
	ingest_end(first.ingest);
	fixture_wait(&fixture, &second.done);
	assert_true(first.done);
	assert_false(first.result.duplicate);
	assert_true(second.result.duplicate);
	fixture_stop(&fixture);
}

static void
the_second_is_stored_when_the_first_goes_away(void **state)
{
	BUF_AUTO sample = {0};
	struct cairn fixture;
	struct source first, second;

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	sample_make(&sample, DCM_EXPLICIT_LE, SAMPLE_UID, PIXELS);
	source_begin(&first, &fixture, DCM_EXPLICIT_LE);
	source_send(&first, &fixture, &sample, 1000);
	source_begin(&second, &fixture, DCM_EXPLICIT_LE);
	assert_true(ingest_data(second.ingest, sample.data, sample.length));
	ingest_end(second.ingest);
	ingest_abort(first.ingest);
	fixture_wait(&fixture, &second.done);
	assert_int_equal(second.result.code, 0);
	assert_false(second.result.duplicate);
	fixture_stop(&fixture);
}

static void
without_a_pseudonym_nothing_is_stored(void **state)
{
	BUF_AUTO sample = {0};
	struct cairn fixture;
	struct source source;

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	sample_make(&sample, DCM_EXPLICIT_LE, SAMPLE_UID, PIXELS);
	source_begin(&source, &fixture, DCM_EXPLICIT_LE);
	assert_true(ingest_data(source.ingest, sample.data, sample.length));
	fixture_answer(&fixture, CAIRN_ETIMEOUT);
	assert_true(source.done);
	assert_int_equal(source.result.status, 0xa700);
	assert_string_equal(source.result.reason, "no pseudonym: the test says no");
	assert_int_equal(objects_count(fixture.connector.objects), 0);
	fixture_stop(&fixture);
}

/* After each number of bytes: nothing is called any more, nothing stays, the instance can come
 * again. */
static void
an_abort_at_any_byte_leaves_nothing(void **state)
{
	struct cairn fixture;
	struct source source;

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	for (size_t i = 0; i < SYNTAXES; i++) {
		BUF_AUTO sample = {0};
		size_t whole;

		sample_make(&sample, syntaxes[i], SAMPLE_UID, 40);
		whole = sample.length;
		for (size_t cut = 0; cut <= whole; cut++) {
			sample.length = cut;
			source_begin(&source, &fixture, syntaxes[i]);
			source_send(&source, &fixture, &sample, 16);
			ingest_abort(source.ingest);
			assert_false(source.done);
			assert_int_equal(fixture.connector.buffered, 0);
		}
	}
	assert_int_equal(objects_count(fixture.connector.objects), 0);
	fixture_stop(&fixture);
}

static void
an_abort_while_the_pseudonym_is_asked_for_is_survived(void **state)
{
	BUF_AUTO sample = {0};
	struct cairn fixture;
	struct source source;

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	sample_make(&sample, DCM_EXPLICIT_LE, SAMPLE_UID, PIXELS);
	source_begin(&source, &fixture, DCM_EXPLICIT_LE);
	assert_true(ingest_data(source.ingest, sample.data, sample.length));
	ingest_abort(source.ingest);
	assert_int_equal(fixture.connector.buffered, 0);
	fixture_answer(&fixture, 0);
	assert_false(source.done);
	assert_int_equal(objects_count(fixture.connector.objects), 0);
	fixture_stop(&fixture);
}

static void
an_abort_while_it_becomes_durable_is_survived(void **state)
{
	BUF_AUTO sample = {0};
	struct cairn fixture;
	struct source source, again;

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	sample_make(&sample, DCM_EXPLICIT_LE, SAMPLE_UID, PIXELS);
	source_begin(&source, &fixture, DCM_EXPLICIT_LE);
	source_send(&source, &fixture, &sample, SIZE_MAX / 2);
	ingest_end(source.ingest);
	ingest_abort(source.ingest);
	source_store(&again, &fixture, DCM_EXPLICIT_LE, &sample, SIZE_MAX / 2);
	assert_false(source.done);
	assert_true(again.result.duplicate);
	fixture_stop(&fixture);
}

static void
stopping_refuses_what_is_not_whole_and_stores_what_is(void **state)
{
	BUF_AUTO first = {0}, second = {0}, third = {0};
	struct cairn fixture;
	struct source committing, streaming, waiting;

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	sample_make(&first, DCM_EXPLICIT_LE, "1.2.3.1", PIXELS);
	sample_make(&second, DCM_EXPLICIT_LE, "1.2.3.2", PIXELS);
	sample_make(&third, DCM_EXPLICIT_LE, "1.2.3.3", PIXELS);
	source_begin(&waiting, &fixture, DCM_EXPLICIT_LE);
	assert_true(ingest_data(waiting.ingest, third.data, third.length));
	source_begin(&committing, &fixture, DCM_EXPLICIT_LE);
	assert_true(ingest_data(committing.ingest, first.data, first.length));
	fixture.asked[2] = fixture.asked[0];
	fixture.asked[0] = fixture.asked[1];
	fixture.asked[1] = fixture.asked[2];
	fixture_answer(&fixture, 0);
	ingest_end(committing.ingest);
	source_begin(&streaming, &fixture, DCM_EXPLICIT_LE);
	assert_true(ingest_data(streaming.ingest, second.data, second.length - 1000));
	fixture_stop(&fixture);
	assert_true(committing.done && streaming.done && waiting.done);
	assert_int_equal(committing.result.code, 0);
	assert_int_equal(streaming.result.code, CAIRN_ECANCELLED);
	assert_int_equal(streaming.result.status, 0xa700);
	assert_int_equal(waiting.result.code, CAIRN_ECANCELLED);
}

static void
the_largest_header_gives_way_when_memory_is_short(void **state)
{
	const uint8_t filler[] = {0x09, 0, 0x10, 0x10, 'O', 'B', 0, 0, 0xfe, 0xff, 0xff, 0x7f};
	BUF_AUTO large = {.max = 1 << 20}, sample = {0};
	struct cairn fixture;
	struct source hog, good;

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	fixture.connector.buffered_max = 1 << 17;
	assert_int_equal(buf_append(&large, filler, sizeof filler), 0);
	assert_int_equal(buf_append_zero(&large, 1 << 16), 0);
	source_begin(&hog, &fixture, DCM_EXPLICIT_LE);
	source_send(&hog, &fixture, &large, 1000);
	assert_false(hog.done);
	sample_make(&sample, DCM_EXPLICIT_LE, SAMPLE_UID, 20000);
	source_begin(&good, &fixture, DCM_EXPLICIT_LE);
	assert_true(ingest_data(good.ingest, sample.data, sample.length));
	assert_true(hog.done);
	assert_int_equal(hog.result.status, 0xa700);
	fixture_answer(&fixture, 0);
	ingest_end(good.ingest);
	fixture_wait(&fixture, &good.done);
	assert_int_equal(good.result.code, 0);
	fixture_stop(&fixture);
}

static void
a_command_that_contradicts_the_data_set_is_a_mismatch(void **state)
{
	BUF_AUTO sample = {0};
	struct cairn fixture;
	struct source source;
	struct ingest_claim claim = {dcm_syntax_find(DCM_EXPLICIT_LE), SAMPLE_CT, "1.2.3.99", true};

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	sample_make(&sample, DCM_EXPLICIT_LE, SAMPLE_UID, PIXELS);
	source_begin_claim(&source, &fixture, &claim);
	assert_false(ingest_data(source.ingest, sample.data, sample.length));
	assert_int_equal(source.result.status, 0xa900);
	fixture_stop(&fixture);
}

static void
a_tree_of_files_is_laid_out_by_patient_study_and_series(void **state)
{
	BUF_AUTO sample = {0}, stored = {0};
	char study[DCM_UID_MAX + 1], series[DCM_UID_MAX + 1], instance[DCM_UID_MAX + 1], path[600];
	struct deid_profile *profile;
	struct cairn fixture;
	struct source source;
	FILE *file;

	(void)state;
	fixture_start(&fixture, OBJECTS_FILES, true);
	profile = fixture.connector.profile;
	sample_make(&sample, DCM_EXPLICIT_LE, SAMPLE_UID, PIXELS);
	source_store(&source, &fixture, DCM_EXPLICIT_LE, &sample, 1000);
	assert_int_equal(source.result.code, 0);
	assert_int_equal(deid_uid(profile, "1.2.3.4", study, NULL), 0);
	assert_int_equal(deid_uid(profile, "1.2.3.4.5", series, NULL), 0);
	assert_int_equal(deid_uid(profile, SAMPLE_UID, instance, NULL), 0);
	snprintf(path, sizeof path, "%s/files/tests/p7seudonym/%s/%s/%s.dcm", fixture.dir.path,
	    study, series, instance);
	file = fopen(path, "rb");
	assert_non_null(file);
	fclose(file);
	read_dataset(&fixture, SAMPLE_UID, DCM_EXPLICIT_LE, &stored);
	check_dataset(&stored, DCM_EXPLICIT_LE, PIXELS);
	fixture_stop(&fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_encoding_is_stored_whole_and_byte_by_byte),
	    cmocka_unit_test(a_report_without_pixels_is_stored),
	    cmocka_unit_test(what_ends_too_early_is_refused_at_every_byte),
	    cmocka_unit_test(an_instance_that_is_held_is_a_duplicate),
	    cmocka_unit_test(a_duplicate_found_while_paused_says_that_the_source_is),
	    cmocka_unit_test(the_second_of_one_instance_waits_for_the_first),
	    cmocka_unit_test(the_second_is_stored_when_the_first_goes_away),
	    cmocka_unit_test(without_a_pseudonym_nothing_is_stored),
	    cmocka_unit_test(an_abort_at_any_byte_leaves_nothing),
	    cmocka_unit_test(an_abort_while_the_pseudonym_is_asked_for_is_survived),
	    cmocka_unit_test(an_abort_while_it_becomes_durable_is_survived),
	    cmocka_unit_test(stopping_refuses_what_is_not_whole_and_stores_what_is),
	    cmocka_unit_test(the_largest_header_gives_way_when_memory_is_short),
	    cmocka_unit_test(a_command_that_contradicts_the_data_set_is_a_mismatch),
	    cmocka_unit_test(a_tree_of_files_is_laid_out_by_patient_study_and_series),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
