/* SPDX-License-Identifier: Apache-2.0 */
/* The names that a criterion may and may not have, and what goes with which. */
#include "cohort/private.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

static const char *const keywords[] = {
    "and",
    "or",
    "xor",
    "not",
    "in",
    "between",
    "exists",
    "same",
    "like",
    "within",
    "before",
    "after",
};

#define KEYWORD_COUNT (sizeof keywords / sizeof keywords[0])

const struct cohort_attribute *
cohort_attribute_at(size_t index)
{
	return index < COHORT_ATTRIBUTES ? &cohort_attributes[index] : NULL;
}

const struct cohort_attribute *
cohort_attribute_find(const char *name)
{
	for (size_t i = 0; i < COHORT_ATTRIBUTES; i++)
		if (strcmp(cohort_attributes[i].name, name) == 0)
			return &cohort_attributes[i];
	return NULL;
}

static const char *
name_at(const void *arg, size_t index)
{
	(void)arg;
	return index < COHORT_ATTRIBUTES ? cohort_attributes[index].name : NULL;
}

/* Upper case is a common slip that an edit distance does not see. */
const char *
cohort_attribute_suggest(const char *name)
{
	for (size_t i = 0; i < COHORT_ATTRIBUTES; i++)
		if (strcasecmp(cohort_attributes[i].name, name) == 0)
			return cohort_attributes[i].name;
	return text_suggest(name, name_at, NULL);
}

const char *
cohort_operator_text(Cairn__Leaf__Operator operator_)
{
	static const char *const texts[] = {
	    "=", "!=", "<", "<=", ">", ">=", "in", "between", "exists", "in", "like"};

	return (unsigned)operator_ < sizeof texts / sizeof texts[0] ? texts[operator_] : "";
}

bool
cohort_type_takes(enum cohort_type type, Cairn__Leaf__Operator operator_)
{
	switch (operator_) {
	case CAIRN__LEAF__OPERATOR__EQ:
	case CAIRN__LEAF__OPERATOR__NE:
	case CAIRN__LEAF__OPERATOR__IN:
	case CAIRN__LEAF__OPERATOR__EXISTS:
		return true;
	case CAIRN__LEAF__OPERATOR__UNDER:
	case CAIRN__LEAF__OPERATOR__LIKE:
		return type == COHORT_CODE;
	default:
		return type != COHORT_CODE;
	}
}

bool
cohort_attribute_takes(const struct cohort_attribute *attribute, Cairn__Leaf__Operator operator_)
{
	if (operator_ == CAIRN__LEAF__OPERATOR__UNDER && !attribute->coded)
		return false;
	return cohort_type_takes(attribute->type, operator_);
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Goes back to the last % only, which is enough: an earlier one could not take more. */
bool
cohort_like(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;

	while (*text != 0) {
		if (*pattern == '%') {
			star = ++pattern;
			from = text;
		} else if (lower(*pattern) == lower(*text)) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star;
			text = ++from;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "%")] == 0;
}

/* ---- entities ---------------------------------------------------------------------------- */

static const struct {
	const char *name, *plural, *date;
} entities[COHORT_ENTITIES] = {
    [COHORT_PATIENT] = {"patient", "patients", NULL},
    [COHORT_STUDY] = {"study", "studies", "study_date"},
    [COHORT_SERIES] = {"series", "series", "study_date"},
    [COHORT_INSTANCE] = {"instance", "instances", "study_date"},
    [COHORT_CONDITION] = {"condition", "conditions", "diagnosis_date"},
    [COHORT_OBSERVATION] = {"observation", "observations", "observation_date"},
    [COHORT_PROCEDURE] = {"procedure", "procedures", "procedure_date"},
    [COHORT_MEDICATION] = {"medication", "medications", "medication_date"},
    [COHORT_SPECIMEN] = {"specimen", "specimens", "specimen_date"},
    [COHORT_VARIANT] = {"variant", "variants", NULL},
};

const char *
cohort_entity_name(enum cohort_entity entity)
{
	return (unsigned)entity < COHORT_ENTITIES ? entities[entity].name : "";
}

const char *
cohort_entity_plural(enum cohort_entity entity)
{
	return (unsigned)entity < COHORT_ENTITIES ? entities[entity].plural : "";
}

const char *
cohort_entity_date(enum cohort_entity entity)
{
	return (unsigned)entity < COHORT_ENTITIES ? entities[entity].date : NULL;
}

bool
cohort_entity_find(const char *name, enum cohort_entity *ret)
{
	for (unsigned i = 0; i < COHORT_ENTITIES; i++) {
		if (strcmp(entities[i].name, name) != 0)
			continue;
		*ret = (enum cohort_entity)i;
		return true;
	}
	return false;
}

Cairn__Level
cohort_entity_level(enum cohort_entity entity)
{
	return entity > COHORT_INSTANCE ? CAIRN__LEVEL__PATIENT : (Cairn__Level)entity;
}

bool
cohort_entity_groups(enum cohort_entity entity)
{
	return (unsigned)entity < COHORT_ENTITIES && entity != COHORT_PATIENT &&
	    entity != COHORT_INSTANCE;
}

const char *
cohort_keyword_at(size_t index)
{
	return index < KEYWORD_COUNT ? keywords[index] : NULL;
}

bool
cohort_is_keyword(const char *word)
{
	for (size_t i = 0; i < KEYWORD_COUNT; i++)
		if (strcasecmp(keywords[i], word) == 0)
			return true;
	return false;
}

/* Parts of lower-case letters, digits and underscores, joined by dots; begins with a letter. */
bool
cohort_is_attribute_name(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > COHORT_NAME_MAX || name[0] < 'a' || name[0] > 'z')
		return false;
	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.") != length)
		return false;
	return name[length - 1] != '.' && strstr(name, "..") == NULL && !cohort_is_keyword(name);
}
