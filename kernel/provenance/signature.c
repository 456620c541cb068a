/* SPDX-License-Identifier: Apache-2.0 */
#include "provenance/signature.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/buf.h"
#include "base/text.h"
#include "identity/identity.h"

#define HEADING "cairn-signature: 1\n"
#define BASE64_LENGTH 88  /* of 64 bytes */
#define BASE64_DECODED 66 /* with the two bytes of padding that EVP_DecodeBlock() counts */
#define DIGEST_PREFIX "sha256:"

int
signature_digest(
    const void *bytes, size_t length, char ret[SIGNATURE_DIGEST_TEXT_MAX], struct cairn_error *err)
{
	uint8_t digest[32];

	if (EVP_Q_digest(NULL, "SHA256", NULL, bytes, length, digest, NULL) != 1)
		return cairn_error_set(err, CAIRN_EINTERNAL, "OpenSSL could not digest");
	memcpy(ret, DIGEST_PREFIX, sizeof DIGEST_PREFIX);
	text_hex(digest, sizeof digest, ret + sizeof DIGEST_PREFIX - 1);
	return 0;
}

/* ---- text ------------------------------------------------------------------------------- */

/* Takes the line "KEY: VALUE" at `*at`. */
static int
take_line(const char **at, const char *end, const char *key, char *ret, size_t size)
{
	size_t head = strlen(key);
	const char *stop = memchr(*at, '\n', (size_t)(end - *at));
	size_t length;

	if (stop == NULL || (size_t)(stop - *at) <= head || memcmp(*at, key, head) != 0)
		return CAIRN_EINVAL;
	length = (size_t)(stop - *at) - head;
	if (length >= size || memchr(*at + head, 0, length) != NULL)
		return CAIRN_EINVAL;
	memcpy(ret, *at + head, length);
	ret[length] = 0;
	*at = stop + 1;
	return 0;
}

/* One spelling for each value: what is decoded must encode to the same text. */
static int
decode(const char *text, uint8_t ret[SIGNATURE_BYTES])
{
	uint8_t bytes[BASE64_DECODED];
	char again[BASE64_LENGTH + 1];

	if (strlen(text) != BASE64_LENGTH ||
	    EVP_DecodeBlock(bytes, (const uint8_t *)text, BASE64_LENGTH) != BASE64_DECODED)
		return CAIRN_EINVAL;
	EVP_EncodeBlock((uint8_t *)again, bytes, SIGNATURE_BYTES);
	if (strcmp(again, text) != 0)
		return CAIRN_EINVAL;
	memcpy(ret, bytes, SIGNATURE_BYTES);
	return 0;
}

static int
damaged(const char *origin, struct cairn_error *err)
{
	return cairn_error_set(err, CAIRN_ECORRUPT,
	    "%s is no signature as `cairn plugin sign` makes it; get it anew from the publisher",
	    origin);
}

int
signature_parse(const char *text, size_t length, const char *origin, struct signature *ret,
    struct cairn_error *err)
{
	struct signature signature;
	const char *at = text, *end = text + length;
	char base64[BASE64_LENGTH + 1];
	uint8_t digest[32];

	if (length < sizeof HEADING - 1 || memcmp(text, HEADING, sizeof HEADING - 1) != 0)
		return damaged(origin, err);
	at += sizeof HEADING - 1;
	if (take_line(&at, end, "key: ", signature.key_id, sizeof signature.key_id) != 0 ||
	    take_line(&at, end, "digest: ", signature.digest, sizeof signature.digest) != 0 ||
	    take_line(&at, end, "signature: ", base64, sizeof base64) != 0 || at != end ||
	    strncmp(signature.digest, DIGEST_PREFIX, sizeof DIGEST_PREFIX - 1) != 0 ||
	    text_unhex(signature.digest + sizeof DIGEST_PREFIX - 1, digest, 32) != 0 ||
	    decode(base64, signature.bytes) != 0)
		return damaged(origin, err);
	*ret = signature;
	return 0;
}

int
signature_print(const struct signature *signature, char **ret, struct cairn_error *err)
{
	BUF_AUTO buf = {.max = SIGNATURE_FILE_MAX};
	char base64[BASE64_LENGTH + 1];
	const char *text;

	EVP_EncodeBlock((uint8_t *)base64, signature->bytes, SIGNATURE_BYTES);
	if (buf_append_format(&buf, HEADING "key: %s\ndigest: %s\nsignature: %s\n",
		signature->key_id, signature->digest, base64) != 0 ||
	    (text = buf_text(&buf)) == NULL || (*ret = strdup(text)) == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	return 0;
}

/* ---- Ed25519 ---------------------------------------------------------------------------- */

int
signature_make(
    EVP_PKEY *key, const void *bytes, size_t length, struct signature *ret, struct cairn_error *err)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	struct signature signature;
	size_t size = SIGNATURE_BYTES;
	int good = context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestSign(context, signature.bytes, &size, bytes, length) == 1 &&
	    size == SIGNATURE_BYTES &&
	    identity_fingerprint(key, signature.key_id, sizeof signature.key_id) == 0;
	int code;

	EVP_MD_CTX_free(context);
	if (!good)
		return cairn_error_set(err, CAIRN_EINTERNAL, "OpenSSL could not sign");
	code = signature_digest(bytes, length, signature.digest, err);
	if (code == 0)
		*ret = signature;
	return code;
}

int
signature_check(const struct signature *signature, EVP_PKEY *key, const void *bytes, size_t length,
    struct cairn_error *err)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int good = context != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestVerify(context, signature->bytes, SIGNATURE_BYTES, bytes, length) == 1;

	EVP_MD_CTX_free(context);
	return good ? 0
		    : cairn_error_set(err, CAIRN_ECORRUPT,
			  "its signature does not verify: the file or the signature was changed");
}
