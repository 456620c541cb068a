/* SPDX-License-Identifier: Apache-2.0 */
#include "map.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cohort/expr.h"

#define VALUES_MAX 256 /* that one path gives */

/* ---- paths -------------------------------------------------------------------------------- */

struct visit {
	bool (*each)(void *arg, struct json_value value); /* true: enough */
	void *arg;
	size_t count;
};

static bool
has_code(struct json_value concept, const char *code)
{
	struct json_value coding;
	char word[COHORT_VALUE_MAX];
	struct json_walk walk;

	if (!json_get(concept, "coding", &coding))
		return map_word(concept, word, sizeof word) && strcmp(word, code) == 0;
	walk = json_walk(coding);
	while (json_next(&walk)) {
		if (map_word(walk.value, word, sizeof word) && strcmp(word, code) == 0)
			return true;
	}
	return false;
}

static bool
passes(const struct mapping_step *step, struct json_value value)
{
	struct json_value member;
	const char *text;

	if (step->filter == NULL)
		return true;
	if (!json_get(value, step->url ? "url" : "code", &member))
		return false;
	if (!step->url)
		return has_code(member, step->filter);
	text = json_string(member, NULL);
	return text != NULL && strcmp(text, step->filter) == 0;
}

/* Depth is bounded by the steps of a path and by the parser's depth (arrays in arrays). */
static bool
visit(const struct mapping_path *path, size_t at, struct json_value value, struct visit *visitor)
{
	struct json_walk walk;
	struct json_value member;

	if (json_type(value) == JSON_ARRAY) {
		walk = json_walk(value);
		while (json_next(&walk)) {
			if ((at == 0 || passes(&path->steps[at - 1], walk.value)) &&
			    visit(path, at, walk.value, visitor))
				return true;
		}
		return false;
	}
	if (at == path->count)
		return ++visitor->count > VALUES_MAX || visitor->each(visitor->arg, value);
	if (!json_get(value, path->steps[at].name, &member))
		return false;
	if (json_type(member) != JSON_ARRAY && !passes(&path->steps[at], member))
		return false;
	return visit(path, at + 1, member, visitor);
}

static size_t
visit_all(const struct mapping_path *path, struct json_value resource,
    bool (*each)(void *arg, struct json_value value), void *arg)
{
	struct visit visitor = {each, arg, 0};

	(void)visit(path, 0, resource, &visitor);
	return visitor.count;
}

/* ---- conditions --------------------------------------------------------------------------- */

struct looking {
	const struct mapping_table *values;
	bool found;
};

static bool
look(void *arg, struct json_value value)
{
	struct looking *looking = arg;
	struct json_value coding;
	char word[COHORT_VALUE_MAX];
	struct json_walk walk;

	if (json_get(value, "coding", &coding)) {
		walk = json_walk(coding);
		while (!looking->found && json_next(&walk))
			(void)look(arg, walk.value);
		return looking->found;
	}
	if (map_word(value, word, sizeof word) && mapping_table_find(looking->values, word) != NULL)
		looking->found = true;
	return looking->found;
}

static bool
holds(const struct mapping_test *test, struct json_value resource)
{
	struct looking looking = {&test->values, false};

	visit_all(&test->path, resource, look, &looking);
	return looking.found;
}

static bool
all_hold(const struct mapping_tests *tests, struct json_value resource)
{
	for (size_t i = 0; i < tests->count; i++) {
		if (!holds(&tests->tests[i], resource))
			return false;
	}
	return true;
}

static bool
one_holds(const struct mapping_tests *tests, struct json_value resource)
{
	for (size_t i = 0; i < tests->count; i++) {
		if (holds(&tests->tests[i], resource))
			return true;
	}
	return false;
}

/* ---- adding ------------------------------------------------------------------------------- */

static bool
in_codes(const struct cohort_attribute *attribute, const char *text)
{
	for (size_t i = 0; attribute->codes[i] != NULL; i++) {
		if (strcmp(attribute->codes[i], text) == 0)
			return true;
	}
	return false;
}

static struct map_fact *
add(struct map_result *result, const char *attribute, bool of_patient, enum cohort_type type)
{
	const struct cohort_attribute *known = cohort_attribute_find(attribute);
	struct map_fact *fact = &result->facts[result->count];

	if (known == NULL || known->type != type)
		return NULL;
	if (result->count == MAP_FACTS_MAX) {
		result->more = true;
		return NULL;
	}
	*fact = (struct map_fact){.attribute = attribute, .of_patient = of_patient};
	return fact;
}

void
map_add_text(struct map_result *result, const char *attribute, bool of_patient, const char *text)
{
	const struct cohort_attribute *known = cohort_attribute_find(attribute);
	struct map_fact *fact = add(result, attribute, of_patient, COHORT_CODE);
	size_t length = strlen(text) + 1;

	if (fact == NULL || length == 1 || length > COHORT_VALUE_MAX ||
	    (known->codes != NULL && !in_codes(known, text)))
		return;
	for (size_t i = 0; i < result->count; i++) {
		if (result->facts[i].kind == FACT_TEXT &&
		    strcmp(result->facts[i].text, text) == 0 &&
		    strcmp(result->facts[i].attribute, attribute) == 0)
			return;
	}
	if (length > MAP_TEXT_MAX - result->used) {
		result->more = true;
		return;
	}
	memcpy(result->texts + result->used, text, length);
	fact->text = result->texts + result->used;
	fact->kind = FACT_TEXT;
	result->used += length;
	result->count++;
}

void
map_add_number(struct map_result *result, const char *attribute, bool of_patient, double number)
{
	const struct cohort_attribute *known = cohort_attribute_find(attribute);
	struct map_fact *fact = add(result, attribute, of_patient, COHORT_NUMBER);

	if (fact == NULL || !(number >= known->min && number <= known->max))
		return;
	fact->kind = FACT_NUMBER;
	fact->number = number;
	result->count++;
}

void
map_add_day(struct map_result *result, const char *attribute, bool of_patient, int32_t day)
{
	struct map_fact *fact = add(result, attribute, of_patient, COHORT_DAY);

	if (fact == NULL)
		return;
	fact->kind = FACT_DAY;
	fact->day = day;
	result->count++;
}

/* ---- patients ----------------------------------------------------------------------------- */

static const char *
member_text(struct json_value value, const char *name)
{
	struct json_value member;
	const char *text = json_get(value, name, &member) ? json_string(member, NULL) : NULL;

	return text == NULL ? "" : text;
}

/* 3: a medical record number; 2: another one of a patient; 1: of no stated type; 0: not to be
 * used (a social security number, an old one). */
static int
rank(struct json_value identifier)
{
	static const char *const good[] = {"PI", "PT", "MRT", "PN", "AN"};
	struct json_value type, coding;
	struct json_walk walk;
	int best = 0;

	if (strcmp(member_text(identifier, "use"), "old") == 0)
		return 0;
	if (!json_get(identifier, "type", &type) || !json_get(type, "coding", &coding))
		return 1;
	walk = json_walk(coding);
	while (json_next(&walk)) {
		const char *code = member_text(walk.value, "code");

		if (strcmp(code, "MR") == 0)
			return 3;
		for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
			best = strcmp(code, good[i]) == 0 ? 2 : best;
	}
	return best;
}

/* The issuer that images carry, from the table `issuers` of the mapping; else the system as it is.
 */
static void
take_identifier(const struct mapping *mapping, struct json_value identifier, int *best,
    struct map_result *result)
{
	const char *value = member_text(identifier, "value");
	const char *system = member_text(identifier, "system");
	const struct mapping_pair *pair = mapping_table_find(&mapping->issuers, system);
	int ranked = rank(identifier);

	/* An authority that the site has named goes before all. */
	if (pair != NULL && ranked > 0)
		ranked += 10;
	if (ranked <= *best || value[0] == 0)
		return;
	if (pair != NULL && pair->to != NULL)
		system = pair->to;
	if (!text_copy(result->identifier, sizeof result->identifier, value) ||
	    !text_copy(result->issuer, sizeof result->issuer, system))
		return;
	result->has_identifier = true;
	*best = ranked;
}

static void
read_patient(const struct mapping *mapping, struct json_value resource, struct map_result *result)
{
	struct json_value list;
	int best = 0;

	if (json_get(resource, "identifier", &list)) {
		struct json_walk walk = json_walk(list);

		while (json_next(&walk))
			take_identifier(mapping, walk.value, &best, result);
	}
	result->has_birth = map_day(member_text(resource, "birthDate"), &result->birth);
}

/* ---- a resource --------------------------------------------------------------------------- */

struct converting {
	struct map_result *result;
	const struct mapping_fact *fact;
	size_t before;
};

static bool
convert(void *arg, struct json_value value)
{
	struct converting *converting = arg;

	map_convert(converting->result, converting->fact, value);
	return false;
}

static void
read_facts(const struct mapping_block *block, struct json_value resource, struct map_result *result)
{
	for (size_t i = 0; i < block->fact_count; i++) {
		const struct mapping_fact *fact = &block->facts[i];
		struct converting converting = {result, fact, result->count};

		if (!all_hold(&fact->when, resource))
			continue;
		for (size_t p = 0; p < fact->path_count; p++) {
			visit_all(&fact->paths[p], resource, convert, &converting);
			if (result->count > converting.before)
				break;
		}
	}
	map_finish_variant(result);
}

static bool
copy_subject(void *arg, struct json_value value)
{
	struct map_result *result = arg;
	const char *text = json_string(value, NULL);

	return text != NULL && text_copy(result->subject, sizeof result->subject, text);
}

/* Patient/ID of what a server wrote in full: the last two parts. */
static void
shorten_subject(struct map_result *result)
{
	char *slash = strrchr(result->subject, '/'), *cut = strstr(result->subject, "/_history/");

	if (cut != NULL)
		*cut = 0;
	slash = strrchr(result->subject, '/');
	while (slash != NULL && slash > result->subject && slash[-1] != '/')
		slash--;
	if (slash != NULL && strstr(result->subject, "://") != NULL)
		memmove(result->subject, slash, strlen(slash) + 1);
	if (result->subject[0] == '/')
		memmove(result->subject, result->subject + 1, strlen(result->subject));
}

int
map_resource(const struct mapping *mapping, struct json_value resource, struct map_result *ret,
    struct cairn_error *err)
{
	const char *type = member_text(resource, "resourceType");

	memset(ret, 0, offsetof(struct map_result, texts));
	ret->used = 0;
	if (type[0] == 0 || !text_copy(ret->type, sizeof ret->type, type))
		return cairn_error_set(
		    err, CAIRN_EINVAL, "it is no FHIR resource: it has no resourceType");
	if (!text_copy(ret->id, sizeof ret->id, member_text(resource, "id")))
		return cairn_error_set(err, CAIRN_EINVAL, "its id is longer than FHIR allows");
	for (size_t i = 0; i < mapping->count && ret->block == NULL; i++) {
		const struct mapping_block *block = &mapping->blocks[i];

		if (strcmp(block->resource, type) == 0 && all_hold(&block->when, resource))
			ret->block = block;
	}
	if (strcmp(type, "Patient") == 0)
		read_patient(mapping, resource, ret);
	if (ret->block == NULL)
		return 0;
	visit_all(&ret->block->subject, resource, copy_subject, ret);
	shorten_subject(ret);
	ret->withdrawn = one_holds(&ret->block->withdrawn, resource);
	if (!ret->withdrawn)
		read_facts(ret->block, resource, ret);
	return 0;
}
