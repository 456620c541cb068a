/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IDENTITY_KEYFILE_H
#define IDENTITY_KEYFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <openssl/evp.h>

#include <cairn/error.h>

#include "base/buf.h"

#define KEYFILE_MAX 8192

/* Writes a file that must not exist yet, whole or not at all, and syncs it with its directory.
 * CAIRN_EEXIST when the name is taken; what was there is never replaced. */
int keyfile_create(
    const char *path, const void *bytes, size_t length, mode_t mode, struct cairn_error *err);

/* The private key (0600) or the public one (0644) in PEM, likewise. */
int keyfile_create_pem(const char *path, EVP_PKEY *key, bool secret, struct cairn_error *err);

/* Reads a secret, which group and others must not be able to read or write.  `ret` is a buffer that
 * keyfile_wipe() must empty; it never moves while it is filled, so that no copy stays behind. */
int keyfile_read_secret(const char *path, struct buf *ret, struct cairn_error *err);

/* Refuses a directory that group or others can write: they could swap the keys. */
int keyfile_check_dir(const char *path, struct cairn_error *err);

/* Overwrites and frees; for the cleanup attribute. */
void keyfile_wipe(struct buf *buf);

#define SECRET_AUTO __attribute__((cleanup(keyfile_wipe))) struct buf

#endif
