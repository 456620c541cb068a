/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_GUARD_H
#define GUARD_GUARD_H

/*
 * The guard asks the site's Lua policy before a guarded message is delivered.
 *
 * Every policies/NAME.lua is loaded, in order of name, into one sandboxed Lua 5.4 state: text
 * chunks only, an allow-list of functions (lua/prelude.lua is the manual), capped memory, an
 * instruction budget per decision, pattern matching through PCRE2 with a match limit, no string
 * functions whose work is not bounded.  A file registers rules; each rule may deny, permit with
 * obligations, or say nothing.  First deny wins; no permit is a deny; obligations of all permits
 * are merged, the strictest (largest) value of each name.  A rule that errors, exceeds a limit or
 * returns something else denies, and says so.  After a limit the state is made anew.
 *
 * A question that names a data permit is first held against the site's list of permits
 * (permits.h): one that is unknown, expired, somebody else's or for something else denies.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include <cairn/error.h>

struct guard;

struct guard_options {
	const char *policies_dir;  /* *.lua and settings.yaml */
	size_t memory_max;         /* bytes; 0 means 8 MiB */
	uint64_t instructions_max; /* per decision; 0 means 1,000,000 */
	uint32_t match_limit;      /* PCRE2; 0 means 100,000 */
	const char *project;       /* the node's, which permits must be for; NULL: any */
};

struct guard_question {
	const char *subject;
	const char *principal;
	const char *role;
	const char *via;
	const char *asked_by;
	const char *purpose;
	const char *permit;
	const char *request_id;
	const ProtobufCMessage *message; /* the request, typed, as `q.message`; may be NULL */
	uint64_t now_ms;                 /* wall time, for permits; 0: the clock's */
};

#define GUARD_OBLIGATIONS_MAX 16
#define GUARD_TEXT_MAX 256

struct guard_obligation {
	char name[32];
	int64_t value;
};

struct guard_decision {
	bool permit;
	char rule[64];               /* which rule decided: "10-purpose.lua:permitted-purpose" */
	char reason[GUARD_TEXT_MAX]; /* for people; a permit has one too */
	struct guard_obligation obligations[GUARD_OBLIGATIONS_MAX];
	size_t obligation_count;
	bool failed; /* a rule did not decide but failed, and was taken for a denial */
};

/* Loads everything; an error names file and line and leaves nothing behind. */
int guard_open(struct guard **ret, const struct guard_options *options, struct cairn_error *err);
void guard_free(struct guard *guard);

/* Never fails: whatever goes wrong is a denial with the reason. */
void guard_decide(
    struct guard *guard, const struct guard_question *question, struct guard_decision *ret);

/* Role of a principal from settings.yaml (`principals: {NAME: {role: ...}}`), "" when unknown. */
const char *guard_role(const struct guard *guard, const char *principal);

/* SHA-256 over the loaded files' names and bytes, for the ledger: which policy decided. */
void guard_digest(const struct guard *guard, uint8_t ret[32]);
size_t guard_rule_count(const struct guard *guard);
/* Name and SHA-256 of the index-th loaded file; false past the end. */
bool guard_file(const struct guard *guard, size_t index, const char **ret_name, uint8_t ret[32]);
/* Whether the files in the folder are others than those loaded (or cannot be read). */
bool guard_differs(const struct guard *guard, const char *policies_dir);

#endif
