/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_guard POLICIES: what a decision costs, and what loading the policies costs.  Processor
 * time, not wall time, so that a busy machine gives the same figures.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "cairn/cohort.pb-c.h"
#include "guard/guard.h"

#define DECISIONS 200000
#define LOADS 200

static uint64_t
cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void
ask_many(struct guard *guard, const char *what, const struct guard_question *question)
{
	struct guard_decision d;
	uint64_t begin, took;

	guard_decide(guard, question, &d); /* the first one warms Lua's strings */
	begin = cpu_ns();
	for (int i = 0; i < DECISIONS; i++)
		guard_decide(guard, question, &d);
	took = cpu_ns() - begin;
	printf("%-36s %7.2f us  (%s by %s)\n", what, (double)took / DECISIONS / 1000,
	    d.permit ? "permit" : "deny", d.rule);
}

static int
load_many(const struct guard_options *options, struct cairn_error *err)
{
	uint64_t begin = cpu_ns();

	for (int i = 0; i < LOADS; i++) {
		struct guard *guard;
		int code = guard_open(&guard, options, err);

		if (code != 0)
			return code;
		guard_free(guard);
	}
	printf("%-36s %7.2f us\n", "load all policies", (double)(cpu_ns() - begin) / LOADS / 1000);
	return 0;
}

/* A four-term expression, as a researcher sends it. */
static void
run(struct guard *guard)
{
	Cairn__CountRequest request = CAIRN__COUNT_REQUEST__INIT;
	Cairn__Expression and = CAIRN__EXPRESSION__INIT, terms[4];
	Cairn__Expression *children[4];
	Cairn__Leaf leaves[4];
	Cairn__Scalar text = CAIRN__SCALAR__INIT;
	Cairn__Scalar *values[] = {&text};
	struct guard_question q = {.subject = "cohort.count",
	    .principal = "alice@example.org",
	    .role = "researcher",
	    .via = "control",
	    .asked_by = "local:root",
	    .purpose = "scientific-research",
	    .request_id = "r-1",
	    .message = &request.base};

	text.value_case = CAIRN__SCALAR__VALUE_TEXT;
	text.text = (char[]){"CT"};
	for (size_t i = 0; i < 4; i++) {
		cairn__expression__init(&terms[i]);
		cairn__leaf__init(&leaves[i]);
		leaves[i].attribute = (char[]){"modality"};
		leaves[i].values = values;
		leaves[i].n_values = 1;
		terms[i].leaf = &leaves[i];
		children[i] = &terms[i];
	}
	and.operand = CAIRN__EXPRESSION__OPERAND__AND;
	and.children = children;
	and.n_children = 4;
	request.expression = &and;
	ask_many(guard, "researcher counts (10 rules)", &q);
	q.purpose = "advertising";
	ask_many(guard, "forbidden purpose (first rule)", &q);
	q.subject = "pseudonym.patient";
	q.role = "plugin";
	ask_many(guard, "plugin asks for a pseudonym (1 rule)", &q);
	q.subject = "learn.start";
	ask_many(guard, "no rule applies", &q);
}

int
main(int argc, char **argv)
{
	struct guard_options options = {.policies_dir = argc > 1 ? argv[1] : NULL};
	struct guard *guard;
	struct cairn_error err = {0};

	if (argc != 2) {
		fprintf(stderr, "usage: bench_guard POLICIES\n");
		return 2;
	}
	if (guard_open(&guard, &options, &err) != 0 || load_many(&options, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	run(guard);
	guard_free(guard);
	return 0;
}
