/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_WRITER_H
#define DICOM_WRITER_H

/*
 * Writing a data set into a buffer, in any of the three encodings.  Sequences and items are written
 * with undefined length and delimiters, so nothing is written twice.  The caller keeps the order of
 * tags; the writer asserts nothing about it.  Values are padded to even length by VR.
 * All functions return 0, CAIRN_ENOMEM or CAIRN_ELIMIT (the buffer's max, or a value that is longer
 * than a 16-bit length holds: then VR UN with a 32-bit length is written, PS3.5 6.2.2 note).
 */

#include <stdint.h>

#include "base/buf.h"
#include "dicom/dict.h"
#include "dicom/reader.h"

struct dcm_writer {
	struct buf *out; /* borrowed */
	bool explicit_vr;
	bool big_endian;
};

void dcm_writer_init(struct dcm_writer *writer, struct buf *out, const struct dcm_syntax *syntax);

/* The value's bytes are in the writer's byte order already. */
int dcm_put_bytes(
    struct dcm_writer *w, uint32_t tag, uint16_t vr, const void *value, size_t length);
int dcm_put_text(struct dcm_writer *w, uint32_t tag, uint16_t vr, const char *text);
int dcm_put_u16(struct dcm_writer *w, uint32_t tag, uint16_t vr, uint16_t value);
int dcm_put_u32(struct dcm_writer *w, uint32_t tag, uint16_t vr, uint32_t value);
int dcm_put_sequence_begin(struct dcm_writer *w, uint32_t tag);
int dcm_put_item_begin(struct dcm_writer *w);
int dcm_put_item_end(struct dcm_writer *w);
int dcm_put_sequence_end(struct dcm_writer *w);
/* One fragment of encapsulated pixel data; before the first dcm_put_header(..., DCM_UNDEFINED),
 * after the last dcm_put_sequence_end(). */
int dcm_put_fragment(struct dcm_writer *w, const void *value, size_t length);
/* Writes what the reader read from `data`, swapping bytes where the encodings differ.  A group
 * length (gggg,0000) is left out.  DCM_MORE, DCM_PIXELS and DCM_END cannot be written:
 * CAIRN_EINVAL. */
int dcm_put_token(struct dcm_writer *w, const uint8_t *data, const struct dcm_token *token);
/* Reverses the bytes of every `unit` (2, 4 or 8); an incomplete last unit stays as it is. */
void dcm_swap(uint8_t *value, size_t length, size_t unit);
/* Tag, VR and length only, for a value that the caller streams (length may be DCM_UNDEFINED). */
int dcm_put_header(struct dcm_writer *w, uint32_t tag, uint16_t vr, uint32_t length);

#endif
