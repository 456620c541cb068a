/* SPDX-License-Identifier: Apache-2.0 */
/* A record's samples, and values of a type. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "genomics/vcf.h"

#define KEYS_MAX 256u

struct column {
	struct vcf_text key;
	const struct vcf_definition *definition; /* or NULL */
	bool genotype;
};

static int
check_integer(struct vcf_text value)
{
	size_t i = value.length > 0 && (value.at[0] == '-' || value.at[0] == '+');
	int64_t number = 0;

	if (i == value.length)
		return CAIRN_EINVAL;
	for (; i < value.length; i++) {
		if (!isdigit((unsigned char)value.at[i]))
			return CAIRN_EINVAL;
		number = 10 * number + (value.at[i] - '0');
		if (number > (int64_t)INT32_MAX + 1)
			return CAIRN_EINVAL;
	}
	/* VCF 4.3, 1.3: -2^31 to -2^31 + 7 mean something else in BCF. */
	if (value.at[0] == '-')
		return number > (int64_t)INT32_MAX - 7 ? CAIRN_EINVAL : 0;
	return number > INT32_MAX ? CAIRN_EINVAL : 0;
}

static bool
is_named_float(struct vcf_text value)
{
	size_t skip = value.length > 0 && (value.at[0] == '-' || value.at[0] == '+');
	static const char *const names[] = {"inf", "infinity", "nan"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (value.length - skip == strlen(names[i]) &&
		    strncasecmp(value.at + skip, names[i], value.length - skip) == 0)
			return true;
	}
	return false;
}

static size_t
skip_digits(struct vcf_text value, size_t i)
{
	while (i < value.length && isdigit((unsigned char)value.at[i]))
		i++;
	return i;
}

static int
check_float(struct vcf_text value)
{
	size_t i = value.length > 0 && (value.at[0] == '-' || value.at[0] == '+');
	size_t start = i, digits;

	i = skip_digits(value, i);
	digits = i - start;
	if (i < value.length && value.at[i] == '.') {
		start = ++i;
		i = skip_digits(value, i);
		digits += i - start;
	}
	if (digits == 0)
		return is_named_float(value) ? 0 : CAIRN_EINVAL;
	if (i < value.length && (value.at[i] == 'e' || value.at[i] == 'E')) {
		i++;
		i += i < value.length && (value.at[i] == '-' || value.at[i] == '+');
		start = i;
		i = skip_digits(value, i);
		if (i == start)
			return CAIRN_EINVAL;
	}
	return i == value.length ? 0 : CAIRN_EINVAL;
}

int
vcf_value_check(struct vcf_text value, enum vcf_type type, int minor)
{
	switch (type) {
	case VCF_INTEGER:
		return check_integer(value);
	case VCF_FLOAT:
		return check_float(value);
	case VCF_FLAG:
		return CAIRN_EINVAL;
	case VCF_CHARACTER:
		/* One character of UTF-8, or an escape (%2C). */
		return value.length >= 1 && value.length <= (minor >= 3 ? 4 : 1) ? 0 : CAIRN_EINVAL;
	case VCF_STRING:
		break;
	}
	return value.length > 0 ? 0 : CAIRN_EINVAL;
}

/* ---- genotypes ---------------------------------------------------------------------------- */

/* Alleles between / or |; from 4.4 on one may stand in front.  `*ret_ploidy`. */
static int
check_genotype(
    const struct vcf_header *header, struct vcf_text text, size_t alleles, size_t *ret_ploidy)
{
	size_t i =
	    header->minor >= 4 && text.length > 1 && (text.at[0] == '/' || text.at[0] == '|');
	size_t ploidy = 0;

	for (;;) {
		size_t start = i, number = 0;

		if (i < text.length && text.at[i] == '.') {
			i++;
		} else {
			while (i < text.length && isdigit((unsigned char)text.at[i])) {
				number = 10 * number + (size_t)(text.at[i++] - '0');
				if (number >= alleles)
					return CAIRN_EINVAL;
			}
		}
		if (i == start)
			return CAIRN_EINVAL;
		ploidy++;
		if (i == text.length)
			break;
		if (text.at[i] != '/' && text.at[i] != '|')
			return CAIRN_EINVAL;
		i++;
	}
	*ret_ploidy = ploidy;
	return ploidy <= 64 ? 0 : CAIRN_EINVAL;
}

/* How many genotypes there are (VCF 4.3, 1.6.2); 0: too many to count. */
static size_t
genotypes(size_t alleles, size_t ploidy)
{
	size_t value = 1;

	for (size_t i = 1; i <= ploidy; i++) {
		value = value * (alleles + i - 1) / i;
		if (value > 1000000)
			return 0;
	}
	return value;
}

static bool
counted(int number, size_t count, size_t alleles, size_t ploidy)
{
	switch (number) {
	case VCF_NUMBER_ANY:
	case VCF_NUMBER_OTHER:
		return true;
	case VCF_NUMBER_A:
		return count == alleles - 1;
	case VCF_NUMBER_R:
		return count == alleles;
	case VCF_NUMBER_G:
		return count == genotypes(alleles, ploidy);
	default:
		return count == (size_t)number;
	}
}

static int
check_field(const struct vcf_header *header, const struct column *column, struct vcf_text values,
    const size_t shape[2], struct cairn_error *err)
{
	struct vcf_text rest = values, value;
	size_t count = 0;

	if (values.length == 1 && values.at[0] == '.')
		return 0;
	if (column->definition == NULL) {
		if (values.length > 0)
			return 0;
		return cairn_error_set(
		    err, CAIRN_EINVAL, "%.*s is empty in a sample", VCF_SHOWN(column->key));
	}
	/* 4.5: a local list may have no element. */
	if (values.length == 0 && header->minor >= 5 &&
	    (column->definition->number == VCF_NUMBER_OTHER ||
		column->definition->number == VCF_NUMBER_ANY))
		return 0;
	while (vcf_next(&rest, ',', &value)) {
		count++;
		if (!(value.length == 1 && value.at[0] == '.') &&
		    vcf_value_check(value, column->definition->type, header->minor) != 0)
			return cairn_error_set(err, CAIRN_EINVAL,
			    "%.*s: a sample's value is not what its Type says",
			    VCF_SHOWN(column->key));
	}
	/* Without ALT callers write the lists of the allele that they looked for. */
	if (!(column->definition->number < 0 && shape[0] == 1) &&
	    !counted(column->definition->number, count, shape[0], shape[1]))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "%.*s: a sample has %zu values, which is not its Number",
		    VCF_SHOWN(column->key), count);
	return 0;
}

static size_t
columns_of(const struct vcf_header *header, struct vcf_text format, struct column ret[KEYS_MAX])
{
	size_t count = 0;
	struct vcf_text key;

	while (count < KEYS_MAX && vcf_next(&format, ':', &key)) {
		ret[count].key = key;
		ret[count].definition = vcf_find(header, VCF_FORMAT, key.at, key.length);
		if (ret[count].definition == NULL)
			ret[count].definition = vcf_reserved(VCF_FORMAT, key.at, key.length);
		ret[count].genotype = vcf_text_is(key, "GT");
		count++;
	}
	return count;
}

static int
check_sample(const struct vcf_header *header, const struct column *columns, size_t column_count,
    struct vcf_text sample, size_t alleles, struct cairn_error *err)
{
	struct vcf_text field;
	size_t shape[2] = {alleles, 2}, at = 0;
	int code = 0;

	while (code == 0 && vcf_next(&sample, ':', &field)) {
		if (at == column_count)
			return cairn_error_set(
			    err, CAIRN_EINVAL, "a sample has more fields than FORMAT");
		if (columns[at].genotype) {
			if (check_genotype(header, field, alleles, &shape[1]) != 0)
				return cairn_error_set(err, CAIRN_EINVAL,
				    "a sample's GT is no genotype of these alleles");
		} else {
			code = check_field(header, &columns[at], field, shape, err);
		}
		at++;
	}
	return code;
}

int
vcf_record_samples(
    const struct vcf_header *header, const struct vcf_record *record, struct cairn_error *err)
{
	struct vcf_text rest = {record->samples, record->samples_length}, sample;
	struct column columns[KEYS_MAX];
	size_t count = columns_of(header, record->format, columns), samples = 0;
	int code = 0;

	while (code == 0 && vcf_next(&rest, '\t', &sample)) {
		for (size_t i = 0; i < sample.length; i++) {
			if ((unsigned char)sample.at[i] <= ' ')
				return cairn_error_set(err, CAIRN_EINVAL,
				    "a sample has a space or a control character");
		}
		if (++samples <= header->sample_count)
			code = check_sample(header, columns, count, sample, record->alleles, err);
	}
	if (code == 0 && samples != header->sample_count)
		code = cairn_error_set(err, CAIRN_EINVAL, "%zu samples where the header names %zu",
		    samples, header->sample_count);
	return code;
}
