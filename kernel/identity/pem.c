/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/keyfile.h"

#include <openssl/bio.h>
#include <openssl/pem.h>

int
keyfile_create_pem(const char *path, EVP_PKEY *key, bool secret, struct cairn_error *err)
{
	BIO *bio = BIO_new(secret ? BIO_s_secmem() : BIO_s_mem());
	char *text = NULL;
	long length;
	int good, code;

	if (bio == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for %s", path);
	good = secret ? PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)
		      : PEM_write_bio_PUBKEY(bio, key);
	length = BIO_get_mem_data(bio, &text);
	if (good == 1 && length > 0)
		code = keyfile_create(path, text, (size_t)length, secret ? 0600 : 0644, err);
	else
		code = cairn_error_set(err, CAIRN_EINTERNAL, "OpenSSL could not write %s", path);
	BIO_free(bio);
	return code;
}
