/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_LE_H
#define OBJECTS_LE_H

/* Little-endian integers at any address, as the segment and index formats hold them. */

#include <stdint.h>

static inline void
le_put(uint8_t *at, unsigned bytes, uint64_t value)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static inline uint64_t
le_get(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)at[i] << (8 * i);
	return value;
}

#endif
