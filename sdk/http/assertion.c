/* SPDX-License-Identifier: Apache-2.0 */
#include "assertion.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>

#include "base/text.h"

#define SIZE 48 /* bytes of a coordinate of P-384 */
#define LIFE_S 300

struct assertion_key {
	EVP_PKEY *key;
	uint8_t point[1 + 2 * SIZE];
	char id[33];
};

/* 80 bytes more than enough for a number below the order without bias (FIPS 186-5 A.2.1). */
static BIGNUM *
derive(const uint8_t *secret, size_t length, const EC_GROUP *group)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string("digest", (char *)(uintptr_t) "SHA384", 0),
	    OSSL_PARAM_construct_octet_string("key", (void *)(uintptr_t)secret, length),
	    OSSL_PARAM_construct_octet_string("info", (void *)(uintptr_t) "smart ES384", 11),
	    OSSL_PARAM_construct_end()};
	BIGNUM *number = BN_new(), *less = BN_new();
	BN_CTX *work = BN_CTX_new();
	uint8_t bytes[72];
	int good = context != NULL && number != NULL && less != NULL && work != NULL &&
	    EVP_KDF_derive(context, bytes, sizeof bytes, params) == 1 &&
	    BN_bin2bn(bytes, sizeof bytes, number) != NULL &&
	    BN_copy(less, EC_GROUP_get0_order(group)) != NULL && BN_sub_word(less, 1) == 1 &&
	    BN_mod(number, number, less, work) == 1 && BN_add_word(number, 1) == 1;

	OPENSSL_cleanse(bytes, sizeof bytes);
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	BN_free(less);
	BN_CTX_free(work);
	if (good)
		return number;
	BN_clear_free(number);
	return NULL;
}

static EVP_PKEY *
make_key(const BIGNUM *number, const uint8_t *point)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (build != NULL && context != NULL &&
	    OSSL_PARAM_BLD_push_utf8_string(build, "group", "P-384", 0) == 1 &&
	    OSSL_PARAM_BLD_push_BN(build, "priv", number) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(build, "pub", point, 1 + 2 * SIZE) == 1)
		params = OSSL_PARAM_BLD_to_param(build);
	if (params == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(context);
	return key;
}

int
assertion_key_new(
    struct assertion_key **ret, const uint8_t *secret, size_t length, struct cairn_error *err)
{
	struct assertion_key *key = calloc(1, sizeof *key);
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_secp384r1);
	BIGNUM *number = group == NULL ? NULL : derive(secret, length, group);
	EC_POINT *point = group == NULL ? NULL : EC_POINT_new(group);
	uint8_t digest[32];

	if (key != NULL && number != NULL && point != NULL &&
	    EC_POINT_mul(group, point, number, NULL, NULL, NULL) == 1 &&
	    EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, key->point,
		sizeof key->point, NULL) == sizeof key->point &&
	    EVP_Digest(key->point, sizeof key->point, digest, NULL, EVP_sha256(), NULL) == 1)
		key->key = make_key(number, key->point);
	BN_clear_free(number);
	EC_POINT_free(point);
	EC_GROUP_free(group);
	if (key == NULL || key->key == NULL) {
		free(key);
		return cairn_error_set(err, CAIRN_EINTERNAL, "OpenSSL cannot make the key");
	}
	text_hex(digest, 16, key->id);
	*ret = key;
	return 0;
}

void
assertion_key_free(struct assertion_key *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_free(key->key);
	free(key);
}

static int
append_base64(struct buf *out, const void *bytes, size_t length)
{
	char text[2048];
	int size;

	if (length > 1500)
		return CAIRN_ELIMIT;
	size = EVP_EncodeBlock((unsigned char *)text, bytes, (int)length);
	while (size > 0 && text[size - 1] == '=')
		size--;
	for (int i = 0; i < size; i++)
		text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
	return buf_append(out, text, (size_t)size);
}

int
assertion_jwks(const struct assertion_key *key, struct buf *out)
{
	int code = buf_append_format(out,
	    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-384\",\"use\":\"sig\",\"alg\":\"ES384\","
	    "\"key_ops\":[\"verify\"],\"kid\":\"%s\",\"x\":\"",
	    key->id);

	if (code == 0)
		code = append_base64(out, key->point + 1, SIZE);
	if (code == 0)
		code = buf_append_text(out, "\",\"y\":\"");
	if (code == 0)
		code = append_base64(out, key->point + 1 + SIZE, SIZE);
	return code == 0 ? buf_append_text(out, "\"}]}") : code;
}

/* DER to the two numbers side by side (RFC 7518 3.4). */
static int
sign(const struct assertion_key *key, const struct buf *what, uint8_t ret[2 * SIZE])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t der[256];
	const uint8_t *at = der;
	size_t length = sizeof der;
	ECDSA_SIG *signature = NULL;
	int good = context != NULL &&
	    EVP_DigestSignInit_ex(context, NULL, "SHA384", NULL, NULL, key->key, NULL) == 1 &&
	    EVP_DigestSign(context, der, &length, what->data, what->length) == 1;

	if (good)
		signature = d2i_ECDSA_SIG(NULL, &at, (long)length);
	good = signature != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(signature), ret, SIZE) == SIZE &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(signature), ret + SIZE, SIZE) == SIZE;
	ECDSA_SIG_free(signature);
	EVP_MD_CTX_free(context);
	return good ? 0 : CAIRN_EINTERNAL;
}

static bool
plain(const char *text)
{
	for (; *text != 0; text++) {
		if ((unsigned char)*text < ' ' || *text == '"' || *text == '\\')
			return false;
	}
	return true;
}

int
assertion_sign(const struct assertion_key *key, const char *client_id, const char *audience,
    uint64_t now_s, struct buf *out)
{
	BUF_AUTO part = {.max = 8192}, token = {.max = 8192};
	uint8_t random[16], signature[2 * SIZE];
	char id[33];
	int code;

	if (!plain(client_id) || !plain(audience) || RAND_bytes(random, sizeof random) != 1)
		return CAIRN_EINVAL;
	text_hex(random, sizeof random, id);
	code =
	    buf_append_format(&part, "{\"alg\":\"ES384\",\"typ\":\"JWT\",\"kid\":\"%s\"}", key->id);
	if (code == 0)
		code = append_base64(&token, part.data, part.length);
	buf_clear(&part);
	if (code == 0)
		code = buf_append_format(&part,
		    "{\"iss\":\"%s\",\"sub\":\"%s\",\"aud\":\"%s\",\"exp\":%llu,\"jti\":\"%s\"}",
		    client_id, client_id, audience, (unsigned long long)(now_s + LIFE_S), id);
	if (code == 0)
		code = buf_append_text(&token, ".");
	if (code == 0)
		code = append_base64(&token, part.data, part.length);
	if (code == 0)
		code = sign(key, &token, signature);
	if (code == 0)
		code = buf_append_text(&token, ".");
	if (code == 0)
		code = append_base64(&token, signature, sizeof signature);
	return code == 0 ? buf_append(out, token.data, token.length) : code;
}
