/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVENANCE_SIGNATURE_H
#define PROVENANCE_SIGNATURE_H

/*
 * FILE.so.sig, a detached signature: four lines of text.
 *
 *     cairn-signature: 1
 *     key: SHA256:BASE64            which public key; `cairn key list` shows the same words
 *     digest: sha256:HEX            of FILE.so
 *     signature: BASE64             Ed25519 (RFC 8032) over the bytes of FILE.so
 *
 * The last line, decoded, is what `openssl pkeyutl -verify -rawin` checks:
 *
 *     sed -n 's/^signature: //p' FILE.so.sig | base64 -d > FILE.so.raw
 *     openssl pkeyutl -verify -pubin -inkey PUBLISHER.pem -rawin -in FILE.so -sigfile FILE.so.raw
 */

#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include <cairn/error.h>

#include "provenance/publisher.h"

#define SIGNATURE_FILE_MAX 4096
#define SIGNATURE_BYTES 64
#define SIGNATURE_DIGEST_TEXT_MAX 80 /* "sha256:" and 64 digits */

struct signature {
	char key_id[PUBLISHER_KEY_ID_MAX];
	char digest[SIGNATURE_DIGEST_TEXT_MAX];
	uint8_t bytes[SIGNATURE_BYTES];
};

/* `origin` is the file's name in messages. */
int signature_parse(const char *text, size_t length, const char *origin, struct signature *ret,
    struct cairn_error *err);
int signature_make(EVP_PKEY *key, const void *bytes, size_t length, struct signature *ret,
    struct cairn_error *err);
/* The text of the file; malloc'ed. */
int signature_print(const struct signature *signature, char **ret, struct cairn_error *err);
/* CAIRN_ECORRUPT when the signature is not that of these bytes. */
int signature_check(const struct signature *signature, EVP_PKEY *key, const void *bytes,
    size_t length, struct cairn_error *err);

/* "sha256:HEX" of the bytes. */
int signature_digest(
    const void *bytes, size_t length, char ret[SIGNATURE_DIGEST_TEXT_MAX], struct cairn_error *err);

#endif
