/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_ASSERTION_H
#define HTTP_ASSERTION_H

/* Who we are, signed (RFC 7523, SMART Backend Services: private_key_jwt with ES384).  The key is
 * derived from a secret of this plugin, so that there is no key file; its public half is what the
 * server's operator registers. */

#include "base/buf.h"
#include "cairn/error.h"

struct assertion_key;

int assertion_key_new(
    struct assertion_key **ret, const uint8_t *secret, size_t length, struct cairn_error *err);
void assertion_key_free(struct assertion_key *key);

/* {"keys":[{"kty":"EC","crv":"P-384",...}]} */
int assertion_jwks(const struct assertion_key *key, struct buf *out);

/* The JWT: iss and sub are `client_id`, good for five minutes from `now_s`. */
int assertion_sign(const struct assertion_key *key, const char *client_id, const char *audience,
    uint64_t now_s, struct buf *out);

#endif
