/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

uint32_t
objects_crc32c_table(uint32_t crc, const void *bytes, size_t length)
{
	/* Four bits a step: notes and headers are small, and 16 words stay in one cache line. */
	static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
	    0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6,
	    0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
	const uint8_t *at = bytes;

	crc = ~crc;
	for (size_t i = 0; i < length; i++) {
		crc ^= at[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t
crc32c_hardware(uint32_t crc, const uint8_t *at, size_t length)
{
	uint64_t state = (uint32_t)~crc;

	for (; length >= 8; at += 8, length -= 8) {
		uint64_t word;

		memcpy(&word, at, 8);
		state = _mm_crc32_u64(state, word);
	}
	for (; length > 0; at++, length--)
		state = _mm_crc32_u8((uint32_t)state, *at);
	return ~(uint32_t)state;
}

uint32_t
objects_crc32c(uint32_t crc, const void *bytes, size_t length)
{
	if (__builtin_cpu_supports("sse4.2"))
		return crc32c_hardware(crc, bytes, length);
	return objects_crc32c_table(crc, bytes, length);
}

#else

uint32_t
objects_crc32c(uint32_t crc, const void *bytes, size_t length)
{
	return objects_crc32c_table(crc, bytes, length);
}

#endif
