/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_LOCATE_H
#define JSON_LOCATE_H

/* Where a text is no JSON: a slow second reading, for messages only. */

#include <stddef.h>

#include <cairn/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LOCATE_DEPTH_MAX 1024

struct json_fault {
	size_t offset; /* of the first byte that cannot stand there; the length, at the end */
	size_t line;   /* from 1 */
	const char *what;
};

/* 0 when the text is RFC 8259 JSON in UTF-8, else CAIRN_EINVAL and where. */
int json_locate(const char *text, size_t length, struct json_fault *ret);
int json_locate_error(const char *text, size_t length, struct cairn_error *err);

#ifdef __cplusplus
}
#endif

#endif
