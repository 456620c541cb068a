/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only C++ of the tree: simdjson's DOM, without exceptions, for json.h.  A dom::element is a
 * pointer to its document and an index into its tape; json_value is the same two words.
 */
#define SIMDJSON_EXCEPTIONS 0
#include "json.h"

#include <cstring>
#include <new>

#include <simdjson.h>

#include "locate.h"

using namespace simdjson;

struct json_parser {
	dom::parser dom;
	size_t size_max;
	unsigned depth_max;
	size_t allocated;
};

static_assert(sizeof(dom::element) == sizeof(json_value), "a value is an element's two words");

static json_value
value_of(const dom::element &element)
{
	json_value value;

	memcpy(&value, static_cast<const void *>(&element), sizeof value);
	return value;
}

static dom::element
element_of(json_value value)
{
	dom::element element;

	memcpy(static_cast<void *>(&element), &value, sizeof element);
	return element;
}

int
json_new(json_parser **ret, const json_limits *limits, cairn_error *err)
{
	json_parser *parser = new (std::nothrow)
	    json_parser{dom::parser(limits->size_max), limits->size_max, limits->depth_max, 0};

	if (parser == nullptr)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	*ret = parser;
	return 0;
}

void
json_free(json_parser *parser)
{
	delete parser;
}

/* simdjson would grow by itself, with its own depth; so it is always large enough already. */
static error_code
make_room(json_parser *parser, size_t length)
{
	size_t want = 64 << 10;
	error_code code;

	if (parser->allocated >= length && parser->allocated > 0)
		return SUCCESS;
	while (want < length)
		want *= 2;
	want = want > parser->size_max ? parser->size_max : want;
	code = parser->dom.allocate(want, parser->depth_max);
	parser->allocated = code == SUCCESS ? want : 0;
	return code;
}

int
json_parse(json_parser *parser, const char *text, size_t length, json_value *ret, cairn_error *err)
{
	dom::element root;
	error_code code;

	if (length > parser->size_max)
		return cairn_error_set(err, CAIRN_ELIMIT, "%zu bytes; at most %zu are taken",
		    length, parser->size_max);
	code = make_room(parser, length);
	if (code == SUCCESS)
		code = parser->dom.parse(text, length, false).get(root);
	if (code == MEMALLOC)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	if (code == DEPTH_ERROR || code == CAPACITY) {
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "arrays and objects within each other are more than %u deep",
		    parser->depth_max);
	}
	if (code != SUCCESS)
		return json_locate_error(text, length, err);
	*ret = value_of(root);
	return 0;
}

enum json_type
json_type(json_value value)
{
	bool truth = false;

	switch (element_of(value).type()) {
	case dom::element_type::ARRAY:
		return JSON_ARRAY;
	case dom::element_type::OBJECT:
		return JSON_OBJECT;
	case dom::element_type::INT64:
		return JSON_INTEGER;
	case dom::element_type::UINT64: /* only what is beyond an int64_t */
	case dom::element_type::DOUBLE:
		return JSON_REAL;
	case dom::element_type::STRING:
		return JSON_STRING;
	case dom::element_type::BOOL:
		return element_of(value).get(truth) == SUCCESS && truth ? JSON_TRUE : JSON_FALSE;
	default:
		return JSON_NULL;
	}
}

bool
json_get(json_value value, const char *key, json_value *ret)
{
	dom::object object;
	dom::element found;

	if (element_of(value).get(object) != SUCCESS)
		return false;
	if (object.at_key(key).get(found) != SUCCESS)
		return false;
	*ret = value_of(found);
	return true;
}

const char *
json_string(json_value value, size_t *ret_length)
{
	const char *text = nullptr;

	if (element_of(value).get_c_str().get(text) != SUCCESS)
		return nullptr;
	if (ret_length == nullptr)
		return text;
	return element_of(value).get_string_length().get(*ret_length) == SUCCESS ? text : nullptr;
}

bool
json_number(json_value value, double *ret)
{
	return element_of(value).get_double().get(*ret) == SUCCESS;
}

bool
json_integer(json_value value, int64_t *ret)
{
	return element_of(value).get_int64().get(*ret) == SUCCESS;
}

/* ---- walking ---------------------------------------------------------------------------- */

/* `json_walk` is a struct and a function, as in C. */
struct json_walk(json_walk)(json_value value)
{
	internal::tape_ref tape(static_cast<const dom::document *>(value.document), value.at);
	struct json_walk walk = {value, nullptr, 0, 0, 0, false};
	internal::tape_type type = tape.tape_ref_type();

	if (type != internal::tape_type::START_OBJECT && type != internal::tape_type::START_ARRAY)
		return walk;
	walk.object = type == internal::tape_type::START_OBJECT;
	walk.next = value.at + 1;
	walk.end = tape.after_element() - 1;
	return walk;
}

bool
json_next(struct json_walk *walk)
{
	internal::tape_ref tape(
	    static_cast<const dom::document *>(walk->value.document), walk->next);

	if (walk->next >= walk->end)
		return false;
	if (walk->object) {
		walk->key = tape.get_c_str();
		walk->key_length = tape.get_string_length();
		tape.json_index++;
	}
	walk->value.at = tape.json_index;
	walk->next = tape.after_element();
	return true;
}
