/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_JSON_H
#define JSON_JSON_H

/*
 * Strict JSON (RFC 8259) in bulk: simdjson behind a C interface.  One parser holds one document at
 * a time; values are views into it and valid until the next json_parse() or json_free().  One
 * thread at a time.  What is no JSON is an error with the byte and the line of the first fault.
 * Nothing of the text is ever put into a message.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define JSON_PADDING 64 /* readable bytes behind a text, of any value */

enum json_type {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_INTEGER, /* fits int64_t */
	JSON_REAL,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

struct json_parser;

struct json_value {
	const void *document;
	size_t at;
};

/* A walk through an array's or object's members. */
struct json_walk {
	struct json_value value; /* the current member's */
	const char *key;         /* of an object's member; ends in a zero */
	size_t key_length;
	/* private */
	size_t next, end;
	bool object;
};

struct json_limits {
	size_t size_max;    /* bytes of one text */
	unsigned depth_max; /* of arrays and objects within each other */
};

int json_new(struct json_parser **ret, const struct json_limits *limits, struct cairn_error *err);
void json_free(struct json_parser *parser);

/* Parses `length` bytes; JSON_PADDING more are readable behind them.  CAIRN_EINVAL with words that
 * say what is wrong and at which byte (from 0) and line (from 1); CAIRN_ELIMIT; CAIRN_ENOMEM. */
int json_parse(struct json_parser *parser, const char *text, size_t length, struct json_value *ret,
    struct cairn_error *err);

enum json_type json_type(struct json_value value);
/* The first member of that name; false when it is no object or has none. */
bool json_get(struct json_value object, const char *key, struct json_value *ret);
/* Ends in a zero, which is not counted; may hold zeros.  NULL when it is no string. */
const char *json_string(struct json_value value, size_t *ret_length);
/* Integers too; false when it is no number. */
bool json_number(struct json_value value, double *ret);
bool json_integer(struct json_value value, int64_t *ret);

/* Before the first member; nothing follows when it is neither array nor object. */
struct json_walk json_walk(struct json_value value);
bool json_next(struct json_walk *walk);

#ifdef __cplusplus
}
#endif

#endif
