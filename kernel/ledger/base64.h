/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_BASE64_H
#define LEDGER_BASE64_H

/* RFC 4648 base64 with padding, one spelling for each value. */

#include <stddef.h>
#include <stdint.h>

/* Bytes of text for `length` bytes, with the terminating zero; a constant expression. */
#define BASE64_TEXT(length) (((length) + 2) / 3 * 4 + 1)

void base64_encode(const uint8_t *bytes, size_t length, char *ret);

/* Exactly `length` bytes; CAIRN_EINVAL for another length, a foreign character, wrong padding or
 * unused bits that are not zero (they would be a second spelling).  `ret` may be written to. */
int base64_decode(const char *text, uint8_t *ret, size_t length);

#endif
