/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IDENTITY_SITEKEY_H
#define IDENTITY_SITEKEY_H

/* What is derived from the site key.  One thread at a time: the HMAC context is reused. */

#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#define SITEKEY_BYTES 32
#define SITEKEY_PART_MAX 4096 /* bytes in one part (project, type, issuer, identifier, purpose) */

struct sitekey;

/* The key is copied and wiped by sitekey_free(). */
int sitekey_new(struct sitekey **ret, const uint8_t key[SITEKEY_BYTES], struct cairn_error *err);
void sitekey_free(struct sitekey *sitekey);

/*
 * HMAC-SHA-256 over the label and the parts.  Each, the label too, is preceded by its length (32
 * bits, big endian) and they are separated by a zero byte: no two lists of parts give one input.
 */
int sitekey_mac(struct sitekey *sitekey, const char *label, const char *const *parts, size_t count,
    uint8_t ret[32], struct cairn_error *err);

/* HKDF-SHA-256 without salt; the info is the label and parts, encoded as above. */
int sitekey_derive(struct sitekey *sitekey, const char *label, const char *const *parts,
    size_t count, uint8_t ret[32], struct cairn_error *err);

/* RFC 4648 base32 in lower case without padding; `ret` holds (length * 8 + 4) / 5 + 1 bytes. */
void sitekey_base32(const uint8_t *bytes, size_t length, char *ret);

#endif
