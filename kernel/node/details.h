/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DETAILS_H
#define NODE_DETAILS_H

/*
 * What of a request and of its answer goes into the ledger: the fields that the plugin's manifest
 * names (`record`), as the policy saw them, and none else.  Text and numbers as they are,
 * enumerations by name, messages as JSON, lists of messages as their length, bytes as their length.
 * What is 0 or empty is left out, as it is on the wire; an enumeration never is.
 */

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

#define DETAILS_MAX 8         /* together at most half of what a record may be */
#define DETAIL_BYTES_MAX 4096 /* a longer value is replaced by its size */

struct detail {
	const char *name; /* the message type's */
	char *value;
};

struct details {
	struct detail items[DETAILS_MAX];
	size_t count;
};

/* Adds those fields of `message` that `names` (ends in NULL; NULL: none) has and `details` has not
 * yet.  CAIRN_ENOMEM adds no more. */
int details_add(struct details *details, const char *const *names, const ProtobufCMessage *message);
void details_fini(struct details *details);

#endif
