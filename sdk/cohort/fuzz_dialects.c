/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever the bytes are, reading them as a Lens tree or a Beacon request ends with a tree or with
 * words; a tree that was read is written, reads back, and is written the same again.
 */
#include <stdlib.h>
#include <string.h>

#include "cohort/beacon.h"
#include "cohort/expr.h"
#include "cohort/lens.h"

static void
try_lens(const struct dialect *dialect, const char *text, size_t size)
{
	Cairn__Expression *tree = NULL, *again = NULL;
	struct cairn_error err = {0};
	char *json = NULL, *twice = NULL;

	if (lens_parse(dialect, text, size, &tree, &err) != 0) {
		if (err.code == 0 || err.text[0] == 0)
			__builtin_trap();
		return;
	}
	if (cohort_check(tree, NULL) != 0)
		__builtin_trap();
	if (lens_print(dialect, tree, &json, NULL) == 0 && strlen(json) <= LENS_BYTES_MAX &&
	    (lens_parse(dialect, json, strlen(json), &again, NULL) != 0 ||
		lens_print(dialect, again, &twice, NULL) != 0 || strcmp(json, twice) != 0))
		__builtin_trap();
	free(json);
	free(twice);
	cairn__expression__free_unpacked(tree, NULL);
	if (again != NULL)
		cairn__expression__free_unpacked(again, NULL);
}

static void
try_beacon(const char *text, size_t size)
{
	Cairn__Expression *tree = NULL, *again = NULL;
	struct cairn_error err = {0};
	char *json = NULL, *twice = NULL;

	if (beacon_parse(text, size, &tree, &err) != 0) {
		if (err.code == 0 || err.text[0] == 0)
			__builtin_trap();
		return;
	}
	if (cohort_check(tree, NULL) != 0)
		__builtin_trap();
	if (beacon_print(tree, &json, NULL) == 0 && strlen(json) <= BEACON_BYTES_MAX &&
	    (beacon_parse(json, strlen(json), &again, NULL) != 0 ||
		beacon_print(again, &twice, NULL) != 0 || strcmp(json, twice) != 0))
		__builtin_trap();
	free(json);
	free(twice);
	cairn__expression__free_unpacked(tree, NULL);
	if (again != NULL)
		cairn__expression__free_unpacked(again, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dialect *dialect = NULL;

	if (size > 0 && dialect_open(&dialect, NULL, NULL) == 0)
		try_lens(dialect, (const char *)data, size);
	dialect_free(dialect);
	if (size > 0)
		try_beacon((const char *)data, size);
	return 0;
}
