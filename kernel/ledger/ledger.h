/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

/*
 * The ledger: an append-only record of every decision and every use of data.
 *
 * Records are protobuf `cairn.Record`s, each carrying the leaf hash of the one before (a hash
 * chain) and each a leaf of one RFC 9162 Merkle tree (leaf H(0x00||d), node H(0x01||l||r), SHA-256).
 * They live in an LMDB environment and are committed in groups on a worker thread: `durable` is
 * called once the record is on disk.  Every `checkpoint_every` records, and at close, the tree head
 * is signed with Ed25519 as a C2SP signed note and stored.
 *
 * One writer (the kernel); any number of readers, also of a running node, through ledger_reader.
 */

#include <stdint.h>

#include <openssl/types.h>
#include <uv.h>

#include <cairn/error.h>

#include "cairn/ledger.pb-c.h"

struct ledger;

struct ledger_options {
	const char *dir;            /* made when absent, 0700 */
	const char *origin;         /* the node's id, first line of each checkpoint */
	EVP_PKEY *key;              /* Ed25519 private key; borrowed, must outlive the ledger */
	uint64_t checkpoint_every;  /* records; 0 means 1024 */
	size_t map_size_max;        /* bytes; 0 means 64 GiB of address space */
};

struct ledger_field {
	const char *name;
	const char *value;
};

/* What a caller says; index, time and previous hash are the ledger's.  NULL strings are "". */
struct ledger_entry {
	const char *kind;
	const char *request_id;
	const char *subject;
	const char *principal;
	const char *purpose;
	const char *verdict;
	const char *rule;
	const char *reason;
	const struct ledger_field *fields;
	size_t field_count;
};

/* `code` 0: record `index` is on disk.  Otherwise it is not, and nothing guarded may go out. */
typedef void (*ledger_durable_fn)(void *arg, int code, uint64_t index);

/* Opens and checks the tail (last checkpoint against the tree).  Loop thread only. */
int ledger_open(struct ledger **ret, uv_loop_t *loop, const struct ledger_options *options,
    struct cairn_error *err);

/* Copies the entry.  `durable` (may be NULL) is called later on the loop, in order of append.
 * CAIRN_ELIMIT when 65,536 records wait for the disk. */
int ledger_append(struct ledger *ledger, const struct ledger_entry *entry,
    ledger_durable_fn durable, void *arg, struct cairn_error *err);

uint64_t ledger_count(const struct ledger *ledger); /* records on disk */

/* Commits what waits, writes a checkpoint, calls `closed` on the loop, frees. */
void ledger_close(struct ledger *ledger, void (*closed)(void *arg), void *arg);

/* ---- reading ---------------------------------------------------------------------------- */

struct ledger_reader;

int ledger_reader_open(struct ledger_reader **ret, const char *dir, struct cairn_error *err);
void ledger_reader_close(struct ledger_reader *reader);
uint64_t ledger_reader_count(struct ledger_reader *reader);

/* `*ret` is unpacked for the caller, who frees it with cairn__record__free_unpacked(). */
int ledger_reader_get(struct ledger_reader *reader, uint64_t index, Cairn__Record **ret,
    struct cairn_error *err);

struct ledger_report {
	uint64_t records;     /* checked */
	uint64_t checkpoints; /* signatures checked */
	uint64_t bad_record;  /* the first record that fails; UINT64_MAX when none */
	uint8_t root[32];     /* of the whole tree */
};

/* Recomputes every hash, the chain, the tree and every checkpoint's root and signature.
 * CAIRN_ECORRUPT names the record (or checkpoint) in `err`: a changed, missing, repeated or
 * reordered record, or one that a checkpoint covers and the ledger no longer holds.
 * `progress` may be NULL. */
int ledger_verify(const char *dir, EVP_PKEY *public_key, struct ledger_report *ret_report,
    void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
    struct cairn_error *err);

/* The newest checkpoint as signed note text; the caller frees.  CAIRN_ENOTFOUND before the first. */
int ledger_reader_checkpoint(struct ledger_reader *reader, char **ret_note,
    struct cairn_error *err);

#endif
