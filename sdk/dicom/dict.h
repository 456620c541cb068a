/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_DICT_H
#define DICOM_DICT_H

/*
 * The data dictionary (PS3.6), generated at build time from dict.tsv, and the registries of
 * transfer syntaxes and storage SOP classes.  All lookups are on constant tables: any thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DCM_TAG(group, element) ((uint32_t)(group) << 16 | (uint32_t)(element))
#define DCM_GROUP(tag) ((uint16_t)((tag) >> 16))
#define DCM_IS_PRIVATE(tag) (((tag) >> 16 & 1u) != 0)

/* A value representation is its two letters: DCM_VR('U','I'). */
#define DCM_VR(a, b) ((uint16_t)((uint16_t)(a) << 8 | (uint16_t)(b)))

struct dcm_entry {
	uint32_t tag;  /* for repeating groups the lowest tag of the range */
	uint32_t mask; /* which bits of the tag count */
	uint16_t vr;   /* where the standard allows several, the first ("US or SS" is US) */
	bool retired;
	const char *keyword;
	const char *vm; /* "1", "1-n", "2-2n" */
};

/* NULL for private and unknown tags.  (gggg,0000) is a group length, UL. */
const struct dcm_entry *dcm_dict_find(uint32_t tag);
const struct dcm_entry *dcm_dict_find_keyword(const char *keyword);

/* VRs with a 16-bit length in explicit encodings are "short" (PS3.5 7.1.2). */
bool dcm_vr_known(uint16_t vr);
bool dcm_vr_is_long(uint16_t vr); /* 2 reserved bytes and a 32-bit length */
bool dcm_vr_is_text(uint16_t vr); /* padded with a space (UI: with a zero) */
size_t dcm_vr_unit(uint16_t vr);  /* bytes to swap for big endian: 1, 2, 4 or 8 */

struct dcm_syntax {
	const char *uid;
	const char *name;
	bool explicit_vr;
	bool big_endian;
	bool deflated;
	bool encapsulated; /* pixel data in fragments */
};

/* NULL when the transfer syntax is not one we can carry. */
const struct dcm_syntax *dcm_syntax_find(const char *uid);
const struct dcm_syntax *dcm_syntax_at(size_t index); /* NULL past the end */

#define DCM_IMPLICIT_LE "1.2.840.10008.1.2"
#define DCM_EXPLICIT_LE "1.2.840.10008.1.2.1"
#define DCM_DEFLATED_LE "1.2.840.10008.1.2.1.99"
#define DCM_EXPLICIT_BE "1.2.840.10008.1.2.2"

/* Name of a storage SOP class, NULL when it is none that PS3.4 lists. */
const char *dcm_storage_class_name(const char *uid);
const char *dcm_storage_class_at(size_t index); /* its UID; NULL past the end */

#endif
