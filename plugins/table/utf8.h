/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TABLE_UTF8_H
#define TABLE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As RFC 3629 has it: no overlong forms, no surrogates. */
bool utf8_valid(const uint8_t *text, size_t length);
/* A byte of windows-1252 as UTF-8; its length.  The five that it leaves out become U+FFFD. */
size_t utf8_of_latin(uint8_t byte, uint8_t ret[4]);

#endif
