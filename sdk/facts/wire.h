/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FACTS_WIRE_H
#define FACTS_WIRE_H

/* The fields of a packed protobuf message, one after the other. */

#include "record.h"

struct wire {
	const uint8_t *at, *end;
};

struct wire_field {
	unsigned number;
	uint64_t value;           /* of a varint */
	struct record_span bytes; /* of a length-delimited one; `at` is NULL otherwise */
	struct record_span whole;
};

/* CAIRN_ECORRUPT for what is cut short or of a kind that our messages do not have. */
int wire_next(struct wire *wire, struct wire_field *ret);

#endif
