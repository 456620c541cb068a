/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lower-case hexadecimal; `ret` holds 2 * length + 1 bytes. */
void text_hex(const uint8_t *bytes, size_t length, char *ret);
/* Decodes exactly `length` bytes from 2 * length digits; CAIRN_EINVAL otherwise. */
int text_unhex(const char *text, uint8_t *ret, size_t length);

/* Whole-string decimal numbers in a range; CAIRN_EINVAL otherwise, `*ret` untouched. */
int text_to_integer(const char *text, int64_t min, int64_t max, int64_t *ret);
int text_to_number(const char *text, double *ret); /* "C" locale, finite */

/* The candidate that a person most likely meant (Damerau-Levenshtein distance at most 2 and less
 * than half the word), or NULL.  `next(arg, i)` returns the i-th candidate, NULL after the last. */
const char *text_suggest(
    const char *word, const char *(*next)(const void *arg, size_t index), const void *arg);

/* fnmatch-like subject patterns: "a.b" matches itself, "a.*" anything that begins with "a.". */
bool text_subject_matches(const char *pattern, const char *subject);

/* memcpy of a string that fits with its zero, or false and `ret` untouched. */
bool text_copy(char *ret, size_t size, const char *text);

#endif
