/* SPDX-License-Identifier: Apache-2.0 */
/* The plain tree. */

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "objects/fixture_test.h"

static void
make(struct fixture *f)
{
	fixture_make(f);
	f->options.layout = OBJECTS_FILES;
	fixture_open(f);
}

static void
an_object_is_a_file_under_its_path(void **state)
{
	BUF_AUTO file = {.max = 1 << 20};
	struct fixture f;
	uint8_t expected[5000];
	char path[256];

	(void)state;
	make(&f);
	assert_int_equal(fixture_put_at(&f, "1.2", "project/patient/study/1.2.dcm", 5000, "n"), 0);
	fixture_path(&f, "files/project/patient/study/1.2.dcm", path);
	assert_int_equal(file_read(path, &file, NULL), 0);
	fixture_bytes("1.2", expected, sizeof expected);
	assert_int_equal(file.length, sizeof expected);
	assert_memory_equal(file.data, expected, sizeof expected);
	assert_int_equal(fixture_check_here(&f, "1.2"), 0);
	fixture_close(&f);
	fixture_open(&f);
	assert_int_equal(fixture_check_here(&f, "1.2"), 0);
	fixture_remove(&f);
}

static void
hostile_paths_are_refused(void **state)
{
	const char *const bad[] = {NULL, "", "/etc/x", "../x", "a/../../x", "a/./b", "a//b", ".x"};
	struct objects_put *put;
	struct fixture f;

	(void)state;
	make(&f);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(
		    objects_begin(f.objects, "k", bad[i], &put, NULL, NULL), CAIRN_EINVAL);
	assert_int_equal(fixture_put_at(&f, "k", "good", 10, NULL), 0);
	fixture_remove(&f);
}

static void
a_symbolic_link_does_not_lead_out_of_the_tree(void **state)
{
	struct test_dir outside;
	struct fixture f;
	char path[256], there[256];

	(void)state;
	make(&f);
	test_dir_make(&outside);
	fixture_path(&f, "files/link", path);
	assert_int_equal(symlink(outside.path, path), 0);
	assert_int_equal(fixture_put_at(&f, "k", "link/x", 10, NULL), CAIRN_EIO);
	snprintf(there, sizeof there, "%s/x", outside.path);
	assert_false(file_exists(there));
	test_dir_remove(&outside);
	fixture_remove(&f);
}

static void
two_objects_cannot_have_one_path(void **state)
{
	struct fixture f;

	(void)state;
	make(&f);
	assert_int_equal(fixture_put_at(&f, "a", "p/x", 100, NULL), 0);
	assert_int_equal(fixture_put_at(&f, "b", "p/x", 100, NULL), CAIRN_EINVAL);
	assert_int_equal(fixture_check_here(&f, "a"), 0);
	assert_false(objects_has(f.objects, "b"));
	fixture_remove(&f);
}

static void
a_changed_file_is_found_by_reading(void **state)
{
	struct fixture f;
	char path[256];

	(void)state;
	make(&f);
	assert_int_equal(fixture_put_at(&f, "a", "p/a", 100, NULL), 0);
	assert_int_equal(fixture_put_at(&f, "b", "p/b", 100, NULL), 0);
	fixture_path(&f, "files/p/a", path);
	fixture_flip(path, 50);
	assert_int_equal(fixture_check_here(&f, "a"), CAIRN_ECORRUPT);
	fixture_path(&f, "files/p/b", path);
	assert_int_equal(truncate(path, 99), 0);
	assert_int_equal(fixture_check_here(&f, "b"), CAIRN_ECORRUPT);
	fixture_remove(&f);
}

static void
erasing_removes_the_file(void **state)
{
	struct fixture f;
	char path[256];

	(void)state;
	make(&f);
	assert_int_equal(fixture_put_at(&f, "a", "p/a", 100, NULL), 0);
	fixture_path(&f, "files/p/a", path);
	assert_true(file_exists(path));
	assert_int_equal(fixture_erase(&f, "a"), 0);
	assert_false(file_exists(path));
	assert_int_equal(fixture_put_at(&f, "a2", "p/a", 100, NULL), 0);
	fixture_close(&f);
	assert_int_equal(objects_index_remove(f.dir.path, NULL), 0);
	fixture_open(&f);
	assert_int_equal(fixture_check_here(&f, "a2"), 0);
	assert_int_equal(fixture_check_here(&f, "a"), CAIRN_ENOTFOUND);
	fixture_remove(&f);
}

static void
put_one(struct fixture *f)
{
	fixture_open(f);
	assert_int_equal(fixture_put_at(f, "a", "p/a", 100, NULL), 0);
}

/* A stop between the record and the file's name: the file is still aside. */
static void
a_recorded_file_gets_its_name_at_open(void **state)
{
	struct fixture f;
	struct objects_cursor cursor = {0};
	struct objects_ref ref;
	struct index_entry entry;
	uint8_t *note = NULL;
	size_t length;
	char path[256], aside[256], name[64];

	(void)state;
	fixture_make(&f);
	f.options.layout = OBJECTS_FILES;
	fixture_abandon(&f, put_one);
	fixture_open(&f);
	assert_int_equal(objects_next(f.objects, &cursor, &ref, &note, &length, NULL), 0);
	free(note);
	assert_int_equal(objects_locate(f.objects, "a", &entry), 0);
	fixture_close(&f);
	assert_int_equal(objects_index_remove(f.dir.path, NULL), 0);
	snprintf(name, sizeof name, "incoming/%016llx", (unsigned long long)entry.target);
	fixture_path(&f, name, aside);
	fixture_path(&f, "files/p/a", path);
	assert_int_equal(rename(path, aside), 0);
	fixture_open(&f);
	assert_int_equal(fixture_check_here(&f, "a"), 0);
	assert_true(file_exists(path));
	assert_false(file_exists(aside));
	fixture_remove(&f);
}

static void
a_file_without_record_is_removed_at_open(void **state)
{
	struct fixture f;
	char path[256];

	(void)state;
	make(&f);
	fixture_close(&f);
	fixture_path(&f, "incoming/0123456789abcdef", path);
	assert_int_equal(file_write(path, "x", 1, 0600, NULL), 0);
	fixture_open(&f);
	assert_false(file_exists(path));
	fixture_remove(&f);
}

static void
both_layouts_can_share_a_store(void **state)
{
	struct fixture f;

	(void)state;
	make(&f);
	assert_int_equal(fixture_put_at(&f, "a", "p/a", 100, NULL), 0);
	fixture_close(&f);
	f.options.layout = OBJECTS_SEGMENTS;
	fixture_open(&f);
	assert_int_equal(fixture_put(&f, "b", 100, NULL), 0);
	assert_int_equal(fixture_check_here(&f, "a"), 0);
	assert_int_equal(fixture_check_here(&f, "b"), 0);
	fixture_remove(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_object_is_a_file_under_its_path),
	    cmocka_unit_test(hostile_paths_are_refused),
	    cmocka_unit_test(a_symbolic_link_does_not_lead_out_of_the_tree),
	    cmocka_unit_test(two_objects_cannot_have_one_path),
	    cmocka_unit_test(a_changed_file_is_found_by_reading),
	    cmocka_unit_test(erasing_removes_the_file),
	    cmocka_unit_test(a_recorded_file_gets_its_name_at_open),
	    cmocka_unit_test(a_file_without_record_is_removed_at_open),
	    cmocka_unit_test(both_layouts_can_share_a_store),
	};

	log_set_level(CAIRN_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
