/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/http.h"

#include <string.h>
#include <strings.h>

#define PATH "/metrics"

const char *
http_status_text(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 413:
		return "Content Too Large";
	case 431:
		return "Request Header Fields Too Large";
	case 500:
		return "Internal Server Error";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Error";
	}
}

/* A part of the head: not a string. */
struct span {
	const char *at;
	size_t length;
};

static bool
span_is(struct span span, const char *text)
{
	return span.length == strlen(text) && memcmp(span.at, text, span.length) == 0;
}

static bool
span_is_nocase(struct span span, const char *text)
{
	return span.length == strlen(text) && strncasecmp(span.at, text, span.length) == 0;
}

/* Takes what is before `separator`; false when there is none. */
static bool
span_take(struct span *from, const char *separator, struct span *ret)
{
	const char *found = memmem(from->at, from->length, separator, strlen(separator));

	if (found == NULL)
		return false;
	*ret = (struct span){from->at, (size_t)(found - from->at)};
	from->length -= ret->length + strlen(separator);
	from->at = found + strlen(separator);
	return true;
}

/* RFC 9110 5.6.2 */
static bool
is_token(struct span span)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < span.length; i++) {
		char c = span.at[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c != 0 && strchr(marks, c) != NULL)))
			return false;
	}
	return span.length > 0;
}

static bool
is_visible(struct span span, bool spaces)
{
	for (size_t i = 0; i < span.length; i++) {
		unsigned char c = (unsigned char)span.at[i];

		if (c < 0x20 ? !(spaces && c == '\t') : c == 0x7f || (c == ' ' && !spaces))
			return false;
	}
	return span.length > 0 || spaces;
}

static int
parse_line(struct span line, struct http_request *ret)
{
	struct span method, target;

	if (!span_take(&line, " ", &method) || !span_take(&line, " ", &target) ||
	    !is_token(method) || !is_visible(target, false))
		return 400;
	if (line.length != 8 || memcmp(line.at, "HTTP/", 5) != 0)
		return 400;
	if (!span_is(line, "HTTP/1.1") && !span_is(line, "HTTP/1.0"))
		return 505;
	ret->http10 = line.at[7] == '0';
	ret->head = span_is(method, "HEAD");
	if (!ret->head && !span_is(method, "GET"))
		return 405;
	for (size_t i = 0; i < target.length; i++) {
		if (target.at[i] == '?')
			target.length = i;
	}
	return span_is(target, PATH) ? 200 : 404;
}

static struct span
trimmed(struct span span)
{
	while (span.length > 0 && (span.at[0] == ' ' || span.at[0] == '\t')) {
		span.at++;
		span.length--;
	}
	while (span.length > 0 &&
	    (span.at[span.length - 1] == ' ' || span.at[span.length - 1] == '\t'))
		span.length--;
	return span;
}

/* 200 when there is nothing against it. */
static int
parse_field(struct span line, unsigned *hosts)
{
	struct span name;

	if (!span_take(&line, ":", &name) || !is_token(name) || !is_visible(line, true))
		return 400;
	if (span_is_nocase(name, "Host"))
		++*hosts;
	if (span_is_nocase(name, "Transfer-Encoding"))
		return 413;
	if (span_is_nocase(name, "Content-Length") && !span_is(trimmed(line), "0"))
		return 413;
	return 200;
}

static int
parse_head(struct span head, struct http_request *ret)
{
	struct http_request request = {0};
	struct span line;
	unsigned hosts = 0;
	int status;

	if (!span_take(&head, "\r\n", &line))
		return 400;
	status = parse_line(line, &request);
	while (span_take(&head, "\r\n", &line)) {
		int field = parse_field(line, &hosts);

		if (field == 400 || status == 200)
			status = field;
		if (field == 400)
			break;
	}
	/* RFC 9112 3.2 */
	if (status == 200 && (hosts > 1 || (hosts == 0 && !request.http10)))
		status = 400;
	if (status == 200)
		*ret = request;
	return status;
}

int
http_parse(const uint8_t *bytes, size_t length, struct http_request *ret)
{
	const char *text = (const char *)bytes;
	const char *end = memmem(text, length, "\r\n\r\n", 4);

	if (end != NULL && (size_t)(end - text) + 4 <= HTTP_HEAD_MAX)
		return parse_head((struct span){text, (size_t)(end - text) + 2}, ret);
	return length >= HTTP_HEAD_MAX ? 431 : 0;
}
