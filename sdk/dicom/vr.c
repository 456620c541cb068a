/* SPDX-License-Identifier: Apache-2.0 */
/* Value representations (PS3.5 6.2, 7.1.2): one byte of facts for each pair of capital letters. */
#include "dicom/dict.h"

enum {
	UNIT_MASK = 0x0f,
	TEXT = 0x10,
	LONG = 0x20,
};

#define AT(a, b) [(a - 'A') * 26 + (b - 'A')]

static const uint8_t facts[26 * 26] = {AT('A', 'E') = 1 | TEXT, AT('A', 'S') = 1 | TEXT,
    AT('A', 'T') = 2, AT('C', 'S') = 1 | TEXT, AT('D', 'A') = 1 | TEXT, AT('D', 'S') = 1 | TEXT,
    AT('D', 'T') = 1 | TEXT, AT('F', 'L') = 4, AT('F', 'D') = 8, AT('I', 'S') = 1 | TEXT,
    AT('L', 'O') = 1 | TEXT, AT('L', 'T') = 1 | TEXT, AT('O', 'B') = 1 | LONG,
    AT('O', 'D') = 8 | LONG, AT('O', 'F') = 4 | LONG, AT('O', 'L') = 4 | LONG,
    AT('O', 'V') = 8 | LONG, AT('O', 'W') = 2 | LONG, AT('P', 'N') = 1 | TEXT,
    AT('S', 'H') = 1 | TEXT, AT('S', 'L') = 4, AT('S', 'Q') = 1 | LONG, AT('S', 'S') = 2,
    AT('S', 'T') = 1 | TEXT, AT('S', 'V') = 8 | LONG, AT('T', 'M') = 1 | TEXT,
    AT('U', 'C') = 1 | TEXT | LONG, AT('U', 'I') = 1 | TEXT, AT('U', 'L') = 4,
    AT('U', 'N') = 1 | LONG, AT('U', 'R') = 1 | TEXT | LONG, AT('U', 'S') = 2,
    AT('U', 'T') = 1 | TEXT | LONG, AT('U', 'V') = 8 | LONG};

static uint8_t
facts_of(uint16_t vr)
{
	unsigned a = (unsigned)(vr >> 8) - 'A', b = (unsigned)(vr & 0xff) - 'A';

	return a < 26 && b < 26 ? facts[a * 26 + b] : 0;
}

bool
dcm_vr_known(uint16_t vr)
{
	return facts_of(vr) != 0;
}

/* A pair of letters that PS3.5 does not know yet will have a 32-bit length (PS3.5 7.1.2). */
bool
dcm_vr_is_long(uint16_t vr)
{
	uint8_t fact = facts_of(vr);

	return fact == 0 || (fact & LONG) != 0;
}

bool
dcm_vr_is_text(uint16_t vr)
{
	return (facts_of(vr) & TEXT) != 0;
}

size_t
dcm_vr_unit(uint16_t vr)
{
	uint8_t fact = facts_of(vr);

	return fact == 0 ? 1 : fact & UNIT_MASK;
}
