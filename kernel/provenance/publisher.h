/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVENANCE_PUBLISHER_H
#define PROVENANCE_PUBLISHER_H

/*
 * Who may sign plugins: HOME/keys/publishers/NAME.pem, each an Ed25519 public key
 * (SubjectPublicKeyInfo PEM) that `cairn key trust` put there.  Keys of one's own to sign with lie
 * in HOME/keys/signing/NAME.key (PKCS#8 PEM, 0600) with NAME.pub beside.
 */

#include <stdbool.h>
#include <stddef.h>

#include <openssl/types.h>

#include <cairn/error.h>

#define PUBLISHER_NAME_MAX 64
#define PUBLISHER_KEY_ID_MAX 64 /* "SHA256:" and base64 of the SubjectPublicKeyInfo digest */
#define PUBLISHERS_MAX 1024

/* `secret`: the file must not be readable by others. */
int publisher_key_read(const char *path, bool secret, EVP_PKEY **ret, struct cairn_error *err);

/* Makes PATH (0600) and PATH_PUBLIC; CAIRN_EEXIST when one is there. */
int publisher_key_create(
    const char *path, const char *public_path, EVP_PKEY **ret, struct cairn_error *err);

/* Calls `each` for every file in `dir` whose name ends in `suffix` until it returns non-zero, which
 * is returned.  A file that is no public key is handed over with `key` NULL.  No such directory:
 * nobody. */
typedef int (*publisher_fn)(void *arg, const char *name, EVP_PKEY *key);
int publisher_each(
    const char *dir, const char *suffix, publisher_fn each, void *arg, struct cairn_error *err);

/* The trusted key with this id and its name; CAIRN_ENOTFOUND when nobody has it. */
int publisher_find(const char *home, const char *key_id, EVP_PKEY **ret,
    char ret_name[PUBLISHER_NAME_MAX + 1], struct cairn_error *err);

/* [a-z0-9][a-z0-9._-]{0,63} */
bool publisher_name_is_good(const char *name);

#endif
