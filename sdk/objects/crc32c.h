/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_CRC32C_H
#define OBJECTS_CRC32C_H

/* CRC-32C (Castagnoli, RFC 3720 B.4).  `crc` is 0 at first, or the result for the bytes before. */

#include <stddef.h>
#include <stdint.h>

uint32_t objects_crc32c(uint32_t crc, const void *bytes, size_t length);
/* The same without the processor's instruction: what other machines run, and the tests' oracle. */
uint32_t objects_crc32c_table(uint32_t crc, const void *bytes, size_t length);

#endif
