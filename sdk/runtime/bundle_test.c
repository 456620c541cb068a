/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/bundle.h"

#include "base/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int
read_text(const char *text, struct bundle *ret)
{
	struct cairn_error err = {0};

	return bundle_read(text, strlen(text), ret, &err);
}

static void
a_folder_is_read_from_its_end(void **state)
{
	struct bundle bundle = {0};

	(void)state;
	assert_int_equal(
	    read_text("name: x\n#!/bin/sh\n\n10 runs call\nab\n2 data lib.sh\n2 folder\n", &bundle),
	    0);
	assert_true(bundle.folder);
	assert_int_equal(bundle.count, 2);
	assert_int_equal(bundle.manifest_length, 8);
	assert_string_equal(bundle.files[0].name, "call");
	assert_true(bundle.files[0].runs);
	assert_memory_equal(bundle.files[0].bytes, "#!/bin/sh\n", 10);
	assert_string_equal(bundle.files[1].name, "lib.sh");
	assert_false(bundle.files[1].runs);
	assert_memory_equal(bundle.files[1].bytes, "ab", 2);
}

static void
what_is_no_bundle_is_refused(void **state)
{
	static const char *const bad[] = {"", "\n", "1 file\n", "2 file\n",
	    "\n0 runs ../x\n1 file\n", "\n0 runs .x\n1 file\n", "a\n5 data x\n1 file\n",
	    "a\n1 data x\n1 file", "a\n01 data x\n1 file\n", "a\n1 dat x\n1 file\n",
	    "a\n1 data x\n65 folder\n", "a\n-1 data x\n1 file\n"};
	struct bundle bundle = {0};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(read_text(bad[i], &bundle), CAIRN_EPROTO);
}

static void
unpacked_files_cannot_be_changed(void **state)
{
	struct bundle bundle = {0};
	struct cairn_error err = {0};
	char path[64], byte;
	int fd;

	(void)state;
	assert_int_equal(read_text("name: x\nab\n2 data x.lua\n1 file\n", &bundle), 0);
	assert_ok(bundle_unpack(&bundle, &err), &err);
	assert_true(bundle.files[0].fd >= BUNDLE_FD_MIN);
	assert_int_equal(fcntl(bundle.files[0].fd, F_GETFD), 0); /* inherited */
	assert_true(write(bundle.files[0].fd, "x", 1) < 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", bundle.files[0].fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(byte, 'a');
	close(fd);
	close(bundle.files[0].fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_folder_is_read_from_its_end),
	    cmocka_unit_test(what_is_no_bundle_is_refused),
	    cmocka_unit_test(unpacked_files_cannot_be_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
