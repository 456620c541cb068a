/* SPDX-License-Identifier: Apache-2.0 */
/* From a message's facts to canonical bytes, and the table of statements. */
#include "write.h"

#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cohort/expr.h"

struct fact_list {
	Cairn__Fact **facts;
	size_t count;
};

static struct fact_list
facts_at(const Cairn__InstanceFacts *facts, unsigned level)
{
	switch (level) {
	case TERM_PATIENT:
		return (struct fact_list){facts->patient_facts, facts->n_patient_facts};
	case TERM_STUDY:
		return (struct fact_list){facts->study_facts, facts->n_study_facts};
	case TERM_SERIES:
		return (struct fact_list){facts->series_facts, facts->n_series_facts};
	default:
		return (struct fact_list){facts->instance_facts, facts->n_instance_facts};
	}
}

/* ---- checks ------------------------------------------------------------------------------ */

static enum term_type
fact_type(const Cairn__Fact *fact)
{
	return fact->value_case == CAIRN__FACT__VALUE_NUMBER ? TERM_NUMBER
	    : fact->value_case == CAIRN__FACT__VALUE_DAY     ? TERM_DAY
							     : TERM_CODE;
}

const char *
fact_problem(const Cairn__Fact *fact)
{
	const struct cohort_attribute *known;

	if (!cohort_is_attribute_name(fact->attribute))
		return "an attribute's name is malformed";
	if (fact->value_case == CAIRN__FACT__VALUE__NOT_SET)
		return "a fact has no value";
	if (fact->value_case == CAIRN__FACT__VALUE_TEXT &&
	    (fact->text[0] == 0 || strlen(fact->text) > INDEX_TEXT_MAX ||
		!cohort_is_value_text(fact->text)))
		return "a fact's text is empty, too long or not clean UTF-8";
	if (fact->value_case == CAIRN__FACT__VALUE_NUMBER && !isfinite(fact->number))
		return "a fact's number is not finite";
	known = cohort_attribute_find(fact->attribute);
	if (known != NULL && (enum term_type)known->type != fact_type(fact))
		return "a fact's value has another type than its attribute";
	return NULL;
}

static bool
is_identifier(const char *name)
{
	size_t length = strnlen(name, INDEX_NAME_MAX + 1);

	if (length == 0 || length > INDEX_NAME_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if (name[i] <= ' ' || name[i] == 127)
			return false;
	return true;
}

const char *
identifier_problem(const char *name)
{
	return is_identifier(name) ? NULL : "an identifier is missing, too long or not plain ASCII";
}

const char *
facts_problem(const Cairn__InstanceFacts *facts)
{
	if (!is_identifier(facts->patient) || !is_identifier(facts->study) ||
	    !is_identifier(facts->series) || !is_identifier(facts->instance))
		return "an identifier is missing, too long or not plain ASCII";
	if (facts->object != NULL && facts->object->sha256.len != 32)
		return "an object's digest has not 32 bytes";
	for (unsigned level = 0; level < 4; level++) {
		struct fact_list list = facts_at(facts, level);

		if (list.count > INDEX_FACTS_MAX)
			return "there are too many facts";
		for (size_t i = 0; i < list.count; i++) {
			const char *problem = fact_problem(list.facts[i]);

			if (problem != NULL)
				return problem;
		}
	}
	return NULL;
}

static bool
fact_equal(const Cairn__Fact *a, const Cairn__Fact *b)
{
	if (a->value_case != b->value_case || strcmp(a->attribute, b->attribute) != 0)
		return false;
	switch (a->value_case) {
	case CAIRN__FACT__VALUE_TEXT:
		return strcmp(a->text, b->text) == 0;
	case CAIRN__FACT__VALUE_NUMBER:
		return a->number == b->number;
	default:
		return a->day == b->day;
	}
}

bool
facts_equal(const Cairn__InstanceFacts *a, const Cairn__InstanceFacts *b)
{
	for (unsigned level = 0; level < 4; level++) {
		struct fact_list x = facts_at(a, level), y = facts_at(b, level);

		if (x.count != y.count)
			return false;
		for (size_t i = 0; i < x.count; i++)
			if (!fact_equal(x.facts[i], y.facts[i]))
				return false;
	}
	return true;
}

/* ---- encoding ---------------------------------------------------------------------------- */

/* The attribute's number; new ones are numbered, new levels noted. */
static int
number_attribute(struct index_write *w, enum term_level level, const Cairn__Fact *fact,
    uint16_t *ret, struct cairn_error *err)
{
	enum term_type type = fact_type(fact);
	struct attribute_record record = {0};
	int code = attribute_find(w->index, w->txn, type, fact->attribute, &record);
	uint16_t levels = (uint16_t)(record.levels | 1U << level);

	if (code != 0 && code != CAIRN_ENOTFOUND)
		return code;
	if (code == CAIRN_ENOTFOUND) {
		if (w->counters.attributes >= INDEX_ATTRIBUTES_MAX)
			return cairn_error_set(err, CAIRN_ELIMIT,
			    "more than %d different attributes", INDEX_ATTRIBUTES_MAX);
		record.id = (uint16_t)(w->counters.attributes++ << 2 | type);
		levels = (uint16_t)(1U << level);
	}
	*ret = record.id;
	if (code == 0 && levels == record.levels)
		return 0;
	record.levels = levels;
	return attribute_put(w->index, w->txn, type, fact->attribute, &record);
}

static int
number_value(struct index_write *w, uint16_t attribute, const char *text, uint64_t *ret)
{
	uint32_t value;
	int code = value_find(w->index, w->txn, attribute, text, &value);

	if (code == CAIRN_ENOTFOUND) {
		if (w->counters.values == UINT32_MAX)
			return CAIRN_ELIMIT;
		value = w->counters.values++;
		code = value_put(w->index, w->txn, attribute, text, value);
	}
	if (code == 0)
		*ret = value;
	return code;
}

static int
look_up(struct index_write *w, enum term_level level, const Cairn__Fact *fact, struct fact *ret,
    struct cairn_error *err)
{
	int code = number_attribute(w, level, fact, &ret->attribute, err);

	if (code != 0)
		return code;
	if (fact->value_case == CAIRN__FACT__VALUE_TEXT)
		return number_value(w, ret->attribute, fact->text, &ret->key);
	ret->key =
	    term_order(fact->value_case == CAIRN__FACT__VALUE_NUMBER ? fact->number : fact->day);
	return 0;
}

/* The same few thousand facts are stated again and again: within a transaction, whose numbers no
 * other writer can change, each is looked up once. */
#define CACHE_SLOTS 16384U
#define CACHE_TEXT 40

struct cached {
	struct fact fact;
	uint8_t level; /* 1 + the level; 0: an empty slot */
	char attribute[24], text[CACHE_TEXT];
};

struct fact_cache {
	struct cached slots[CACHE_SLOTS];
};

void
fact_cache_free(struct fact_cache *cache)
{
	free(cache);
}

static uint32_t
hash(const char *text, uint32_t value)
{
	for (; *text != 0; text++)
		value = (value ^ (uint8_t)*text) * 16777619U;
	return value;
}

/* NULL for one that is too long to be kept, and without memory. */
static struct cached *
slot_of(struct index_write *w, enum term_level level, const Cairn__Fact *fact)
{
	if (w->cache == NULL)
		w->cache = calloc(1, sizeof *w->cache);
	if (w->cache == NULL || fact->value_case != CAIRN__FACT__VALUE_TEXT ||
	    strlen(fact->attribute) >= sizeof w->cache->slots[0].attribute ||
	    strlen(fact->text) >= CACHE_TEXT)
		return NULL;
	return &w->cache
		    ->slots[hash(fact->text, hash(fact->attribute, (uint32_t)level)) % CACHE_SLOTS];
}

int
fact_encode(struct index_write *w, enum term_level level, const Cairn__Fact *fact, struct fact *ret,
    struct cairn_error *err)
{
	struct cached *slot = slot_of(w, level, fact);
	int code;

	if (slot != NULL && slot->level == level + 1 && strcmp(slot->text, fact->text) == 0 &&
	    strcmp(slot->attribute, fact->attribute) == 0) {
		*ret = slot->fact;
		return 0;
	}
	code = look_up(w, level, fact, ret, err);
	if (code != 0 || slot == NULL)
		return code;
	slot->fact = *ret;
	slot->level = (uint8_t)(level + 1);
	memcpy(slot->text, fact->text, strlen(fact->text) + 1);
	memcpy(slot->attribute, fact->attribute, strlen(fact->attribute) + 1);
	return 0;
}

static int
compare_facts(const void *a, const void *b)
{
	const struct fact *x = a, *y = b;

	if (x->attribute != y->attribute)
		return x->attribute < y->attribute ? -1 : 1;
	return x->key < y->key ? -1 : x->key > y->key;
}

size_t
facts_sort(struct fact *facts, size_t count)
{
	size_t kept = 0;

	if (count > 0)
		qsort(facts, count, sizeof facts[0], compare_facts);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || compare_facts(&facts[i - 1], &facts[i]) != 0)
			facts[kept++] = facts[i];
	return kept;
}

/* Sorted, each once.  study_day is ours to compute; what others say of it is not taken. */
static int
encode_level(struct index_write *w, const Cairn__InstanceFacts *facts, enum term_level level,
    struct buf *ret, struct cairn_error *err)
{
	struct fact list[INDEX_FACTS_MAX];
	struct fact_list source = facts_at(facts, level);
	uint16_t count = 0, kept;
	int code = 0;

	for (size_t i = 0; i < source.count && code == 0; i++) {
		if (strcmp(source.facts[i]->attribute, "study_day") == 0)
			continue;
		code = fact_encode(w, level, source.facts[i], &list[count++], err);
	}
	if (code != 0)
		return code;
	kept = (uint16_t)facts_sort(list, count);
	code = buf_append(ret, &kept, sizeof kept);
	for (uint16_t i = 0; i < kept && code == 0; i++) {
		code = buf_append(ret, &list[i].attribute, 2);
		if (code == 0)
			code = buf_append(ret, &list[i].key, 8);
	}
	return code;
}

int
statement_encode(struct index_write *w, const Cairn__InstanceFacts *facts, struct buf *ret,
    struct cairn_error *err)
{
	int code = 0;

	buf_clear(ret);
	for (unsigned level = 0; level < 4 && code == 0; level++)
		code = encode_level(w, facts, (enum term_level)level, ret, err);
	return code;
}

/* ---- reading ----------------------------------------------------------------------------- */

int
statement_read(const uint8_t *bytes, size_t length, struct fact_reader ret[4])
{
	for (unsigned level = 0; level < 4; level++) {
		uint16_t count;

		if (length < sizeof count)
			return CAIRN_ECORRUPT;
		memcpy(&count, bytes, sizeof count);
		bytes += sizeof count;
		length -= sizeof count;
		if (count > length / FACT_BYTES)
			return CAIRN_ECORRUPT;
		ret[level] = (struct fact_reader){bytes, count};
		bytes += (size_t)count * FACT_BYTES;
		length -= (size_t)count * FACT_BYTES;
	}
	return length == 0 ? 0 : CAIRN_ECORRUPT;
}

bool
fact_next(struct fact_reader *reader, struct fact *ret)
{
	if (reader->left == 0)
		return false;
	memcpy(&ret->attribute, reader->at, 2);
	memcpy(&ret->key, reader->at + 2, 8);
	reader->at += FACT_BYTES;
	reader->left--;
	return true;
}

/* ---- the table --------------------------------------------------------------------------- */

static void
statement_key(uint32_t series, uint32_t n, uint8_t ret[8])
{
	uint32_t words[2] = {htobe32(series), htobe32(n)};

	memcpy(ret, words, sizeof words);
}

static int
split(const MDB_val *value, uint32_t *ret_references, const uint8_t **ret_bytes, size_t *ret_length)
{
	if (value->mv_size < sizeof *ret_references)
		return CAIRN_ECORRUPT;
	memcpy(ret_references, value->mv_data, sizeof *ret_references);
	*ret_bytes = (const uint8_t *)value->mv_data + sizeof *ret_references;
	*ret_length = value->mv_size - sizeof *ret_references;
	return 0;
}

int
statement_get(struct index_write *w, uint32_t series, uint32_t n, uint32_t *ret_references,
    const uint8_t **ret_bytes, size_t *ret_length)
{
	uint8_t key[8];
	MDB_val value;
	int code;

	statement_key(series, n, key);
	code = store_get(w->txn, w->index->statements, key, sizeof key, &value, NULL);
	return code != 0 ? code : split(&value, ret_references, ret_bytes, ret_length);
}

/* Only the newest few are compared: nearly every series has one.  An equal older one that is
 * missed is kept twice, which costs room and changes no answer. */
#define STATEMENTS_COMPARED 4

static bool
belongs(const MDB_val *key, uint32_t series, uint32_t *ret_n)
{
	uint32_t words[2];

	if (key->mv_size != sizeof words)
		return false;
	memcpy(words, key->mv_data, sizeof words);
	*ret_n = be32toh(words[1]);
	return be32toh(words[0]) == series;
}

int
statement_next(struct index_write *w, uint32_t series, uint32_t *n, uint32_t *ret_references,
    const uint8_t **ret_bytes, size_t *ret_length)
{
	uint8_t wanted[8];
	MDB_val key = {sizeof wanted, wanted}, value;
	int rc;

	statement_key(series, *n, wanted);
	rc = mdb_cursor_get(w->statements, &key, &value, MDB_SET_RANGE);
	if (rc == MDB_NOTFOUND || (rc == 0 && !belongs(&key, series, n)))
		return CAIRN_ENOTFOUND;
	return rc != 0 ? CAIRN_EIO : split(&value, ret_references, ret_bytes, ret_length);
}

int
statement_find(struct index_write *w, uint32_t series, const struct buf *bytes, uint32_t *ret_n,
    uint32_t *ret_references)
{
	uint8_t past[8];
	MDB_val key = {sizeof past, past}, value;
	uint32_t n, next = 0;
	int rc;

	statement_key(series, UINT32_MAX, past);
	rc = mdb_cursor_get(w->statements, &key, &value, MDB_SET_RANGE);
	rc = rc == MDB_NOTFOUND ? mdb_cursor_get(w->statements, &key, &value, MDB_LAST)
	    : rc != 0           ? rc
				: mdb_cursor_get(w->statements, &key, &value, MDB_PREV);
	for (int i = 0; rc == 0 && i < STATEMENTS_COMPARED && belongs(&key, series, &n); i++) {
		const uint8_t *stored;
		size_t length;

		if (split(&value, ret_references, &stored, &length) != 0)
			return CAIRN_ECORRUPT;
		if (length == bytes->length && memcmp(stored, bytes->data, length) == 0) {
			*ret_n = n;
			return 0;
		}
		if (i == 0)
			next = n + 1;
		rc = mdb_cursor_get(w->statements, &key, &value, MDB_PREV);
	}
	if (rc != 0 && rc != MDB_NOTFOUND)
		return store_error(rc, "reading the cohort index", NULL);
	*ret_n = next;
	*ret_references = 0;
	return next == UINT32_MAX ? CAIRN_ELIMIT : 0;
}

int
statement_put(struct index_write *w, uint32_t series, uint32_t n, uint32_t references,
    const uint8_t *bytes, size_t length)
{
	uint8_t key[8], stored[sizeof references + STATEMENT_MAX];
	MDB_val value = {sizeof references + length, stored};

	statement_key(series, n, key);
	if (references == 0)
		return store_delete(w->txn, w->index->statements, key, sizeof key, NULL);
	if (length > STATEMENT_MAX)
		return CAIRN_EINTERNAL;
	memcpy(stored, &references, sizeof references);
	memcpy(stored + sizeof references, bytes, length);
	return store_put(w->txn, w->index->statements, key, sizeof key, &value, NULL);
}
