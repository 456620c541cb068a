/* SPDX-License-Identifier: Apache-2.0 */
#include "mapping.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cohort/systems.h"
#include "ucum.h"
#include "yaml.h"

static const char *const top_keys[] = {"table", "format", "separator", "decimal", "encoding",
    "sheet", "missing", "patient", "facts", "entries", NULL};
static const char *const patient_keys[] = {"column", "issuer", "issuer_column", NULL};
static const char *const entry_keys[] = {"kind", "name", "key", "facts", NULL};
static const char *const fact_keys[] = {
    "attribute", "column", "value", "prefix", "date", "unit", "codes", "required", NULL};

bool
mapping_date_well_formed(const char *pattern)
{
	unsigned seen = 0;

	for (const char *at = pattern; *at != 0;) {
		unsigned bit = strncmp(at, "YYYY", 4) == 0 ? 1
		    : strncmp(at, "MM", 2) == 0            ? 2
		    : strncmp(at, "DD", 2) == 0            ? 4
							   : 0;

		if (bit == 0 && ((*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9')))
			return false;
		if ((seen & bit) != 0)
			return false;
		seen |= bit;
		at += bit == 1 ? 4 : bit == 0 ? 1 : 2;
	}
	return seen == 7;
}

static struct mapping_column
take_column(struct yaml_file *file, const yaml_node_t *node)
{
	struct mapping_column column = {.index = MAPPING_NO_COLUMN};

	if (node == NULL)
		return column;
	column.line = yaml_line(node);
	column.name = yaml_copy(file, yaml_text(file, node, "a column"));
	if (column.name != NULL && column.name[0] == 0)
		yaml_wrong(file, node, "a column is to have a name, as in the header");
	return column;
}

static char *
take_text(struct yaml_file *file, const yaml_node_t *map, const char *key)
{
	const yaml_node_t *node = yaml_value(file, map, key);

	return node == NULL ? NULL : yaml_copy(file, yaml_text(file, node, key));
}

/* ---- one fact ---------------------------------------------------------------------------------
 */

static const char *
is_code_of(const struct cohort_attribute *attribute, const char *value)
{
	for (size_t i = 0; attribute->codes != NULL && attribute->codes[i] != NULL; i++) {
		if (strcmp(attribute->codes[i], value) == 0)
			return attribute->codes[i];
	}
	return NULL;
}

/* A value that the mapping itself states. */
static void
check_value(struct yaml_file *file, const yaml_node_t *node,
    const struct cohort_attribute *attribute, const char *value)
{
	char code[COHORT_VALUE_MAX];
	const char *meant;

	if (attribute->type != COHORT_CODE || (attribute->codes == NULL && !attribute->coded))
		return;
	if (attribute->coded) {
		if (cohort_code_value(value, code) != 0)
			yaml_wrong(file, node,
			    "'%.60s' has no code system; write it as prefix:code (icd10:C50)",
			    value);
		return;
	}
	if (is_code_of(attribute, value) != NULL)
		return;
	meant = yaml_suggest(value, attribute->codes);
	yaml_wrong(file, node, "'%s' cannot be '%.60s'%s%s%s; see: cairn cohort fields %s",
	    attribute->name, value, meant != NULL ? "; did you mean '" : "",
	    meant != NULL ? meant : "", meant != NULL ? "'?" : "", attribute->name);
}

static void
take_codes(struct yaml_file *file, const yaml_node_t *node, struct mapping_fact *fact)
{
	const yaml_node_t *key, *value;
	size_t count = 0;

	if (node->type != YAML_MAPPING_NODE) {
		yaml_wrong(file, node, "codes is to be a map (value in the table: code)");
		return;
	}
	while (yaml_pair(file, node, count, &key, &value))
		count++;
	fact->codes = calloc(count + 1, sizeof *fact->codes);
	if (fact->codes == NULL) {
		file->code = cairn_error_set(file->err, CAIRN_ENOMEM, "out of memory");
		return;
	}
	while (file->code == 0 && yaml_pair(file, node, fact->code_count, &key, &value)) {
		struct mapping_code *code = &fact->codes[fact->code_count++];

		code->from = yaml_copy(file, yaml_text(file, key, "a value"));
		code->to = yaml_copy(file, yaml_text(file, value, "a code"));
		if (code->to != NULL)
			check_value(file, value, fact->attribute, code->to);
	}
}

static void
check_unit(struct yaml_file *file, const yaml_node_t *node, struct mapping_fact *fact)
{
	const char *own = fact->attribute->unit;

	fact->factor = 1;
	if (fact->attribute->type != COHORT_NUMBER || fact->column.name == NULL) {
		if (fact->unit != NULL)
			yaml_wrong(file, node, "'%s' takes no unit", fact->attribute->name);
		return;
	}
	if (own[0] == 0) {
		if (fact->unit != NULL)
			yaml_wrong(file, node, "'%s' has no unit", fact->attribute->name);
		return;
	}
	if (fact->unit == NULL)
		yaml_wrong(file, node,
		    "'%s' is kept in %s; say in which unit the column is (unit: %s)",
		    fact->attribute->name, own, own);
	else if (!ucum_factor(fact->unit, own, &fact->factor))
		yaml_wrong(file, node,
		    "a unit '%.40s' cannot be converted to %s, in which '%s' is kept; write it in "
		    "UCUM (ug/L, mg/dL, ng/mL)",
		    fact->unit, own, fact->attribute->name);
}

static void
check_fact(struct yaml_file *file, const yaml_node_t *node, const struct mapping_fact *fact)
{
	const struct cohort_attribute *attribute = fact->attribute;

	if ((fact->column.name == NULL) == (fact->value == NULL))
		yaml_wrong(
		    file, node, "'%s' needs a column or a value: one of them", attribute->name);
	if (fact->value != NULL && attribute->type != COHORT_CODE)
		yaml_wrong(file, node, "only a code can be the same in all rows; '%s' is none",
		    attribute->name);
	if (fact->value != NULL)
		check_value(file, node, attribute, fact->value);
	if (attribute->type == COHORT_DAY && fact->date == NULL)
		yaml_wrong(file, node,
		    "'%s' is a date: say how it is written (date: DD.MM.YYYY); it is never guessed",
		    attribute->name);
	if (fact->date != NULL && attribute->type != COHORT_DAY)
		yaml_wrong(file, node, "'%s' is no date", attribute->name);
	if (fact->date != NULL && !mapping_date_well_formed(fact->date))
		yaml_wrong(file, node,
		    "'%.40s' is no date's pattern; write YYYY, MM and DD once each", fact->date);
	if (fact->prefix != NULL && (!attribute->coded || cohort_system_uri(fact->prefix) == NULL))
		yaml_wrong(file, node,
		    attribute->coded
			? "'%.40s' is no prefix of a code system (icd10, icdo3, snomed, loinc, ...)"
			: "prefix '%.40s': this attribute's codes have no code system",
		    fact->prefix);
	if (fact->code_count > 0 && attribute->type == COHORT_DAY)
		yaml_wrong(file, node, "a date has no codes");
}

static const struct cohort_attribute *
find_attribute(struct yaml_file *file, const yaml_node_t *map, enum cohort_entity entity)
{
	const yaml_node_t *node = yaml_value(file, map, "attribute");
	const struct cohort_attribute *attribute;
	const char *name, *meant;

	if (node == NULL) {
		yaml_wrong(file, map, "a fact needs an attribute");
		return NULL;
	}
	name = yaml_text(file, node, "attribute");
	attribute = cohort_attribute_find(name);
	if (attribute == NULL) {
		meant = cohort_attribute_suggest(name);
		yaml_wrong(file, node, "unknown attribute '%.60s'%s%s%s; see: cairn cohort fields",
		    name, meant != NULL ? "; did you mean '" : "", meant != NULL ? meant : "",
		    meant != NULL ? "'?" : "");
	} else if (attribute->entity != entity) {
		yaml_wrong(file, node, "'%s' belongs to the entity %s and not to %s", name,
		    cohort_entity_name(attribute->entity), cohort_entity_name(entity));
		attribute = NULL;
	}
	return attribute;
}

static void
take_fact(struct yaml_file *file, const yaml_node_t *node, enum cohort_entity entity,
    struct mapping_fact *fact)
{
	const yaml_node_t *codes, *required, *unit;

	yaml_keys(file, node, fact_keys, "a fact");
	if (file->code != 0)
		return;
	fact->line = yaml_line(node);
	fact->attribute = find_attribute(file, node, entity);
	if (fact->attribute == NULL)
		return;
	fact->column = take_column(file, yaml_value(file, node, "column"));
	fact->value = take_text(file, node, "value");
	fact->prefix = take_text(file, node, "prefix");
	fact->date = take_text(file, node, "date");
	fact->unit = take_text(file, node, "unit");
	unit = yaml_value(file, node, "unit");
	codes = yaml_value(file, node, "codes");
	required = yaml_value(file, node, "required");
	if (codes != NULL)
		take_codes(file, codes, fact);
	if (required != NULL)
		fact->required = yaml_flag(file, required, "required");
	check_unit(file, unit != NULL ? unit : node, fact);
	check_fact(file, node, fact);
}

static void
take_facts(struct yaml_file *file, const yaml_node_t *list, struct mapping_group *group)
{
	const yaml_node_t *node;
	size_t count = 0;

	if (!yaml_is_list(file, list, "facts"))
		return;
	while (yaml_item(file, list, count) != NULL)
		count++;
	if (count > MAPPING_FACTS_MAX) {
		yaml_wrong(file, list, "more than %d facts", MAPPING_FACTS_MAX);
		return;
	}
	group->facts = calloc(count + 1, sizeof *group->facts);
	if (group->facts == NULL) {
		file->code = cairn_error_set(file->err, CAIRN_ENOMEM, "out of memory");
		return;
	}
	while (file->code == 0 && (node = yaml_item(file, list, group->fact_count)) != NULL)
		take_fact(file, node, group->entity, &group->facts[group->fact_count++]);
}

/* ---- entries ------------------------------------------------------------------------------------
 */

static void
take_keys(struct yaml_file *file, const yaml_node_t *list, struct mapping_group *group)
{
	const yaml_node_t *node;

	if (!yaml_is_list(file, list, "key"))
		return;
	group->keys =
	    calloc((size_t)(list->data.sequence.items.top - list->data.sequence.items.start) + 1,
		sizeof *group->keys);
	if (group->keys == NULL) {
		file->code = cairn_error_set(file->err, CAIRN_ENOMEM, "out of memory");
		return;
	}
	while (file->code == 0 && (node = yaml_item(file, list, group->key_count)) != NULL)
		group->keys[group->key_count++] = take_column(file, node);
}

static void
take_entry(struct yaml_file *file, const yaml_node_t *node, struct mapping_group *group)
{
	static const char *const kinds[] = {
	    "condition", "observation", "procedure", "medication", "specimen", "variant", NULL};
	const yaml_node_t *kind, *facts, *keys;
	const char *name;

	yaml_keys(file, node, entry_keys, "an entry");
	if (file->code != 0)
		return;
	group->line = yaml_line(node);
	kind = yaml_value(file, node, "kind");
	facts = yaml_value(file, node, "facts");
	keys = yaml_value(file, node, "key");
	if (kind == NULL || facts == NULL) {
		yaml_wrong(file, node, "an entry needs a kind and facts");
		return;
	}
	name = yaml_text(file, kind, "kind");
	if (!cohort_entity_find(name, &group->entity) || group->entity < COHORT_CONDITION) {
		const char *meant = yaml_suggest(name, kinds);

		yaml_wrong(file, kind, "'%.40s' is no kind of entry%s%s%s", name,
		    meant != NULL ? "; did you mean '" : "", meant != NULL ? meant : "",
		    meant != NULL ? "'?" : "");
		return;
	}
	group->name = take_text(file, node, "name");
	if (group->name == NULL)
		group->name = yaml_copy(file, name);
	if (keys != NULL)
		take_keys(file, keys, group);
	take_facts(file, facts, group);
}

static void
take_entries(struct yaml_file *file, const yaml_node_t *list, struct mapping *mapping)
{
	const yaml_node_t *node;

	if (!yaml_is_list(file, list, "entries"))
		return;
	for (size_t i = 0; file->code == 0 && (node = yaml_item(file, list, i)) != NULL; i++) {
		if (mapping->group_count == MAPPING_GROUPS_MAX) {
			yaml_wrong(file, node, "more than %d entries", MAPPING_GROUPS_MAX - 1);
			return;
		}
		take_entry(file, node, &mapping->groups[mapping->group_count++]);
	}
}

/* ---- the file
 * ------------------------------------------------------------------------------------ */

static void
take_name(struct yaml_file *file, const yaml_node_t *root, struct mapping *mapping)
{
	const yaml_node_t *node = yaml_value(file, root, "table");
	const char *name = node == NULL ? "" : yaml_text(file, node, "table");

	if (node == NULL)
		yaml_wrong(file, root,
		    "the table needs a name (table: breast-registry); another file of that name "
		    "replaces it");
	else if (name[0] == 0 || strlen(name) > MAPPING_NAME_MAX ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != strlen(name))
		yaml_wrong(file, node,
		    "a table's name has at most %d lower-case letters, digits, and - _ .",
		    MAPPING_NAME_MAX);
	else
		memcpy(mapping->name, name, strlen(name) + 1);
}

static char
take_choice(struct yaml_file *file, const yaml_node_t *root, const char *key,
    const char *const *words, const char *chars)
{
	const yaml_node_t *node = yaml_value(file, root, key);
	const char *text;
	char all[160] = "";

	if (node == NULL)
		return 0;
	text = yaml_text(file, node, key);
	for (size_t i = 0; words[i] != NULL; i++) {
		size_t used = strlen(all);

		if (strcmp(words[i], text) == 0)
			return chars[i];
		text_copy(all + used, sizeof all - used, i == 0 ? "" : ", ");
		used = strlen(all);
		text_copy(all + used, sizeof all - used, words[i]);
	}
	yaml_wrong(file, node, "%s cannot be '%.40s'; one of: %s", key, text, all);
	return 0;
}

static void
take_forms(struct yaml_file *file, const yaml_node_t *root, struct mapping *mapping)
{
	static const char *const formats[] = {"csv", "tsv", "xlsx", NULL};
	static const char *const separators[] = {",", ";", "|", "\t", "tab", NULL};
	static const char *const decimals[] = {".", ",", NULL};
	static const char *const encodings[] = {"utf-8", "windows-1252", "iso-8859-1", NULL};

	mapping->format = (enum mapping_format)take_choice(file, root, "format", formats, "\1\2\3");
	mapping->separator = take_choice(file, root, "separator", separators, ",;|\t\t");
	mapping->decimal = take_choice(file, root, "decimal", decimals, ".,");
	mapping->latin = take_choice(file, root, "encoding", encodings, "ull") == 'l';
	mapping->sheet = take_text(file, root, "sheet");
}

static void
take_missing(struct yaml_file *file, const yaml_node_t *list, struct mapping *mapping)
{
	const yaml_node_t *node;

	if (!yaml_is_list(file, list, "missing"))
		return;
	mapping->missing =
	    calloc((size_t)(list->data.sequence.items.top - list->data.sequence.items.start) + 1,
		sizeof(char *));
	if (mapping->missing == NULL) {
		file->code = cairn_error_set(file->err, CAIRN_ENOMEM, "out of memory");
		return;
	}
	while (file->code == 0 && (node = yaml_item(file, list, mapping->missing_count)) != NULL)
		mapping->missing[mapping->missing_count++] =
		    yaml_copy(file, yaml_text(file, node, "a marker of what is missing"));
}

static void
take_patient(struct yaml_file *file, const yaml_node_t *root, struct mapping *mapping)
{
	const yaml_node_t *node = yaml_value(file, root, "patient");

	if (node == NULL) {
		yaml_wrong(file, root,
		    "say which column identifies the patient (patient: {column: PatientID})");
		return;
	}
	yaml_keys(file, node, patient_keys, "patient");
	if (file->code == 0 && yaml_value(file, node, "column") == NULL)
		yaml_wrong(file, node, "patient needs a column");
	if (file->code != 0)
		return;
	mapping->patient = take_column(file, yaml_value(file, node, "column"));
	mapping->issuer = take_text(file, node, "issuer");
	mapping->issuer_column = take_column(file, yaml_value(file, node, "issuer_column"));
	if (mapping->issuer != NULL && mapping->issuer_column.name != NULL)
		yaml_wrong(file, node, "issuer or issuer_column: one of them");
}

static void
take_root(struct yaml_file *file, struct mapping *mapping)
{
	const yaml_node_t *root = yaml_document_get_root_node(&file->document), *node;

	if (root == NULL) {
		file->code = cairn_error_set(file->err, CAIRN_EINVAL,
		    "%s: the file is empty; cairn table guess drafts one", file->path);
		return;
	}
	yaml_keys(file, root, top_keys, "the mapping");
	if (file->code != 0)
		return;
	take_name(file, root, mapping);
	take_forms(file, root, mapping);
	take_patient(file, root, mapping);
	node = yaml_value(file, root, "missing");
	if (node != NULL)
		take_missing(file, node, mapping);
	mapping->group_count = 1;
	node = yaml_value(file, root, "facts");
	if (node != NULL)
		take_facts(file, node, &mapping->groups[0]);
	node = yaml_value(file, root, "entries");
	if (node != NULL)
		take_entries(file, node, mapping);
	if (mapping->group_count == 1 && mapping->groups[0].fact_count == 0)
		yaml_wrong(file, root, "nothing is taken from the table: add facts or entries");
}

int
mapping_parse(struct mapping **ret, const char *path, const char *text, size_t length,
    struct cairn_error *err)
{
	struct mapping *mapping = calloc(1, sizeof *mapping);
	struct yaml_file file = {.path = path, .err = err};
	yaml_parser_t parser;

	if (mapping == NULL || yaml_parser_initialize(&parser) == 0) {
		free(mapping);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	mapping->path = yaml_copy(&file, path);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	if (yaml_parser_load(&parser, &file.document) == 0) {
		file.code = cairn_error_set(err, CAIRN_EINVAL, "%s:%zu: %s", path,
		    parser.problem_mark.line + 1,
		    parser.problem != NULL ? parser.problem : "cannot be read");
	} else {
		take_root(&file, mapping);
		yaml_document_delete(&file.document);
	}
	yaml_parser_delete(&parser);
	if (file.code != 0)
		mapping_free(mapping);
	else
		*ret = mapping;
	return file.code;
}
