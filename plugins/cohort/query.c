/* SPDX-License-Identifier: Apache-2.0 */
/* The questions: how many, which instances, what cannot be asked here. */
#include "eval.h"

#include <stdlib.h>
#include <string.h>

/* ---- criteria that cannot be evaluated --------------------------------------------------- */

static int
add_criterion(struct index_count *count, const char *attribute)
{
	char **criteria;

	for (size_t i = 0; i < count->criteria_count; i++)
		if (strcmp(count->criteria[i], attribute) == 0)
			return 0;
	criteria = realloc(count->criteria, (count->criteria_count + 1) * sizeof *criteria);
	if (criteria == NULL)
		return CAIRN_ENOMEM;
	count->criteria = criteria;
	criteria[count->criteria_count] = strdup(attribute);
	if (criteria[count->criteria_count] == NULL)
		return CAIRN_ENOMEM;
	count->criteria_count++;
	return 0;
}

/* A connector that keeps genotypes says who carries a variant, not how many of them. */
static bool
counts_here(const struct eval *e, const Cairn__Expression *node)
{
	return node->number <= 1 || strcmp(node->entity, "variant") != 0 || e->asking == NULL ||
	    e->asking->carriers == NULL || e->asking->carriers->none;
}

static int
add_carriers_criteria(const struct eval *e, struct index_count *ret)
{
	const struct carriers *carriers = e->asking != NULL ? e->asking->carriers : NULL;
	int code = 0;

	for (size_t i = 0; carriers != NULL && i < carriers->criteria_count && code == 0; i++)
		code = add_criterion(ret, carriers->criteria[i]);
	return code;
}

static int
add_unknown(struct eval *e, const Cairn__Expression *node, struct index_count *ret)
{
	enum term_level level;
	int code = 0;

	if (node->operand == CAIRN__EXPRESSION__OPERAND__AT_LEAST && !counts_here(e, node))
		return add_criterion(ret, "at least");
	if (node->operand == CAIRN__EXPRESSION__OPERAND__LEAF) {
		code = eval_leaf_level(e, node->leaf, &level);
		return code == CAIRN_EUNSUPPORTED ? add_criterion(ret, node->leaf->attribute)
						  : code;
	}
	for (size_t i = 0; i < node->n_children && code == 0; i++)
		code = add_unknown(e, node->children[i], ret);
	return code;
}

int
eval_criteria(struct eval *e, const Cairn__Expression *expression, struct index_count *ret)
{
	int code = add_unknown(e, expression, ret);

	return code != 0 ? code : add_carriers_criteria(e, ret);
}

void
index_count_fini(struct index_count *count)
{
	for (size_t i = 0; i < count->criteria_count; i++)
		free(count->criteria[i]);
	free(count->criteria);
	*count = (struct index_count){0};
}

/* ---- counting ---------------------------------------------------------------------------- */

int
eval_patients(struct eval *e, const struct set *set, enum term_level at, uint64_t *ret)
{
	struct set patients = {0};
	int code;

	if (at == TERM_PATIENT) {
		*ret = set_count(set);
		return 0;
	}
	code = eval_moved(e, set, at, TERM_PATIENT, &patients);
	if (code == 0)
		*ret = set_count(&patients);
	eval_set_free(e, &patients);
	return code;
}

/* Instances need not be looked at when their series decide: each series knows how many it has. */
static int
count_members(
    struct eval *e, struct set *set, enum term_level at, enum term_level level, uint64_t *ret)
{
	enum term_level counted =
	    level == TERM_INSTANCE && at < TERM_INSTANCE ? TERM_SERIES : level;
	int code = eval_move(e, set, at, counted);

	if (code != 0)
		return code;
	if (counted != level)
		return eval_instances(e, set, ret);
	*ret = set_count(set);
	return 0;
}

int
eval_finish(struct eval *e, int code, struct index_count *ret)
{
	struct cairn_error *err = e->err;

	eval_end(e);
	if (code == 0)
		return 0;
	index_count_fini(ret);
	if (err != NULL && err->code == 0)
		cairn_error_set(err, code, "reading the cohort index: %s", cairn_code_text(code));
	return code;
}

int
index_count(struct index *index, const Cairn__Expression *expression, Cairn__Level level,
    const struct index_asking *asking, struct index_count *ret, struct cairn_error *err)
{
	return index_count_part(index, expression, expression, level, asking, ret, err);
}

/* wide: a count, and the whole that the part is in */
int
index_count_part(struct index *index, const Cairn__Expression *whole, const Cairn__Expression *part,
    Cairn__Level level, const struct index_asking *asking, struct index_count *ret,
    struct cairn_error *err)
{
	struct index_count count = {0};
	struct set set = {0};
	struct eval e;
	enum term_level at;
	int code;

	if ((unsigned)level > TERM_INSTANCE)
		return cairn_error_set(err, CAIRN_EINVAL, "unknown level %d", (int)level);
	code = eval_begin(&e, index, asking, err);
	if (code != 0)
		return code;
	eval_use_carriers(&e, whole);
	code = eval_criteria(&e, whole, &count);
	if (code == 0 && count.criteria_count == 0) {
		code = eval_expression(&e, part, (enum term_level)level, &at, &set);
		if (code == 0)
			code = eval_patients(&e, &set, at, &count.patients);
		if (code == 0)
			code = count_members(&e, &set, at, (enum term_level)level, &count.count);
		eval_set_free(&e, &set);
	}
	code = eval_finish(&e, code, &count);
	if (code == 0)
		*ret = count;
	return code;
}

/* ---- selecting --------------------------------------------------------------------------- */

struct names {
	uint32_t series; /* of which the three are; STORE_NONE at first */
	char patient[INDEX_NAME_MAX + 1];
	char study[INDEX_NAME_MAX + 1];
	char name[INDEX_NAME_MAX + 1];
};

static int
load_names(struct eval *e, uint32_t series, struct names *names)
{
	struct entity_record record, ignored;
	int code;

	if (names->series == series)
		return 0;
	code =
	    record_get(e->index, e->txn, TERM_SERIES, series, &record, sizeof record, names->name);
	if (code == 0)
		code = record_get(e->index, e->txn, TERM_STUDY, record.parent, &record,
		    sizeof record, names->study);
	if (code == 0)
		code = record_get(e->index, e->txn, TERM_PATIENT, record.parent, &ignored,
		    sizeof ignored, names->patient);
	names->series = code == 0 ? series : STORE_NONE;
	return code;
}

static int
hand_out(struct eval *e, uint32_t id, struct names *names, const struct index_page *page)
{
	struct instance_record record;
	struct index_instance instance;
	char name[INDEX_NAME_MAX + 1];
	int code = record_get(e->index, e->txn, TERM_INSTANCE, id, &record, sizeof record, name);

	if (code == 0)
		code = load_names(e, record.series, names);
	if (code != 0)
		return code == CAIRN_ENOTFOUND ? CAIRN_ECORRUPT : code;
	instance = (struct index_instance){.patient = names->patient,
	    .study = names->study,
	    .series = names->name,
	    .instance = name,
	    .has_object = record.has_object != 0,
	    .segment = record.segment,
	    .offset = record.offset,
	    .length = record.length};
	memcpy(instance.sha256, record.sha256, sizeof instance.sha256);
	return page->each(page->arg, &instance);
}

static int
hand_out_page(struct eval *e, const struct set *set, struct index_page *page)
{
	struct names names = {.series = STORE_NONE};
	uint64_t from = page->after;
	uint32_t id;

	page->next = 0;
	for (uint32_t given = 0; set_next(set, from, &id); given++, from = (uint64_t)id + 1) {
		int code;

		if (given == page->limit) {
			page->next = from;
			return 0;
		}
		code = hand_out(e, id, &names, page);
		if (code == 0)
			code = eval_cancelled(e);
		if (code != 0)
			return code;
	}
	return 0;
}

static int
select_page(struct eval *e, const Cairn__Expression *expression, struct index_page *page,
    struct index_count *count)
{
	struct set set = {0};
	enum term_level at;
	int code = eval_expression(e, expression, TERM_INSTANCE, &at, &set);

	if (code == 0)
		code = eval_patients(e, &set, at, &count->patients);
	if (code == 0)
		code = eval_move(e, &set, at, TERM_INSTANCE);
	if (code == 0) {
		count->count = set_count(&set);
		page->too_few = count->patients < page->min_patients;
		if (!page->too_few)
			code = hand_out_page(e, &set, page);
	}
	eval_set_free(e, &set);
	return code;
}

int
index_select(struct index *index, const Cairn__Expression *expression,
    const struct index_asking *asking, struct index_page *page, struct index_count *ret,
    struct cairn_error *err)
{
	struct index_count count = {0};
	struct eval e;
	int code;

	if (page->limit == 0 || page->limit > INDEX_PAGE_MAX)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "a page has 1 to %d instances", INDEX_PAGE_MAX);
	code = eval_begin(&e, index, asking, err);
	if (code != 0)
		return code;
	page->next = 0;
	page->too_few = false;
	eval_use_carriers(&e, expression);
	code = eval_criteria(&e, expression, &count);
	if (code == 0 && count.criteria_count == 0)
		code = select_page(&e, expression, page, &count);
	code = eval_finish(&e, code, &count);
	if (code == 0)
		*ret = count;
	return code;
}

int
index_stats(struct index *index, struct index_stats *ret, struct cairn_error *err)
{
	struct index_count unused = {0};
	struct index_stats stats = {0};
	struct eval e;
	MDB_envinfo info;
	MDB_stat stat;
	int code = eval_begin(&e, index, NULL, err);

	if (code != 0)
		return code;
	for (int level = TERM_PATIENT; level <= TERM_ENTRY && code == 0; level++) {
		struct set set = {0};

		code = eval_set_new(&e, (enum term_level)level, &set);
		if (code == 0)
			code = eval_universe(&e, &set, (enum term_level)level);
		if (code == 0)
			*(level == TERM_ENTRY ? &stats.entries : &stats.entities[level]) =
			    set_count(&set);
		eval_set_free(&e, &set);
	}
	mdb_env_info(index->env, &info);
	mdb_env_stat(index->env, &stat);
	stats.used_bytes = (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize;
	code = eval_finish(&e, code, &unused);
	if (code == 0)
		*ret = stats;
	return code;
}
