/* SPDX-License-Identifier: Apache-2.0 */
#include "provenance/publisher.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/file.h"
#include "base/text.h"
#include "identity/identity.h"
#include "identity/keyfile.h"

#define PUBLISHERS "keys/publishers"

bool
publisher_name_is_good(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t length = strlen(name);

	return length > 0 && length <= PUBLISHER_NAME_MAX && strspn(name, letters) == length &&
	    name[0] != '.' && name[0] != '-' && name[0] != '_';
}

/* ---- one key ---------------------------------------------------------------------------- */

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

static EVP_PKEY *
parse_pem(const struct buf *text, bool secret)
{
	BIO *bio = BIO_new_mem_buf(text->data, (int)text->length); /* bounded by KEYFILE_MAX */
	EVP_PKEY *key = NULL;

	if (bio != NULL)
		key = secret ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL)
			     : PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	if (key != NULL && EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519) {
		EVP_PKEY_free(key);
		return NULL;
	}
	return key;
}

int
publisher_key_read(const char *path, bool secret, EVP_PKEY **ret, struct cairn_error *err)
{
	SECRET_AUTO text = {.max = KEYFILE_MAX};
	int code = secret ? keyfile_read_secret(path, &text, err) : file_read(path, &text, err);
	EVP_PKEY *key;

	if (code == CAIRN_ENOTFOUND && secret)
		return cairn_error_set(err, code,
		    "there is no signing key %s; `cairn key new` makes one, --key KEY names "
		    "another",
		    path);
	if (code != 0)
		return code;
	key = parse_pem(&text, secret);
	if (key == NULL && !secret && buf_text(&text) != NULL &&
	    strstr((const char *)text.data, "PRIVATE KEY") != NULL)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "%s holds a private key; a publisher gives away the public one only "
		    "(NAME.pub beside it)",
		    path);
	if (key == NULL)
		return cairn_error_set(err, CAIRN_ECORRUPT,
		    "%s does not hold an Ed25519 %s key in PEM; `cairn key new` makes one", path,
		    secret ? "private" : "public");
	*ret = key;
	return 0;
}

int
publisher_key_create(
    const char *path, const char *public_path, EVP_PKEY **ret, struct cairn_error *err)
{
	EVP_PKEY *key;
	int code;

	if (file_exists(path) || file_exists(public_path))
		return cairn_error_set(err, CAIRN_EEXIST,
		    "%s exists already; keys are never overwritten",
		    file_exists(path) ? path : public_path);
	key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (key == NULL)
		return cairn_error_set(
		    err, CAIRN_EINTERNAL, "OpenSSL could not make an Ed25519 key");
	code = keyfile_create_pem(path, key, true, err);
	if (code == 0)
		code = keyfile_create_pem(public_path, key, false, err);
	if (code != 0)
		EVP_PKEY_free(key);
	else
		*ret = key;
	return code;
}

/* ---- all of them ------------------------------------------------------------------------ */

static int
visit(const char *dir, const char *entry, const char *suffix, publisher_fn each, void *arg)
{
	char path[PATH_MAX], name[NAME_MAX + 1];
	size_t length = strlen(entry), tail = strlen(suffix);
	EVP_PKEY *key = NULL;
	int code;

	if (length <= tail || strcmp(entry + length - tail, suffix) != 0 || entry[0] == '.' ||
	    file_join(path, sizeof path, dir, entry) != 0)
		return 0;
	snprintf(name, sizeof name, "%.*s", (int)(length - tail), entry);
	if (publisher_key_read(path, false, &key, NULL) != 0)
		key = NULL;
	code = each(arg, name, key);
	EVP_PKEY_free(key);
	return code;
}

int
publisher_each(
    const char *dir, const char *suffix, publisher_fn each, void *arg, struct cairn_error *err)
{
	const struct dirent *entry;
	DIR *handle = opendir(dir);
	int code = 0;

	if (handle == NULL && errno == ENOENT)
		return 0;
	if (handle == NULL)
		return cairn_error_set(err, CAIRN_EIO, "cannot read %s: %s", dir, strerror(errno));
	for (size_t i = 0; code == 0 && i < PUBLISHERS_MAX; i++) {
		entry = readdir(handle);
		if (entry == NULL)
			break;
		code = visit(dir, entry->d_name, suffix, each, arg);
	}
	closedir(handle);
	return code;
}

struct search {
	const char *key_id;
	EVP_PKEY *found;
	char name[PUBLISHER_NAME_MAX + 1];
};

static int
match(void *arg, const char *name, EVP_PKEY *key)
{
	struct search *search = arg;
	char id[PUBLISHER_KEY_ID_MAX];

	if (key == NULL || identity_fingerprint(key, id, sizeof id) != 0 ||
	    strcmp(id, search->key_id) != 0)
		return 0;
	EVP_PKEY_up_ref(key);
	search->found = key;
	snprintf(search->name, sizeof search->name, "%.*s", PUBLISHER_NAME_MAX, name);
	return 1;
}

int
publisher_find(const char *home, const char *key_id, EVP_PKEY **ret,
    char ret_name[PUBLISHER_NAME_MAX + 1], struct cairn_error *err)
{
	struct search search = {.key_id = key_id};
	char dir[PATH_MAX];
	int code;

	if (file_join(dir, sizeof dir, home, PUBLISHERS) != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", home);
	code = publisher_each(dir, ".pem", match, &search, err);
	if (code < 0)
		return code;
	if (search.found == NULL)
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "signed by the key %s, which is not among the trusted ones", key_id);
	*ret = search.found;
	memcpy(ret_name, search.name, sizeof search.name);
	return 0;
}
