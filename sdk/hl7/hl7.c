/* SPDX-License-Identifier: Apache-2.0 */
#include <cairn/hl7.h>

#include <ctype.h>
#include <iconv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REPETITIONS_MAX 32 /* of a field that are looked at */

struct hl7_span
hl7_part(struct hl7_span span, char separator, unsigned index)
{
	const char *end;

	for (; (end = span.length > 0 ? memchr(span.at, separator, span.length) : NULL) != NULL;
	     index--) {
		size_t length = (size_t)(end - span.at);

		if (index == 0)
			return (struct hl7_span){span.at, length};
		span = (struct hl7_span){end + 1, span.length - length - 1};
	}
	return index == 0 ? span : (struct hl7_span){0};
}

struct hl7_span
hl7_segment(const struct hl7 *m, struct hl7_span after, const char *name)
{
	const char *at = after.at == NULL ? m->all.at : after.at + after.length, *end;

	if (m->all.length == 0)
		return (struct hl7_span){0};
	end = m->all.at + m->all.length;
	while (at < end) {
		size_t length = 0;

		while (at + length < end && at[length] != '\r' && at[length] != '\n')
			length++;
		if (length >= 3 && (length == 3 || at[3] == m->field) &&
		    (name == NULL || memcmp(at, name, 3) == 0))
			return (struct hl7_span){at, length};
		at += length + 1;
	}
	return (struct hl7_span){0};
}

struct hl7_span
hl7_field(const struct hl7 *m, struct hl7_span segment, unsigned number)
{
	/* The delimiter behind "MSH" is a field itself. */
	unsigned shift = segment.length > 2 && memcmp(segment.at, "MSH", 3) == 0 ? 1 : 0;

	return hl7_part(segment, m->field, number - shift);
}

struct hl7_span
hl7_component(const struct hl7 *m, struct hl7_span field, unsigned number)
{
	struct hl7_span one = hl7_part(field, m->repetition, 0);

	return hl7_part(hl7_part(one, m->component, number - 1), m->subcomponent, 0);
}

bool
hl7_is(struct hl7_span span, const char *word)
{
	return span.length == strlen(word) &&
	    (span.length == 0 || memcmp(span.at, word, span.length) == 0);
}

/* What an escape sequence stands for; 0 for nothing (highlighting, a site's own, other charsets).
 */
static char
escaped(const struct hl7 *m, const char *at, size_t length)
{
	static const char letters[] = "FSRET";
	const char meant[] = {m->field, m->component, m->repetition, m->escape, m->subcomponent};
	const char *letter = length == 1 ? memchr(letters, at[0], 5) : NULL;
	char hex[3] = {0};
	long byte;

	if (letter != NULL)
		return meant[letter - letters];
	if (length == 3 && at[0] == 'X') {
		memcpy(hex, at + 1, 2);
		byte = strtol(hex, NULL, 16);
		return byte >= ' ' && byte < 127 ? (char)byte : ' ';
	}
	return length > 1 && at[0] == '.' ? ' ' : 0; /* formatting: a new line and the like */
}

char *
hl7_text(struct hl7 *m, struct hl7_span span)
{
	static char none[1] = "";
	char *text = m->arena + m->used;
	const char *end;

	if (span.length == 0 || m->size - m->used <= span.length)
		return none;
	end = span.at + span.length;
	for (const char *at = span.at; at < end; at++) {
		size_t rest = (size_t)(end - at) - 1;
		const char *close = *at == m->escape ? memchr(at + 1, m->escape, rest) : NULL;
		char c = close == NULL ? *at : escaped(m, at + 1, (size_t)(close - at) - 1);

		if (c != 0)
			m->arena[m->used++] = c;
		at = close == NULL ? at : close;
	}
	m->arena[m->used++] = 0;
	return text;
}

bool
hl7_identifier(const struct hl7 *m, struct hl7_span field, const char *authority,
    struct hl7_span *ret_id, struct hl7_span *ret_namespace)
{
	for (unsigned i = 0; i < REPETITIONS_MAX; i++) {
		struct hl7_span one = hl7_part(field, m->repetition, i);
		struct hl7_span id = hl7_component(m, one, 1);
		struct hl7_span assigned = hl7_part(one, m->component, 3);
		struct hl7_span space = hl7_part(assigned, m->subcomponent, 0);

		if (id.length == 0 || hl7_is(id, "\"\""))
			continue;
		if (authority[0] == 0 || hl7_is(space, authority) ||
		    hl7_is(hl7_part(assigned, m->subcomponent, 1), authority)) {
			*ret_id = id;
			*ret_namespace = space;
			return true;
		}
	}
	return false;
}

size_t
hl7_identifiers(const struct hl7 *m, struct hl7_span field, const char *authority,
    struct hl7_id *ret, size_t max)
{
	struct hl7_span own, space;
	size_t count = 1;

	if (max == 0 || !hl7_identifier(m, field, authority, &own, &space))
		return 0;
	for (unsigned i = 0; i < REPETITIONS_MAX; i++) {
		struct hl7_span one = hl7_part(field, m->repetition, i);
		struct hl7_id id = {
		    hl7_component(m, one, 1), hl7_component(m, one, 4), hl7_component(m, one, 5)};

		if (id.authority.length == 0)
			id.authority = hl7_part(hl7_part(one, m->component, 3), m->subcomponent, 1);
		if (id.id.at != NULL && id.id.at == own.at)
			ret[0] = (struct hl7_id){own, space, id.type};
		else if (count < max && id.id.length > 0 && !hl7_is(id.id, "\"\""))
			ret[count++] = id;
	}
	return count;
}

static unsigned long long
fnv1a(const void *bytes, size_t length)
{
	unsigned long long hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3;
	return hash;
}

void
hl7_job_key(const struct hl7 *m, const void *body, size_t length, char ret[HL7_KEY_SIZE])
{
	struct hl7_span id = hl7_field(m, hl7_segment(m, (struct hl7_span){0}, "MSH"), 10);

	snprintf(
	    ret, HL7_KEY_SIZE, "%016llx-%016llx", fnv1a(id.at, id.length), fnv1a(body, length));
}

bool
hl7_number(struct hl7 *m, struct hl7_span span, double *ret)
{
	const char *digits = hl7_text(m, span);
	double number;
	char *end;

	if (digits[0] == 0 || strspn(digits, "+-.0123456789") != strlen(digits))
		return false;
	number = strtod(digits, &end);
	if (*end != 0 || !isfinite(number))
		return false;
	*ret = number;
	return true;
}

bool
hl7_day(struct hl7_span span, int32_t *ret_day)
{
	struct tm tm = {0};
	char digits[9] = "";
	int day;

	if (span.length < 8)
		return false;
	memcpy(digits, span.at, 8);
	if (strspn(digits, "0123456789") < 8 || strptime(digits, "%Y%m%d", &tm) == NULL)
		return false;
	day = tm.tm_mday;
	*ret_day = (int32_t)(timegm(&tm) / 86400);
	return tm.tm_mday == day;
}

/* ---- opening ----------------------------------------------------------------------------- */

/* HL7 table 0211.  A list of our own: what a sender writes must not choose among all of iconv's. */
static const char *const charsets[][2] = {{"UNICODE UTF-8", "UTF-8"}, {"ASCII", "US-ASCII"},
    {"8859/1", "ISO-8859-1"}, {"8859/2", "ISO-8859-2"}, {"8859/5", "ISO-8859-5"},
    {"8859/7", "ISO-8859-7"}, {"8859/9", "ISO-8859-9"}, {"8859/15", "ISO-8859-15"}};

static iconv_t
open_charset(struct hl7_span said, const char *fallback)
{
	if (said.length == 0)
		said = (struct hl7_span){fallback, strlen(fallback)};
	for (size_t i = 0; i < sizeof charsets / sizeof charsets[0]; i++)
		if (strlen(charsets[i][0]) == said.length &&
		    memcmp(charsets[i][0], said.at, said.length) == 0)
			return iconv_open("UTF-8", charsets[i][1]);
	return (iconv_t)-1;
}

/* Into UTF-8; no character of these sets needs more than three bytes. */
static const char *
convert(struct hl7 *m, const char *charset)
{
	struct hl7_span msh = hl7_segment(m, (struct hl7_span){0}, "MSH");
	size_t left = m->raw.length, room = left * 3 + 1, bad;
	char *in = (char *)(size_t)m->raw.at, *text, *out;
	iconv_t how = open_charset(hl7_part(hl7_field(m, msh, 18), m->repetition, 0), charset);

	if (how == (iconv_t)-1)
		return "this site does not read that character set";
	text = out = malloc(room);
	bad = text == NULL ? (size_t)-1 : iconv(how, &in, &left, &out, &room);
	iconv_close(how);
	if (bad == (size_t)-1) {
		free(text);
		return "there are bytes that are none of the character set's";
	}
	m->all = (struct hl7_span){text, (size_t)(out - text)};
	return NULL;
}

static const char *
read_delimiters(struct hl7 *m)
{
	const char *text = m->raw.at;

	if (m->raw.length < 8 || memcmp(text, "MSH", 3) != 0)
		return "the message does not begin with a segment MSH";
	for (size_t i = 3; i < 8; i++) {
		if (!ispunct((unsigned char)text[i]) || memchr(text + 3, text[i], i - 3) != NULL)
			return "MSH-1 and MSH-2 are no five different delimiters";
	}
	if (memchr(text, 0, m->raw.length) != NULL)
		return "there is a zero byte in the message";
	m->field = text[3];
	m->component = text[4];
	m->repetition = text[5];
	m->escape = text[6];
	m->subcomponent = text[7];
	return NULL;
}

struct hl7_problem
hl7_open(struct hl7 *ret, const char *text, size_t length, const char *charset)
{
	const char *wrong;

	*ret = (struct hl7){{text, length}, {NULL, 0}, '|', '^', '~', '\\', '&', NULL, 0, 0};
	wrong = read_delimiters(ret);
	if (wrong != NULL) {
		ret->raw.length = 0;
		return (struct hl7_problem){'R', 100, "MSH", 1, 0, wrong};
	}
	ret->all = ret->raw;
	wrong = convert(ret, charset);
	if (wrong != NULL) {
		ret->all = (struct hl7_span){0};
		return (struct hl7_problem){'E', 103, "MSH", 1, 18, wrong};
	}
	ret->size = 2 * ret->all.length;
	ret->arena = malloc(ret->size);
	if (ret->arena == NULL)
		return (struct hl7_problem){'R', 207, "MSH", 1, 0, "out of memory"};
	return (struct hl7_problem){0};
}

void
hl7_fini(struct hl7 *m)
{
	free(m->arena);
	free((char *)(size_t)m->all.at);
	*m = (struct hl7){0};
}
