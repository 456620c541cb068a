/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DEID_UID_H
#define DEID_UID_H

/* New UIDs: "2.25." and the first 128 bits of HMAC-SHA-256(key, old UID) as a decimal number (PS3.5
 * B.2), where key = HMAC-SHA-256(UID key, project).  One thread at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#define DEID_UID_TEXT_MAX 45 /* "2.25.", 39 digits, zero */

struct deid_uids;

int deid_uids_new(
    struct deid_uids **ret, const uint8_t *key, const char *project, struct cairn_error *err);
void deid_uids_free(struct deid_uids *uids);

/* Any bytes are mapped, even if they are no UID. */
int deid_uids_map(
    struct deid_uids *uids, const uint8_t *uid, size_t length, char ret[DEID_UID_TEXT_MAX]);

/* A UID that the standard itself assigned: below 1.2.840.10008, and without the long components
 * (dates, serial numbers) that senders who misuse this root append. */
bool deid_uid_is_well_known(const uint8_t *uid, size_t length);

#endif
