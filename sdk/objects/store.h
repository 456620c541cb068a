/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_STORE_H
#define OBJECTS_STORE_H

/*
 * The object store: de-identified instances in append-only segments,
 * OBJECTS_DIR/segments/NNNNNNNN.seg, with an index in LMDB (OBJECTS_DIR/index).
 *
 * Creating a file per instance is what limits every peer, so instances of all associations are
 * appended to one open file and made durable by one fdatasync for a whole group: what arrives while
 * one sync runs is the next group.  Writing is done by a thread of the store, so that the loop only
 * copies.  Each record describes itself (segment.h has the bytes): header with lengths, key,
 * SHA-256 of the object, CRC-32C of header and note.  The digest of an object above 16 KiB is made
 * by another thread after the answer (digest.h); until then it has a CRC-32C.
 *
 * The index is only an index.  A third thread writes it in batches, at the latest after a second
 * (four with process durability), each a synced transaction that also holds the place in the log up
 * to which it is complete.  So a power cut cannot damage it, and what it lacks is read again from
 * the log when the store is opened, and by readers at any time.  An index that is gone, cut short
 * or does not fit the log is made anew from the segments; named cursors then begin again, which
 * only repeats.  A torn tail is cut off at open; damage before it is stepped over, and costs only
 * the records it hit.
 *
 * The note is the writer's own bytes stored with the object in the same record: the transactional
 * outbox.  A connector puts the facts of an instance there, so that instance and job become durable
 * in one sync; after a crash it goes through the notes from its cursor and puts the jobs again.
 *
 * Objects larger than `large_size`, and those above 1 MiB while more than memory_max is under way,
 * stream into a file of their own, OBJECTS_DIR/blobs/KEY-NUMBER.
 *
 * When the disk fails.  A write or sync that fails, fails every put of its group with CAIRN_EIO,
 * and what it wrote is cut off; the store goes on and tries again with the next group.  After a
 * failed sync the segment is given up and a new one begun, whose header says where the old one
 * ends: a second sync that succeeds would prove nothing.  What was acknowledged before (process
 * durability) is written once more over itself before it is synced again.
 *
 * One process writes (a lock file says so); any number read.  All calls of a writer from one
 * thread, the loop's, except where said.  A reading process needs to write
 * OBJECTS_DIR/index/lock.mdb, where LMDB keeps its table of readers; everything else may be
 * read-only to it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include <cairn/error.h>

/* A UID, or other characters of [A-Za-z0-9._-]; not a dot first. */
#define OBJECTS_KEY_MAX 64
#define OBJECTS_NOTE_MAX (1u << 20)

struct objects;
struct objects_put;

enum objects_durability {
	OBJECTS_POWER,   /* acknowledged after fdatasync: survives a power cut */
	OBJECTS_PROCESS, /* acknowledged after write: survives a killed process */
};

enum objects_layout {
	OBJECTS_SEGMENTS,
	/* A plain tree OBJECTS_DIR/files/PATH, one file per object; notes still in segments. */
	OBJECTS_FILES,
};

struct objects_options {
	const char *dir;
	enum objects_durability durability;
	enum objects_layout layout;
	uint64_t segment_size; /* a new segment is begun after this; 0 means 1 GiB */
	uint64_t large_size;   /* 0 means 16 MiB */
	/* Of all objects under way; 0 means 64 MiB; more is CAIRN_EAGAIN.  What has been begun may
	 * go over it by 1 MiB an object.  In a tree of files no object can be larger than this. */
	uint64_t memory_max;
	uint64_t disk_reserve; /* refuse new objects when less is free; 0 means 64 MiB */
};

struct objects_ref {
	char key[OBJECTS_KEY_MAX + 1];
	/* Zeros where objects_begin() or `durable` speak of an object whose digest is not made yet.
	 */
	uint8_t sha256[32];
	uint32_t segment;
	uint64_t offset; /* of the object's first byte in the segment */
	uint64_t length;
};

/* Opens for writing; recovers; creates what is missing.  CAIRN_EAGAIN while another process writes.
 * Blocks: usually milliseconds, a second per gigabyte of log that the index lacks. */
int objects_open(struct objects **ret, uv_loop_t *loop, const struct objects_options *options,
    struct cairn_error *err);

/* Begins an object.  `path` is its place under files/ for OBJECTS_FILES (may be NULL for segments):
 * it must be relative, without "..", without components that begin with a dot, and no other
 * object's; the last is found out at the end (CAIRN_EINVAL to `durable`).
 *
 * CAIRN_EEXIST when the key is held already, durably (`*ret_ref`, which may be NULL, says where).
 * CAIRN_EAGAIN while an object of this key is under way or being erased, so that nobody is told
 * "stored already" of what is not durable yet; and when memory_max is under way.  Try again after
 * the next `durable`.  CAIRN_ELIMIT when the disk is nearly full. */
int objects_begin(struct objects *objects, const char *key, const char *path,
    struct objects_put **ret, struct objects_ref *ret_ref, struct cairn_error *err);

/* Appends bytes.  Copies.  After a failure the put can only be aborted.  Does not wait for the
 * disk, unless a large object comes in faster than the disk takes it. */
int objects_write(
    struct objects_put *put, const void *bytes, size_t length, struct cairn_error *err);

/* Room for the caller to fill in place of objects_write: at least `want` bytes, then say how many
 * were used.  Saves a copy for streamed pixel data. */
int objects_reserve(struct objects_put *put, size_t want, uint8_t **ret, struct cairn_error *err);
int objects_used(struct objects_put *put, size_t length, struct cairn_error *err);

/* Ends the object; `durable` (which may be NULL) is called on the loop, once, as the durability
 * option says.  `put` is gone whatever is returned; when non-zero is returned, `durable` is not
 * called. */
typedef void (*objects_durable_fn)(void *arg, int code, const struct objects_ref *ref);
int objects_commit(struct objects_put *put, const void *note, size_t note_length,
    objects_durable_fn durable, void *arg, struct cairn_error *err);
void objects_abort(struct objects_put *put);

/* ---- the outbox ------------------------------------------------------------------------- */

/* Opaque position in the sequence of notes; zero is the beginning. */
struct objects_cursor {
	uint32_t segment;
	uint64_t offset;
};

/* `notes` is called on the loop whenever objects_next() may find more: soon after `durable`, when
 * the digest is known. */
void objects_on_notes(struct objects *objects, void (*notes)(void *arg), void *arg);

/* The next durable record after `*cursor`, which is advanced.  `*ret_note` is malloc'ed.
 * CAIRN_ENOTFOUND at the end.  Erased objects are passed over, and so are damaged notes, which are
 * logged.  Compaction changes neither order nor cursors. */
int objects_next(struct objects *objects, struct objects_cursor *cursor,
    struct objects_ref *ret_ref, uint8_t **ret_note, size_t *ret_note_length,
    struct cairn_error *err);

/* A named cursor kept in the index, at most 64, names of at most 63 characters; written with the
 * next batch (repeating is harmless).  CAIRN_ENOTFOUND for one that was never set. */
int objects_cursor_get(
    struct objects *objects, const char *name, struct objects_cursor *ret, struct cairn_error *err);
int objects_cursor_set(struct objects *objects, const char *name,
    const struct objects_cursor *cursor, struct cairn_error *err);

bool objects_has(struct objects *objects, const char *key);
uint64_t objects_count(struct objects *objects);

/* Tombstone: durable and out of the index before `done`, so that no reader finds the object any
 * more; space comes back by objects_compact, at once where the object is a file.  CAIRN_ENOTFOUND;
 * CAIRN_EAGAIN while the key is under way. */
int objects_erase(struct objects *objects, const char *key, objects_durable_fn done, void *arg,
    struct cairn_error *err);

/* Rewrites the segments of which at least `dead_percent` percent were erased, so that their space
 * comes back and what was erased is no longer on the disk (the file system may still hold the freed
 * blocks).  The segment that is being appended to, and one with damage, are left alone.  Runs in
 * the background; erasures and the index wait for it, puts do not.  Needs room for one segment.
 * `done` is called on the loop.  References stay valid.  CAIRN_EAGAIN while another one runs. */
struct objects_compacted {
	uint32_t segments; /* rewritten */
	uint64_t bytes;    /* given back */
};
typedef void (*objects_compact_fn)(void *arg, int code, const struct objects_compacted *result);
int objects_compact(struct objects *objects, unsigned dead_percent, objects_compact_fn done,
    void *arg, struct cairn_error *err);

/* Answers what is under way, writes the index, then calls `closed`.  Objects that were begun must
 * have been committed or aborted, and readers that share the store be closed, before. */
void objects_close(struct objects *objects, void (*closed)(void *arg), void *arg);

/* ---- reading, from any process ---------------------------------------------------------- */

/* One thread at a time per reader. */
struct objects_reader;

int objects_reader_open(struct objects_reader **ret, const char *dir, struct cairn_error *err);
/* In the writer's own process, where the index must not be opened twice.  From any thread; close it
 * before the store. */
int objects_reader_share(
    struct objects_reader **ret, struct objects *objects, struct cairn_error *err);
void objects_reader_close(struct objects_reader *reader);
int objects_reader_find(struct objects_reader *reader, const char *key, struct objects_ref *ret,
    struct cairn_error *err);
/* Reads the whole object in pieces to `sink`, then checks length and SHA-256: CAIRN_ECORRUPT names
 * the key, and the caller must throw away what it got.  A non-zero sink ends the read with it.
 * References outlive compaction; CAIRN_ENOTFOUND when the object was erased, or stored anew: find
 * the key again. */
int objects_reader_get(struct objects_reader *reader, const struct objects_ref *ref,
    int (*sink)(void *arg, const uint8_t *bytes, size_t length), void *arg,
    struct cairn_error *err);

#endif
