/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_DICT_TABLE_H
#define DICOM_DICT_TABLE_H

/* What make_dict generates, for dict.c and syntax.c alone. */

#include "dicom/dict.h"

#define DCM_SLOTS 16384u

struct dcm_class {
	const char *uid;
	const char *name;
};

extern const struct dcm_entry dcm_table_exact[]; /* by tag */
extern const size_t dcm_table_exact_count;
extern const struct dcm_entry dcm_table_ranges[]; /* by lowest tag */
extern const size_t dcm_table_ranges_count;
extern const uint16_t dcm_table_slots[DCM_SLOTS]; /* index into exact plus 1; 0 is empty */
extern const uint16_t dcm_table_keywords[];       /* by keyword; index into exact, then ranges */
extern const size_t dcm_table_keywords_count;
extern const struct dcm_class dcm_table_storage[]; /* by UID */
extern const size_t dcm_table_storage_count;

#endif
