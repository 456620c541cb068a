/* SPDX-License-Identifier: Apache-2.0 */
#include "query.h"

#include <stdlib.h>
#include <string.h>

#include "query_private.h"

#define OPERAND(name) CAIRN__EXPRESSION__OPERAND__##name

/* ---- what can be asked -------------------------------------------------------------------- */

static void
add_criterion(struct query_answer *answer, const char *text)
{
	for (size_t i = 0; i < answer->criteria_count; i++) {
		if (strcmp(answer->criteria[i], text) == 0)
			return;
	}
	if (answer->criteria_count < QUERY_CRITERIA_MAX) {
		answer->criteria[answer->criteria_count] = strdup(text);
		answer->criteria_count += answer->criteria[answer->criteria_count] != NULL;
	}
}

static bool
is_one_variant(const Cairn__Expression *node)
{
	return node->operand == OPERAND(SAME) ||
	    (node->operand == OPERAND(AT_LEAST) && node->number <= 1);
}

static int
check(const Cairn__Expression *node, struct query_answer *answer, int depth)
{
	int code = 0;

	if (depth == QUERY_DEPTH_MAX)
		return CAIRN_ELIMIT;
	if (node->operand == OPERAND(LEAF)) {
		if (node->leaf == NULL)
			return CAIRN_EINVAL;
		if (!leaf_known(node->leaf->attribute))
			add_criterion(answer, node->leaf->attribute);
		return 0;
	}
	if (is_one_variant(node) && strcmp(node->entity, "variant") != 0)
		add_criterion(answer, node->entity);
	else if (node->operand == OPERAND(AT_LEAST) && node->number > 1)
		add_criterion(answer, "at least several variants");
	else if (node->operand == OPERAND(WITHIN))
		add_criterion(answer, "within (variants have no date)");
	if ((is_one_variant(node) || node->operand == OPERAND(NOT)) && node->n_children != 1)
		return CAIRN_EINVAL;
	if (node->n_children == 0 && node->operand != OPERAND(ALL))
		return CAIRN_EINVAL;
	for (size_t i = 0; code == 0 && i < node->n_children; i++)
		code = check(node->children[i], answer, depth + 1);
	return code;
}

/* ---- one variant -------------------------------------------------------------------------- */

/* Samples of the variant of which the expression is true. */
static void
samples_of(const Cairn__Expression *node, struct variant *variant, uint64_t *ret)
{
	uint64_t child[CARRIERS_WORDS_MAX];

	if (node->operand == OPERAND(LEAF)) {
		leaf_samples(node->leaf, variant, ret);
		return;
	}
	variant_planes(variant);
	for (uint32_t i = 0; i < variant->words; i++)
		ret[i] = node->operand == OPERAND(AND) || node->operand == OPERAND(ALL)
		    ? variant->het[i] | variant->hom[i]
		    : 0;
	for (size_t k = 0; k < node->n_children; k++) {
		samples_of(node->children[k], variant, child);
		for (uint32_t i = 0; i < variant->words; i++) {
			switch (node->operand) {
			case OPERAND(AND):
				ret[i] &= child[i];
				break;
			case OPERAND(XOR):
				ret[i] ^= child[i];
				break;
			case OPERAND(NOT):
				ret[i] = (variant->het[i] | variant->hom[i]) & ~child[i];
				break;
			default:
				ret[i] |= child[i];
				break;
			}
		}
	}
}

/* ---- which variants ----------------------------------------------------------------------- */

/* Candidates: a list of sites, or a run of them. */
struct candidates {
	const uint32_t *list;
	uint32_t first, count;
};

/* A leaf that must hold, of an attribute, with `=`. */
static const Cairn__Leaf *
required(const Cairn__Expression *node, const char *attribute)
{
	const Cairn__Leaf *leaf = NULL;

	if (node->operand == OPERAND(LEAF))
		return strcmp(node->leaf->attribute, attribute) == 0 &&
			node->leaf->operator_ == CAIRN__LEAF__OPERATOR__EQ &&
			node->leaf->n_values == 1
		    ? node->leaf
		    : NULL;
	for (size_t i = 0; node->operand == OPERAND(AND) && leaf == NULL && i < node->n_children;
	     i++)
		leaf = required(node->children[i], attribute);
	return leaf;
}

static const char *
text_of(const Cairn__Leaf *leaf)
{
	return leaf->values[0]->value_case == CAIRN__SCALAR__VALUE_TEXT ? leaf->values[0]->text
									: "";
}

/* The place that the expression fixes, when it does. */
static bool
place_of(const Cairn__Expression *node, struct variant_name *ret)
{
	const Cairn__Leaf *variant = required(node, "variant");
	const Cairn__Leaf *chromosome = required(node, "chromosome");
	const Cairn__Leaf *position = required(node, "position");

	if (variant != NULL)
		return variant_name_parse(text_of(variant), ret);
	if (chromosome == NULL || position == NULL ||
	    position->values[0]->value_case != CAIRN__SCALAR__VALUE_NUMBER ||
	    position->values[0]->number < 0 || position->values[0]->number > INT32_MAX)
		return false;
	ret->contig = text_of(chromosome);
	ret->pos = (uint32_t)position->values[0]->number;
	return true;
}

static struct candidates
candidates_of(const struct carriers *carriers, const Cairn__Expression *node)
{
	struct candidates all = {NULL, 0, carriers_site_count(carriers)};
	const Cairn__Leaf *gene = required(node, "gene");
	const Cairn__Leaf *chromosome = required(node, "chromosome");
	struct variant_name name;

	if (place_of(node, &name))
		carriers_range(carriers, name.contig, name.pos, name.pos, &all.first, &all.count);
	else if (gene != NULL)
		carriers_gene(carriers, text_of(gene), &all.list, &all.count);
	else if (chromosome != NULL)
		carriers_range(
		    carriers, text_of(chromosome), 0, UINT32_MAX, &all.first, &all.count);
	return all;
}

/* ---- one index ---------------------------------------------------------------------------- */

struct found {
	uint64_t carriers[CARRIERS_WORDS_MAX], uncalled[CARRIERS_WORDS_MAX];
	bool any_site;
};

static void
run_index(const struct carriers *carriers, const Cairn__Expression *node, struct found *found,
    struct variant *variant)
{
	struct candidates candidates = candidates_of(carriers, node);
	uint32_t samples = carriers_head(carriers)->samples;
	uint64_t hits[CARRIERS_WORDS_MAX];

	memset(found, 0, sizeof *found);
	variant->carriers = carriers;
	variant->words = (samples + 63) / 64;
	for (uint32_t i = 0; i < candidates.count; i++) {
		uint64_t any = 0;

		variant->site = carriers_site(
		    carriers, candidates.list != NULL ? candidates.list[i] : candidates.first + i);
		variant->planes_read = false;
		if (variant->site == NULL)
			continue;
		samples_of(node, variant, hits);
		for (uint32_t k = 0; k < variant->words; k++) {
			found->carriers[k] |= hits[k];
			any |= hits[k];
		}
		if (any != 0 || candidates.list != NULL || candidates.count == 1) {
			found->any_site = true;
			carriers_add(carriers, variant->site, CARRIERS_UNCALLED, found->uncalled);
		}
	}
}

/* Yes or no is known of a carrier, of whoever has a call wherever the index has such a variant, and
 * of whom a gVCF calls reference at the one place that is asked about. */
static void
called_of(const struct carriers *carriers, const Cairn__Expression *node, const struct found *found,
    uint64_t *ret)
{
	uint32_t samples = carriers_head(carriers)->samples;
	struct variant_name name;

	for (uint32_t i = 0; i < (samples + 63) / 64; i++) {
		ret[i] = found->any_site ? ~found->uncalled[i] : 0;
		if (i == samples / 64)
			ret[i] &= (1ull << (samples % 64)) - 1;
		ret[i] |= found->carriers[i];
	}
	if (place_of(node, &name))
		carriers_called(carriers, name.contig, name.pos, ret);
}

static void
to_patients(const struct shelved *shelved, const uint64_t *samples, uint8_t *ret)
{
	uint32_t count = carriers_head(shelved->carriers)->samples;

	for (uint32_t i = 0; i < (count + 63) / 64; i++) {
		for (uint64_t word = samples[i]; word != 0; word &= word - 1) {
			uint32_t sample = 64 * i + (uint32_t)__builtin_ctzll(word);
			uint32_t patient = shelved->patient[sample];

			ret[patient / 8] = (uint8_t)(ret[patient / 8] | 1u << (patient % 8));
		}
	}
}

static int
run_variant(const struct shelf *shelf, const Cairn__Expression *node, struct query_answer *answer,
    uint8_t *ret)
{
	struct found *found = malloc(sizeof *found);
	struct variant *variant = calloc(1, sizeof *variant);
	uint64_t called[CARRIERS_WORDS_MAX];
	const Cairn__Leaf *leaf = required(node, "variant");
	struct variant_name name;
	bool placed = leaf != NULL && variant_name_parse(text_of(leaf), &name);

	if (found == NULL || variant == NULL) {
		free(found);
		free(variant);
		return CAIRN_ENOMEM;
	}
	for (size_t i = 0; i < shelf->count; i++) {
		const struct carriers *carriers = shelf->indexes[i]->carriers;

		/* A place of one assembly is another place in another one. */
		if (placed && strcmp(name.assembly, assembly_name(carriers)) != 0)
			continue;
		run_index(carriers, node, found, variant);
		to_patients(shelf->indexes[i], found->carriers, ret);
		called_of(carriers, node, found, called);
		to_patients(shelf->indexes[i], called, answer->called);
	}
	free(found);
	free(variant);
	return 0;
}

/* ---- the whole --------------------------------------------------------------------------- */

/* No bits behind the last patient. */
static void
cut(const struct shelf *shelf, uint8_t *bits, size_t bytes)
{
	if (shelf->patient_count % 8 != 0)
		bits[bytes - 1] &= (uint8_t)((1u << (shelf->patient_count % 8)) - 1);
}

int
query_run(const struct shelf *shelf, const Cairn__Expression *expression, struct query_answer *ret,
    struct cairn_error *err)
{
	struct query_answer answer = {.bytes = (shelf->patient_count + 7) / 8};
	int code = check(expression, &answer, 0);

	if (code != 0) {
		query_answer_fini(&answer);
		return cairn_error_set(err, code,
		    "this is no expression over variants, or it is "
		    "nested more than 32 deep");
	}
	answer.carriers = calloc(answer.bytes + 1, 1);
	answer.called = calloc(answer.bytes + 1, 1);
	if (answer.carriers == NULL || answer.called == NULL)
		code = CAIRN_ENOMEM;
	if (code == 0 && answer.criteria_count == 0)
		code = run_variant(shelf,
		    is_one_variant(expression) ? expression->children[0] : expression, &answer,
		    answer.carriers);
	if (code != 0) {
		query_answer_fini(&answer);
		return cairn_error_set(err, code, "out of memory");
	}
	cut(shelf, answer.carriers, answer.bytes);
	cut(shelf, answer.called, answer.bytes);
	*ret = answer;
	return 0;
}

void
query_answer_fini(struct query_answer *answer)
{
	free(answer->carriers);
	free(answer->called);
	for (size_t i = 0; i < answer->criteria_count; i++)
		free(answer->criteria[i]);
	*answer = (struct query_answer){0};
}
