/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_READER_PRIVATE_H
#define DICOM_READER_PRIVATE_H

/* What the reader's two halves share: reader.c walks the levels, header.c reads tag, VR and length.
 */

#include "dicom/reader.h"

#define DCM_TAG_ITEM 0xfffee000u
#define DCM_TAG_ITEM_END 0xfffee00du
#define DCM_TAG_SEQUENCE_END 0xfffee0ddu

/* The arguments of one dcm_reader_next(). */
struct dcm_view {
	struct dcm_reader *reader;
	const uint8_t *data;
	size_t length;
	bool eof;
	struct cairn_error *err;
};

/* Reads the header at t->offset into tag, vr, length and value_offset.  Of group FFFE the VR is 0.
 */
int dcm_reader_header(const struct dcm_view *v, struct dcm_token *t);

int dcm_reader_need(const struct dcm_view *v, struct dcm_token *t, uint64_t bytes);

/* Sets the error "element (gggg,eeee) at offset N: ..." and returns `code`. */
int dcm_reader_refuse(const struct dcm_view *v, int code, const struct dcm_token *t,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
