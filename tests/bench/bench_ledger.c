/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bench_ledger [DIR] [RECORDS] [SINGLES]: durable ledger entries a second in groups, the latency of
 * one append at a time, and the price of verifying; beside it the floor: the same number of bytes
 * committed to LMDB by a bare loop, with as many in a transaction as the ledger made groups of, and
 * one a transaction.  Both run in alternating rounds on the same disk.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lmdb.h>
#include <openssl/evp.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "ledger/ledger.h"

#define WINDOW 4096 /* entries that a caller has under way in the group runs */
#define ROUNDS 3

struct run {
	uv_loop_t loop;
	struct ledger *ledger;
	uint64_t sent;
	uint64_t durable;
	uint64_t wanted;
	uint64_t groups; /* callbacks come in groups: counted by turns of the loop */
	int failed;
};

static void
on_durable(void *arg, int code, uint64_t index)
{
	struct run *run = arg;

	(void)index;
	run->durable++;
	run->failed |= code;
}

static int
append(struct run *run)
{
	static const struct ledger_field fields[] = {{"minimum_cell", "10"}, {"rounding", "5"},
	    {"expression", "modality = CT and diagnosis in icd10:C34 and age between 40 and 60"}};
	const struct ledger_entry entry = {.kind = "decision",
	    .request_id = "0192f0c4-7c1e-7b53-9f0e-5f3c6c1f2a77",
	    .subject = "cohort.count",
	    .principal = "researcher@example.org",
	    .purpose = "research",
	    .verdict = "permit",
	    .rule = "purposes.lua:12",
	    .reason = "research is a permitted purpose",
	    .fields = fields,
	    .field_count = 3};

	run->sent++;
	return ledger_append(run->ledger, &entry, on_durable, run, NULL);
}

static int
run_open(struct run *run, const char *dir, EVP_PKEY *key)
{
	const struct ledger_options options = {
	    .dir = dir, .origin = "bench.example.org", .key = key};
	struct cairn_error err = {0};

	*run = (struct run){0};
	if (uv_loop_init(&run->loop) == 0 &&
	    ledger_open(&run->ledger, &run->loop, &options, &err) == 0)
		return 0;
	fprintf(stderr, "bench_ledger: %s\n", err.text);
	return 1;
}

static int
run_close(struct run *run)
{
	ledger_close(run->ledger, NULL, NULL);
	uv_run(&run->loop, UV_RUN_DEFAULT);
	uv_loop_close(&run->loop);
	return run->failed != 0;
}

static double
groups_per_second(const char *dir, EVP_PKEY *key, uint64_t records, double *ret_group)
{
	struct run run;
	uint64_t start, ns;

	if (run_open(&run, dir, key) != 0)
		exit(1);
	start = clock_monotonic_ns();
	while (run.durable < records) {
		uint64_t before = run.durable;

		while (run.sent < records && run.sent - run.durable < WINDOW)
			if (append(&run) != 0)
				break;
		uv_run(&run.loop, UV_RUN_ONCE);
		run.groups += run.durable > before;
	}
	ns = clock_monotonic_ns() - start;
	*ret_group = (double)records / (double)run.groups;
	if (run_close(&run) != 0)
		exit(1);
	return (double)records * 1e9 / (double)ns;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void
print_latency(const char *name, uint64_t *ns, size_t count)
{
	qsort(ns, count, sizeof *ns, compare);
	printf("%-34s p50 %8.0f us  p99 %8.0f us\n", name, (double)ns[count / 2] / 1e3,
	    (double)ns[count * 99 / 100] / 1e3);
}

static void
singles(const char *dir, EVP_PKEY *key, uint64_t *ns, size_t count)
{
	struct run run;

	if (run_open(&run, dir, key) != 0)
		exit(1);
	for (size_t i = 0; i < count; i++) {
		uint64_t start = clock_monotonic_ns();

		if (append(&run) != 0)
			exit(1);
		while (run.durable < i + 1)
			uv_run(&run.loop, UV_RUN_ONCE);
		ns[i] = clock_monotonic_ns() - start;
	}
	if (run_close(&run) != 0)
		exit(1);
}

/* ---- the floor -------------------------------------------------------------------------- */

struct plain {
	MDB_env *env;
	MDB_dbi dbi;
	uint64_t next;
};

static int
plain_commit(struct plain *plain, const void *bytes, size_t length, size_t count)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(plain->env, NULL, 0, &txn);

	if (rc == 0 && plain->next == 0)
		rc = mdb_dbi_open(txn, NULL, 0, &plain->dbi);
	for (size_t i = 0; i < count && rc == 0; i++) {
		uint64_t number = __builtin_bswap64(plain->next++);
		MDB_val key = {sizeof number, &number}, value = {length, (void *)(uintptr_t)bytes};

		rc = mdb_put(txn, plain->dbi, &key, &value, MDB_APPEND);
	}
	return rc != 0 ? rc : mdb_txn_commit(txn);
}

static void
plain_open(struct plain *plain, const char *dir)
{
	*plain = (struct plain){0};
	if (file_mkdirs(dir, 0700, NULL) != 0 || mdb_env_create(&plain->env) != 0 ||
	    mdb_env_set_mapsize(plain->env, (size_t)8 << 30) != 0 ||
	    mdb_env_open(plain->env, dir, 0, 0600) != 0)
		exit(1);
}

static double
plain_groups(const char *dir, size_t length, uint64_t records, size_t group)
{
	struct plain plain;
	uint8_t *bytes = calloc(1, length);
	uint64_t start, ns;

	plain_open(&plain, dir);
	start = clock_monotonic_ns();
	while (plain.next < records)
		if (plain_commit(&plain, bytes, length, group) != 0)
			exit(1);
	ns = clock_monotonic_ns() - start;
	mdb_env_close(plain.env);
	free(bytes);
	return (double)plain.next * 1e9 / (double)ns;
}

static void
plain_singles(const char *dir, size_t length, uint64_t *ns, size_t count)
{
	struct plain plain;
	uint8_t *bytes = calloc(1, length);

	plain_open(&plain, dir);
	for (size_t i = 0; i < count; i++) {
		uint64_t start = clock_monotonic_ns();

		if (plain_commit(&plain, bytes, length, 1) != 0)
			exit(1);
		ns[i] = clock_monotonic_ns() - start;
	}
	mdb_env_close(plain.env);
	free(bytes);
}

/* ---- reading ---------------------------------------------------------------------------- */

static size_t
record_bytes(const char *dir)
{
	struct ledger_reader *reader = NULL;
	BUF_AUTO bytes = {.max = 1u << 20};

	if (ledger_reader_open(&reader, dir, NULL) != 0 ||
	    ledger_reader_bytes(reader, 1, &bytes, NULL) != 0)
		exit(1);
	ledger_reader_close(reader);
	return bytes.length;
}

static void
measure_reading(const char *dir, EVP_PKEY *key)
{
	struct ledger_reader *reader = NULL;
	struct ledger_report report;
	struct merkle_proof proof;
	struct cairn_error err = {0};
	uint64_t start, ns, count, proofs = 10000;

	if (ledger_reader_open(&reader, dir, &err) != 0)
		exit(1);
	count = ledger_reader_count(reader);
	start = clock_monotonic_ns();
	for (uint64_t i = 0; i < proofs; i++)
		if (ledger_reader_proof(reader, i * 7919 % count, count, &proof, &err) != 0)
			exit(1);
	ns = clock_monotonic_ns() - start;
	ledger_reader_close(reader);
	printf("%-34s %8.1f us in a tree of %llu\n", "inclusion proof",
	    (double)ns / 1e3 / (double)proofs, (unsigned long long)count);
	start = clock_monotonic_ns();
	if (ledger_verify(dir, key, &report, NULL, NULL, &err) != 0) {
		fprintf(stderr, "bench_ledger: %s\n", err.text);
		exit(1);
	}
	ns = clock_monotonic_ns() - start;
	printf("%-34s %8.0f records/s (%llu records, %llu checkpoints)\n", "verify",
	    (double)report.records * 1e9 / (double)ns, (unsigned long long)report.records,
	    (unsigned long long)report.checkpoints);
}

int
main(int argc, char **argv)
{
	const char *base = argc > 1 ? argv[1] : "bench-ledger";
	int64_t records = 200000, count = 1000;
	char dir[512], plain[512];
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	uint64_t *ns;
	double group = 1;

	if ((argc > 2 && text_to_integer(argv[2], 1, 100000000, &records) != 0) ||
	    (argc > 3 && text_to_integer(argv[3], 100, 1000000, &count) != 0) || argc > 4) {
		fprintf(stderr, "usage: bench_ledger [DIR] [RECORDS] [SINGLES]\n");
		return 2;
	}
	ns = calloc((size_t)count, sizeof *ns);
	for (int round = 0; round < ROUNDS; round++) {
		double ledger, floor;

		snprintf(dir, sizeof dir, "%s/ledger-%d", base, round);
		snprintf(plain, sizeof plain, "%s/plain-%d", base, round);
		ledger = groups_per_second(dir, key, (uint64_t)records, &group);
		floor = plain_groups(plain, record_bytes(dir), (uint64_t)records, (size_t)group);
		printf("%-34s %8.0f entries/s in groups of %.0f; plain LMDB %.0f/s; ratio %.2f\n",
		    "groups", ledger, group, floor, ledger / floor);
		snprintf(plain, sizeof plain, "%s/single-%d", base, round);
		singles(dir, key, ns, (size_t)count);
		print_latency("one append at a time", ns, (size_t)count);
		plain_singles(plain, record_bytes(dir), ns, (size_t)count);
		print_latency("one plain LMDB commit at a time", ns, (size_t)count);
	}
	measure_reading(dir, key);
	free(ns);
	EVP_PKEY_free(key);
	return 0;
}
