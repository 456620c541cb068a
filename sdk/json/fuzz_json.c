/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes: what simdjson takes our own reading takes, too, and a stream that is cut into records
 * and fed in any pieces gives the same records. */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "locate.h"
#include "records.h"

#define must(condition)                   \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk_all(struct json_value value, unsigned depth)
{
	struct json_walk walk = json_walk(value);

	must(depth <= 64);
	(void)json_string(value, NULL);
	while (json_next(&walk))
		walk_all(walk.value, depth + 1);
}

static uint64_t
cut(enum records_format format, const uint8_t *data, size_t size, size_t step)
{
	struct records *records = NULL;
	struct record record;
	uint64_t sum = 1;
	size_t at = 0;
	int code = 0;

	must(records_new(&records, format, 4096, NULL) == 0);
	while (code == 0) {
		code = records_next(records, &record, NULL);
		if (code == 0) {
			sum = (sum ^ record.offset ^ record.length) * 1099511628211u + record.line;
		} else if (code == CAIRN_EAGAIN && at == size) {
			records_end(records);
			code = 0;
		} else if (code == CAIRN_EAGAIN) {
			size_t take = size - at < step ? size - at : step;

			code = records_feed(records, data + at, take, NULL);
			at += take;
		}
	}
	records_free(records);
	return code == CAIRN_ENOTFOUND ? sum : 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct json_limits limits = {1 << 20, 64};
	char *padded = calloc(1, size + JSON_PADDING);
	struct json_parser *parser = NULL;
	struct json_fault fault;
	struct json_value root;

	must(padded != NULL && json_new(&parser, &limits, NULL) == 0);
	memcpy(padded, data, size);
	if (json_parse(parser, padded, size, &root, NULL) == 0) {
		must(json_locate(padded, size, &fault) == 0);
		walk_all(root, 0);
	} else if (json_locate(padded, size, &fault) != 0) {
		must(fault.offset <= size && fault.line >= 1 && fault.what != NULL);
	}
	must(cut(RECORDS_LINES, data, size, 1) == cut(RECORDS_LINES, data, size, 100));
	must(cut(RECORDS_DOCUMENT, data, size, 1) == cut(RECORDS_DOCUMENT, data, size, 100));
	json_free(parser);
	free(padded);
	return 0;
}
