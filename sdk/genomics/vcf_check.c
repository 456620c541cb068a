/* SPDX-License-Identifier: Apache-2.0 */
/* A whole text at once. */
#include <string.h>

#include "genomics/vcf.h"

static int
check_line(struct vcf_header *header, struct vcf_order *order, const char *line, size_t length,
    struct cairn_error *err)
{
	struct vcf_record record;
	int code;

	if (!header->complete)
		return vcf_header_line(header, line, length, err);
	code = vcf_record_site(header, line, length, &record, err);
	if (code == 0 && record.samples != NULL)
		code = vcf_record_samples(header, &record, err);
	return code == 0 ? vcf_order_add(order, &record, err) : code;
}

static int
check_lines(struct vcf_header *header, struct vcf_order *order, struct vcf_text text,
    uint64_t *ret_line, struct cairn_error *err)
{
	uint64_t number = 0;

	while (text.length > 0) {
		const char *end = memchr(text.at, '\n', text.length);
		size_t length = end == NULL ? text.length : (size_t)(end - text.at), shown = length;
		int code;

		*ret_line = ++number;
		if (end == NULL)
			return cairn_error_set(
			    err, CAIRN_EINVAL, "the last line has no end: is the file cut off?");
		if (length > 0 && text.at[length - 1] == '\r')
			shown--;
		code = check_line(header, order, text.at, shown, err);
		if (code != 0)
			return code;
		text.at += length + 1;
		text.length -= length + 1;
	}
	if (!header->complete)
		return cairn_error_set(err, CAIRN_EINVAL, "the file ends before the line #CHROM");
	return 0;
}

int
vcf_check(
    const char *text, size_t length, bool declared, uint64_t *ret_line, struct cairn_error *err)
{
	struct vcf_header *header = NULL;
	struct vcf_order *order = NULL;
	int code = vcf_header_new(&header, declared, err);

	*ret_line = 1;
	if (code == 0)
		code = vcf_order_new(&order, err);
	if (code == 0)
		code = check_lines(header, order, (struct vcf_text){text, length}, ret_line, err);
	vcf_header_free(header);
	vcf_order_free(order);
	return code;
}
