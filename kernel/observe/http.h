/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBSERVE_HTTP_H
#define OBSERVE_HTTP_H

/*
 * As much of HTTP/1.1 (RFC 9112) as a page of figures needs: the head of one GET or HEAD without a
 * body.  Everything else is refused with the status that RFC 9110 has for it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX 8192

struct http_request {
	bool head;   /* HEAD: no body in the answer */
	bool http10; /* asked in HTTP/1.0 */
};

/* The bytes so far.  0: more are needed; 200: `*ret` is a request for /metrics; else the status of
 * the refusal (400, 404, 405, 413, 431, 505). */
int http_parse(const uint8_t *bytes, size_t length, struct http_request *ret);
/* "Not Found"; never NULL. */
const char *http_status_text(int status);

#endif
