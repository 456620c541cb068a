/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/identity.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "base/file.h"
#include "base/text.h"
#include "identity/keyfile.h"
#include "identity/sitekey.h"

struct identity {
	EVP_PKEY *signing;
	struct sitekey *sitekey;
};

static int
key_path(char ret[PATH_MAX], const char *keys_dir, const char *name, struct cairn_error *err)
{
	if (file_join(ret, PATH_MAX, keys_dir, name) != 0)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "path is too long: %s/%s", keys_dir, name);
	return 0;
}

/* ---- making keys ------------------------------------------------------------------------ */

static int
create_pseudonym_key(const char *path, struct cairn_error *err)
{
	uint8_t key[SITEKEY_BYTES];
	char text[2 * SITEKEY_BYTES + 2];
	int code;

	if (RAND_priv_bytes(key, sizeof key) != 1)
		return cairn_error_set(err, CAIRN_EINTERNAL, "OpenSSL has no random bytes");
	text_hex(key, sizeof key, text);
	text[2 * SITEKEY_BYTES] = '\n';
	code = keyfile_create(path, text, 2 * SITEKEY_BYTES + 1, 0600, err);
	OPENSSL_cleanse(key, sizeof key);
	OPENSSL_cleanse(text, sizeof text);
	return code;
}

static int
create_node_keys(const char *private_path, const char *public_path, struct cairn_error *err)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	int code;

	if (key == NULL)
		return cairn_error_set(
		    err, CAIRN_EINTERNAL, "OpenSSL could not make an Ed25519 key");
	code = keyfile_create_pem(private_path, key, true, err);
	if (code == 0)
		code = keyfile_create_pem(public_path, key, false, err);
	EVP_PKEY_free(key);
	return code;
}

int
identity_create(const char *keys_dir, struct cairn_error *err)
{
	static const char *const names[] = {"node.key", "node.pub", "pseudonym.key"};
	char paths[3][PATH_MAX];
	int code = file_mkdirs(keys_dir, 0700, err);

	for (size_t i = 0; code == 0 && i < 3; i++) {
		code = key_path(paths[i], keys_dir, names[i], err);
		if (code == 0 && file_exists(paths[i]))
			code = cairn_error_set(err, CAIRN_EEXIST,
			    "%s exists already; keys are never overwritten", paths[i]);
	}
	if (code == 0)
		code = keyfile_check_dir(keys_dir, err);
	if (code == 0)
		code = create_pseudonym_key(paths[2], err);
	if (code == 0)
		code = create_node_keys(paths[0], paths[1], err);
	return code;
}

/* ---- reading keys ----------------------------------------------------------------------- */

/* An encrypted key must not make OpenSSL ask on the terminal. */
static int
no_passphrase(char *ret, int size, int writing, void *arg)
{
	(void)ret;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static int
parse_pem(
    const struct buf *text, const char *path, bool secret, EVP_PKEY **ret, struct cairn_error *err)
{
	BIO *bio = BIO_new_mem_buf(text->data, (int)text->length); /* bounded by KEYFILE_MAX */
	EVP_PKEY *key = NULL;

	if (bio != NULL)
		key = secret ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL)
			     : PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	if (key == NULL || EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519) {
		EVP_PKEY_free(key);
		return cairn_error_set(err, CAIRN_ECORRUPT,
		    "%s does not hold an Ed25519 %s key in PEM; restore it from a backup", path,
		    secret ? "private" : "public");
	}
	*ret = key;
	return 0;
}

static int
read_signing_key(const char *keys_dir, EVP_PKEY **ret, struct cairn_error *err)
{
	SECRET_AUTO text = {.max = KEYFILE_MAX};
	char path[PATH_MAX];
	int code = key_path(path, keys_dir, "node.key", err);

	if (code == 0)
		code = keyfile_read_secret(path, &text, err);
	return code != 0 ? code : parse_pem(&text, path, true, ret, err);
}

static int
read_sitekey(const char *keys_dir, struct sitekey **ret, struct cairn_error *err)
{
	SECRET_AUTO text = {.max = KEYFILE_MAX};
	uint8_t key[SITEKEY_BYTES];
	char path[PATH_MAX];
	int code = key_path(path, keys_dir, "pseudonym.key", err);

	if (code == 0)
		code = keyfile_read_secret(path, &text, err);
	if (code == CAIRN_ENOTFOUND)
		return cairn_error_set(err, code,
		    "%s is missing; restore it from a backup and never make a new one: with it "
		    "every pseudonym would change",
		    path);
	if (code != 0)
		return code;
	if (text.length > 0 && text.data[text.length - 1] == '\n')
		text.length--;
	if (text.length != 2 * SITEKEY_BYTES || buf_text(&text) == NULL ||
	    text_unhex((const char *)text.data, key, sizeof key) != 0)
		return cairn_error_set(err, CAIRN_ECORRUPT,
		    "%s must hold 64 hexadecimal digits; restore it from a backup: a new key would "
		    "give every patient a new pseudonym",
		    path);
	code = sitekey_new(ret, key, err);
	OPENSSL_cleanse(key, sizeof key);
	return code;
}

int
identity_public_key(const char *keys_dir, EVP_PKEY **ret, struct cairn_error *err)
{
	BUF_AUTO text = {.max = KEYFILE_MAX};
	char path[PATH_MAX];
	int code = key_path(path, keys_dir, "node.pub", err);

	if (code == 0)
		code = file_read(path, &text, err);
	return code != 0 ? code : parse_pem(&text, path, false, ret, err);
}

/* The verifier of the ledger reads node.pub: one that belongs to another key would make every
 * checkpoint look forged. */
static int
check_public_key(EVP_PKEY *signing, const char *keys_dir, struct cairn_error *err)
{
	EVP_PKEY *public = NULL;
	int code = identity_public_key(keys_dir, &public, err);

	if (code == 0 && EVP_PKEY_eq(signing, public) != 1)
		code = cairn_error_set(err, CAIRN_ECORRUPT,
		    "%s/node.pub is not the public key of node.key; make it again with: "
		    "openssl pkey -in %s/node.key -pubout -out %s/node.pub",
		    keys_dir, keys_dir, keys_dir);
	EVP_PKEY_free(public);
	return code;
}

int
identity_open(struct identity **ret, const char *keys_dir, struct cairn_error *err)
{
	struct identity *identity = calloc(1, sizeof *identity);
	int code;

	if (identity == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for the node's keys");
	code = keyfile_check_dir(keys_dir, err);
	if (code == 0)
		code = read_signing_key(keys_dir, &identity->signing, err);
	if (code == 0)
		code = check_public_key(identity->signing, keys_dir, err);
	if (code == 0)
		code = read_sitekey(keys_dir, &identity->sitekey, err);
	if (code != 0) {
		identity_free(identity);
		return code;
	}
	*ret = identity;
	return 0;
}

void
identity_free(struct identity *identity)
{
	if (identity == NULL)
		return;
	EVP_PKEY_free(identity->signing);
	sitekey_free(identity->sitekey);
	free(identity);
}

EVP_PKEY *
identity_signing_key(struct identity *identity)
{
	return identity->signing;
}

int
identity_fingerprint(EVP_PKEY *key, char *ret, size_t size)
{
	static const char prefix[] = "SHA256:";
	uint8_t digest[EVP_MAX_MD_SIZE];
	uint8_t *der = NULL;
	int length = i2d_PUBKEY(key, &der);
	int good = length > 0 &&
	    EVP_Q_digest(NULL, "SHA256", NULL, der, (size_t)length, digest, NULL) == 1;

	OPENSSL_free(der);
	if (!good)
		return CAIRN_EINVAL;
	if (size < sizeof prefix + 44)
		return CAIRN_ELIMIT;
	memcpy(ret, prefix, sizeof prefix);
	EVP_EncodeBlock((uint8_t *)ret + sizeof prefix - 1, digest, 32);
	return 0;
}

/* ---- pseudonyms ------------------------------------------------------------------------- */

/* A value of 64 bits modulo 730: the bias is 730 in 2^64. */
static int32_t
date_shift(const uint8_t mac[32])
{
	uint64_t value = 0;
	int32_t shift;

	for (size_t i = 0; i < 8; i++)
		value = value << 8 | mac[i];
	shift = (int32_t)(value % 730) - 365;
	return shift < 0 ? shift : shift + 1;
}

int
identity_pseudonym(struct identity *identity, const char *project, const char *type,
    const char *issuer, const char *identifier, char ret[IDENTITY_PSEUDONYM_MAX],
    int32_t *ret_date_shift_days, struct cairn_error *err)
{
	const char *const parts[] = {project, type, issuer, identifier};
	uint8_t mac[32], shift[32];
	int code;

	/* Patients without an identifier must not become one patient. */
	if (project == NULL || project[0] == 0 || type == NULL || type[0] == 0 ||
	    identifier == NULL || identifier[0] == 0)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "a pseudonym needs a project, an identifier type and an identifier");
	code = sitekey_mac(identity->sitekey, "cairn.pseudonym.v1", parts, 4, mac, err);
	if (code == 0)
		code = sitekey_mac(identity->sitekey, "cairn.dateshift.v1", parts, 4, shift, err);
	if (code != 0)
		return code;
	sitekey_base32(mac, 16, ret);
	if (ret_date_shift_days != NULL)
		*ret_date_shift_days = date_shift(shift);
	return 0;
}

int
identity_subkey(struct identity *identity, const char *project, const char *purpose,
    uint8_t ret[32], struct cairn_error *err)
{
	const char *const parts[] = {project, purpose};

	if (project == NULL || purpose == NULL || purpose[0] == 0)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "a derived key needs a project and a purpose");
	return sitekey_derive(identity->sitekey, "cairn.subkey.v1", parts, 2, ret, err);
}
