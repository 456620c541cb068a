/* SPDX-License-Identifier: Apache-2.0 */
#include "set.h"

#include <string.h>

bool
container_or(uint64_t *words, const void *stored, size_t length)
{
	const uint8_t *bytes = stored;

	if (length == SET_BLOCK_BYTES) {
		for (size_t i = 0; i < SET_BLOCK_WORDS; i++) {
			uint64_t word;

			memcpy(&word, bytes + i * sizeof word, sizeof word);
			words[i] |= word;
		}
		return true;
	}
	if (length > SET_BLOCK_BYTES || length % 2 != 0)
		return false;
	for (size_t i = 0; i < length; i += 2) {
		uint16_t low;

		memcpy(&low, bytes + i, sizeof low);
		words[low / 64] |= (uint64_t)1 << (low % 64);
	}
	return true;
}

/* Without a machine that is known to count bits the compiler's builtin is a call; this is not, and
 * it turns into vector code. */
static size_t
count_words(const uint64_t *words, size_t count)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t word = words[i];

		word -= word >> 1 & 0x5555555555555555U;
		word = (word & 0x3333333333333333U) + (word >> 2 & 0x3333333333333333U);
		word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fU;
		bits += word * 0x0101010101010101U >> 56;
	}
	return (size_t)bits;
}

size_t
container_store(const uint64_t *words, uint8_t *ret)
{
	size_t length = 0;

	if (2 * count_words(words, SET_BLOCK_WORDS) >= SET_BLOCK_BYTES) {
		memcpy(ret, words, SET_BLOCK_BYTES);
		return SET_BLOCK_BYTES;
	}
	for (size_t i = 0; i < SET_BLOCK_WORDS; i++) {
		for (uint64_t word = words[i]; word != 0; word &= word - 1) {
			uint16_t low = (uint16_t)(i * 64 + (size_t)__builtin_ctzll(word));

			memcpy(ret + length, &low, sizeof low);
			length += sizeof low;
		}
	}
	return length;
}

size_t
container_merge(const void *stored, size_t length, const struct container_change *changes,
    size_t count, uint8_t *ret)
{
	const uint8_t *bytes = stored;
	size_t i = 0, used = 0;

	for (size_t c = 0; c < count; c++) {
		uint16_t low = changes[c].low;

		for (; i < length; i += sizeof low) {
			memcpy(&low, bytes + i, sizeof low);
			if (low >= changes[c].low)
				break;
			memcpy(ret + used, &low, sizeof low);
			used += sizeof low;
		}
		i += i < length && low == changes[c].low ? sizeof low : 0;
		if (changes[c].set) {
			memcpy(ret + used, &changes[c].low, sizeof low);
			used += sizeof low;
		}
	}
	if (i < length)
		memcpy(ret + used, bytes + i, length - i);
	return i < length ? used + length - i : used;
}

void
set_and(struct set *set, const struct set *other)
{
	for (size_t i = 0; i < set->blocks * SET_BLOCK_WORDS; i++)
		set->words[i] &= other->words[i];
}

void
set_or(struct set *set, const struct set *other)
{
	for (size_t i = 0; i < set->blocks * SET_BLOCK_WORDS; i++)
		set->words[i] |= other->words[i];
}

void
set_xor(struct set *set, const struct set *other)
{
	for (size_t i = 0; i < set->blocks * SET_BLOCK_WORDS; i++)
		set->words[i] ^= other->words[i];
}

void
set_complement(struct set *set, const struct set *other)
{
	for (size_t i = 0; i < set->blocks * SET_BLOCK_WORDS; i++)
		set->words[i] = other->words[i] & ~set->words[i];
}

uint64_t
set_count(const struct set *set)
{
	return count_words(set->words, set->blocks * SET_BLOCK_WORDS);
}

bool
set_next(const struct set *set, uint64_t from, uint32_t *ret)
{
	size_t words = set->blocks * SET_BLOCK_WORDS, i = (size_t)(from / 64);
	uint64_t word;

	if (i >= words)
		return false;
	word = set->words[i] & ~(uint64_t)0 << (from % 64);
	while (word == 0) {
		if (++i == words)
			return false;
		word = set->words[i];
	}
	*ret = (uint32_t)(i * 64 + (size_t)__builtin_ctzll(word));
	return true;
}
