/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DEID_CLEAN_H
#define DEID_CLEAN_H

/*
 * Cleaning a text by an allow-list: words.txt's words are kept, everything else is dropped. Numbers
 * are kept only in front of a unit ("5 mm", "120kV"), because digits are identifiers in parts. What
 * remains a risk: a name that is also a listed word (a Mr Head).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

extern const char *const deid_words[];
extern const size_t deid_words_count;

/* Appends the kept words, separated by one space; with `several`, values separated by a backslash
 * are cleaned one by one.  A value with an escape sequence (ISO 2022) is dropped whole: its letters
 * need not be letters.  0 or the buffer's error. */
int deid_clean(struct buf *out, const uint8_t *text, size_t length, bool several);

#endif
