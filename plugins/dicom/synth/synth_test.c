/* SPDX-License-Identifier: Apache-2.0 */
#include "synth.h"

#include "base/buf.h"
#include "base/test.h"
#include "dicom/reader.h"

#define FILE_SIZE_MAX (1u << 20)

static const struct synth_options plain = {.seed = 7, .patients = 12, .slices = 2, .matrix = 16};

static void
read_file(const char *path, struct buf *ret)
{
	uint8_t part[4096];
	FILE *in = fopen(path, "rb");
	size_t length;

	assert_non_null(in);
	while ((length = fread(part, 1, sizeof part, in)) > 0)
		assert_int_equal(buf_append(ret, part, length), 0);
	fclose(in);
}

/* All files of a population, one behind the other. */
static void
make(const struct synth_options *options, struct buf *ret)
{
	struct synth_series series[SYNTH_SERIES_MAX];
	struct synth_patient patient;
	struct cairn_error err = {0};
	struct test_dir dir;
	char path[96];

	test_dir_make(&dir);
	snprintf(path, sizeof path, "%s/one.dcm", dir.path);
	buf_init(ret, FILE_SIZE_MAX);
	for (unsigned i = 0; i < options->patients; i++) {
		synth_patient_make(options, i, &patient);
		for (unsigned study = 0; study < patient.studies; study++) {
			size_t count = synth_series_make(options, &patient, study, series);

			for (size_t s = 0; s < count; s++) {
				assert_ok(synth_write(path, options, &patient, &series[s], 0, &err),
				    &err);
				read_file(path, ret);
			}
		}
	}
	test_dir_remove(&dir);
}

static void
the_same_seed_gives_the_same_bytes(void **state)
{
	BUF_AUTO first = {0}, second = {0};

	(void)state;
	make(&plain, &first);
	make(&plain, &second);
	assert_true(first.length > 0);
	assert_int_equal(first.length, second.length);
	assert_memory_equal(first.data, second.data, first.length);
}

static void
another_seed_gives_other_patients(void **state)
{
	struct synth_options other = plain;
	struct synth_patient one, two;

	(void)state;
	other.seed = 8;
	synth_patient_make(&plain, 0, &one);
	synth_patient_make(&other, 0, &two);
	assert_string_not_equal(one.id, two.id);
	assert_true(strcmp(one.name, two.name) != 0 || one.birth_day != two.birth_day);
}

/* A patient is the same whatever else is asked for. */
static void
a_patient_does_not_depend_on_how_many_there_are(void **state)
{
	struct synth_options more = plain;
	struct synth_patient one, two;

	(void)state;
	more.patients = 1000;
	synth_patient_make(&plain, 5, &one);
	synth_patient_make(&more, 5, &two);
	assert_string_equal(one.id, two.id);
	assert_string_equal(one.name, two.name);
	assert_int_equal(one.birth_day, two.birth_day);
}

static void
tags_ascend_in_every_instance(void **state)
{
	BUF_AUTO all = {0};
	size_t at = 0;
	unsigned instances = 0;

	(void)state;
	make(&plain, &all);
	while (at < all.length) {
		struct cairn_error err = {0};
		struct dcm_reader reader;
		struct dcm_token token;
		struct dcm_meta meta;
		uint32_t last = 0;

		assert_ok(dcm_meta_read(all.data + at, all.length - at, true, &meta, &err), &err);
		at += meta.dataset_offset;
		dcm_reader_init(&reader, meta.syntax, 0);
		do {
			assert_ok(dcm_reader_next(
				      &reader, all.data + at, all.length - at, true, &token, &err),
			    &err);
			if (token.depth > 0 || token.kind == DCM_SEQUENCE_END)
				continue;
			assert_true(token.tag > last);
			last = token.tag;
		} while (token.kind != DCM_PIXELS);
		assert_int_equal(token.length, plain.matrix * plain.matrix * 2);
		at += token.value_offset + token.length;
		instances++;
	}
	assert_true(instances > plain.patients);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_same_seed_gives_the_same_bytes),
	    cmocka_unit_test(another_seed_gives_other_patients),
	    cmocka_unit_test(a_patient_does_not_depend_on_how_many_there_are),
	    cmocka_unit_test(tags_ascend_in_every_instance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
