/* SPDX-License-Identifier: Apache-2.0 */
#include "deid/uid.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/params.h>

#include "deid/deid.h"

/*
 * A header names its study, series and frame of reference again and again, and so does the next
 * header: a small two-way cache spares most digests.  The newer of a pair is in front.
 */
#define PAIRS 256u
#define CACHED_MAX 64

struct cached {
	uint8_t length; /* 0: empty */
	uint8_t old[CACHED_MAX];
	char text[DEID_UID_TEXT_MAX];
};

struct deid_uids {
	EVP_MAC *mac;
	EVP_MAC_CTX *keyed;
	struct cached pairs[PAIRS][2];
};

static int
set_key(EVP_MAC_CTX *context, const uint8_t *key)
{
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string("digest", (char[]){"SHA256"}, 0),
	    OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_init(context, key, DEID_UID_KEY_SIZE, params) == 1 ? 0 : CAIRN_EINTERNAL;
}

/* Without a key EVP_MAC_init() starts over with the one that was set. */
static int
digest(EVP_MAC_CTX *keyed, const void *bytes, size_t length, uint8_t ret[32])
{
	size_t size = 0;

	if (EVP_MAC_init(keyed, NULL, 0, NULL) != 1 ||
	    EVP_MAC_update(keyed, bytes, length) != 1 ||
	    EVP_MAC_final(keyed, ret, &size, 32) != 1 || size != 32)
		return CAIRN_EINTERNAL;
	return 0;
}

int
deid_uids_new(struct deid_uids **ret, const uint8_t *key, const char *project,
    struct cairn_error *err)
{
	struct deid_uids *uids = calloc(1, sizeof *uids);
	uint8_t narrowed[32];
	int code;

	if (uids == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	uids->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	uids->keyed = uids->mac == NULL ? NULL : EVP_MAC_CTX_new(uids->mac);
	code = uids->keyed == NULL ? CAIRN_EINTERNAL : set_key(uids->keyed, key);
	if (code == 0)
		code = digest(uids->keyed, project, strlen(project), narrowed);
	if (code == 0)
		code = set_key(uids->keyed, narrowed);
	OPENSSL_cleanse(narrowed, sizeof narrowed);
	if (code != 0) {
		deid_uids_free(uids);
		return cairn_error_set(err, code, "OpenSSL gives no HMAC-SHA-256");
	}
	*ret = uids;
	return 0;
}

void
deid_uids_free(struct deid_uids *uids)
{
	if (uids == NULL)
		return;
	EVP_MAC_CTX_free(uids->keyed);
	EVP_MAC_free(uids->mac);
	free(uids);
}

static void
to_text(const uint8_t bytes[16], char ret[DEID_UID_TEXT_MAX])
{
	char digits[40];
	size_t count = 0;
	unsigned __int128 number = 0;

	for (size_t i = 0; i < 16; i++)
		number = number << 8 | bytes[i];
	do {
		/* 64-bit divisions are several times cheaper than 128-bit ones. */
		uint64_t part = (uint64_t)(number % 10000000000000000000u);

		number /= 10000000000000000000u;
		for (int i = 0; i < 19 && (part != 0 || number != 0) && count < 39; i++) {
			digits[count++] = (char)('0' + part % 10);
			part /= 10;
		}
	} while (number != 0);
	if (count == 0)
		digits[count++] = '0';
	memcpy(ret, "2.25.", 5);
	for (size_t i = 0; i < count; i++)
		ret[5 + i] = digits[count - 1 - i];
	ret[5 + count] = 0;
}

static uint32_t
pair_of(const uint8_t *uid, size_t length)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ uid[i]) * 16777619u;
	return (hash ^ hash >> 16) % PAIRS;
}

static bool
hit(const struct cached *cached, const uint8_t *uid, size_t length)
{
	return cached->length == length && memcmp(cached->old, uid, length) == 0;
}

int
deid_uids_map(struct deid_uids *uids, const uint8_t *uid, size_t length,
    char ret[DEID_UID_TEXT_MAX])
{
	struct cached *pair = NULL;
	uint8_t mac[32];

	if (length > 0 && length <= CACHED_MAX) {
		pair = uids->pairs[pair_of(uid, length)];
		if (hit(&pair[1], uid, length)) {
			struct cached older = pair[0];

			pair[0] = pair[1];
			pair[1] = older;
		}
		if (hit(&pair[0], uid, length)) {
			memcpy(ret, pair[0].text, DEID_UID_TEXT_MAX);
			return 0;
		}
	}
	if (digest(uids->keyed, uid, length, mac) != 0)
		return CAIRN_EINTERNAL;
	to_text(mac, ret);
	if (pair != NULL) {
		pair[1] = pair[0];
		pair[0].length = (uint8_t)length;
		memcpy(pair[0].old, uid, length);
		memcpy(pair[0].text, ret, strlen(ret) + 1);
	}
	return 0;
}

bool
deid_uid_is_well_known(const uint8_t *uid, size_t length)
{
	static const char root[] = "1.2.840.10008.";
	size_t digits = 0;

	if (length <= sizeof root - 1 || length > 40 || memcmp(uid, root, sizeof root - 1) != 0)
		return false;
	for (size_t i = sizeof root - 1; i < length; i++) {
		digits = uid[i] == '.' ? 0 : digits + 1;
		if (digits > 5 || (uid[i] != '.' && (uid[i] < '0' || uid[i] > '9')))
			return false;
	}
	return true;
}
