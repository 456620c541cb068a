/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_link DIR IDENTIFIERS: what pseudonym.patient costs in the kernel, before anything was
 * linked and with so many identifiers linked (three for each patient), and what linking costs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "link/link.h"

#define LOOKUPS 200000u
#define ROWS 10000u

static struct link *links;
static uv_loop_t loop;

static void
fail(const char *what, const struct cairn_error *err)
{
	fprintf(stderr, "bench_link: %s: %s\n", what, err->text);
	exit(1);
}

static struct link_identifier
identifier(const char *type, uint64_t number)
{
	char text[32];
	const char *const parts[] = {type, "HOSP", text};
	struct link_identifier ret;
	struct cairn_error err = {0};

	snprintf(text, sizeof text, "%" PRIu64, number);
	if (link_identifier(links, parts, "bench", &ret, &err) != 0)
		fail("identifier", &err);
	return ret;
}

static void
look_up(const char *what, const char *type, uint64_t among)
{
	struct link_answer answer;
	struct cairn_error err = {0};
	uint64_t begin = clock_monotonic_ns();

	for (uint64_t i = 0; i < LOOKUPS; i++) {
		struct link_identifier it = identifier(type, i * 7919 % among);

		if (link_find(links, &it, &answer, &err) != 0)
			fail(what, &err);
	}
	printf("%-44s %7.2f us\n", what, (double)(clock_monotonic_ns() - begin) / LOOKUPS / 1000);
}

static void
linked(void *arg, struct link_change *change)
{
	(void)arg;
	if (change->code != 0)
		fail("link", &change->err);
	link_change_free(change);
}

static void
link_some(uint64_t first)
{
	static const char *const types[] = {"patient-id", "accession", "sample"};
	struct link_change *change = link_change_new(ROWS, (size_t)3 * ROWS);
	struct cairn_error err = {0};

	if (change == NULL)
		exit(1);
	change->kind = LINK_TABLE;
	change->done = linked;
	for (uint64_t i = 0; i < ROWS; i++) {
		struct link_identifier *to = &change->identifiers[3 * i];

		for (size_t j = 0; j < 3; j++)
			to[j] = identifier(types[j], first + i);
		change->statements[change->statement_count++] =
		    (struct link_statement){.identifiers = to, .count = 3};
	}
	if (link_change_put(links, change, &err) != 0)
		fail("link", &err);
	uv_run(&loop, UV_RUN_DEFAULT);
}

static void
only_hash(struct identity *identity)
{
	char text[32], pseudonym[IDENTITY_PSEUDONYM_MAX];
	struct cairn_error err = {0};
	uint64_t begin = clock_monotonic_ns();
	int32_t shift;

	for (uint64_t i = 0; i < LOOKUPS; i++) {
		snprintf(text, sizeof text, "%" PRIu64, i);
		if (identity_pseudonym(
			identity, "p", "patient-id", "HOSP", text, pseudonym, &shift, &err) != 0)
			fail("hash", &err);
	}
	printf("%-44s %7.2f us\n", "pseudonym by the site key alone",
	    (double)(clock_monotonic_ns() - begin) / LOOKUPS / 1000);
}

int
main(int argc, char **argv)
{
	char keys[4096], dir[4096];
	struct identity *identity;
	struct cairn_error err = {0};
	struct link_options options = {.dir = dir, .project = "p"};
	uint64_t patients, begin;

	if (argc != 3 || (patients = strtoull(argv[2], NULL, 10) / 3) < ROWS) {
		fprintf(stderr, "usage: bench_link EMPTY-DIR IDENTIFIERS (30,000 or more)\n");
		return 2;
	}
	snprintf(keys, sizeof keys, "%s/keys", argv[1]);
	snprintf(dir, sizeof dir, "%s/links", argv[1]);
	if (identity_create(keys, &err) != 0 || identity_open(&identity, keys, &err) != 0)
		fail("keys", &err);
	options.identity = identity;
	uv_loop_init(&loop);
	if (link_open(&links, &loop, &options, &err) != 0)
		fail("open", &err);
	only_hash(identity);
	look_up("lookup, nothing linked", "patient-id", patients);
	begin = clock_monotonic_ns();
	for (uint64_t at = 0; at + ROWS <= patients; at += ROWS)
		link_some(at);
	patients -= patients % ROWS;
	printf("%-44s %7.2f us an identifier\n", "linking, 10,000 patients at once",
	    (double)(clock_monotonic_ns() - begin) / (double)(3 * patients) / 1000);
	look_up("lookup of a linked patient", "patient-id", patients);
	look_up("lookup of a linked sample", "sample", patients);
	link_close(links, NULL, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	identity_free(identity);
	return 0;
}
