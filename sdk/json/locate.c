/* SPDX-License-Identifier: Apache-2.0 */
#include "locate.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct scan {
	const unsigned char *text;
	size_t length, at;
	const char *what;
	unsigned depth;
	uint8_t objects[LOCATE_DEPTH_MAX / 8]; /* which of the open ones are objects */
};

static int
fault(struct scan *scan, const char *what)
{
	scan->what = what;
	return CAIRN_EINVAL;
}

static int
peek(const struct scan *scan)
{
	return scan->at < scan->length ? scan->text[scan->at] : -1;
}

static void
skip_space(struct scan *scan)
{
	int c;

	while ((c = peek(scan)) == ' ' || c == '\t' || c == '\n' || c == '\r')
		scan->at++;
}

static int
scan_hex(struct scan *scan, unsigned *ret)
{
	unsigned value = 0;

	for (unsigned i = 0; i < 4; i++, scan->at++) {
		int c = peek(scan);

		if (c >= '0' && c <= '9')
			value = value * 16 + (unsigned)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f' && c > 0)
			value = value * 16 + (unsigned)((c | 32) - 'a' + 10);
		else
			return fault(scan, "\\u is followed by four hexadecimal digits");
	}
	*ret = value;
	return 0;
}

static int
scan_escape(struct scan *scan)
{
	unsigned first = 0, second = 0;
	size_t start = scan->at++;
	int c = peek(scan);

	if (c == -1 || (c != 'u' && strchr("\"\\/bfnrt", c) == NULL) || c == 0)
		return fault(scan, "no such escape in a string");
	scan->at++;
	if (c != 'u')
		return 0;
	if (scan_hex(scan, &first) != 0)
		return CAIRN_EINVAL;
	if (first < 0xd800 || first > 0xdfff)
		return 0;
	if (first < 0xdc00 && peek(scan) == '\\' && scan->at + 1 < scan->length &&
	    scan->text[scan->at + 1] == 'u') {
		scan->at += 2;
		if (scan_hex(scan, &second) != 0)
			return CAIRN_EINVAL;
	}
	if (second >= 0xdc00 && second <= 0xdfff)
		return 0;
	scan->at = start;
	return fault(scan, "half of a surrogate pair in a string");
}

/* One character of more than one byte (RFC 3629). */
static int
scan_utf8(struct scan *scan)
{
	const unsigned char *at = scan->text + scan->at;
	size_t left = scan->length - scan->at;
	size_t count = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	unsigned low = 0x80, high = 0xbf;

	if (at[0] < 0xc2 || at[0] > 0xf4 || left < count)
		return fault(scan, "a byte that is no UTF-8");
	if (at[0] == 0xe0)
		low = 0xa0;
	else if (at[0] == 0xed)
		high = 0x9f;
	else if (at[0] == 0xf0)
		low = 0x90;
	else if (at[0] == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < count; i++) {
		if (at[i] < (i == 1 ? low : 0x80) || at[i] > (i == 1 ? high : 0xbf))
			return fault(scan, "a byte that is no UTF-8");
	}
	scan->at += count;
	return 0;
}

static int
scan_string(struct scan *scan)
{
	int code = 0;

	scan->at++;
	while (code == 0) {
		int c = peek(scan);

		if (c == -1)
			return fault(scan, "it ends within a string");
		if (c == '"') {
			scan->at++;
			return 0;
		}
		if (c < 0x20)
			return fault(scan, "a control character within a string");
		if (c == '\\')
			code = scan_escape(scan);
		else if (c >= 0x80)
			code = scan_utf8(scan);
		else
			scan->at++;
	}
	return code;
}

static size_t
digits(struct scan *scan)
{
	size_t start = scan->at;

	while (peek(scan) >= '0' && peek(scan) <= '9')
		scan->at++;
	return scan->at - start;
}

static int
scan_number(struct scan *scan)
{
	if (peek(scan) == '-')
		scan->at++;
	if (peek(scan) == '0')
		scan->at++;
	else if (digits(scan) == 0)
		return fault(scan, "a number without digits");
	if (peek(scan) == '.') {
		scan->at++;
		if (digits(scan) == 0)
			return fault(scan, "a number without digits behind its point");
	}
	if (peek(scan) == 'e' || peek(scan) == 'E') {
		scan->at++;
		if (peek(scan) == '+' || peek(scan) == '-')
			scan->at++;
		if (digits(scan) == 0)
			return fault(scan, "a number without digits in its exponent");
	}
	return 0;
}

static int
scan_scalar(struct scan *scan)
{
	static const char *const words[] = {"true", "false", "null"};
	int c = peek(scan);

	if (c == '"')
		return scan_string(scan);
	if (c == '-' || (c >= '0' && c <= '9'))
		return scan_number(scan);
	for (size_t i = 0; i < 3; i++) {
		size_t length = strlen(words[i]);

		if (scan->length - scan->at >= length &&
		    memcmp(scan->text + scan->at, words[i], length) == 0) {
			scan->at += length;
			return 0;
		}
	}
	return fault(scan, c == -1 ? "it ends where a value should be" : "no value begins so");
}

static bool
in_object(const struct scan *scan)
{
	unsigned top = scan->depth - 1;

	return (scan->objects[top / 8] >> (top % 8) & 1) != 0;
}

/* A member's name and colon. */
static int
scan_key(struct scan *scan)
{
	skip_space(scan);
	if (peek(scan) != '"')
		return fault(scan, "a member's name in double quotes is missing");
	if (scan_string(scan) != 0)
		return CAIRN_EINVAL;
	skip_space(scan);
	if (peek(scan) != ':')
		return fault(scan, "the colon behind a member's name is missing");
	scan->at++;
	return 0;
}

/* `ret_open`: it was entered and has members. */
static int
enter(struct scan *scan, bool *ret_open)
{
	bool object = peek(scan) == '{';
	uint8_t bit;

	if (scan->depth == LOCATE_DEPTH_MAX)
		return fault(scan, "arrays and objects are too deep within each other");
	bit = (uint8_t)(1u << (scan->depth % 8));
	if (object)
		scan->objects[scan->depth / 8] |= bit;
	else
		scan->objects[scan->depth / 8] &= (uint8_t)~bit;
	scan->depth++;
	scan->at++;
	skip_space(scan);
	*ret_open = peek(scan) != (object ? '}' : ']');
	if (*ret_open)
		return object ? scan_key(scan) : 0;
	scan->at++;
	scan->depth--;
	return 0;
}

/* Behind a value: a comma, and the next begins, or the ends of what is open. */
static int
leave(struct scan *scan)
{
	while (scan->depth > 0) {
		skip_space(scan);
		if (peek(scan) == ',') {
			scan->at++;
			return in_object(scan) ? scan_key(scan) : 0;
		}
		if (peek(scan) != (in_object(scan) ? '}' : ']'))
			return fault(scan,
			    peek(scan) == -1 ? "it ends within an array or object"
					     : "a comma or the closing bracket is missing");
		scan->at++;
		scan->depth--;
	}
	return 0;
}

static int
scan_text(struct scan *scan)
{
	int code;

	if (scan->length >= 3 && memcmp(scan->text, "\xef\xbb\xbf", 3) == 0)
		return fault(scan, "it begins with a byte order mark");
	do {
		bool open = false;

		skip_space(scan);
		code =
		    peek(scan) == '{' || peek(scan) == '[' ? enter(scan, &open) : scan_scalar(scan);
		if (code == 0 && !open)
			code = leave(scan);
	} while (code == 0 && scan->depth > 0);
	if (code != 0)
		return code;
	skip_space(scan);
	if (scan->at < scan->length)
		code = fault(scan, "something follows behind its end");
	return code;
}

int
json_locate(const char *text, size_t length, struct json_fault *ret)
{
	struct scan scan = {.text = (const unsigned char *)text, .length = length};
	int code = scan_text(&scan);

	if (code == 0)
		return 0;
	*ret = (struct json_fault){scan.at, 1, scan.what};
	for (size_t i = 0; i < scan.at && i < length; i++)
		ret->line += text[i] == '\n';
	return code;
}

int
json_locate_error(const char *text, size_t length, struct cairn_error *err)
{
	struct json_fault found;

	if (json_locate(text, length, &found) == 0)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "a number is beyond what a double can hold, or a string holds what no UTF-8 "
		    "text may");
	return cairn_error_set(err, CAIRN_EINVAL, "no JSON: byte %zu, line %zu: %s", found.offset,
	    found.line, found.what);
}
