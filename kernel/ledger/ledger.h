/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

/*
 * The ledger: an append-only record of every decision and every use of data.
 *
 * Records are protobuf `cairn.Record`s, each carrying the leaf hash of the one before (a hash
 * chain) and each a leaf of one RFC 9162 Merkle tree (leaf H(0x00||d), node H(0x01||l||r),
 * SHA-256).  They live in an LMDB environment and are committed in groups on a worker thread:
 * `durable` is called once the record is on disk.  Every `checkpoint_every` records, some seconds
 * after the first record that no checkpoint covers, and at close, the tree head is signed with
 * Ed25519 as a C2SP signed note and stored.
 *
 * One writer (the kernel), kept so by a lock in `dir`; any number of readers, also of a running
 * node, through ledger_reader.  The process that writes reads through ledger_reader_attach(): LMDB
 * cannot open one environment twice in a process.
 *
 * What a checkpoint covers cannot be changed without the node's key.  What comes after the last one
 * is protected by the hash chain only: someone who may write the files could rewrite it with all
 * its hashes, or remove the last checkpoints together with the records after the ones that remain.
 * Publish checkpoints (ledger_reader_checkpoint) outside the node to close that gap.
 */

#include <stdint.h>

#include <openssl/types.h>
#include <uv.h>

#include <cairn/error.h>

#include "base/buf.h"
#include "cairn/ledger.pb-c.h"
#include "ledger/merkle.h"

struct ledger;

struct ledger_options {
	const char *dir;           /* made when absent, 0700 */
	const char *origin;        /* the node's id, first line of each checkpoint */
	EVP_PKEY *key;             /* Ed25519 private key; borrowed, must outlive the ledger */
	uint64_t checkpoint_every; /* records; 0 means 1024 */
	const char *anchor;  /* a file outside `dir` with the newest checkpoint; may be NULL */
	size_t map_size_max; /* bytes; 0 means 64 GiB of address space */
	/* A record is under a checkpoint at most this many seconds after it was committed; 0 means
	 * 60. */
	uint64_t checkpoint_interval_s;
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

/* Opens and checks the tail: the last checkpoint's signature, its root against the tree, and every
 * record after it.  CAIRN_ECORRUPT says what is wrong and what to do; nothing is repaired.
 * So it is when `anchor` has a checkpoint of this node that the ledger does not hold.
 * CAIRN_EUNAVAILABLE when another process has it open.  Loop thread only, as all of this part. */
int ledger_open(struct ledger **ret, uv_loop_t *loop, const struct ledger_options *options,
    struct cairn_error *err);

/* Copies the entry.  `durable` (may be NULL) is called later on the loop, in order of append; it
 * may append.  CAIRN_ELIMIT when 65,536 records or 64 MiB wait for the disk, or for an entry of
 * more than 64 KiB or 256 fields; CAIRN_ECANCELLED after ledger_close().  On a full disk `durable`
 * gets CAIRN_EIO (CAIRN_ELIMIT when `map_size_max` is reached); the chain goes on once there is
 * room. */
int ledger_append(struct ledger *ledger, const struct ledger_entry *entry,
    ledger_durable_fn durable, void *arg, struct cairn_error *err);

uint64_t ledger_count(const struct ledger *ledger); /* records on disk */

/* Commits what waits, writes a checkpoint, calls `closed` on the loop, frees. */
void ledger_close(struct ledger *ledger, void (*closed)(void *arg), void *arg);

/* ---- reading ---------------------------------------------------------------------------- */

struct ledger_reader;

/* One thread at a time.  CAIRN_EINVAL when this process has the ledger open for writing. */
int ledger_reader_open(struct ledger_reader **ret, const char *dir, struct cairn_error *err);
/* Reads through an open ledger; close it before the ledger. */
int ledger_reader_attach(
    struct ledger_reader **ret, struct ledger *ledger, struct cairn_error *err);
void ledger_reader_close(struct ledger_reader *reader);
uint64_t ledger_reader_count(struct ledger_reader *reader);

/* `*ret` is unpacked for the caller, who frees it with cairn__record__free_unpacked(). */
int ledger_reader_get(
    struct ledger_reader *reader, uint64_t index, Cairn__Record **ret, struct cairn_error *err);

struct ledger_report {
	uint64_t records;     /* checked */
	uint64_t checkpoints; /* signatures checked */
	uint64_t bad_record;  /* the first record that fails; UINT64_MAX when none */
	uint8_t root[32];     /* of the whole tree */
	/* Records after the last checkpoint: only the chain protects them (say so to a person). */
	uint64_t unsigned_records;
};

/* Recomputes every hash, the chain, the tree and every checkpoint's root and signature.
 * CAIRN_ECORRUPT names the record (or checkpoint) in `err`: a changed, missing, repeated or
 * reordered record, or one that a checkpoint covers and the ledger no longer holds; `*ret_report`
 * is filled then too, up to the damage (bad_record is the first record under the checkpoint when a
 * checkpoint's root does not fit).  `progress` may be NULL.  Not in the process that writes. */
int ledger_verify(const char *dir, EVP_PKEY *public_key, struct ledger_report *ret_report,
    void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg, struct cairn_error *err);

/* A record's stored bytes, those that are hashed, appended to `ret`. */
int ledger_reader_bytes(
    struct ledger_reader *reader, uint64_t index, struct buf *ret, struct cairn_error *err);

/* The RFC 9162 inclusion proof of a record in the tree of the first `size` records. */
int ledger_reader_proof(struct ledger_reader *reader, uint64_t index, uint64_t size,
    struct merkle_proof *ret, struct cairn_error *err);
int ledger_reader_root(
    struct ledger_reader *reader, uint64_t size, uint8_t ret_root[32], struct cairn_error *err);
/* Needs no ledger: CAIRN_ECORRUPT unless the proof leads from these record bytes to this root. */
int ledger_proof_verify(
    const struct merkle_proof *proof, const void *record, size_t length, const uint8_t root[32]);
/* Needs no ledger: checks the note's signature and gives what it says. */
int ledger_checkpoint_verify(const char *note, EVP_PKEY *public_key, uint64_t *ret_size,
    uint8_t ret_root[32], struct cairn_error *err);

/* The newest checkpoint as signed note text; the caller frees.  CAIRN_ENOTFOUND before the
 * first. */
int ledger_reader_checkpoint(
    struct ledger_reader *reader, char **ret_note, struct cairn_error *err);

#endif
