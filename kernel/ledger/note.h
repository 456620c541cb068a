/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_NOTE_H
#define LEDGER_NOTE_H

/*
 * Checkpoints as C2SP signed notes (tlog-checkpoint on signed-note, Ed25519, type 1):
 *
 *     <origin>\n<size>\n<base64 root>\n\n— <name> <base64(key hash || signature)>\n
 *
 * The name is the origin, the key hash the first 4 bytes of SHA-256(name "\n" 0x01 public key), the
 * signature covers the text up to the empty line.  Lines of witnesses may follow ours.
 */

#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include <cairn/error.h>

#include "base/buf.h"

#define NOTE_MAX 8192       /* bytes in a note */
#define NOTE_ORIGIN_MAX 128 /* bytes in an origin */
#define NOTE_SIGNATURES_MAX 16
#define NOTE_HASH 32

struct note_signature {
	char name[NOTE_ORIGIN_MAX + 1];
	uint8_t key_hash[4];
	uint8_t bytes[64];
};

struct note {
	char origin[NOTE_ORIGIN_MAX + 1];
	uint64_t size;
	uint8_t root[NOTE_HASH];
	size_t text_length; /* what is signed: the bytes before the empty line */
	size_t signature_count;
	struct note_signature signatures[NOTE_SIGNATURES_MAX];
};

/* May this be the first line of a checkpoint and the name of a key?  1 to 128 bytes of printable
 * ASCII without space and plus sign. */
int note_check_origin(const char *origin, struct cairn_error *err);

/* Appends a signed note to `ret`; `key` is an Ed25519 private key. */
int note_sign(struct buf *ret, const char *origin, uint64_t size, const uint8_t root[NOTE_HASH],
    EVP_PKEY *key, struct cairn_error *err);

/* Strict: one spelling for each note.  CAIRN_ECORRUPT otherwise. */
int note_parse(struct note *ret, const void *bytes, size_t length, struct cairn_error *err);

/* `bytes` are those that note_parse() took.  0 when this key signed them under the note's origin,
 * CAIRN_ECORRUPT otherwise. */
int note_verify(const struct note *note, const void *bytes, EVP_PKEY *key, struct cairn_error *err);

#endif
