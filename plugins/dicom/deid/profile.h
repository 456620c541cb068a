/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DEID_PROFILE_H
#define DEID_PROFILE_H

/* The profile's inside: the tables made from profile.tsv and supplement.tsv, and what is to be done
 * with an attribute under the configured options. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deid/deid.h"
#include "deid/private.h"
#include "deid/uid.h"

/* The Basic Profile's column.  Of a combination we take the action that suits an attribute of any
 * type (1, 2 or 3), because the table does not say which IOD asks what. */
enum deid_basic {
	DEID_BASIC_X,
	DEID_BASIC_Z,
	DEID_BASIC_D,
	DEID_BASIC_U,
	DEID_BASIC_XZ,
	DEID_BASIC_XD,
	DEID_BASIC_XZD,
	DEID_BASIC_ZD,
	DEID_BASIC_XZU,
};

struct deid_row {
	uint32_t tag;
	uint32_t mask;  /* which bits of the tag count */
	uint16_t keep;  /* enum deid_option that keep it */
	uint16_t clean; /* ... that clean it */
	uint8_t basic;  /* enum deid_basic */
	bool standard;  /* in a standard composite IOD */
};

extern const struct deid_row deid_rows[];
extern const size_t deid_rows_count;
extern const struct deid_row deid_extra[];
extern const size_t deid_extra_count;

/* What happens to one element. */
enum deid_act {
	DEID_ACT_REMOVE,
	DEID_ACT_EMPTY,
	DEID_ACT_DUMMY,
	DEID_ACT_KEEP, /* a sequence: its items are walked */
	DEID_ACT_UID,
	DEID_ACT_SHIFT,   /* dates */
	DEID_ACT_AGE,     /* kept up to 89 years */
	DEID_ACT_CLEAN,   /* allow-listed words; a sequence: walked, its texts cleaned */
	DEID_ACT_NAME,    /* Patient's Name and Patient ID */
	DEID_ACT_PRIVATE, /* ask the item's private blocks */
};

struct deid_rule {
	uint8_t act;
	uint8_t fallback; /* of CLEAN and SHIFT when nothing can be kept: REMOVE, EMPTY or DUMMY */
	bool loose;       /* LO, SH, UC that no table names: cleaned inside a cleaned sequence */
	uint16_t vr;      /* as written; the dictionary's for UN */
};

/* Direct-mapped: real headers have few hundred distinct tags. */
#define DEID_SLOTS 4096u

struct deid_slot {
	uint32_t tag;
	uint16_t vr; /* as written: part of the key; 0 is an empty slot */
	struct deid_rule rule;
};

struct deid_profile {
	unsigned options;
	struct deid_uids *uids;
	struct deid_safe_list safe;
	struct buf scratch; /* values being made */
	struct deid_slot slots[DEID_SLOTS];
};

#define DEID_SCRATCH_MAX (8u << 20)

/* The row of a tag (the standard's first, then ours), NULL when neither table has it. */
const struct deid_row *deid_row_find(uint32_t tag);

/* The rule for an element written with `vr`, from the cache or made now. */
struct deid_rule deid_rule_get(struct deid_profile *profile, uint32_t tag, uint16_t vr);

/* The rule for a private element that the safe list names. */
struct deid_rule deid_rule_safe(const struct deid_profile *profile, uint16_t vr);

#endif
