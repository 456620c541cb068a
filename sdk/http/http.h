/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

/*
 * An HTTP client on the plugin's libuv loop (libcurl's multi interface).  Certificates are
 * verified; nothing but http and https is spoken; redirects are followed on the same origin only,
 * at most five; what a server is too busy for (429, 500, 502, 503, 504) or a connection that fails
 * is tried again, after Retry-After or a pause that doubles and is jittered, until `attempts` are
 * spent; a transfer on which nothing comes is given up.  All functions on the loop's thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

struct uv_loop_s;
struct http;
struct http_call;

struct http_options {
	const char *proxy;    /* NULL or "": none; the environment is not looked at */
	const char *ca_file;  /* NULL or "": the system's */
	bool plain;           /* http:// to other machines, too */
	unsigned timeout_s;   /* without a byte */
	unsigned attempts;    /* of one call; 0: 6 */
	unsigned pause_ms;    /* before the second; 0: 500 */
	unsigned pause_max_s; /* also of Retry-After; 0: 300 */
};

struct http_result {
	int code;                     /* 0: `status` is a final one, of whatever kind */
	long status;                  /* 0 where there was no answer */
	const char *why;              /* for people, without parts of the answer; "" for 2xx */
	const char *content_location; /* "" where absent */
	uint64_t retry_after_s;       /* 0 where absent */
};

#define HTTP_PAUSE 1

struct http_request {
	const char *method; /* "GET", "POST" or "DELETE" */
	const char *url;
	const char *const
	    *headers;      /* "Accept: application/fhir+json"; ends with NULL; may be NULL */
	const char *body;  /* of a POST */
	uint64_t size_max; /* of the answer; 0: any */
	/* Bytes of a 2xx answer.  0; HTTP_PAUSE: no more until http_resume(); a negative code ends
	 * the call with it and the words in `err`. */
	int (*data)(void *arg, const void *bytes, size_t length, struct cairn_error *err);
	void (*done)(void *arg, const struct http_result *result); /* the last that is called */
	void *arg;
};

int http_new(struct http **ret, struct uv_loop_s *loop, const struct http_options *options,
    struct cairn_error *err);
/* Calls under way end with CAIRN_ECANCELLED, at once; then `closed`, later. */
void http_close(struct http *http, void (*closed)(void *arg), void *arg);

/* Copies the request's texts.  CAIRN_EINVAL: the URL is none, or is not taken. */
int http_start(struct http *http, const struct http_request *request, struct http_call **ret,
    struct cairn_error *err);
void http_resume(struct http_call *call);
/* Ends it without calling `done`. */
void http_cancel(struct http_call *call);

/* http or https with a host, no user in it; CAIRN_EINVAL with what to do. */
int http_check_url(const char *url, bool plain, struct cairn_error *err);
/* Same scheme, host and port. */
bool http_same_origin(const char *a, const char *b);
/* `reference` as seen from `base`; CAIRN_EINVAL, CAIRN_ELIMIT. */
int http_resolve(const char *base, const char *reference, char *ret, size_t size);

#endif
