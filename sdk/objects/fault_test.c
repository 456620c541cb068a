/* SPDX-License-Identifier: Apache-2.0 */
/* Disks that fill up and syncs that fail. */

#include <errno.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "objects/fixture_test.h"

/* The next so many calls fail; counted by the store's threads, so atomic and not in the fixture. */
static atomic_int fail_writes;
static atomic_int fail_syncs;
static atomic_int torn; /* a failing write still writes this much */

static ssize_t
failing_pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	int left = atomic_load(&fail_writes);

	if (left <= 0)
		return pwritev(fd, iov, count, offset);
	atomic_fetch_sub(&fail_writes, 1);
	if (atomic_load(&torn) > 0 && (size_t)atomic_load(&torn) < iov[0].iov_len) {
		ssize_t wrote = pwrite(fd, iov[0].iov_base, (size_t)atomic_load(&torn), offset);

		if (wrote < 0)
			return wrote;
	}
	errno = ENOSPC;
	return -1;
}

static int
failing_datasync(int fd)
{
	if (atomic_load(&fail_syncs) <= 0)
		return fdatasync(fd);
	atomic_fetch_sub(&fail_syncs, 1);
	errno = EIO;
	return -1;
}

static void
make(struct fixture *f, enum objects_durability durability)
{
	fixture_make(f);
	f->options.durability = durability;
	f->io = (struct objects_io){.pwritev = failing_pwritev, .datasync = failing_datasync};
	fixture_open(f);
	assert_int_equal(fixture_put(f, "before", 1000, NULL), 0);
}

static void
check_after(struct fixture *f)
{
	assert_int_equal(fixture_put(f, "after", 1000, NULL), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fixture_check_here(f, "before"), 0);
		assert_int_equal(fixture_check_here(f, "failed"), CAIRN_ENOTFOUND);
		assert_int_equal(fixture_check_here(f, "after"), 0);
		assert_int_equal(objects_count(f->objects), 2);
		fixture_close(f);
		if (i == 0)
			assert_int_equal(objects_index_remove(f->dir.path, NULL), 0);
		fixture_open(f);
	}
	assert_int_equal(fixture_put(f, "failed", 1000, NULL), 0);
	assert_int_equal(fixture_check_here(f, "failed"), 0);
}

static void
a_failed_write_fails_the_put_and_the_store_goes_on(void **state)
{
	struct fixture f;

	(void)state;
	make(&f, OBJECTS_POWER);
	atomic_store(&torn, 100);
	atomic_store(&fail_writes, 1);
	assert_int_equal(fixture_put(&f, "failed", 1000, NULL), CAIRN_EIO);
	check_after(&f);
	fixture_remove(&f);
}

static void
a_failed_write_fails_every_put_of_its_group(void **state)
{
	struct fixture f;
	char key[32];
	unsigned answers;

	(void)state;
	make(&f, OBJECTS_POWER);
	answers = f.answers;
	atomic_store(&fail_writes, 1000);
	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof key, "k%d", i);
		assert_int_equal(fixture_push(&f, key, 1000, NULL), 0);
	}
	fixture_wait(&f, answers + 20);
	atomic_store(&fail_writes, 0);
	assert_int_equal(f.code, CAIRN_EIO);
	assert_int_equal(objects_count(f.objects), 1);
	check_after(&f);
	fixture_remove(&f);
}

static void
after_a_failed_sync_a_new_segment_is_begun(void **state)
{
	struct fixture f;
	char path[256];

	(void)state;
	make(&f, OBJECTS_POWER);
	atomic_store(&fail_syncs, 1);
	assert_int_equal(fixture_put(&f, "failed", 1000, NULL), CAIRN_EIO);
	fixture_path(&f, "segments/00000002.seg", path);
	assert_int_equal(fixture_file_size(path), -1);
	check_after(&f);
	assert_true(fixture_file_size(path) > 1000);
	fixture_remove(&f);
}

/* The segment cannot even be begun while nothing can be synced; later it can. */
static void
a_disk_that_fails_for_a_while_is_used_again_later(void **state)
{
	struct fixture f;
	char key[32];

	(void)state;
	make(&f, OBJECTS_POWER);
	atomic_store(&fail_syncs, 1000);
	for (int i = 0; i < 5; i++) {
		snprintf(key, sizeof key, "k%d", i);
		assert_int_equal(fixture_put(&f, key, 1000, NULL), CAIRN_EIO);
	}
	atomic_store(&fail_syncs, 0);
	check_after(&f);
	fixture_remove(&f);
}

/* What a failed sync left in the old segment, should cutting it off have failed too. */
static void
bytes_behind_the_end_that_the_next_segment_names_do_not_count(void **state)
{
	struct fixture f;
	char path[256];
	uint8_t *copy;
	long size;
	FILE *file;

	(void)state;
	make(&f, OBJECTS_POWER);
	fixture_path(&f, "segments/00000001.seg", path);
	assert_int_equal(fixture_put(&f, "failed", 1000, NULL), 0);
	size = fixture_file_size(path);
	copy = malloc((size_t)size);
	file = fopen(path, "rb");
	assert_int_equal(fread(copy, 1, (size_t)size, file), size);
	fclose(file);
	fixture_remove(&f);

	make(&f, OBJECTS_POWER);
	fixture_path(&f, "segments/00000001.seg", path);
	atomic_store(&fail_syncs, 1);
	assert_int_equal(fixture_put(&f, "failed", 1000, NULL), CAIRN_EIO);
	assert_int_equal(fixture_put(&f, "after", 1000, NULL), 0);
	assert_true(fixture_file_size(path) < size);
	/* The salts differ, so the bytes must be this store's own: its first record once more. */
	file = fopen(path, "r+b");
	assert_int_equal(fread(copy, 1, (size_t)size, file) >= 64 + 192 + 1000, 1);
	fseek(file, 0, SEEK_END);
	assert_int_equal(fwrite(copy + 64, 1, 192 + 1000, file), 192 + 1000);
	fclose(file);
	free(copy);
	fixture_close(&f);
	assert_int_equal(objects_index_remove(f.dir.path, NULL), 0);
	fixture_open(&f);
	assert_int_equal(objects_count(f.objects), 2);
	assert_int_equal(fixture_check_here(&f, "before"), 0);
	fixture_remove(&f);
}

static void
what_was_acknowledged_before_a_failed_sync_is_written_again(void **state)
{
	struct fixture f;

	(void)state;
	make(&f, OBJECTS_PROCESS);
	atomic_store(&fail_syncs, 1);
	fixture_close(&f); /* the checkpoint syncs */
	assert_int_equal(atomic_load(&fail_syncs), 0);
	fixture_open(&f);
	assert_int_equal(fixture_check_here(&f, "before"), 0);
	fixture_remove(&f);
}

/* As long as the log cannot be made durable the index must not say that it is. */
static void
the_index_does_not_run_ahead_of_a_failing_disk(void **state)
{
	struct objects_cursor mark;
	struct fixture f;

	(void)state;
	make(&f, OBJECTS_PROCESS);
	atomic_store(&fail_syncs, 1000);
	fixture_close(&f);
	atomic_store(&fail_syncs, 0);
	fixture_open(&f);
	assert_int_equal(fixture_check_here(&f, "before"), 0);
	assert_int_equal(objects_index_read_begin(f.objects->read), 0);
	assert_int_equal(objects_index_watermark(f.objects->read, &mark), 0);
	objects_index_read_end(f.objects->read);
	assert_int_equal(mark.segment, 1);
	fixture_remove(&f);
}

static void
a_full_segment_that_cannot_be_synced_is_not_left(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f);
	f.options.durability = OBJECTS_PROCESS;
	f.options.segment_size = 5000;
	f.io = (struct objects_io){.pwritev = failing_pwritev, .datasync = failing_datasync};
	fixture_open(&f);
	assert_int_equal(fixture_put(&f, "before", 4000, NULL), 0);
	atomic_store(&fail_syncs, 2); /* the sync, and that after writing again */
	assert_int_equal(fixture_put(&f, "failed", 4000, NULL), CAIRN_EIO);
	assert_int_equal(atomic_load(&fail_syncs), 0);
	assert_int_equal(fixture_put(&f, "after", 4000, NULL), 0);
	assert_int_equal(fixture_check_here(&f, "before"), 0);
	assert_int_equal(fixture_check_here(&f, "failed"), CAIRN_ENOTFOUND);
	assert_int_equal(fixture_check_here(&f, "after"), 0);
	fixture_remove(&f);
}

static void
a_failed_erasure_leaves_the_object(void **state)
{
	struct fixture f;

	(void)state;
	make(&f, OBJECTS_POWER);
	atomic_store(&fail_writes, 1);
	assert_int_equal(fixture_erase(&f, "before"), CAIRN_EIO);
	assert_int_equal(fixture_check_here(&f, "before"), 0);
	assert_int_equal(fixture_erase(&f, "before"), 0);
	assert_int_equal(objects_count(f.objects), 0);
	fixture_remove(&f);
}

static void
a_large_object_whose_sync_fails_is_refused_and_removed(void **state)
{
	struct fixture f;
	char path[256];

	(void)state;
	fixture_make(&f);
	f.options.large_size = 100000;
	f.io = (struct objects_io){.pwritev = failing_pwritev, .datasync = failing_datasync};
	fixture_open(&f);
	atomic_store(&fail_syncs, 100); /* a checkpoint in the background may take some */
	assert_int_equal(fixture_put(&f, "large", 3000000, NULL), CAIRN_EIO);
	atomic_store(&fail_syncs, 0);
	assert_int_equal(f.objects->memory, 0);
	fixture_path(&f, "blobs", path);
	assert_int_equal(rmdir(path), 0);
	fixture_remove(&f);
}

/* The real thing, as far as it goes without a disk to fill: the kernel refuses to let the file
 * grow. */
static void
a_file_that_may_not_grow_refuses_and_keeps_what_it_has(void **state)
{
	struct rlimit old, limit;
	struct fixture f;

	(void)state;
	make(&f, OBJECTS_POWER);
	fixture_close(&f); /* the index must not meet the limit */
	fixture_open(&f);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_IGN);
	limit = (struct rlimit){.rlim_cur = 200000, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(fixture_put(&f, "failed", 400000, NULL), CAIRN_EIO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	check_after(&f);
	fixture_remove(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_failed_write_fails_the_put_and_the_store_goes_on),
	    cmocka_unit_test(a_failed_write_fails_every_put_of_its_group),
	    cmocka_unit_test(after_a_failed_sync_a_new_segment_is_begun),
	    cmocka_unit_test(a_disk_that_fails_for_a_while_is_used_again_later),
	    cmocka_unit_test(bytes_behind_the_end_that_the_next_segment_names_do_not_count),
	    cmocka_unit_test(what_was_acknowledged_before_a_failed_sync_is_written_again),
	    cmocka_unit_test(the_index_does_not_run_ahead_of_a_failing_disk),
	    cmocka_unit_test(a_full_segment_that_cannot_be_synced_is_not_left),
	    cmocka_unit_test(a_failed_erasure_leaves_the_object),
	    cmocka_unit_test(a_large_object_whose_sync_fails_is_refused_and_removed),
	    cmocka_unit_test(a_file_that_may_not_grow_refuses_and_keeps_what_it_has),
	};

	log_set_level(CAIRN_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
