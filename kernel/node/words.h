/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_WORDS_H
#define NODE_WORDS_H

/* Text from outside that goes into records, logs and JSON: UTF-8 (RFC 3629) without control
 * characters. */

#include <stdbool.h>
#include <stddef.h>

/* At most `max` bytes of UTF-8, no control character (C0, DEL, C1) among them. */
bool words_are_plain(const char *text, size_t max);

/* Copies what fits `size` bytes with the terminating zero, whole characters only; what is no UTF-8
 * and what controls a terminal becomes '?'.  Tabs and newlines stay when `lines`. */
void words_clean(char *ret, size_t size, const char *text, bool lines);

#endif
