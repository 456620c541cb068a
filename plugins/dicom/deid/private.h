/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DEID_PRIVATE_H
#define DEID_PRIVATE_H

/* Private attributes that are known to be safe (PS3.15 E.3.10), and the private blocks
 * (PS3.5 7.8.1) that an item of a data set reserves. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

struct deid_safe {
	char creator[65];
	uint16_t group;
	uint8_t element; /* the low byte */
};

struct deid_safe_list {
	struct deid_safe *entries;
	size_t count;
};

/* The built-in list, then the configured texts "CREATOR:gggg,xxee". */
int deid_safe_list_make(
    struct deid_safe_list *ret, const char *const *texts, size_t count, struct cairn_error *err);
void deid_safe_list_fini(struct deid_safe_list *list);

/* An item that reserves more safe blocks than this loses the further ones. */
#define DEID_BLOCKS_MAX 24

struct deid_blocks {
	unsigned count;
	struct {
		uint16_t group;
		uint8_t block;
		uint16_t creator; /* index of an entry with this creator */
	} block[DEID_BLOCKS_MAX];
};

/* A private creator (gggg,0010-00FF): whether the list has attributes of it in this group.  Every
 * reservation replaces an earlier one of the same block. */
bool deid_blocks_reserve(struct deid_blocks *blocks, const struct deid_safe_list *list,
    uint32_t tag, const uint8_t *value, size_t length);

/* Whether the private element is on the list. */
bool deid_blocks_safe(
    const struct deid_blocks *blocks, const struct deid_safe_list *list, uint32_t tag);

#endif
