/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the walk accepts within a few levels never unpacks to more of them, and what protobuf-c
 * unpacks is never called malformed.  The first byte chooses the limit.
 */
#include <stdint.h>

#include "cairn/cohort.pb-c.h"
#include "depth.h"

#define LIMITS 16

static unsigned
expression_depth(const Cairn__Expression *expression)
{
	unsigned deepest = 0;

	for (size_t i = 0; i < expression->n_children; i++) {
		unsigned depth = expression_depth(expression->children[i]);

		deepest = depth > deepest ? depth : deepest;
	}
	if (deepest == 0 && expression->leaf != NULL)
		deepest = expression->leaf->n_values > 0 ? 2 : 1;
	return deepest + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned max;
	enum proto_depth limited, deep;
	Cairn__Expression *expression;

	if (size == 0)
		return 0;
	max = 1 + data[0] % LIMITS;
	data++;
	size--;
	limited = proto_depth_check(&cairn__expression__descriptor, data, size, max);
	deep = proto_depth_check(&cairn__expression__descriptor, data, size, PROTO_DEPTH_MAX);
	if (limited == PROTO_DEPTH_OK && deep != PROTO_DEPTH_OK)
		__builtin_trap();
	if (deep == PROTO_DEPTH_TOO_DEEP)
		return 0;
	expression = cairn__expression__unpack(NULL, size, data);
	if (expression == NULL)
		return 0;
	if (deep == PROTO_DEPTH_MALFORMED)
		__builtin_trap();
	if (limited == PROTO_DEPTH_OK && expression_depth(expression) > max)
		__builtin_trap();
	cairn__expression__free_unpacked(expression, NULL);
	return 0;
}
