/* SPDX-License-Identifier: Apache-2.0 */
#include "ucum.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct atom {
	const char *name;
	char dimension;
	double factor;
	bool metric; /* takes prefixes */
};

/* A month and a year as UCUM has them: mo_j, a_j. */
static const struct atom atoms[] = {{"g", 'M', 1, true}, {"mol", 'N', 1, true}, {"L", 'V', 1, true},
    {"l", 'V', 1, true}, {"m", 'L', 1, true}, {"s", 'T', 1, true}, {"min", 'T', 60, false},
    {"h", 'T', 3600, false}, {"d", 'T', 86400, false}, {"wk", 'T', 604800, false},
    {"mo", 'T', 30.4375 * 86400, false}, {"a", 'T', 365.25 * 86400, false}, {"%", '1', 0.01, false},
    {"1", '1', 1, false}, {"[IU]", 'I', 1, true}, {"U", 'U', 1, true}};

static const struct {
	char name;
	double factor;
} prefixes[] = {{'k', 1e3}, {'d', 1e-1}, {'c', 1e-2}, {'m', 1e-3}, {'u', 1e-6}, {'n', 1e-9},
    {'p', 1e-12}, {'f', 1e-15}};

static double
prefix(char name)
{
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
		if (prefixes[i].name == name)
			return prefixes[i].factor;
	}
	return 0;
}

/* "mg", "dL", "10*9". */
static bool
take(const char *text, size_t length, char *ret_dimension, double *ret_factor)
{
	if (length >= 4 && length <= 5 && strncmp(text, "10*", 3) == 0) {
		*ret_dimension = '1';
		*ret_factor = pow(10, (double)strtol(text + 3, NULL, 10));
		return strspn(text + 3, "0123456789") >= length - 3;
	}
	for (size_t i = 0; i < sizeof atoms / sizeof atoms[0]; i++) {
		size_t size = strlen(atoms[i].name);

		*ret_dimension = atoms[i].dimension;
		*ret_factor = atoms[i].factor;
		if (size == length && strncmp(text, atoms[i].name, size) == 0)
			return true;
		if (!atoms[i].metric || length != size + 1 ||
		    strncmp(text + 1, atoms[i].name, size) != 0 || prefix(text[0]) == 0)
			continue;
		*ret_factor *= prefix(text[0]);
		return true;
	}
	return false;
}

static bool
parse(const char *text, char ret_dimensions[2], double *ret_factor)
{
	size_t length = strcspn(text, "/");
	double under = 1;

	ret_dimensions[1] = '1';
	if (!take(text, length, &ret_dimensions[0], ret_factor))
		return false;
	if (text[length] == 0)
		return true;
	text += length + 1;
	if (!take(text, strlen(text), &ret_dimensions[1], &under))
		return false;
	*ret_factor /= under;
	return true;
}

bool
ucum_factor(const char *from, const char *to, double *ret)
{
	char a[2], b[2];
	double left, right;

	if (strcmp(from, to) == 0) {
		*ret = 1;
		return true;
	}
	if (!parse(from, a, &left) || !parse(to, b, &right) || memcmp(a, b, 2) != 0)
		return false;
	*ret = left / right;
	return true;
}
