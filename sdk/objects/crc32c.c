/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <smmintrin.h>
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

/* What stands for 16 bytes, moved over as many more as `powers` says, and those at `at` added. */
__attribute__((target("sse4.2,pclmul"))) static inline __m128i
fold(__m128i sum, __m128i powers, const uint8_t *at)
{
	__m128i early = _mm_clmulepi64_si128(sum, powers, 0x00);
	__m128i late = _mm_clmulepi64_si128(sum, powers, 0x11);
	__m128i next = _mm_loadu_si128((const __m128i *)(const void *)at);

	return _mm_xor_si128(_mm_xor_si128(early, late), next);
}

/* Carry-less multiplication takes 64 bytes in the time in which the checksum's own instruction
 * takes 24, so it brings all down to the last 16, which have the same checksum.  To move n bits is
 * to multiply the earlier half by x^(n+31) and the later by x^(n-33), modulo the polynomial and
 * with their bits reversed. */
__attribute__((target("sse4.2,pclmul"))) static uint32_t
crc32c_hardware(uint32_t crc, const uint8_t *at, size_t length)
{
	const __m128i far = _mm_set_epi64x(0x9e4addf8, 0x740eef02);
	const __m128i near = _mm_set_epi64x(0x493c7d27, 0xf20c0dfe);
	__m128i sums[4];
	uint64_t state;

	if (length < 128)
		return ~(uint32_t)crc32c_serial((uint32_t)~crc, at, length);
	for (size_t i = 0; i < 4; i++)
		sums[i] = _mm_loadu_si128((const __m128i *)(const void *)(at + 16 * i));
	sums[0] = _mm_xor_si128(sums[0], _mm_cvtsi32_si128((int)~crc));
	for (at += 64, length -= 64; length >= 64; at += 64, length -= 64)
		for (size_t i = 0; i < 4; i++)
			sums[i] = fold(sums[i], far, at + 16 * i);
	for (size_t i = 1; i < 4; i++) {
		uint8_t bytes[16];

		_mm_storeu_si128((__m128i *)(void *)bytes, sums[i]);
		sums[0] = fold(sums[0], near, bytes);
	}
	for (; length >= 16; at += 16, length -= 16)
		sums[0] = fold(sums[0], near, at);
	state = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(sums[0]));
	state = _mm_crc32_u64(state, (uint64_t)_mm_extract_epi64(sums[0], 1));
	return ~(uint32_t)crc32c_serial(state, at, length);
}

uint32_t
objects_crc32c(uint32_t crc, const void *bytes, size_t length)
{
	if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
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
