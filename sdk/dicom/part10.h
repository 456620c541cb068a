/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_PART10_H
#define DICOM_PART10_H

/* The DICOM file format (PS3.10 7): preamble, "DICM", group 0002 in explicit VR little endian. */

#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#include "base/buf.h"
#include "dicom/dict.h"

#define DCM_UID_MAX 64

struct dcm_meta {
	char sop_class[DCM_UID_MAX + 1];
	char sop_instance[DCM_UID_MAX + 1];
	char transfer_syntax[DCM_UID_MAX + 1];
	const struct dcm_syntax *syntax; /* NULL when we cannot carry it */
	size_t dataset_offset;           /* where the data set begins */
};

/*
 * Reads the file meta information at the start of data[0..length).  A file without preamble or meta
 * (old exports) is taken as a bare data set in implicit or explicit little endian, guessed from its
 * first element, with empty UIDs.
 *   CAIRN_EAGAIN   more bytes are needed (only when !eof)
 *   CAIRN_ECORRUPT not DICOM, with the reason; also DICOMDIR-like files are read like any other
 */
int dcm_meta_read(
    const uint8_t *data, size_t length, bool eof, struct dcm_meta *ret, struct cairn_error *err);

/* Appends preamble (zeros), "DICM" and a minimal group 0002 with our implementation UID and version
 * name.  No AE titles, no private information. */
int dcm_meta_write(
    struct buf *out, const char *sop_class, const char *sop_instance, const char *transfer_syntax);

/* Our Implementation Class UID and Version Name (PS3.7 D.3.3.2). */
#define DCM_IMPLEMENTATION_UID "2.25.214618530285473622950217339017466290131"
#define DCM_IMPLEMENTATION_VERSION "CAIRN_0_1"

/* Deflated Explicit VR Little Endian (PS3.5 A.5): raw deflate streams; `out`'s max bounds what a
 * hostile file may inflate to. */
int dcm_inflate(const uint8_t *data, size_t length, struct buf *out, struct cairn_error *err);
int dcm_deflate(const uint8_t *data, size_t length, struct buf *out, struct cairn_error *err);

#endif
