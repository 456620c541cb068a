/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_READER_H
#define DICOM_READER_H

/*
 * Reading a DICOM data set (PS3.5) as a stream of tokens, iteratively, in one pass.
 *
 * The reader keeps offsets, never pointers, so the caller may hand it a growing buffer: when a
 * token is not complete yet, dcm_reader_next() answers DCM_MORE and is called again with more bytes
 * and the same beginning.  A sequence's nesting is limited to DCM_DEPTH_MAX (deeper is
 * CAIRN_ELIMIT: no real object comes near, and 100,000 levels kill programs that recurse).  Every
 * length is checked against what encloses it.  Deflated data sets are inflated first (dcm_inflate
 * in part10.h).
 *
 * Implicit VR takes the VR from the dictionary (private and unknown: UN; a private creator: LO). An
 * element of VR UN with undefined length, and a private one whose value is undefined length, is a
 * sequence in implicit VR little endian (PS3.5 6.2.2); its parts come as tokens like any other
 * sequence's, and its SEQUENCE_BEGIN says SQ.  So does an element of VR UN with a defined length
 * that the dictionary knows as a sequence and whose value begins with an item.
 *
 * What deviates from the standard is accepted where only one meaning is possible, and refused with
 * offset, tag, expected and found otherwise.  Accepted:
 *   - tags out of order (the same tag twice in a row is refused);
 *   - values of odd length; reserved bytes and delimiter lengths that are not zero;
 *   - a delimiter as the last 8 bytes of a sequence or item of defined length (skipped);
 *   - VR "??" or "--": a 16-bit length follows, and the VR is UN;
 *   - an item, or the whole data set, in implicit VR where explicit was announced, and a data set
 * in explicit VR where implicit was announced, told by the first element;
 *   - two or more zero bytes after the last element, up to the end.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#include "dicom/dict.h"

#define DCM_DEPTH_MAX 64
#define DCM_UNDEFINED 0xffffffffu

enum dcm_token_kind {
	DCM_MORE,           /* nothing yet: call again with more bytes */
	DCM_ELEMENT,        /* one element with its value, which is complete in the buffer */
	DCM_SEQUENCE_BEGIN, /* tag, vr; length may be DCM_UNDEFINED.  vr is SQ, or OB or OW for
			       encapsulated fragments (also nested ones, as in an icon image): then
			       each ITEM_BEGIN has its fragment complete in the buffer */
	DCM_ITEM_BEGIN,
	DCM_ITEM_END,
	DCM_SEQUENCE_END,
	DCM_PIXELS, /* top-level (7FE0,0008), (7FE0,0009) or (7FE0,0010): header read, value
		       not; value_offset is where it begins */
	DCM_END,    /* the data set ended where an element may end */
};

struct dcm_token {
	enum dcm_token_kind kind;
	uint32_t tag;        /* of items and ends: the tag of the sequence they belong to */
	uint16_t vr;         /* as written, or from the dictionary for implicit VR; of items and
				ends: that of the sequence */
	uint32_t length;     /* of the value */
	unsigned depth;      /* 0 at the top level; the items of a sequence are one deeper */
	size_t offset;       /* of the element's or item's first byte */
	size_t value_offset; /* of the value's first byte */
	bool big_endian;     /* the value's byte order; little inside UN whatever the syntax */
};

struct dcm_level {
	size_t end;   /* offset where it must end; SIZE_MAX when undefined */
	size_t limit; /* where the nearest level of defined length ends, this one included */
	bool is_item;
	bool implicit_vr; /* inside UN of undefined length */
	uint16_t vr;      /* of the sequence: SQ, or OB or OW for fragments */
	uint32_t tag;     /* of the sequence */
	uint32_t last_tag;
};

struct dcm_reader {
	bool explicit_vr;
	bool big_endian;
	bool
	    pixels_as_elements; /* read whole pixel data too: DCM_ELEMENT, or for encapsulated ones
				   a DCM_SEQUENCE_BEGIN of VR OB whose items are fragments, each
				   ITEM_BEGIN (length and value_offset of the fragment), ITEM_END */
	size_t position;
	unsigned depth; /* the level we are in: odd ones are sequences, even ones items */
	struct dcm_level levels[2 * DCM_DEPTH_MAX + 1];
	uint64_t
	    elements; /* elements and items so far; more than DCM_ELEMENTS_MAX is CAIRN_ELIMIT */
};

#define DCM_ELEMENTS_MAX 4000000u

/* Reads from offset `position` of the buffers to come. */
void dcm_reader_init(struct dcm_reader *reader, const struct dcm_syntax *syntax, size_t position);

/*
 * The next token of data[0..length).  `eof`: nothing will follow.  0 with `*ret_token`, or
 *   CAIRN_ECORRUPT  the bytes are no data set (the text says where and what was expected)
 *   CAIRN_ELIMIT    nested or long beyond the limits above
 * After an error the reader stays there.  At DCM_PIXELS without pixels_as_elements the reader stays
 * before the element (asked again it says the same): a caller who knows where the value ends may
 * set `position` there and go on, or set pixels_as_elements.
 */
int dcm_reader_next(struct dcm_reader *reader, const uint8_t *data, size_t length, bool eof,
    struct dcm_token *ret_token, struct cairn_error *err);

/* ---- values ----------------------------------------------------------------------------- */

/* Numbers in the reader's byte order. */
uint16_t dcm_read_u16(const uint8_t *at, bool big_endian);
uint32_t dcm_read_u32(const uint8_t *at, bool big_endian);

/* A text value without its padding: leading and trailing spaces and trailing zeros are dropped, and
 * the text ends at the first zero in it.  Bytes are kept as they are (no character set conversion).
 * False when it does not fit. */
bool dcm_value_text(const uint8_t *data, const struct dcm_token *token, char *ret, size_t size);

/* "20260131" (also "2026.01.31") to days since 1970-01-01; "042Y", "011M", "003W", "012D" to days
 * (a year is 365.25 days, a month 30.4375); "1.25" or "1.25\2.5" (the first value) to a number.
 * CAIRN_EINVAL when the text is none. */
int dcm_text_date(const char *text, int32_t *ret_days);
int dcm_text_age(const char *text, double *ret_days);
int dcm_text_number(const char *text, double *ret);

#endif
