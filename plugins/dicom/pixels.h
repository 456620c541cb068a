/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_PIXELS_H
#define DICOM_PIXELS_H

/* Where the pixel data's value ends while it streams through (PS3.5 8, annex A.4): after `length`
 * bytes, or, encapsulated, with the sequence delimitation item after the fragments. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

struct pixels {
	bool encapsulated;
	bool ended;
	uint64_t remaining; /* of the value, or of the fragment */
	uint8_t head[8];    /* of an item, as far as it has come */
	size_t head_length;
};

/* `length` is the element's; DCM_UNDEFINED is encapsulated. */
void pixels_init(struct pixels *pixels, uint32_t length);

/* How many of these bytes belong to the value.  CAIRN_ECORRUPT when something else than an item
 * stands between fragments. */
int pixels_take(struct pixels *pixels, const uint8_t *bytes, size_t length, size_t *ret_taken,
    struct cairn_error *err);

#endif
