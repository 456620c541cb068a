/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever the text is, parsing ends with a tree or an error; a tree prints to text that parses
 * back to the same tree.  The same bytes are also read as a packed expression.
 */
#include "cohort/expr.h"

#include <stdlib.h>
#include <string.h>

static void
check_round_trip(const Cairn__Expression *tree)
{
	char *text = NULL, *again = NULL;
	Cairn__Expression *second = NULL;

	if (cohort_print(tree, &text, NULL) != 0)
		__builtin_trap();
	if (strlen(text) <= COHORT_TEXT_MAX) {
		if (cohort_parse(text, &second, NULL) != 0 ||
		    cohort_print(second, &again, NULL) != 0 || strcmp(text, again) != 0)
			__builtin_trap();
		cairn__expression__free_unpacked(second, NULL);
	}
	free(again);
	free(text);
}

static void
try_text(const uint8_t *data, size_t size)
{
	Cairn__Expression *tree = NULL;
	struct cairn_error err = {0};
	char *text = malloc(size + 1);

	if (text == NULL)
		return;
	memcpy(text, data, size);
	text[size] = 0;
	if (cohort_parse(text, &tree, &err) == 0) {
		check_round_trip(tree);
		cairn__expression__free_unpacked(tree, NULL);
	} else if (err.code == 0 || err.text[0] == 0) {
		__builtin_trap();
	}
	free(text);
}

static void
try_packed(const uint8_t *data, size_t size)
{
	Cairn__CountRequest *request;
	const char *suggestion;

	if (cohort_check_packed(data, size, NULL) != 0)
		return;
	request = cairn__count_request__unpack(NULL, size, data);
	if (request == NULL)
		return;
	if (request->expression != NULL && cohort_check(request->expression, NULL) == 0) {
		check_round_trip(request->expression);
		cohort_unknown_attribute(request->expression, &suggestion);
	}
	cairn__count_request__free_unpacked(request, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_text(data, size);
	try_packed(data, size);
	return 0;
}
