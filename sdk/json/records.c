/* SPDX-License-Identifier: Apache-2.0 */
#include "records.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"

#define FEED_MAX ((size_t)4 << 20)
#define KEY_MAX 32

enum state {
	OUTSIDE, /* of `entry`: what is scanned goes to `envelope` */
	FIRST,   /* behind `[`: an element or the end */
	ELEMENT, /* within one */
	BEHIND,  /* a comma or the end */
	NEXT,    /* behind a comma: an element */
	FINISHED
};

struct records {
	enum records_format format;
	size_t record_max;
	struct buf window; /* what was fed and is not consumed */
	size_t taken;      /* of it, handed out: consumed by the next feed */
	size_t scanned;    /* of it */
	uint64_t offset;   /* of the window's first byte */
	uint64_t lines;    /* ends of lines before `counted` */
	size_t counted;    /* of the window */
	bool ended;
	/* documents */
	enum state state;
	struct buf envelope;
	unsigned depth, element_depth;
	bool string, escape, bundle, entries;
	size_t string_at; /* in the envelope, of the last string at depth 1 */
	char last[KEY_MAX], key[KEY_MAX];
	uint64_t element_line;
};

int
records_new(
    struct records **ret, enum records_format format, size_t record_max, struct cairn_error *err)
{
	struct records *records = calloc(1, sizeof *records);

	if (records == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	records->format = format;
	records->record_max = record_max;
	buf_init(&records->window, record_max + FEED_MAX + JSON_PADDING + 1);
	buf_init(&records->envelope, record_max + JSON_PADDING + 1);
	*ret = records;
	return 0;
}

void
records_free(struct records *records)
{
	if (records == NULL)
		return;
	buf_fini(&records->window);
	buf_fini(&records->envelope);
	free(records);
}

/* Lines up to `to` (of the window) are counted once. */
static uint64_t
line_at(struct records *records, size_t to)
{
	const char *data = (const char *)records->window.data;

	while (records->counted < to) {
		const char *end = memchr(data + records->counted, '\n', to - records->counted);

		if (end == NULL) {
			records->counted = to;
			break;
		}
		records->lines++;
		records->counted = (size_t)(end - data) + 1;
	}
	return records->lines + 1;
}

static void
drop_taken(struct records *records)
{
	size_t taken = records->taken;

	if (taken == 0)
		return;
	(void)line_at(records, taken);
	buf_consume(&records->window, taken);
	records->offset += taken;
	records->scanned -= taken;
	records->counted -= taken;
	records->taken = 0;
}

static int
too_large(const struct records *records, struct cairn_error *err)
{
	return cairn_error_set(err, CAIRN_ELIMIT,
	    "a record that begins at byte %llu is larger than %zu bytes",
	    (unsigned long long)(records->offset + records->taken), records->record_max);
}

int
records_feed(struct records *records, const void *bytes, size_t length, struct cairn_error *err)
{
	int code = 0;

	drop_taken(records);
	if (length > FEED_MAX || records->window.length > records->record_max)
		return too_large(records, err);
	code = buf_append(&records->window, bytes, length);
	if (code == 0)
		code = buf_reserve(&records->window, JSON_PADDING);
	return code == 0 ? 0 : cairn_error_set(err, code, "%s", cairn_code_text(code));
}

void
records_end(struct records *records)
{
	records->ended = true;
}

/* ---- lines -------------------------------------------------------------------------------- */

static bool
blank(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (strchr(" \t\r", text[i]) == NULL || text[i] == 0)
			return false;
	}
	return true;
}

static int
next_line(struct records *records, struct record *ret, struct cairn_error *err)
{
	const char *data = (const char *)records->window.data;
	size_t length = records->window.length;

	for (;;) {
		size_t from = records->taken;
		const char *end = records->scanned < length
		    ? memchr(data + records->scanned, '\n', length - records->scanned)
		    : NULL;
		size_t to = end == NULL ? length : (size_t)(end - data);

		records->scanned = end == NULL ? length : to + 1;
		if (to - from > records->record_max)
			return too_large(records, err);
		if (end == NULL && !records->ended)
			return CAIRN_EAGAIN;
		if (end == NULL && from == length)
			return CAIRN_ENOTFOUND;
		records->taken = records->scanned;
		if (blank(data + from, to - from))
			continue;
		*ret = (struct record){.text = data + from,
		    .length = to - from,
		    .offset = records->offset + from,
		    .line = line_at(records, from)};
		return 0;
	}
}

/* ---- a document --------------------------------------------------------------------------- */

/* 0: nothing, 1: opens, 2: closes, 3: a quote, 4: a backslash. */
static const unsigned char classes[256] = {
    ['{'] = 1, ['['] = 1, ['}'] = 2, [']'] = 2, ['"'] = 3, ['\\'] = 4};

/* Scans on within a value; true behind its end. */
static bool
scan_element(struct records *records)
{
	const unsigned char *data = records->window.data;
	size_t at = records->scanned, length = records->window.length;
	bool whole = false;

	if (records->escape && at < length) {
		records->escape = false;
		at++;
	}
	while (at < length && !whole) {
		unsigned char class = classes[data[at++]];

		if (class == 0)
			continue;
		if (records->string && class == 4) {
			records->escape = at == length;
			at += at < length;
		} else if (class == 3) {
			records->string = !records->string;
		} else if (!records->string && class <= 2) {
			records->element_depth += class == 1 ? 1u : -1u;
			whole = records->element_depth == 0;
		}
	}
	records->scanned = at;
	return whole;
}

static void
end_string(struct records *records)
{
	size_t length = records->envelope.length - records->string_at - 1;

	records->last[0] = 0;
	if (length < KEY_MAX) {
		memcpy(records->last, records->envelope.data + records->string_at, length);
		records->last[length] = 0;
	}
	if (strcmp(records->key, "resourceType") == 0)
		records->bundle = strcmp(records->last, "Bundle") == 0;
}

/* One byte of the document outside of `entry`, after it was appended to the envelope. */
static int
outside(struct records *records, char c)
{
	if (records->escape) {
		records->escape = false;
	} else if (records->string) {
		records->escape = c == '\\';
		records->string = c != '"';
		if (c == '"' && records->depth == 1)
			end_string(records);
	} else if (c == '"') {
		records->string = true;
		records->string_at = records->envelope.length;
	} else if (c == ':' && records->depth == 1) {
		memcpy(records->key, records->last, KEY_MAX);
	} else if (c == ',' && records->depth == 1) {
		records->key[0] = 0;
	} else if (c == '{' || c == '[') {
		if (c == '[' && records->depth == 1 && records->bundle &&
		    strcmp(records->key, "entry") == 0) {
			if (records->entries)
				return CAIRN_EINVAL;
			records->entries = true;
			records->state = FIRST;
		}
		records->depth++;
	} else if ((c == '}' || c == ']') && records->depth > 0) {
		records->depth--;
	}
	return 0;
}

static int
scan_outside(struct records *records, struct cairn_error *err)
{
	const char *data = (const char *)records->window.data;

	while (records->scanned < records->window.length && records->state == OUTSIDE) {
		char c = data[records->scanned++];

		records->taken = records->scanned;
		if (records->envelope.length >= records->record_max)
			return too_large(records, err);
		if (buf_append(&records->envelope, &c, 1) != 0)
			return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
		if (outside(records, c) != 0)
			return cairn_error_set(err, CAIRN_EINVAL,
			    "byte %llu, line %llu: the Bundle has more than one 'entry'",
			    (unsigned long long)(records->offset + records->scanned - 1),
			    (unsigned long long)line_at(records, records->scanned - 1));
	}
	return 0;
}

/* One byte between the elements of `entry`. */
static int
between(struct records *records, char c, struct cairn_error *err)
{
	bool may_begin = records->state == FIRST || records->state == NEXT;
	bool may_end = records->state == FIRST || records->state == BEHIND;

	if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
		records->scanned++;
	} else if (c == '{' && may_begin) {
		records->state = ELEMENT;
		records->taken = records->scanned;
		records->element_line = line_at(records, records->scanned);
		return 0;
	} else if (c == ',' && records->state == BEHIND) {
		records->scanned++;
		records->state = NEXT;
	} else if (c == ']' && may_end) {
		records->state = OUTSIDE; /* which appends it */
	} else {
		return cairn_error_set(err, CAIRN_EINVAL,
		    "no JSON: byte %llu, line %llu: a comma, an entry or the end of the "
		    "entries is missing",
		    (unsigned long long)(records->offset + records->scanned),
		    (unsigned long long)line_at(records, records->scanned));
	}
	records->taken = records->scanned;
	return 0;
}

static int
take_element(struct records *records, struct record *ret, struct cairn_error *err)
{
	size_t from = records->taken;
	bool whole;

	whole = scan_element(records);
	if (records->scanned - from > records->record_max)
		return too_large(records, err);
	if (!whole)
		return CAIRN_EAGAIN;
	*ret = (struct record){.text = (const char *)records->window.data + from,
	    .length = records->scanned - from,
	    .offset = records->offset + from,
	    .line = records->element_line,
	    .entry = true};
	records->taken = records->scanned;
	records->state = BEHIND;
	return 0;
}

/* The envelope, once all has come. */
static int
take_envelope(struct records *records, struct record *ret, struct cairn_error *err)
{
	if (records->state == FINISHED)
		return CAIRN_ENOTFOUND;
	if (records->state != OUTSIDE)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "no JSON: byte %llu, line %llu: it ends within the Bundle's entries",
		    (unsigned long long)(records->offset + records->window.length),
		    (unsigned long long)line_at(records, records->window.length));
	if (buf_reserve(&records->envelope, JSON_PADDING) != 0)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	records->state = FINISHED;
	*ret = (struct record){.text = (const char *)records->envelope.data,
	    .length = records->envelope.length,
	    .line = 1,
	    .envelope = records->entries};
	return 0;
}

static int
next_of_document(struct records *records, struct record *ret, struct cairn_error *err)
{
	while (records->scanned < records->window.length || records->state == ELEMENT) {
		int code = 0;

		if (records->state == OUTSIDE)
			code = scan_outside(records, err);
		else if (records->state == ELEMENT)
			return records->ended && records->scanned == records->window.length
			    ? take_envelope(records, ret, err)
			    : take_element(records, ret, err);
		else
			code = between(records, (char)records->window.data[records->scanned], err);
		if (code != 0)
			return code;
	}
	return records->ended ? take_envelope(records, ret, err) : CAIRN_EAGAIN;
}

int
records_next(struct records *records, struct record *ret, struct cairn_error *err)
{
	return records->format == RECORDS_LINES ? next_line(records, ret, err)
						: next_of_document(records, ret, err);
}

uint64_t
records_position(const struct records *records)
{
	return records->offset + records->taken;
}
