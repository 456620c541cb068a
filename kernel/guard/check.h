/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_CHECK_H
#define GUARD_CHECK_H

/*
 * What is wrong with a policy that loads: roles, settings and purposes that no rule knows, subjects
 * that nobody serves, obligations that nobody carries out.  Part is read from the files, part is
 * found by putting sample questions to the rules: every role, purpose and guarded subject of this
 * site, with an empty message, and no data asked.
 */

#include "config/config.h"
#include "guard/guard.h"

#define GUARD_SERVED_MAX 512

struct guard_served {
	const char *subject;
	bool guarded;
	bool own; /* the kernel's; a policy from before it was served need not know it */
	const char *const *fulfils; /* obligations, ends in NULL; NULL when it does not say */
	const ProtobufCMessageDescriptor *request; /* NULL: its message is nobody's to read */
};

/* Begins a list of GUARD_SERVED_MAX with what the kernel serves itself; returns how many. */
size_t guard_served_kernel(struct guard_served *list);
/* Adds a plugin's subjects, borrowed from its manifest; returns the new count. */
size_t guard_served_add(struct guard_served *list, size_t count, const struct manifest *manifest);

struct guard_finding {
	bool error;                      /* else a warning: the node runs with it */
	char file[64];                   /* "settings.yaml", "10-purpose.lua", "" for the whole */
	unsigned line;                   /* 0 when it is not about one */
	char text[CAIRN_ERROR_TEXT_MAX]; /* "FILE:LINE: what, and what to do" */
};

typedef void (*guard_finding_fn)(void *arg, const struct guard_finding *finding);

/* Returns the number of errors. */
size_t guard_check(struct guard *guard, const struct guard_served *served, size_t count,
    guard_finding_fn report, void *arg);

/* An empty message of that type, its own messages there two levels deep, so that a rule can read
 * it; freed with protobuf_c_message_free_unpacked().  NULL for a NULL type or without memory. */
ProtobufCMessage *guard_sample(const ProtobufCMessageDescriptor *type);

#endif
