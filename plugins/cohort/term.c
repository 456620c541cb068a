/* SPDX-License-Identifier: Apache-2.0 */
#include "term.h"

#include <endian.h>
#include <string.h>

unsigned
term_shift(unsigned i)
{
	static const unsigned shifts[TERM_SHIFTS] = {0, 42, 46, 50};

	return shifts[i];
}

uint64_t
term_order(double number)
{
	uint64_t bits;

	if (number == 0)
		number = 0; /* not the negative zero */
	memcpy(&bits, &number, sizeof bits);
	return bits >> 63 != 0 ? ~bits : bits | (uint64_t)1 << 63;
}

double
term_number(uint64_t order)
{
	uint64_t bits = order >> 63 != 0 ? order & ~((uint64_t)1 << 63) : ~order;
	double number;

	memcpy(&number, &bits, sizeof number);
	return number;
}

void
posting_key(const struct posting *posting, uint8_t ret[TERM_KEY_BYTES])
{
	uint64_t words[2] = {htobe64(posting->major), htobe64(posting->minor)};

	memcpy(ret, words, TERM_KEY_BYTES);
}

struct posting
posting_from_key(const uint8_t key[TERM_KEY_BYTES])
{
	uint64_t words[2] = {0, 0};

	memcpy(words, key, TERM_KEY_BYTES);
	return (struct posting){be64toh(words[0]), be64toh(words[1])};
}

int
posting_compare(const void *a, const void *b)
{
	const struct posting *x = a, *y = b;

	if (x->major != y->major)
		return x->major < y->major ? -1 : 1;
	return x->minor < y->minor ? -1 : x->minor > y->minor;
}

unsigned
posting_expand(uint16_t attribute, enum term_level level, uint64_t key, uint32_t id,
    struct posting ret[TERM_SHIFTS])
{
	unsigned count = TERM_TYPE(attribute) == TERM_CODE ? 1 : TERM_SHIFTS;

	for (unsigned i = 0; i < count; i++)
		ret[i] = posting_make(attribute, level, term_shift(i), key >> term_shift(i), id);
	return count;
}
