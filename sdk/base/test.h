/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_TEST_H
#define BASE_TEST_H

/* What every unit test needs: cmocka with its includes in the right order, a temporary folder. */

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <cairn/error.h>

struct test_dir {
	char path[64];
};

/* Makes a fresh directory under TMPDIR's default; removes it with all it holds. */
void test_dir_make(struct test_dir *dir);
void test_dir_remove(struct test_dir *dir);

/* Fails the test with err->text unless `code` is 0. */
#define assert_ok(code, err)                                                    \
	do {                                                                    \
		int code_ = (code);                                             \
		if (code_ != 0)                                                 \
			fail_msg("%s: code %d: %s", #code, code_, (err)->text); \
	} while (0)

#endif
