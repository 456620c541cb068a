/* SPDX-License-Identifier: Apache-2.0 */
/* The specification's own cases: what it calls failed is refused, what it calls passed is not. */
#include <dirent.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/test.h"
#include "genomics/vcf.h"

static const char *
shared(void)
{
	const char *path = getenv("CAIRN_SHARED");

	return path == NULL ? CAIRN_SHARED : path;
}

/* This one of 4.5 says 400 before 300, which 1.6.1 of the same text forbids. */
#define UNSORTED "test__vcf__4.5__passed__zero_length_LAA.vcf"

static int
judge(const char *path)
{
	BUF_AUTO text;
	struct cairn_error err = {0};
	uint64_t line;
	int code;

	buf_init(&text, 16 << 20);
	assert_ok(file_read(path, &text, &err), &err);
	code = vcf_check((const char *)text.data, text.length, false, &line, &err);
	if (getenv("VCF_SHOW") != NULL)
		printf("%s:%llu: %s\n", strrchr(path, '/') + 1, (unsigned long long)line,
		    code == 0 ? "fine" : err.text);
	if (strcmp(strrchr(path, '/') + 1, UNSORTED) == 0 && code != 0) {
		assert_int_equal(line, 8);
		assert_non_null(strstr(err.text, "not sorted: position 300 comes after 400"));
		printf("refused for its order only: %s\n", UNSORTED);
		return 0;
	}
	return code;
}

/* How many of the folder's files are refused. */
static size_t
refused(const char *folder, bool should, size_t *ret_files)
{
	char dir[512], path[1024];
	struct dirent *entry;
	size_t count = 0;
	DIR *open;

	snprintf(dir, sizeof dir, "%s/data/clinical/vcf/spec/%s", shared(), folder);
	open = opendir(dir);
	if (open == NULL) {
		printf("SKIPPED: no %s\n", dir);
		skip();
	}
	*ret_files = 0;
	while ((entry = readdir(open)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%.400s", dir, entry->d_name);
		++*ret_files;
		if (judge(path) != 0)
			count++;
		else if (should)
			printf("not refused: %s\n", entry->d_name);
	}
	closedir(open);
	printf("%s: %zu of %zu refused\n", folder, count, *ret_files);
	return count;
}

static void
vcf_refuses_every_failed_case_of_the_specification(void **state)
{
	static const char *const folders[] = {"4.1-failed", "4.2-failed", "4.3-failed"};
	size_t files, missed = 0;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		size_t count = refused(folders[i], true, &files);

		missed += files - count;
	}
	assert_int_equal(missed, 0);
}

static void
vcf_takes_every_passed_case_of_the_specification(void **state)
{
	static const char *const folders[] = {
	    "4.1-passed", "4.2-passed", "4.3-passed", "4.5-passed"};
	size_t files, count = 0;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		count += refused(folders[i], false, &files);
	assert_int_equal(count, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vcf_refuses_every_failed_case_of_the_specification),
	    cmocka_unit_test(vcf_takes_every_passed_case_of_the_specification),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
