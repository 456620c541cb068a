/* SPDX-License-Identifier: Apache-2.0 */
#include "cohort/prefix.h"

#include <string.h>

#include "cohort/expr.h"

static bool
begins(const char *code, const char *prefix)
{
	return strncmp(code, prefix, strlen(prefix)) == 0;
}

bool
prefix_system(const char *code)
{
	return begins(code, "icd10:") || begins(code, "icdo3:") || begins(code, "atc:");
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A category is three characters, then a dot and one character per level. */
static bool
icd_parent(char *local, size_t length)
{
	if (length <= 3)
		return false;
	local[--length] = 0;
	if (local[length - 1] == '.')
		local[length - 1] = 0;
	return true;
}

/* Behaviour, then the four digits of the histology, then the three of its group. */
static bool
morphology_parent(char *local, size_t length)
{
	char *slash = strchr(local, '/');

	if (slash != NULL)
		*slash = 0;
	else if (length == 4)
		local[3] = 0;
	else
		return false;
	return true;
}

/* Levels of 1, 3, 4, 5 and 7 characters. */
static bool
atc_parent(char *local, size_t length)
{
	static const size_t levels[] = {5, 4, 3, 1};

	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
		if (length <= levels[i])
			continue;
		local[levels[i]] = 0;
		return true;
	}
	return false;
}

bool
prefix_parent(char *code)
{
	char *local = strchr(code, ':');
	size_t length;

	if (!prefix_system(code) || local == NULL || prefix_is_block(code))
		return false;
	length = strlen(++local);
	if (begins(code, "atc:"))
		return atc_parent(local, length);
	if (begins(code, "icdo3:") && is_digit(local[0]))
		return morphology_parent(local, length);
	return icd_parent(local, length);
}

/* The lengths of the two ends; they are alike, of categories. */
static size_t
end_length(const char *code)
{
	const char *local = strchr(code, ':'), *dash;
	size_t length;

	if (local == NULL || (!begins(code, "icd10:") && !begins(code, "icdo3:")))
		return 0;
	dash = strchr(++local, '-');
	if (dash == NULL)
		return 0;
	length = (size_t)(dash - local);
	return (length == 3 || length == 4) && strlen(dash + 1) == length ? length : 0;
}

bool
prefix_is_block(const char *code)
{
	return end_length(code) > 0;
}

bool
prefix_in_block(const char *block, const char *code)
{
	size_t length = end_length(block), system = strcspn(block, ":") + 1;
	const char *from = block + system, *to = from + length + 1;

	if (length == 0 || strncmp(block, code, system) != 0 || prefix_is_block(code))
		return false;
	code += system;
	return strlen(code) >= length && strncmp(code, from, length) >= 0 &&
	    strncmp(code, to, length) <= 0;
}

size_t
prefix_of_block(const char *block)
{
	size_t length = end_length(block), at = strcspn(block, ":") + 1, same = 0;

	while (same < length && block[at + same] == block[at + length + 1 + same])
		same++;
	return at + same;
}
