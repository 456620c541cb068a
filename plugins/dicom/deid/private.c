/* SPDX-License-Identifier: Apache-2.0 */
#include "deid/private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "deid/deid.h"

/*
 * Numbers without which diffusion images and PET cannot be evaluated.  The list is short on
 * purpose: a vendor's block is safe only attribute by attribute, and Siemens' CSA headers or
 * Philips' nested private sequences carry names and dates.
 */
static const char *const built_in[] = {
    "SIEMENS MR HEADER:0019,xx0A", /* NumberOfImagesInMosaic */
    "SIEMENS MR HEADER:0019,xx0C", /* B_value */
    "SIEMENS MR HEADER:0019,xx0D", /* DiffusionDirectionality */
    "SIEMENS MR HEADER:0019,xx0E", /* DiffusionGradientDirection */
    "SIEMENS MR HEADER:0019,xx27", /* B_matrix */
    "GEMS_ACQU_01:0019,xxBB",      /* diffusion direction, three numbers */
    "GEMS_ACQU_01:0019,xxBC", "GEMS_ACQU_01:0019,xxBD", "GEMS_PARM_01:0043,xx39", /* b value */
    "Philips Imaging DD 001:2001,xx03",    /* diffusion b-factor */
    "Philips Imaging DD 001:2001,xx04",    /* diffusion direction */
    "Philips MR Imaging DD 001:2005,xx0D", /* scale intercept */
    "Philips MR Imaging DD 001:2005,xx0E", /* scale slope */
    "Philips MR Imaging DD 001:2005,xxB0", /* diffusion direction RL, AP, FH */
    "Philips MR Imaging DD 001:2005,xxB1", "Philips MR Imaging DD 001:2005,xxB2",
    "Philips PET Private Group:7053,xx00", /* SUV factor */
    "Philips PET Private Group:7053,xx09", /* activity concentration factor */
};

#define BUILT_IN_COUNT (sizeof built_in / sizeof built_in[0])

/* "CREATOR:gggg,xxee" */
static int
parse(struct deid_safe *ret, const char *text, struct cairn_error *err)
{
	const char *colon = strrchr(text, ':');
	size_t length = colon == NULL ? 0 : (size_t)(colon - text);
	uint8_t group[2], element;
	char digits[5] = "";
	struct deid_safe entry = {.creator = ""};

	if (length == 0 || length >= sizeof entry.creator || strlen(colon) != 10 ||
	    colon[5] != ',' || strncasecmp(colon + 6, "xx", 2) != 0)
		goto bad;
	memcpy(digits, colon + 1, 4);
	if (text_unhex(digits, group, 2) != 0 || text_unhex(colon + 8, &element, 1) != 0)
		goto bad;
	entry.group = (uint16_t)(group[0] << 8 | group[1]);
	entry.element = element;
	if ((entry.group & 1) == 0 || entry.group < 9)
		goto bad;
	memcpy(entry.creator, text, length);
	*ret = entry;
	return 0;
bad:
	return cairn_error_set(err, CAIRN_EINVAL,
	    "safe private attribute '%s': expected CREATOR:gggg,xxee with an odd group, as in "
	    "'SIEMENS MR HEADER:0019,xx0C'",
	    text);
}

int
deid_safe_list_make(
    struct deid_safe_list *ret, const char *const *texts, size_t count, struct cairn_error *err)
{
	struct deid_safe_list list = {0};
	int code = 0;

	if (count > DEID_SAFE_PRIVATE_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "%zu safe private attributes: at most %d",
		    count, DEID_SAFE_PRIVATE_MAX);
	list.entries = calloc(BUILT_IN_COUNT + count, sizeof *list.entries);
	if (list.entries == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	for (size_t i = 0; i < BUILT_IN_COUNT + count && code == 0; i++) {
		code = parse(&list.entries[i],
		    i < BUILT_IN_COUNT ? built_in[i] : texts[i - BUILT_IN_COUNT], err);
		list.count++;
	}
	if (code != 0) {
		deid_safe_list_fini(&list);
		return code;
	}
	*ret = list;
	return 0;
}

void
deid_safe_list_fini(struct deid_safe_list *list)
{
	free(list->entries);
	*list = (struct deid_safe_list){0};
}

static const struct deid_safe *
find_creator(const struct deid_safe_list *list, uint16_t group, const uint8_t *value, size_t length)
{
	while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == 0))
		length--;
	for (size_t i = 0; i < list->count; i++) {
		const struct deid_safe *entry = &list->entries[i];

		if (entry->group == group && strlen(entry->creator) == length &&
		    memcmp(entry->creator, value, length) == 0)
			return entry;
	}
	return NULL;
}

bool
deid_blocks_reserve(struct deid_blocks *blocks, const struct deid_safe_list *list, uint32_t tag,
    const uint8_t *value, size_t length)
{
	uint16_t group = DCM_GROUP(tag);
	uint8_t block = (uint8_t)(tag & 0xff);
	const struct deid_safe *entry = find_creator(list, group, value, length);
	unsigned at = 0;

	while (at < blocks->count &&
	    (blocks->block[at].group != group || blocks->block[at].block != block))
		at++;
	if (entry == NULL) {
		if (at < blocks->count)
			blocks->block[at] = blocks->block[--blocks->count];
		return false;
	}
	if (at == DEID_BLOCKS_MAX)
		return false;
	if (at == blocks->count)
		blocks->count++;
	blocks->block[at].group = group;
	blocks->block[at].block = block;
	blocks->block[at].creator = (uint16_t)(entry - list->entries);
	return true;
}

bool
deid_blocks_safe(const struct deid_blocks *blocks, const struct deid_safe_list *list, uint32_t tag)
{
	uint16_t group = DCM_GROUP(tag);
	uint8_t block = (uint8_t)(tag >> 8 & 0xff), element = (uint8_t)(tag & 0xff);
	const char *creator = NULL;

	for (unsigned i = 0; i < blocks->count; i++)
		if (blocks->block[i].group == group && blocks->block[i].block == block)
			creator = list->entries[blocks->block[i].creator].creator;
	for (size_t i = 0; creator != NULL && i < list->count; i++)
		if (list->entries[i].group == group && list->entries[i].element == element &&
		    strcmp(list->entries[i].creator, creator) == 0)
			return true;
	return false;
}
