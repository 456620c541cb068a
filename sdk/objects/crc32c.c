/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>
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

__attribute__((target("sse4.2"))) static uint64_t
crc32c_serial(uint64_t state, const uint8_t *at, size_t length)
{
	for (; length >= 8; at += 8, length -= 8) {
		uint64_t word;

		memcpy(&word, at, 8);
		state = _mm_crc32_u64(state, word);
	}
	for (; length > 0; at++, length--)
		state = _mm_crc32_u8((uint32_t)state, *at);
	return state;
}

/* `state` as it is after as many more zero bytes as `power` stands for. */
__attribute__((target("sse4.2,pclmul"))) static uint64_t
crc32c_advance(uint64_t state, uint32_t power)
{
	__m128i product = _mm_clmulepi64_si128(
	    _mm_cvtsi64_si128((int64_t)state), _mm_cvtsi32_si128((int)power), 0);

	return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* Three neighbouring lanes at a time: the instruction takes three cycles and starts every cycle.
 * A lane is a multiple of 8 bytes; `one` and `two` are x^(8n-33) modulo the polynomial, its bits
 * reversed, for the length of one lane and of two. */
__attribute__((target("sse4.2,pclmul"))) static uint64_t
crc32c_three(uint64_t state, const uint8_t *at, size_t lane, uint32_t one, uint32_t two)
{
	uint64_t second = 0, third = 0;

	for (size_t i = 0; i < lane; i += 8) {
		uint64_t a, b, c;

		memcpy(&a, at + i, 8);
		memcpy(&b, at + lane + i, 8);
		memcpy(&c, at + 2 * lane + i, 8);
		state = _mm_crc32_u64(state, a);
		second = _mm_crc32_u64(second, b);
		third = _mm_crc32_u64(third, c);
	}
	return crc32c_advance(state, two) ^ crc32c_advance(second, one) ^ third;
}

#define LONG_LANE ((size_t)2048)
#define SHORT_LANE ((size_t)256)

static uint32_t
crc32c_lanes(uint32_t crc, const uint8_t *at, size_t length)
{
	uint64_t state = (uint32_t)~crc;

	for (; length >= 3 * LONG_LANE; at += 3 * LONG_LANE, length -= 3 * LONG_LANE)
		state = crc32c_three(state, at, LONG_LANE, 0xa51b6135, 0x82f89c77);
	for (; length >= 3 * SHORT_LANE; at += 3 * SHORT_LANE, length -= 3 * SHORT_LANE)
		state = crc32c_three(state, at, SHORT_LANE, 0xb9e02b86, 0xdd7e3b0c);
	return ~(uint32_t)crc32c_serial(state, at, length);
}

uint32_t
objects_crc32c(uint32_t crc, const void *bytes, size_t length)
{
	if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
		return crc32c_lanes(crc, bytes, length);
	return objects_crc32c_table(crc, bytes, length);
}

#else

uint32_t
objects_crc32c(uint32_t crc, const void *bytes, size_t length)
{
	return objects_crc32c_table(crc, bytes, length);
}

#endif
