/* SPDX-License-Identifier: Apache-2.0 */
/* A record's first nine columns. */
#include <ctype.h>
#include <string.h>

#include "genomics/vcf.h"

#define KEYS_MAX 512u /* of one INFO */

static int
wrong(struct cairn_error *err, const char *column, struct vcf_text value, const char *why)
{
	return cairn_error_set(err, CAIRN_EINVAL, "%s '%.*s': %s", column, VCF_SHOWN(value), why);
}

static bool
has_space(struct vcf_text text)
{
	for (size_t i = 0; i < text.length; i++) {
		if ((unsigned char)text.at[i] <= ' ' || text.at[i] == 0x7f)
			return true;
	}
	return false;
}

static bool
same_text(struct vcf_text a, struct vcf_text b)
{
	return a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
}

static bool
is_key(struct vcf_text text)
{
	if (vcf_text_is(text, "1000G"))
		return true;
	if (text.length == 0 || !(isalpha((unsigned char)text.at[0]) || text.at[0] == '_'))
		return false;
	for (size_t i = 1; i < text.length; i++) {
		if (!isalnum((unsigned char)text.at[i]) && text.at[i] != '_' && text.at[i] != '.')
			return false;
	}
	return text.length <= VCF_NAME_MAX;
}

static int
check_chrom(const struct vcf_header *header, struct vcf_text chrom, struct cairn_error *err)
{
	struct vcf_text name = chrom;

	if (chrom.length > 2 && chrom.at[0] == '<' && chrom.at[chrom.length - 1] == '>') {
		name.at++;
		name.length -= 2;
	}
	if (name.length == 0 || name.length > VCF_NAME_MAX || has_space(name))
		return wrong(err, "CHROM", chrom, "empty, too long or with a space");
	for (size_t i = 0; i < name.length; i++) {
		if (strchr(":,<>\"'`()[]{}\\", name.at[i]) != NULL)
			return wrong(err, "CHROM", chrom, "has a character that is not allowed");
	}
	if (header->declared && vcf_find(header, VCF_CONTIG, name.at, name.length) == NULL)
		return wrong(err, "CHROM", chrom, "the header declares no such contig");
	return 0;
}

static int
parse_pos(struct vcf_text text, uint64_t *ret, struct cairn_error *err)
{
	uint64_t value = 0;

	for (size_t i = 0; i < text.length; i++) {
		if (text.at[i] < '0' || text.at[i] > '9' || value > INT32_MAX)
			return wrong(err, "POS", text, "no number from 0 to 2147483647");
		value = 10 * value + (uint64_t)(text.at[i] - '0');
	}
	if (text.length == 0 || value > INT32_MAX)
		return wrong(err, "POS", text, "no number from 0 to 2147483647");
	*ret = value;
	return 0;
}

/* ID and FILTER: `.`, or parts between semicolons, none twice. */
static int
check_parts(const char *column, struct vcf_text text, struct cairn_error *err)
{
	struct vcf_text rest = text, part, other, others;

	if (vcf_text_is(text, "."))
		return 0;
	if (text.length == 0 || has_space(text))
		return wrong(err, column, text, "empty or with a space");
	while (vcf_next(&rest, ';', &part)) {
		if (part.length == 0 || vcf_text_is(part, "."))
			return wrong(err, column, text, "an empty part between semicolons");
		others = rest;
		while (vcf_next(&others, ';', &other)) {
			if (same_text(part, other))
				return wrong(err, column, text, "the same part twice");
		}
	}
	return 0;
}

static int
check_filter(const struct vcf_header *header, struct vcf_text text, struct cairn_error *err)
{
	struct vcf_text rest = text, part;
	int code;

	if (vcf_text_is(text, "PASS"))
		return 0;
	code = check_parts("FILTER", text, err);
	while (code == 0 && !vcf_text_is(text, ".") && vcf_next(&rest, ';', &part)) {
		if (vcf_text_is(part, "0"))
			code = wrong(err, "FILTER", text, "0 is reserved");
		else if (header->declared && !vcf_text_is(part, "PASS") &&
		    vcf_find(header, VCF_FILTER, part.at, part.length) == NULL)
			code = wrong(err, "FILTER", part, "the header declares no such filter");
	}
	return code;
}

static bool
is_bases(struct vcf_text text)
{
	for (size_t i = 0; i < text.length; i++) {
		if (strchr("ACGTNacgtn", text.at[i]) == NULL || text.at[i] == 0)
			return false;
	}
	return text.length > 0;
}

/* Bases with [place[ or ]place] at one end (VCF 4.3, 5.4), or "." at one end. */
static bool
is_breakend(struct vcf_text text)
{
	size_t first = 0, last = text.length - 1;
	char bracket;

	if (text.at[0] == '.' || text.at[last] == '.')
		return text.length > 1 &&
		    is_bases((struct vcf_text){text.at + (text.at[0] == '.'), text.length - 1});
	while (first < text.length && text.at[first] != '[' && text.at[first] != ']')
		first++;
	while (last > first && text.at[last] != '[' && text.at[last] != ']')
		last--;
	if (last <= first + 1 || text.at[first] != text.at[last])
		return false;
	bracket = text.at[first];
	if (memchr(text.at + first + 1, ':', last - first - 1) == NULL ||
	    memchr(text.at + first + 1, bracket, last - first - 1) != NULL)
		return false;
	if (first == 0)
		return is_bases((struct vcf_text){text.at + last + 1, text.length - last - 1});
	return last == text.length - 1 && is_bases((struct vcf_text){text.at, first});
}

static bool
is_symbol(struct vcf_text text)
{
	if (text.length < 3 || text.at[0] != '<' || text.at[text.length - 1] != '>')
		return false;
	for (size_t i = 1; i + 1 < text.length; i++) {
		if (strchr("<>, \t", text.at[i]) != NULL)
			return false;
	}
	return true;
}

static int
check_alt(struct vcf_text text, size_t *ret_alleles, struct cairn_error *err)
{
	struct vcf_text rest = text, allele;
	size_t count = 1;

	*ret_alleles = 1;
	if (vcf_text_is(text, "."))
		return 0;
	while (vcf_next(&rest, ',', &allele)) {
		if (allele.length == 0)
			return wrong(err, "ALT", text, "an empty allele");
		if (!is_bases(allele) && !vcf_text_is(allele, "*") && !is_symbol(allele) &&
		    !is_breakend(allele))
			return wrong(err, "ALT", allele, "no bases, symbol or breakend");
		if (++count > VCF_ALLELES_MAX)
			return cairn_error_set(
			    err, CAIRN_ELIMIT, "more than %u alleles", VCF_ALLELES_MAX);
	}
	*ret_alleles = count;
	return 0;
}

/* ---- INFO --------------------------------------------------------------------------------- */

static bool
is_cigar(struct vcf_text text)
{
	bool digit = false;

	for (size_t i = 0; i < text.length; i++) {
		if (isdigit((unsigned char)text.at[i])) {
			digit = true;
		} else {
			if (!digit || strchr("MIDNSHP=X", text.at[i]) == NULL)
				return false;
			digit = false;
		}
	}
	return !digit;
}

/* What the reserved keys say beside their type. */
static bool
meaningful(struct vcf_text key, struct vcf_text value)
{
	static const char *const counts[] = {
	    "AC", "AN", "AF", "DP", "END", "MQ", "MQ0", "NS", "BQ", "AD", "ADF", "ADR"};

	if (vcf_text_is(key, "CIGAR"))
		return is_cigar(value);
	for (size_t i = 0; value.at[0] == '-' && i < sizeof counts / sizeof *counts; i++) {
		if (vcf_text_is(key, counts[i]))
			return false;
	}
	return true;
}

static size_t
wanted(int number, size_t alleles)
{
	switch (number) {
	case VCF_NUMBER_A:
		return alleles - 1;
	case VCF_NUMBER_R:
		return alleles;
	case VCF_NUMBER_G:
		return alleles * (alleles + 1) / 2;
	default:
		return (size_t)number;
	}
}

static int
check_values(const struct vcf_header *header, const struct vcf_definition *definition,
    struct vcf_text key, struct vcf_text values, size_t alleles, struct cairn_error *err)
{
	struct vcf_text rest = values, value;
	size_t count = 0;

	if (vcf_text_is(values, "."))
		return 0;
	if (values.length > 1 && values.at[0] == '"' && values.at[values.length - 1] == '"' &&
	    definition->type == VCF_STRING && definition->number == 1)
		return 0; /* its commas are its own */
	while (vcf_next(&rest, ',', &value)) {
		count++;
		if (!vcf_text_is(value, ".") &&
		    (vcf_value_check(value, definition->type, header->minor) != 0 ||
			!meaningful(key, value)))
			return cairn_error_set(err, CAIRN_EINVAL,
			    "INFO %.*s: a value is not what its Type says", VCF_SHOWN(key));
	}
	if (definition->number == VCF_NUMBER_ANY || definition->number == VCF_NUMBER_OTHER ||
	    alleles == 0 || (alleles == 1 && definition->number == VCF_NUMBER_A) ||
	    /* In INFO no ploidy says how many genotypes there are. */
	    definition->number == VCF_NUMBER_G || count == wanted(definition->number, alleles))
		return 0;
	return cairn_error_set(err, CAIRN_EINVAL, "INFO %.*s: %zu values where Number says %zu",
	    VCF_SHOWN(key), count, wanted(definition->number, alleles));
}

static int
check_entry(const struct vcf_header *header, struct vcf_text entry, size_t alleles,
    struct vcf_text *ret_key, struct cairn_error *err)
{
	const struct vcf_definition *definition;
	struct vcf_text rest = entry, key = {0};
	bool counted = true; /* lists that nobody declared may have any length */

	if (!vcf_next(&rest, '=', &key) || !is_key(key))
		return wrong(err, "INFO", entry, "the key is empty or has other characters");
	*ret_key = key;
	definition = vcf_find(header, VCF_INFO, key.at, key.length);
	if (definition == NULL && header->declared)
		return wrong(err, "INFO", key, "the header does not declare it");
	if (definition == NULL) {
		definition = vcf_reserved(VCF_INFO, key.at, key.length);
		counted = definition != NULL && definition->number >= 0;
	}
	if (rest.at != NULL && rest.length == 0)
		return wrong(err, "INFO", key, "nothing behind the equals sign");
	if (definition == NULL)
		return 0;
	if (definition->type == VCF_FLAG)
		return rest.at == NULL ||
			(header->minor < 3 && (vcf_text_is(rest, "0") || vcf_text_is(rest, "1")))
		    ? 0
		    : wrong(err, "INFO", key, "a Flag has no value");
	if (rest.at == NULL)
		return wrong(err, "INFO", key, "has no value and is no Flag");
	return check_values(header, definition, key, rest, counted ? alleles : 0, err);
}

static int
check_info(
    const struct vcf_header *header, struct vcf_text info, size_t alleles, struct cairn_error *err)
{
	struct vcf_text keys[KEYS_MAX], rest = info, entry;
	size_t count = 0;
	int code = 0;

	if (vcf_text_is(info, "."))
		return 0;
	if (info.length == 0)
		return wrong(err, "INFO", info, "empty");
	/* The specification allows spaces within a value from 4.3 on. */
	for (size_t i = 0; i < info.length; i++) {
		if ((unsigned char)info.at[i] < ' ' || (header->minor < 3 && info.at[i] == ' '))
			return wrong(err, "INFO", info, "has a space or a control character");
	}
	if (info.at[info.length - 1] == ';') /* written by many, and 4.1's own examples */
		rest.length--;
	while (code == 0 && vcf_next(&rest, ';', &entry)) {
		if (count == KEYS_MAX)
			return cairn_error_set(
			    err, CAIRN_ELIMIT, "INFO has more than %u keys", KEYS_MAX);
		code = check_entry(header, entry, alleles, &keys[count], err);
		for (size_t i = 0; code == 0 && i < count; i++) {
			if (same_text(keys[i], keys[count]))
				code = wrong(err, "INFO", keys[i], "the same key twice");
		}
		count++;
	}
	return code;
}

bool
vcf_info(const struct vcf_record *record, const char *key, struct vcf_text *ret)
{
	struct vcf_text rest = record->info, entry, name;

	while (vcf_next(&rest, ';', &entry)) {
		if (vcf_next(&entry, '=', &name) && vcf_text_is(name, key)) {
			*ret = entry.at == NULL ? (struct vcf_text){"", 0} : entry;
			return true;
		}
	}
	return false;
}

/* ---- FORMAT ------------------------------------------------------------------------------- */

static int
check_format(const struct vcf_header *header, struct vcf_text format, struct cairn_error *err)
{
	struct vcf_text rest = format, key, other, others;
	size_t count = 0;

	if (vcf_text_is(format, "GT"))
		return 0;
	if (vcf_text_is(format, "."))
		return 0;
	while (vcf_next(&rest, ':', &key)) {
		if (!is_key(key))
			return wrong(
			    err, "FORMAT", format, "a key is empty or has other characters");
		if (vcf_text_is(key, "GT") && count > 0)
			return wrong(err, "FORMAT", format, "GT is not the first key");
		if (header->declared && vcf_find(header, VCF_FORMAT, key.at, key.length) == NULL)
			return wrong(err, "FORMAT", key, "the header does not declare it");
		others = rest;
		while (vcf_next(&others, ':', &other)) {
			if (same_text(key, other))
				return wrong(err, "FORMAT", format, "the same key twice");
		}
		if (++count > 256)
			return cairn_error_set(err, CAIRN_ELIMIT, "FORMAT has more than 256 keys");
	}
	return 0;
}

static int
check_qual(struct vcf_text qual, struct cairn_error *err)
{
	if (!vcf_text_is(qual, ".") &&
	    (qual.length == 0 || qual.at[0] == '-' || vcf_value_check(qual, VCF_FLOAT, 3) != 0))
		return wrong(err, "QUAL", qual, "no number from 0");
	return 0;
}

static int
check_columns(const struct vcf_header *header, struct vcf_text pos, struct vcf_record *record,
    struct cairn_error *err)
{
	int code = check_chrom(header, record->chrom, err);

	if (code == 0)
		code = parse_pos(pos, &record->pos, err);
	if (code == 0)
		code = check_parts("ID", record->id, err);
	if (code == 0 && !is_bases(record->ref))
		code = wrong(err, "REF", record->ref, "has something else than A, C, G, T and N");
	if (code == 0)
		code = check_alt(record->alt, &record->alleles, err);
	if (code == 0)
		code = check_qual(record->qual, err);
	if (code == 0)
		code = check_filter(header, record->filter, err);
	if (code == 0)
		code = check_info(header, record->info, record->alleles, err);
	if (code == 0 && record->samples != NULL)
		code = check_format(header, record->format, err);
	return code;
}

int
vcf_record_site(const struct vcf_header *header, const char *line, size_t length,
    struct vcf_record *ret, struct cairn_error *err)
{
	struct vcf_record record = {0};
	struct vcf_text pos = {0}, rest = {line, length};
	struct vcf_text *const columns[] = {&record.chrom, &pos, &record.id, &record.ref,
	    &record.alt, &record.qual, &record.filter, &record.info, &record.format};
	size_t want = header->sample_count == 0 ? 8 : 9, count = 0;
	int code;

	if (length == 0)
		return cairn_error_set(err, CAIRN_EINVAL, "an empty line");
	if (line[0] == '#')
		return cairn_error_set(err, CAIRN_EINVAL, "a line of the header among the records");
	while (count < want && vcf_next(&rest, '\t', columns[count]))
		count++;
	if (count < want || (rest.at == NULL) != (header->sample_count == 0))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "%s columns than the header names (columns are separated by tabs)",
		    rest.at == NULL ? "fewer" : "more");
	record.samples = rest.at;
	record.samples_length = rest.length;
	code = check_columns(header, pos, &record, err);
	if (code == 0)
		*ret = record;
	return code;
}
