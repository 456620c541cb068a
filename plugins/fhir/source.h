/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FHIR_SOURCE_H
#define FHIR_SOURCE_H

/*
 * From bytes to mapped resources: cuts (json/records.h), parses and maps, also what a Bundle holds.
 * Used on a worker thread for a file, and on the loop for what a server sends.
 */

#include "map.h"
#include "json/records.h"

#define SOURCE_RECORD_MAX ((size_t)64 << 20)
#define SOURCE_DEPTH_MAX 100

/* A resource, valid during the call.  `url` is its fullUrl ("" without).  Non-zero ends the
 * reading. */
typedef int source_fn(
    void *arg, const struct map_result *result, const char *url, struct cairn_error *err);

struct source {
	const struct mapping *mapping;
	struct json_parser *parser;
	struct records *records;
	struct map_result *result;
	source_fn *each;
	void *arg;
	uint64_t resources;
	/* Of a searchset Bundle, once it has ended: */
	char next[2048]; /* link.next; "" without */
	bool bundle;
};

int source_open(struct source *ret, const struct mapping *mapping, enum records_format format,
    source_fn *each, void *arg, struct cairn_error *err);
void source_close(struct source *source);

/* CAIRN_EINVAL with the byte and line of what is wrong; or what `each` returned. */
int source_feed(struct source *source, const void *bytes, size_t length, struct cairn_error *err);
int source_end(struct source *source, struct cairn_error *err);

#endif
