/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_DIMSE_COMMAND_H
#define DICOM_DIMSE_COMMAND_H

/* DIMSE command sets (PS3.7 6.3.1, E.1): group 0000 in implicit VR little endian, as structs. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "dicom/ul.h"

#define DIMSE_COMMAND_MAX 16384 /* bytes of a command set; real ones have 100-300 */
#define DIMSE_COMMENT_MAX 64    /* characters of an Error Comment, LO */

enum dimse_field { /* PS3.7 E.1-1; a response's has bit 15 set */
	DIMSE_C_STORE_RQ = 0x0001,
	DIMSE_C_ECHO_RQ = 0x0030,
	DIMSE_C_CANCEL_RQ = 0x0fff,
	DIMSE_RESPONSE = 0x8000,
};

#define DIMSE_NO_DATA_SET 0x0101u /* any other Command Data Set Type means that one follows */

enum dimse_status { /* PS3.7 C, PS3.4 B.2.3 */
	DIMSE_SUCCESS = 0x0000,
	DIMSE_INVALID_ATTRIBUTE = 0x0106,
	DIMSE_PROCESSING_FAILURE = 0x0110,
	DIMSE_INVALID_INSTANCE = 0x0117,
	DIMSE_NO_SUCH_CLASS = 0x0118,
	DIMSE_CLASS_NOT_SUPPORTED = 0x0122,
	DIMSE_NOT_AUTHORIZED = 0x0124,
	DIMSE_UNRECOGNIZED_OPERATION = 0x0211,
	DIMSE_MISTYPED_ARGUMENT = 0x0212,
	DIMSE_OUT_OF_RESOURCES = 0xa700,
	DIMSE_DATA_SET_MISMATCH = 0xa900,
	DIMSE_CANNOT_UNDERSTAND = 0xc000,
};

enum dimse_present {                         /* which attributes a command set has, or is to have */
	DIMSE_HAS_AFFECTED_CLASS = 1u << 0,  /* (0000,0002) */
	DIMSE_HAS_REQUESTED_CLASS = 1u << 1, /* (0000,0003) */
	DIMSE_HAS_FIELD = 1u << 2,           /* (0000,0100) */
	DIMSE_HAS_MESSAGE_ID = 1u << 3,      /* (0000,0110) */
	DIMSE_HAS_RESPONDED_ID = 1u << 4,    /* (0000,0120) */
	DIMSE_HAS_PRIORITY = 1u << 5,        /* (0000,0700) */
	DIMSE_HAS_DATA_SET_TYPE = 1u << 6,   /* (0000,0800) */
	DIMSE_HAS_STATUS = 1u << 7,          /* (0000,0900) */
	DIMSE_HAS_COMMENT = 1u << 8,         /* (0000,0902) */
	DIMSE_HAS_AFFECTED_INSTANCE = 1u << 9, /* (0000,1000) */
	DIMSE_HAS_MOVE_ORIGINATOR = 1u << 10,  /* (0000,1030) */
	DIMSE_HAS_MOVE_ID = 1u << 11,          /* (0000,1031) */
};

struct dimse_command {
	unsigned has; /* of enum dimse_present */
	uint16_t field;
	uint16_t message_id;
	uint16_t responded_id;
	uint16_t priority;
	uint16_t data_set_type;
	uint16_t status;
	uint16_t move_id;
	/* Text without padding.  "" also where what came is longer than the attribute may be. */
	char affected_class[UL_UID_MAX + 1];
	char requested_class[UL_UID_MAX + 1];
	char affected_instance[UL_UID_MAX + 1];
	char move_originator[UL_AE_MAX + 1];
	char comment[DIMSE_COMMENT_MAX + 1];
};

/* CAIRN_EPROTO: no command set, or one whose elements are not of group 0000, not in ascending
 * order, or of a length that their VR cannot have.  Attributes that we do not know are passed over.
 */
int dimse_command_parse(const uint8_t *bytes, size_t length, struct dimse_command *ret);

/* Appends the attributes that `has` names, after the group length. */
int dimse_command_build(struct buf *out, const struct dimse_command *command);

#endif
