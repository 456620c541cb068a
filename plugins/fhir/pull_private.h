/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FHIR_PULL_PRIVATE_H
#define FHIR_PULL_PRIVATE_H

#include <uv.h>

#include "base/buf.h"
#include "http/assertion.h"
#include "http/http.h"
#include "pull.h"
#include "source.h"
#include "step.h"

#define PULL_URL_MAX 4096
#define PULL_REQUESTS_MAX 16
#define PULL_SEEN_MAX 4096 /* pages of a type that are remembered, to see a loop */
#define PULL_PAGES_MAX 1000000

struct pull {
	struct connector *connector;
	struct http *http;
	uv_timer_t timer; /* until the next pull, or until an export is asked for again */
	unsigned closing; /* handles left */
	bool running, failed_before;
	char base[PULL_URL_MAX]; /* ends in a slash */
	struct http_call *call;
	struct cairn_request *requests[PULL_REQUESTS_MAX]; /* that wait for its end */
	size_t request_count;
	struct assertion_key *key;
	char token[8192];
	uint64_t token_until_ms;
	bool token_tried;          /* after a 401 */
	void (*go)(struct pull *); /* once there is a token */
	struct buf body;           /* of small answers */
	/* what is being read */
	struct source source;
	bool source_open;
	struct step *step;
	bool stepping, ended; /* a step is under way; the transfer has ended meanwhile */
	char url[PULL_URL_MAX], next[PULL_URL_MAX];
	char since[64], started[64];
	size_t type;
	uint64_t pages, seen[PULL_SEEN_MAX];
	size_t seen_count;
	/* export */
	char status_url[PULL_URL_MAX];
	struct buf files; /* lines: TYPE URL */
	size_t file;
	uint64_t offset, skip; /* bytes of the file that are kept; still to be skipped */
	uint64_t file_base;    /* offset of the source's first byte */
	uint64_t poll_until_ms;
	bool file_token;
	/* the last one, for status */
	uint64_t resources, unused, waiting, last_ms;
	char not_served[256];
	char last[300]; /* how it ended; "" before the first */
};

/* Ends the pull under way: 0 and words, or what went wrong. */
void pull_end(struct pull *pull, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void pull_say(struct pull *pull, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Calls `go` once a token is there, or ends the pull. */
void pull_with_token(struct pull *pull, void (*go)(struct pull *));
/* A call with the headers of all: `accept`, `prefer` may be NULL. */
int pull_get(struct pull *pull, const char *url, const char *accept, const char *prefer,
    struct http_request *request, struct cairn_error *err);
/* True when it was a 401 and `go` is called again with a new token. */
bool pull_denied(struct pull *pull, const struct http_result *result, void (*go)(struct pull *));
/* `reference` of `base`, of the server's origin; or the pull has ended. */
int pull_follow(struct pull *pull, const char *base, const char *reference, const char *what,
    char *ret, size_t size);
/* A step that brings nothing but what was noted. */
struct step *pull_step(struct pull *pull);
/* While the plugin stops: one of what is closed has closed. */
void pull_rest(struct pull *pull);
/* A step has ended; false when the pull has, too. */
bool pull_stepped(struct pull *pull, int code, const char *why, const struct step_counts *counts);
void pull_count(struct pull *pull, const struct step_counts *counts);
void pull_now_text(char ret[64], int64_t back_s);
const char *pull_type(struct pull *pull, size_t index); /* Patient first; NULL past the end */
void pull_drop_source(struct pull *pull);
int pull_keep_body(void *arg, const void *bytes, size_t length, struct cairn_error *err);

/* export_timer() after so long. */
void pull_wait(struct pull *pull, uint64_t seconds);

void search_begin(struct pull *pull);
void export_begin(struct pull *pull);
void export_timer(struct pull *pull);

#endif
