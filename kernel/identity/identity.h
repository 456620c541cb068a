/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IDENTITY_IDENTITY_H
#define IDENTITY_IDENTITY_H

/*
 * The node's keys, under HOME/keys (0700, files 0600):
 *   node.key        Ed25519 private key, PKCS#8 PEM: signs the ledger's checkpoints
 *   node.pub        its public key, SubjectPublicKeyInfo PEM (0644)
 *   pseudonym.key   32 random bytes, hexadecimal: the site key of all pseudonyms
 */

#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include <cairn/error.h>

#define IDENTITY_PSEUDONYM_MAX 64

struct identity;

/* Makes both keys; CAIRN_EEXIST when one is there (they are never overwritten). */
int identity_create(const char *keys_dir, struct cairn_error *err);

/* Refuses key files that group or others can read, and says the chmod that mends it. */
int identity_open(struct identity **ret, const char *keys_dir, struct cairn_error *err);
void identity_free(struct identity *identity);

EVP_PKEY *identity_signing_key(struct identity *identity); /* borrowed */
int identity_public_key(const char *keys_dir, EVP_PKEY **ret, struct cairn_error *err);
/* "SHA256:" and base64 of the public key's SubjectPublicKeyInfo digest; at least 64 bytes. */
int identity_fingerprint(EVP_PKEY *key, char *ret, size_t size);

/*
 * Pseudonyms: HMAC-SHA-256 under the site key, separated by project and identifier type:
 *   HMAC(site key, "cairn.pseudonym.v1" 0 project 0 type 0 issuer 0 identifier), each part (the
 *   label too) preceded by its length in 32 bits, big endian, so that no two inputs meet.
 * The pseudonym is the first 16 bytes in base32 (RFC 4648, lower case, no padding).  The date shift
 * of a patient comes from a second HMAC (label "cairn.dateshift.v1") and is in [-365, 365] without
 * 0; `ret_date_shift_days` may be NULL.  The project, the type and the identifier may not be empty
 * (CAIRN_EINVAL), and none may be longer than 4096 bytes (CAIRN_ELIMIT).  One thread at a time.
 */
int identity_pseudonym(struct identity *identity, const char *project, const char *type,
    const char *issuer, const char *identifier, char ret[IDENTITY_PSEUDONYM_MAX],
    int32_t *ret_date_shift_days, struct cairn_error *err);

/* A 32-byte key for one purpose in one project, e.g. ("uid"): HKDF-SHA-256 of the site key. */
int identity_subkey(struct identity *identity, const char *project, const char *purpose,
    uint8_t ret[32], struct cairn_error *err);

#endif
