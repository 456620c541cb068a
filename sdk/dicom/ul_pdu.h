/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_UL_PDU_H
#define DICOM_UL_PDU_H

/* The PDUs of PS3.8 9.3 as bytes, without any state: what ul_assoc.c reads and writes. */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "dicom/ul.h"

enum ul_pdu_type { /* PS3.8 9.3.1 */
	UL_ASSOCIATE_RQ = 1,
	UL_ASSOCIATE_AC = 2,
	UL_ASSOCIATE_RJ = 3,
	UL_P_DATA_TF = 4,
	UL_RELEASE_RQ = 5,
	UL_RELEASE_RP = 6,
	UL_ABORT_PDU = 7,
};

enum ul_abort_source { UL_ABORT_USER = 0, UL_ABORT_PROVIDER = 2 };
enum ul_abort_reason { /* PS3.8 Table 9-26; 0 where the source is the user */
	UL_ABORT_NO_REASON = 0,
	UL_ABORT_UNRECOGNIZED_PDU = 1,
	UL_ABORT_UNEXPECTED_PDU = 2,
	UL_ABORT_UNEXPECTED_PARAMETER = 5,
	UL_ABORT_INVALID_PARAMETER = 6,
};

#define UL_HEADER_SIZE 6     /* type, reserved, length */
#define UL_PDV_HEADER_SIZE 6 /* length, context, message control header */
#define UL_SHORT_PDU_SIZE 10 /* RJ, RELEASE-RQ, RELEASE-RP, ABORT */
#define UL_TITLES_SIZE 64    /* called and calling AE title, 32 reserved bytes */
#define UL_TITLES_OFFSET 4   /* of them in the body of an A-ASSOCIATE-RQ */
#define UL_REQUEST_MIN 68    /* body of an A-ASSOCIATE-RQ without items */

#define UL_APPLICATION_CONTEXT "1.2.840.10008.3.1.1.1" /* PS3.7 A.2.1 */

uint16_t ul_read_u16(const uint8_t *at);
uint32_t ul_read_u32(const uint8_t *at);
void ul_write_u32(uint8_t *at, uint32_t value);

/* Parses the body of an A-ASSOCIATE-RQ (what follows the six header bytes).  Items of unknown types
 * are passed over.  Free with ul_request_free().
 *   CAIRN_EPROTO  the bytes are no request
 *   CAIRN_ELIMIT  a request with more presentation contexts or syntaxes than we take
 *   CAIRN_ENOMEM */
int ul_request_parse(const uint8_t *body, size_t length, struct ul_request **ret_request);
void ul_request_free(struct ul_request *request);

/* Appends the whole A-ASSOCIATE-AC. `titles` are the bytes of the request that it must echo. */
int ul_accept_build(struct buf *out, const struct ul_request *request,
    const uint8_t titles[UL_TITLES_SIZE], uint32_t max_pdu);

void ul_short_build(uint8_t ret[UL_SHORT_PDU_SIZE], enum ul_pdu_type type, const uint8_t last[3]);

#endif
