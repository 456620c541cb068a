/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lookups in the generated tables.  A tag is found through a hash table with linear probing, which
 * costs one or two cache lines; the reader asks for every element of an implicit VR data set, and a
 * binary search over 5,000 entries was the larger half of its time.
 */
#include <string.h>

#include "dicom/dict_table.h"

static const struct dcm_entry group_length = {
    0, 0x0000ffffu, DCM_VR('U', 'L'), true, "GenericGroupLength", "1"};

static const struct dcm_entry *
find_exact(uint32_t tag)
{
	uint32_t slot = (DCM_GROUP(tag) * 31153u + (tag & 0xffffu)) % DCM_SLOTS;

	for (; dcm_table_slots[slot] != 0; slot = (slot + 1) % DCM_SLOTS) {
		const struct dcm_entry *entry = &dcm_table_exact[dcm_table_slots[slot] - 1u];

		if (entry->tag == tag)
			return entry;
	}
	return NULL;
}

static const struct dcm_entry *
find_range(uint32_t tag)
{
	for (size_t i = 0; i < dcm_table_ranges_count; i++) {
		if ((tag & dcm_table_ranges[i].mask) == dcm_table_ranges[i].tag)
			return &dcm_table_ranges[i];
	}
	return NULL;
}

const struct dcm_entry *
dcm_dict_find(uint32_t tag)
{
	const struct dcm_entry *entry;

	if ((tag & 0xffffu) == 0) {
		entry = find_exact(tag);
		return entry != NULL ? entry : &group_length;
	}
	if (DCM_IS_PRIVATE(tag))
		return NULL;
	entry = find_exact(tag);
	return entry != NULL ? entry : find_range(tag);
}

static const struct dcm_entry *
keyword_entry(size_t place)
{
	size_t index = dcm_table_keywords[place];

	return index < dcm_table_exact_count ? &dcm_table_exact[index]
					     : &dcm_table_ranges[index - dcm_table_exact_count];
}

const struct dcm_entry *
dcm_dict_find_keyword(const char *keyword)
{
	size_t low = 0, high = dcm_table_keywords_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct dcm_entry *entry = keyword_entry(middle);
		int order = strcmp(keyword, entry->keyword);

		if (order == 0)
			return entry;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}
