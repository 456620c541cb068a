/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_CASES_H
#define GUARD_CASES_H

/*
 * A site's cases: questions and the decisions they must get.
 *
 *     a known researcher counts for research:
 *       question: {subject: cohort.count, principal: alice@example.org, purpose: statistics}
 *       expect: {verdict: permit, rule: 30-researchers.lua:rounded-counts,
 *                obligations: {min_cell: 10, round: 5}}
 *
 * A question may also have role, via, asked_by, permit and on (the day it is asked, for permits);
 * the role is what settings.yaml says of the principal unless the case says another.  Of `expect`
 * only the verdict is needed; obligations are compared as a whole, and none there means none.
 */

#include "guard/check.h"

struct cases_result {
	const char *name;
	unsigned line;
	const char *problem; /* "" when it is as expected; else "FILE:LINE: ...", one line each */
};

/* Gives the message of a subject's sample question, or NULL; freed by cases_run(). */
typedef ProtobufCMessage *(*cases_message_fn)(void *arg, const char *subject);

struct cases_ops {
	cases_message_fn message; /* may be NULL */
	void (*result)(void *arg, const struct cases_result *result);
	void *arg;
};

/* Every case of one file.  An error is about the file itself. */
int cases_run(
    struct guard *guard, const char *path, const struct cases_ops *ops, struct cairn_error *err);

#define CASES_FILES_MAX 200

struct cases_count {
	unsigned right, wrong;
};

/* Every .yaml file of the folder, with samples of what is served; none without the folder. */
int cases_folder(struct guard *guard, const char *folder, const struct guard_served *served,
    size_t served_count, struct cases_count *ret, struct cairn_error *err);
/* What to say of cases that are decided otherwise. */
void cases_text(const struct cases_count *count, char *ret, size_t size);

#endif
