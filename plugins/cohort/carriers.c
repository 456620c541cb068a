/* SPDX-License-Identifier: Apache-2.0 */
#include "carriers.h"

#include <stdlib.h>
#include <string.h>

#include "cohort/expr.h"
#include "eval.h"

/* ---- which parts are asked about ---------------------------------------------------------- */

static bool
is_about_variants(const Cairn__Expression *node)
{
	const struct cohort_attribute *known;

	switch (node->operand) {
	case CAIRN__EXPRESSION__OPERAND__SAME:
		return strcmp(node->entity, "variant") == 0;
	case CAIRN__EXPRESSION__OPERAND__AT_LEAST:
		return node->number == 1 && strcmp(node->entity, "variant") == 0;
	case CAIRN__EXPRESSION__OPERAND__LEAF:
		known = cohort_attribute_find(node->leaf->attribute);
		return known != NULL && known->entity == COHORT_VARIANT;
	default:
		return false;
	}
}

static void
add_nodes(const Cairn__Expression *node, const Cairn__Expression *list[CARRIERS_MAX], size_t *count)
{
	if (*count > CARRIERS_MAX || node->operand == CAIRN__EXPRESSION__OPERAND__WITHIN)
		return;
	if (is_about_variants(node)) {
		if (*count < CARRIERS_MAX)
			list[*count] = node;
		++*count;
		return;
	}
	for (size_t i = 0; i < node->n_children; i++)
		add_nodes(node->children[i], list, count);
}

size_t
carriers_nodes(const Cairn__Expression *expression, const Cairn__Expression *ret[CARRIERS_MAX])
{
	size_t count = 0;

	add_nodes(expression, ret, &count);
	return count;
}

/* ---- what was answered ------------------------------------------------------------------- */

struct carriers_dictionary *
carriers_dictionary_new(const Cairn__CarriersAnswer *answer)
{
	struct carriers_dictionary *dictionary = calloc(1, sizeof *dictionary);

	if (dictionary == NULL)
		return NULL;
	atomic_init(&dictionary->references, 1);
	dictionary->version = strdup(answer->version);
	dictionary->patients = calloc(answer->n_patients + 1, sizeof(char *));
	if (dictionary->version == NULL || dictionary->patients == NULL) {
		carriers_dictionary_unref(dictionary);
		return NULL;
	}
	for (; dictionary->count < answer->n_patients; dictionary->count++) {
		char *copy = strdup(answer->patients[dictionary->count]);

		if (copy == NULL) {
			carriers_dictionary_unref(dictionary);
			return NULL;
		}
		dictionary->patients[dictionary->count] = copy;
	}
	return dictionary;
}

struct carriers_dictionary *
carriers_dictionary_ref(struct carriers_dictionary *dictionary)
{
	atomic_fetch_add(&dictionary->references, 1);
	return dictionary;
}

void
carriers_dictionary_unref(struct carriers_dictionary *dictionary)
{
	if (dictionary == NULL || atomic_fetch_sub(&dictionary->references, 1) > 1)
		return;
	for (size_t i = 0; i < dictionary->count; i++)
		free(dictionary->patients[i]);
	free(dictionary->patients);
	free(dictionary->version);
	free(dictionary);
}

const Cairn__Expression *
carriers_question(const Cairn__Expression *node)
{
	return node->operand == CAIRN__EXPRESSION__OPERAND__LEAF ? node : node->children[0];
}

static int
add_criteria(struct carriers *carriers, const Cairn__CarriersAnswer *answer)
{
	size_t count = carriers->criteria_count + answer->n_criteria;
	char **criteria = realloc(carriers->criteria, (count + 1) * sizeof *criteria);

	if (criteria == NULL)
		return CAIRN_ENOMEM;
	carriers->criteria = criteria;
	for (size_t i = 0; i < answer->n_criteria; i++) {
		criteria[carriers->criteria_count] = strdup(answer->criteria[i]);
		if (criteria[carriers->criteria_count] == NULL)
			return CAIRN_ENOMEM;
		carriers->criteria_count++;
	}
	return 0;
}

int
carriers_add(struct carriers *carriers, const Cairn__CarriersAnswer *answer,
    struct carriers_dictionary **dictionary, struct cairn_error *err)
{
	uint8_t *bits;

	if (carriers->count == CARRIERS_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "too many questions about variants");
	if (*dictionary == NULL || strcmp((*dictionary)->version, answer->version) != 0) {
		struct carriers_dictionary *fresh = carriers_dictionary_new(answer);

		if (fresh == NULL)
			return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
		carriers_dictionary_unref(*dictionary);
		*dictionary = fresh;
	}
	if (answer->carriers.len > (*dictionary)->count / 8 + 1)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "more carriers than its dictionary has patients");
	bits = malloc(answer->carriers.len + 1);
	if (bits == NULL || add_criteria(carriers, answer) != 0) {
		free(bits);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	if (answer->carriers.len > 0)
		memcpy(bits, answer->carriers.data, answer->carriers.len);
	carriers->bits[carriers->count] = bits;
	carriers->bytes[carriers->count] = answer->carriers.len;
	carriers->dictionary[carriers->count++] = carriers_dictionary_ref(*dictionary);
	return 0;
}

void
carriers_fini(struct carriers *carriers)
{
	for (size_t i = 0; i < carriers->count; i++) {
		carriers_dictionary_unref(carriers->dictionary[i]);
		free(carriers->bits[i]);
	}
	for (size_t i = 0; i < carriers->criteria_count; i++)
		free(carriers->criteria[i]);
	free(carriers->criteria);
	*carriers = (struct carriers){0};
}

/* ---- from names to numbers ---------------------------------------------------------------- */

void
eval_use_carriers(struct eval *e, const Cairn__Expression *expression)
{
	const struct carriers *carriers = e->asking != NULL ? e->asking->carriers : NULL;

	if (carriers == NULL || carriers->none)
		return;
	e->variant_count = carriers_nodes(expression, e->variants);
	if (e->variant_count > carriers->count)
		e->variant_count = carriers->count;
}

/* Whom the index does not know is in no count. */
static int
add_patient(struct eval *e, const char *pseudonym, struct set *set)
{
	char name[INDEX_NAME_MAX + 1];
	uint32_t id;
	int code = alias_find(e->index, e->txn, &e->counters, pseudonym, name, NULL);

	if (code == 0)
		code = name_find(e->index, e->txn, TERM_PATIENT, 0, name, &id);
	if (code == CAIRN_ENOTFOUND)
		return 0;
	if (code == 0)
		set_add(set, id);
	return code;
}

static int
add_carriers(struct eval *e, size_t i, struct set *set)
{
	const struct carriers *carriers = e->asking->carriers;
	const struct carriers_dictionary *dictionary = carriers->dictionary[i];
	int code = 0;

	for (size_t n = 0; n < dictionary->count && n / 8 < carriers->bytes[i] && code == 0; n++) {
		if ((carriers->bits[i][n / 8] >> (n % 8) & 1) == 0)
			continue;
		code = add_patient(e, dictionary->patients[n], set);
		if (code == 0)
			code = eval_cancelled(e);
	}
	return code;
}

int
eval_carriers(struct eval *e, const Cairn__Expression *node, enum term_level level, struct set *set)
{
	struct set patients = {0};
	size_t i = 0;
	int code = eval_set_new(e, TERM_PATIENT, &patients);

	while (i < e->variant_count && e->variants[i] != node)
		i++;
	if (code == 0 && i < e->variant_count)
		code = add_carriers(e, i, &patients);
	if (code == 0)
		code = eval_move(e, &patients, TERM_PATIENT, level);
	if (code == 0)
		set_or(set, &patients);
	eval_set_free(e, &patients);
	return code;
}
