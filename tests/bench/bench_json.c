/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_json FILE.ndjson: how fast NDJSON is cut into records and parsed (sdk/json), against the
 * floor: each line parsed by simdjson and nothing else, in one block of memory; and with the FHIR
 * mapping behind it. The best of several runs, from memory, in processor time of the one thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "source.h"
#include "json/json.h"
#include "json/records.h"

#define RUNS 7
#define CHUNK ((size_t)1 << 20)

static const struct json_limits limits = {(size_t)64 << 20, 100};

static void
must(int code, const struct cairn_error *err)
{
	if (code == 0)
		return;
	fprintf(stderr, "bench_json: %s\n", err->text);
	exit(1);
}

/* Lines, each parsed where it lies. */
static uint64_t
floor_run(const struct buf *text)
{
	struct cairn_error err = {0};
	struct json_parser *parser = NULL;
	const char *at = (const char *)text->data, *end = at + text->length;
	struct json_value root;
	uint64_t count = 0;

	must(json_new(&parser, &limits, &err), &err);
	while (at < end) {
		const char *line = memchr(at, '\n', (size_t)(end - at));

		line = line == NULL ? end : line;
		if (line > at) {
			must(json_parse(parser, at, (size_t)(line - at), &root, &err), &err);
			count++;
		}
		at = line + 1;
	}
	json_free(parser);
	return count;
}

static uint64_t
records_run(const struct buf *text)
{
	struct cairn_error err = {0};
	struct json_parser *parser = NULL;
	struct records *records = NULL;
	struct record record;
	struct json_value root;
	uint64_t count = 0;

	must(json_new(&parser, &limits, &err), &err);
	must(records_new(&records, RECORDS_LINES, limits.size_max, &err), &err);
	for (size_t at = 0; at <= text->length; at += CHUNK) {
		size_t left = text->length - at;

		must(records_feed(records, text->data + at, left < CHUNK ? left : CHUNK, &err),
		    &err);
		if (left < CHUNK)
			records_end(records);
		while (records_next(records, &record, &err) == 0) {
			must(json_parse(parser, record.text, record.length, &root, &err), &err);
			count++;
		}
	}
	records_free(records);
	json_free(parser);
	return count;
}

static int
take(void *arg, const struct map_result *result, const char *url, struct cairn_error *err)
{
	(void)url, (void)err;
	*(uint64_t *)arg += result->count;
	return 0;
}

static uint64_t
mapping_run(const struct buf *text)
{
	struct cairn_error err = {0};
	struct mapping *mapping = NULL;
	struct source source;
	uint64_t facts = 0;

	must(mapping_load(&mapping, "fhir.lua", mapping_default, mapping_default_length, &err),
	    &err);
	must(source_open(&source, mapping, RECORDS_LINES, take, &facts, &err), &err);
	for (size_t at = 0; at < text->length; at += CHUNK) {
		size_t left = text->length - at;

		must(
		    source_feed(&source, text->data + at, left < CHUNK ? left : CHUNK, &err), &err);
	}
	must(source_end(&source, &err), &err);
	source_close(&source);
	mapping_free(mapping);
	return facts;
}

static double
cpu_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double
best_of(const char *name, uint64_t (*run)(const struct buf *text), const struct buf *text,
    double floor_s)
{
	double best = 1e9;
	uint64_t count = 0;

	for (int i = 0; i < RUNS; i++) {
		double began = cpu_s();
		double s;

		count = run(text);
		s = cpu_s() - began;
		best = s < best ? s : best;
	}
	printf("%-10s %8.0f MB/s  %llu %s", name, (double)text->length / best / 1e6,
	    (unsigned long long)count, run == mapping_run ? "facts" : "records");
	if (floor_s > 0)
		printf("  %.2f of the floor", floor_s / best);
	printf("\n");
	return best;
}

int
main(int argc, char **argv)
{
	BUF_AUTO text = {.max = (size_t)4 << 30};
	struct cairn_error err = {0};
	double floor_s;

	if (argc < 2) {
		fprintf(stderr, "usage: bench_json FILE.ndjson...\n");
		return 2;
	}
	for (int i = 1; i < argc; i++)
		must(file_read(argv[i], &text, &err), &err);
	must(buf_reserve(&text, JSON_PADDING), &err);
	printf("%.1f MB\n", (double)text.length / 1e6);
	floor_s = best_of("floor", floor_run, &text, 0);
	best_of("records", records_run, &text, floor_s);
	best_of("mapping", mapping_run, &text, floor_s);
	return 0;
}
