/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DEID_ELEMENT_H
#define DEID_ELEMENT_H

/* Writing the new form of one element, the attributes that de-identification adds,
 * and what both walks of a header share. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deid/profile.h"
#include "dicom/writer.h"

struct deid_edit {
	struct deid_profile *profile;
	const struct deid_patient *patient;
	struct dcm_writer writer;
};

/* Writes what `rule` makes of the element.  KEEP and PRIVATE are the caller's.  `*ret_keep` is set
 * when the value may stay as it is (nothing in it, a retained UID), and then nothing is written. */
int deid_element_write(struct deid_edit *edit, struct deid_rule rule, uint32_t tag,
    const uint8_t *value, size_t length, bool *ret_keep);

/* A sequence in place of one that is emptied or replaced. */
int deid_sequence_write(struct deid_edit *edit, enum deid_act act, uint32_t tag);

/* The attributes that every rewritten data set carries at its top level, in the order of their
 * tags: whether a tag is one, the tag of the index-th (UINT32_MAX past the end), and writing it. */
bool deid_is_added(uint32_t tag);
uint32_t deid_added_tag(size_t index);
int deid_added_write(struct deid_edit *edit, size_t index);

/* Where the walk of a header stopped, at `token`. */
void deid_end_set(struct deid_end *ret, const struct dcm_token *token,
    const struct dcm_syntax *announced, const struct dcm_reader *reader, size_t length);

#endif
