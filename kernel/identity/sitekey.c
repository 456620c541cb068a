/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/sitekey.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "base/buf.h"
#include "identity/keyfile.h"

#define PARTS_MAX 8

struct sitekey {
	EVP_MAC_CTX *mac; /* keyed once; each use starts it again without the key schedule */
	uint8_t key[SITEKEY_BYTES];
};

static EVP_MAC_CTX *
mac_new(const uint8_t key[SITEKEY_BYTES])
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_end()};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);

	EVP_MAC_free(mac); /* the context holds a reference */
	if (ctx != NULL && EVP_MAC_init(ctx, key, SITEKEY_BYTES, params) != 1) {
		EVP_MAC_CTX_free(ctx);
		ctx = NULL;
	}
	return ctx;
}

int
sitekey_new(struct sitekey **ret, const uint8_t key[SITEKEY_BYTES], struct cairn_error *err)
{
	struct sitekey *sitekey = calloc(1, sizeof *sitekey);

	if (sitekey == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for the site key");
	memcpy(sitekey->key, key, SITEKEY_BYTES);
	sitekey->mac = mac_new(key);
	if (sitekey->mac == NULL) {
		sitekey_free(sitekey);
		return cairn_error_set(err, CAIRN_EINTERNAL, "OpenSSL offers no HMAC-SHA-256");
	}
	*ret = sitekey;
	return 0;
}

void
sitekey_free(struct sitekey *sitekey)
{
	if (sitekey == NULL)
		return;
	EVP_MAC_CTX_free(sitekey->mac);
	OPENSSL_cleanse(sitekey, sizeof *sitekey);
	free(sitekey);
}

static int
encode_part(struct buf *buf, const char *part)
{
	size_t length = strnlen(part, SITEKEY_PART_MAX + 1);
	uint8_t prefix[4] = {(uint8_t)(length >> 24), (uint8_t)(length >> 16),
	    (uint8_t)(length >> 8), (uint8_t)length};
	int code;

	if (length > SITEKEY_PART_MAX)
		return CAIRN_ELIMIT;
	code = buf->length > 0 ? buf_append_zero(buf, 1) : 0;
	if (code == 0)
		code = buf_append(buf, prefix, sizeof prefix);
	if (code == 0)
		code = buf_append(buf, part, length);
	return code;
}

/* The words never repeat a part: it may be an identifier. */
static int
encode(struct buf *buf, const char *label, const char *const *parts, size_t count,
    struct cairn_error *err)
{
	int code = count > PARTS_MAX ? CAIRN_ELIMIT : encode_part(buf, label);

	for (size_t i = 0; code == 0 && i < count; i++)
		code = encode_part(buf, parts[i] == NULL ? "" : parts[i]);
	if (code != 0)
		return cairn_error_set(
		    err, code, "an identifier or name is longer than %d bytes", SITEKEY_PART_MAX);
	return 0;
}

int
sitekey_mac(struct sitekey *sitekey, const char *label, const char *const *parts, size_t count,
    uint8_t ret[32], struct cairn_error *err)
{
	SECRET_AUTO input = {.max = (PARTS_MAX + 1) * (SITEKEY_PART_MAX + 8)};
	uint8_t out[32];
	size_t length = 0;
	int code = encode(&input, label, parts, count, err);

	if (code == 0 &&
	    (EVP_MAC_init(sitekey->mac, NULL, 0, NULL) != 1 ||
		EVP_MAC_update(sitekey->mac, input.data, input.length) != 1 ||
		EVP_MAC_final(sitekey->mac, out, &length, sizeof out) != 1 || length != sizeof out))
		code = cairn_error_set(err, CAIRN_EINTERNAL, "OpenSSL could not compute an HMAC");
	if (code == 0)
		memcpy(ret, out, sizeof out);
	return code;
}

static int
hkdf(struct sitekey *sitekey, struct buf *info, uint8_t ret[32])
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, sitekey->key, SITEKEY_BYTES),
	    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info->data, info->length),
	    OSSL_PARAM_construct_end()};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
	int good = ctx != NULL && EVP_KDF_derive(ctx, ret, 32, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return good ? 0 : CAIRN_EINTERNAL;
}

int
sitekey_derive(struct sitekey *sitekey, const char *label, const char *const *parts, size_t count,
    uint8_t ret[32], struct cairn_error *err)
{
	/* OpenSSL 3.0 takes at most 1,024 bytes of info; more is refused here with words. */
	BUF_AUTO info = {.max = 1024};
	uint8_t out[32];
	int code = encode(&info, label, parts, count, err);

	if (code == 0 && hkdf(sitekey, &info, out) != 0)
		code = cairn_error_set(err, CAIRN_EINTERNAL, "OpenSSL could not derive a key");
	if (code == 0)
		memcpy(ret, out, sizeof out);
	OPENSSL_cleanse(out, sizeof out);
	return code;
}

void
sitekey_base32(const uint8_t *bytes, size_t length, char *ret)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < length; i++) {
		bits = bits << 8 | bytes[i];
		for (have += 8; have >= 5; have -= 5)
			*ret++ = digits[bits >> (have - 5) & 31];
		bits &= (1u << have) - 1;
	}
	if (have > 0)
		*ret++ = digits[bits << (5 - have) & 31];
	*ret = 0;
}
