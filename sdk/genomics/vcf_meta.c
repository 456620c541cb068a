/* SPDX-License-Identifier: Apache-2.0 */
/* Meta-information: ##KEY=VALUE and ##KEY=<ID=...,...>. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "genomics/vcf.h"

#define PAIRS_MAX 64

struct pair {
	struct vcf_text key, value;
	bool quoted;
};

struct pairs {
	struct pair at[PAIRS_MAX];
	size_t count;
};

static int
bad(struct cairn_error *err, struct vcf_text key, const char *why)
{
	return cairn_error_set(err, CAIRN_EINVAL, "##%.*s: %s", VCF_SHOWN(key), why);
}

/* A value in double quotes; `*at` is behind the closing one. */
static bool
quoted_value(const char **at, const char *end, struct pair *pair)
{
	const char *start = ++*at;

	while (*at < end && **at != '"')
		*at += **at == '\\' && *at + 1 < end ? 2 : 1;
	if (*at >= end)
		return false;
	pair->value = (struct vcf_text){start, (size_t)(*at - start)};
	pair->quoted = true;
	++*at;
	return true;
}

static bool
plain_value(const char **at, const char *end, struct pair *pair)
{
	const char *start = *at;
	bool list = *at < end && **at == '[';

	while (*at < end && (list || **at != ',')) {
		if (**at == '"' || **at == '<' || **at == '>')
			return false;
		if (list && **at == ']')
			list = false;
		++*at;
	}
	pair->value = (struct vcf_text){start, (size_t)(*at - start)};
	return !list && pair->value.length > 0;
}

static const char *
split_pairs(struct vcf_text body, struct pairs *ret)
{
	const char *at = body.at, *end = body.at + body.length;

	ret->count = 0;
	do {
		struct pair *pair = &ret->at[ret->count];
		const char *equals = memchr(at, '=', (size_t)(end - at));

		if (ret->count == PAIRS_MAX)
			return "more than 64 fields";
		if (equals == NULL || equals == at || memchr(at, ',', (size_t)(equals - at)))
			return "a field is not KEY=VALUE";
		*pair = (struct pair){.key = {at, (size_t)(equals - at)}};
		at = equals + 1;
		if (!(at < end && *at == '"' ? quoted_value(&at, end, pair)
					     : plain_value(&at, end, pair)))
			return "a value is empty, not closed, or has a character that needs quotes";
		if (at < end && *at != ',')
			return "something follows a closing quotation mark";
		ret->count++;
	} while (at++ < end);
	return NULL;
}

static const struct pair *
pair_of(const struct pairs *pairs, const char *key)
{
	for (size_t i = 0; i < pairs->count; i++) {
		if (vcf_text_is(pairs->at[i].key, key))
			return &pairs->at[i];
	}
	return NULL;
}

/* ---- kinds -------------------------------------------------------------------------------- */

static int
parse_number(struct vcf_text text, int minor, int *ret)
{
	static const char *const others[] = {"LA", "LR", "LG", "P", "M"};
	char digits[12];
	int64_t value;

	if (text.length == 1 && strchr(".ARG", text.at[0]) != NULL) {
		*ret = text.at[0] == '.' ? VCF_NUMBER_ANY
		    : text.at[0] == 'A'  ? VCF_NUMBER_A
		    : text.at[0] == 'R'  ? VCF_NUMBER_R
					 : VCF_NUMBER_G;
		return 0;
	}
	for (size_t i = 0; minor >= 4 && i < sizeof others / sizeof *others; i++) {
		if (vcf_text_is(text, others[i])) {
			*ret = VCF_NUMBER_OTHER;
			return 0;
		}
	}
	if (text.length == 0 || text.length >= sizeof digits)
		return CAIRN_EINVAL;
	memcpy(digits, text.at, text.length);
	digits[text.length] = 0;
	if (text_to_integer(digits, 0, 1000000, &value) != 0)
		return CAIRN_EINVAL;
	*ret = (int)value;
	return 0;
}

static int
parse_type(struct vcf_text text, enum vcf_type *ret)
{
	static const char *const names[] = {"Integer", "Float", "Flag", "Character", "String"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (vcf_text_is(text, names[i])) {
			*ret = (enum vcf_type)i;
			return 0;
		}
	}
	return CAIRN_EINVAL;
}

/* How long these lists are differs between callers (AD is A, G, R and .), without harm to us. */
static bool
strict(const char *id)
{
	static const char *const loose[] = {"AD", "ADF", "ADR", "GL", "GP", "PL"};

	for (size_t i = 0; i < sizeof loose / sizeof *loose; i++) {
		if (strcmp(loose[i], id) == 0)
			return false;
	}
	return true;
}

/* INFO and FORMAT: what is reserved has the Type and Number that the specification gives it. */
static const char *
agrees(const struct vcf_definition *given)
{
	const struct vcf_definition *known =
	    vcf_reserved(given->kind, given->id, strlen(given->id));

	if (known == NULL)
		return NULL;
	if (given->type != known->type &&
	    !(known->type == VCF_FLOAT && given->type == VCF_INTEGER && known->length != 0))
		return "not the Type that the specification gives this key";
	if (given->number == known->number || (known->number < 0 && !strict(given->id)))
		return NULL;
	return "not the Number that the specification gives this key";
}

static const char *
typed_definition(
    const struct vcf_header *header, const struct pairs *pairs, struct vcf_definition *definition)
{
	const struct pair *number = pair_of(pairs, "Number"), *type = pair_of(pairs, "Type");
	const struct pair *description = pair_of(pairs, "Description");

	if (number == NULL || parse_number(number->value, header->minor, &definition->number) != 0)
		return "Number is none of a count, A, R, G and .";
	if (type == NULL || parse_type(type->value, &definition->type) != 0 ||
	    (definition->kind == VCF_FORMAT && definition->type == VCF_FLAG))
		return "Type is none of Integer, Float, Flag (INFO only), Character and String";
	if (description == NULL || !description->quoted)
		return "Description is missing or without quotation marks";
	return agrees(definition);
}

static bool
is_digits(const char *at, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (!isdigit((unsigned char)at[i]))
			return false;
	}
	return length > 0;
}

static const char *
alt_definition(const struct pairs *pairs, struct vcf_text id, int minor)
{
	static const char *const first[] = {
	    "DEL", "INS", "DUP", "INV", "CNV", "BND", "NON_REF", "*", "X"};
	size_t length = 0;

	if (pairs->count != 2 || !vcf_text_is(pairs->at[1].key, "Description") ||
	    (minor >= 3 && !pairs->at[1].quoted))
		return "an ALT has ID and a quoted Description, and nothing else";
	while (length < id.length && id.at[length] != ':')
		length++;
	for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
		if (vcf_text_is((struct vcf_text){id.at, length}, first[i]))
			return NULL;
	}
	/* IUPAC codes are declared, too (`<ID=R,...>`). */
	if (id.length == 1 && strchr("RYSWKMBDHVN", id.at[0]) != NULL)
		return NULL;
	/* Copy numbers (CN0), as the 1000 Genomes Project writes them. */
	if (length == id.length && length > 2 && memcmp(id.at, "CN", 2) == 0 &&
	    is_digits(id.at + 2, length - 2))
		return NULL;
	return "ID does not begin with DEL, INS, DUP, INV, CNV or BND";
}

static const char *
contig_definition(const struct pairs *pairs, struct vcf_text id, struct vcf_definition *definition)
{
	const struct pair *length = pair_of(pairs, "length"),
			  *assembly = pair_of(pairs, "assembly");
	char digits[24];
	int64_t value = 0;

	if (id.at[0] == '*' || id.at[0] == '=' || memchr(id.at, ':', id.length) != NULL)
		return "ID begins with * or =, or has a colon";
	if (length != NULL) {
		if (length->value.length >= sizeof digits)
			return "length is no number";
		memcpy(digits, length->value.at, length->value.length);
		digits[length->value.length] = 0;
		if (text_to_integer(digits, 0, INT64_MAX, &value) != 0)
			return "length is no number";
	}
	definition->length = (uint64_t)value;
	if (assembly != NULL)
		definition->assembly = strndup(assembly->value.at, assembly->value.length);
	return NULL;
}

static const char *
meta_definition(const struct pairs *pairs)
{
	enum vcf_type type;
	int number;

	if (pairs->count != 4 || !vcf_text_is(pairs->at[1].key, "Number") ||
	    !vcf_text_is(pairs->at[2].key, "Type") || !vcf_text_is(pairs->at[3].key, "Values"))
		return "a META has ID, Number, Type and Values, in this order";
	if (parse_number(pairs->at[1].value, 5, &number) != 0)
		return "Number is no number";
	if (parse_type(pairs->at[2].value, &type) != 0 || pairs->at[3].value.at[0] != '[')
		return "Type or Values cannot be understood";
	return NULL;
}

/* SAMPLE and PEDIGREE: names without spaces and without what separates other fields. */
static const char *
plain_names(const struct vcf_header *header, const struct pairs *pairs, bool sample)
{
	for (size_t i = 0; i < pairs->count; i++) {
		const struct pair *pair = &pairs->at[i];
		bool text = vcf_text_is(pair->key, "Description");

		for (size_t k = 0; !text && !pair->quoted && k < pair->value.length; k++) {
			if (strchr(sample ? " " : " :;", pair->value.at[k]) != NULL)
				return "a name has a character that is not allowed";
		}
		if (sample && header->minor < 3 && pair->quoted && !text)
			return "only Description is in quotation marks";
	}
	if (sample && header->minor < 3 && pair_of(pairs, "Genomes") == NULL &&
	    pair_of(pairs, "Mixture") != NULL)
		return "Genomes is missing";
	return NULL;
}

/* What all that are declared with an ID have in common. */
static const char *
named(struct vcf_text key, const struct pairs *pairs, struct vcf_text *ret)
{
	if (pairs->count == 0 || !vcf_text_is(pairs->at[0].key, "ID"))
		return "ID is missing or not the first field";
	*ret = pairs->at[0].value;
	if (ret->length == 0 || ret->length > VCF_NAME_MAX)
		return "ID is empty or longer than 255 bytes";
	for (size_t i = 0; i < ret->length; i++) {
		if (isspace((unsigned char)ret->at[i]) || strchr(",<>", ret->at[i]) != NULL)
			return "ID has a character that is not allowed";
	}
	return pairs->at[0].quoted && !vcf_text_is(key, "SAMPLE") ? "ID is in quotation marks"
								  : NULL;
}

static const char *
judge(const struct vcf_header *header, struct vcf_definition *definition, const struct pairs *pairs,
    struct vcf_text id)
{
	switch (definition->kind) {
	case VCF_INFO:
	case VCF_FORMAT:
		return typed_definition(header, pairs, definition);
	case VCF_CONTIG:
		return contig_definition(pairs, id, definition);
	case VCF_ALT:
		return alt_definition(pairs, id, header->minor);
	case VCF_FILTER:
		break;
	}
	if (pair_of(pairs, "Description") == NULL || !pair_of(pairs, "Description")->quoted)
		return "Description is missing or without quotation marks";
	return NULL;
}

static int
declare(struct vcf_header *header, enum vcf_kind kind, struct vcf_text key,
    const struct pairs *pairs, struct cairn_error *err)
{
	struct vcf_definition definition = {.kind = kind};
	const struct pair *description = pair_of(pairs, "Description");
	struct vcf_text id = {0};
	const char *why = named(key, pairs, &id);
	char name[VCF_NAME_MAX + 1];
	int code;

	if (why == NULL) {
		memcpy(name, id.at, id.length);
		name[id.length] = 0;
		definition.id = name;
		why = judge(header, &definition, pairs, id);
	}
	if (why == NULL && kind == VCF_INFO)
		definition.description = strndup(description->value.at, description->value.length);
	code = why != NULL ? bad(err, key, why) : vcf_define(header, &definition, err);
	free(definition.description);
	free(definition.assembly);
	return code;
}

static int
structured(
    struct vcf_header *header, struct vcf_text key, struct vcf_text body, struct cairn_error *err)
{
	static const char *const kinds[] = {"INFO", "FORMAT", "FILTER", "contig", "ALT"};
	struct pairs pairs;
	struct vcf_text id;
	const char *why = split_pairs(body, &pairs);

	if (why != NULL)
		return bad(err, key, why);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (vcf_text_is(key, kinds[i]))
			return declare(header, (enum vcf_kind)i, key, &pairs, err);
	}
	if (vcf_text_is(key, "META"))
		why = (why = named(key, &pairs, &id)) != NULL ? why : meta_definition(&pairs);
	else if (vcf_text_is(key, "SAMPLE"))
		why = (why = named(key, &pairs, &id)) != NULL ? why
							      : plain_names(header, &pairs, true);
	else if (vcf_text_is(key, "PEDIGREE"))
		why = header->minor >= 3 && (why = named(key, &pairs, &id)) != NULL
		    ? why
		    : plain_names(header, &pairs, false);
	return why == NULL ? 0 : bad(err, key, why);
}

/* Other keys are the site's own, and so is what they say. */
static bool
is_structured(struct vcf_text key)
{
	static const char *const keys[] = {
	    "INFO", "FORMAT", "FILTER", "contig", "ALT", "META", "SAMPLE", "PEDIGREE"};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (vcf_text_is(key, keys[i]))
			return true;
	}
	return false;
}

/* ---- one line ----------------------------------------------------------------------------- */

/* scheme://host/..., where a host is not only digits. */
static bool
is_url(struct vcf_text value)
{
	const char *host = memmem(value.at, value.length, "://", 3);
	const char *end = value.at + value.length;
	size_t length = 0;
	bool name = false;

	if (value.length > 2 && value.at[0] == '<' && end[-1] == '>')
		end--;
	if (host == NULL || host == value.at)
		return false;
	for (host += 3; host + length < end && strchr(":/", host[length]) == NULL; length++)
		name = name || !isdigit((unsigned char)host[length]);
	return name;
}

static int
keep(char **at, struct vcf_text value, struct cairn_error *err)
{
	free(*at);
	*at = strndup(value.at, value.length);
	return *at == NULL ? cairn_error_set(err, CAIRN_ENOMEM, "out of memory") : 0;
}

static int
unstructured(
    struct vcf_header *header, struct vcf_text key, struct vcf_text value, struct cairn_error *err)
{
	static const char *const always[] = {"INFO", "FORMAT", "FILTER", "contig", "ALT", "META"};

	for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
		if (vcf_text_is(key, always[i]))
			return bad(err, key, "not <ID=...> up to the end of the line");
	}
	if ((vcf_text_is(key, "assembly") || vcf_text_is(key, "pedigreeDB")) && !is_url(value))
		return bad(err, key, "no URL");
	if (vcf_text_is(key, "reference"))
		return keep(&header->reference, value, err);
	if (vcf_text_is(key, "tumor_sample"))
		return keep(&header->tumour, value, err);
	if (vcf_text_is(key, "normal_sample"))
		return keep(&header->normal, value, err);
	return 0;
}

int
vcf_meta_check(struct vcf_header *header, const char *line, size_t length, struct cairn_error *err)
{
	const char *equals = memchr(line, '=', length);
	struct vcf_text key = {line, equals == NULL ? 0 : (size_t)(equals - line)};
	struct vcf_text value = {line + key.length + 1, length - key.length - 1};

	if (equals == NULL || key.length == 0 || value.length == 0)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "a line of meta-information is not ##KEY=VALUE");
	for (size_t i = 0; i < key.length; i++) {
		if (isspace((unsigned char)key.at[i]) || strchr("<>\"", key.at[i]) != NULL)
			return bad(err, key, "the key has a character that is not allowed");
	}
	if (vcf_text_is(key, "fileformat"))
		return bad(err, key, "is there twice");
	if (value.length >= 2 && value.at[0] == '<' && value.at[value.length - 1] == '>' &&
	    is_structured(key)) {
		value.at++;
		value.length -= 2;
		return structured(header, key, value, err);
	}
	return unstructured(header, key, value, err);
}
