/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_FAKE_RUNTIME_H
#define COHORT_FAKE_RUNTIME_H

/* For plugin_test.c: a runtime of one thread, in which the test says when work happens. */

#include "base/test.h"

#include <cairn/plugin.h>

struct cairn {
	struct test_dir dir;
	void *self;
	struct {
		void (*work)(void *);
		void (*after)(void *);
		void *arg;
	} works[80];
	size_t work_count;
	bool stopped, work_refused;
	cairn_call_fn called; /* for the last call to another plugin */
	void *called_arg;
	unsigned calls;
	char metrics[512]; /* what was counted, in order: "NAME[VALUE] " */
};

struct cairn_job {
	const void *body;
	size_t length;
	unsigned done, retried;
	char reason[256];
};

struct cairn_request {
	const char *subject;
	uint8_t body[1024];
	size_t length;
	const char *obligations[4]; /* all of value 10 */
	char fulfilled[64];
	uint8_t reply[65536];
	size_t reply_length;
	unsigned answers;
	int code;
};

#endif
