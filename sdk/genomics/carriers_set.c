/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of samples: a list of 16-bit numbers, or a bitset, whichever is smaller. */
#include <string.h>

#include "genomics/carriers.h"

static size_t
bitset_size(uint32_t samples)
{
	return ((size_t)samples + 15) / 16 * 2;
}

size_t
carriers_set_size(uint32_t samples, uint32_t count)
{
	size_t list = 2 * (size_t)count;

	return list < bitset_size(samples) ? list : bitset_size(samples);
}

void
carriers_set_encode(const uint64_t *words, uint32_t samples, uint32_t count, uint8_t *ret)
{
	size_t list = 2 * (size_t)count, at = 0;

	if (list >= bitset_size(samples)) {
		memcpy(ret, words, bitset_size(samples));
		return;
	}
	for (size_t i = 0; i < (samples + 63u) / 64; i++) {
		for (uint64_t word = words[i]; word != 0; word &= word - 1) {
			uint16_t sample = (uint16_t)(64 * i + (size_t)__builtin_ctzll(word));

			memcpy(ret + at, &sample, sizeof sample);
			at += sizeof sample;
		}
	}
}

void
carriers_set_add(const uint8_t *set, uint32_t samples, uint32_t count, uint64_t *words)
{
	size_t list = 2 * (size_t)count, size = bitset_size(samples);
	uint64_t word;

	if (list < size) {
		for (size_t i = 0; i < count; i++) {
			uint16_t sample;

			memcpy(&sample, set + 2 * i, sizeof sample);
			if (sample < samples)
				words[sample / 64] |= 1ull << (sample % 64);
		}
		return;
	}
	for (size_t i = 0; i < size; i += 8) {
		word = 0;
		memcpy(&word, set + i, size - i < 8 ? size - i : 8);
		if (i / 8 == samples / 64)
			word &= (1ull << (samples % 64)) - 1;
		words[i / 8] |= word;
	}
}

uint32_t
carriers_count(const uint64_t *words, uint32_t samples)
{
	uint32_t count = 0;

	for (size_t i = 0; i < (samples + 63u) / 64; i++)
		count += (uint32_t)__builtin_popcountll(words[i]);
	return count;
}
