/* SPDX-License-Identifier: Apache-2.0 */
#include "dicom/ul_pdu.h"

#include <stdlib.h>
#include <string.h>

#include "dicom/part10.h"

enum item_type { /* PS3.8 9.3.2, PS3.7 D.3.3 */
	ITEM_APPLICATION_CONTEXT = 0x10,
	ITEM_CONTEXT_RQ = 0x20,
	ITEM_CONTEXT_AC = 0x21,
	ITEM_ABSTRACT = 0x30,
	ITEM_TRANSFER = 0x40,
	ITEM_USER_INFORMATION = 0x50,
	ITEM_MAX_LENGTH = 0x51,
	ITEM_IMPLEMENTATION_UID = 0x52,
	ITEM_ASYNCHRONOUS = 0x53,
	ITEM_IMPLEMENTATION_VERSION = 0x55,
	ITEM_USER_IDENTITY = 0x58,
};

#define ITEM_HEADER_SIZE 4
#define CONTEXT_HEADER_SIZE 4
/* An item is a header and at least one byte, so this many transfer syntaxes fit in a request. */
#define TRANSFERS_IN(length) ((length) / (ITEM_HEADER_SIZE + 1))

/* A request and the memory its pointers go to: text is at most as long as the PDU, because each
 * string's zero takes less than the item header before it did. */
struct parsed {
	struct ul_request request; /* first: ul_request_free() gets it back */
	const char **transfers;
	size_t transfers_used;
	size_t transfers_max;
	char *text;
	size_t text_used;
	bool seen_user_information;
	bool seen[256]; /* context ids */
};

struct item {
	uint8_t type;
	const uint8_t *value;
	size_t length;
};

struct cursor {
	const uint8_t *at;
	size_t left;
};

uint16_t
ul_read_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

uint32_t
ul_read_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

void
ul_write_u32(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 24);
	at[1] = (uint8_t)(value >> 16);
	at[2] = (uint8_t)(value >> 8);
	at[3] = (uint8_t)value;
}

/* False when the next item is not whole. */
static bool
item_next(struct cursor *cursor, struct item *ret)
{
	size_t length;

	if (cursor->left < ITEM_HEADER_SIZE)
		return false;
	length = ul_read_u16(cursor->at + 2);
	if (length > cursor->left - ITEM_HEADER_SIZE)
		return false;
	*ret = (struct item){cursor->at[0], cursor->at + ITEM_HEADER_SIZE, length};
	cursor->at += ITEM_HEADER_SIZE + length;
	cursor->left -= ITEM_HEADER_SIZE + length;
	return true;
}

bool
ul_uid_valid(const char *uid)
{
	size_t length = strlen(uid);

	if (length == 0 || length > UL_UID_MAX)
		return false;
	for (size_t i = 0; i < length; i++) {
		bool digit = uid[i] >= '0' && uid[i] <= '9';

		if (!digit && (uid[i] != '.' || i == 0 || uid[i - 1] == '.' || i + 1 == length))
			return false;
	}
	return true;
}

/* Many peers pad UIDs in items with a zero or a space, as in data sets. */
static bool
item_uid(const struct item *item, char ret[UL_UID_MAX + 1])
{
	size_t length = item->length;

	while (length > 0 && (item->value[length - 1] == 0 || item->value[length - 1] == ' '))
		length--;
	if (length > UL_UID_MAX || memchr(item->value, 0, length) != NULL)
		return false;
	memcpy(ret, item->value, length);
	ret[length] = 0;
	return ul_uid_valid(ret);
}

/* Printable text of at most 16 characters, without leading and trailing spaces (PS3.5 6.2, AE). */
static bool
trimmed(const uint8_t *bytes, size_t length, char ret[UL_AE_MAX + 1])
{
	while (length > 0 && (bytes[length - 1] == ' ' || bytes[length - 1] == 0))
		length--;
	while (length > 0 && *bytes == ' ') {
		bytes++;
		length--;
	}
	if (length > UL_AE_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if (bytes[i] < 0x20 || bytes[i] > 0x7e || bytes[i] == '\\')
			return false;
	memcpy(ret, bytes, length);
	ret[length] = 0;
	return true;
}

static const char *
keep(struct parsed *parsed, const char *uid)
{
	size_t size = strlen(uid) + 1;
	char *text = parsed->text + parsed->text_used;

	memcpy(text, uid, size);
	parsed->text_used += size;
	return text;
}

static int
parse_syntax(struct parsed *parsed, struct ul_context *context, const struct item *item)
{
	char uid[UL_UID_MAX + 1];

	if (item->type != ITEM_ABSTRACT && item->type != ITEM_TRANSFER)
		return 0;
	if (!item_uid(item, uid))
		return CAIRN_EPROTO;
	if (item->type == ITEM_ABSTRACT) {
		if (context->abstract != NULL)
			return CAIRN_EPROTO;
		context->abstract = keep(parsed, uid);
		return 0;
	}
	if (parsed->transfers_used == parsed->transfers_max)
		return CAIRN_ELIMIT;
	parsed->transfers[parsed->transfers_used++] = keep(parsed, uid);
	context->transfer_count++;
	return 0;
}

static int
parse_context(struct parsed *parsed, const struct item *item)
{
	struct ul_request *request = &parsed->request;
	struct ul_context *context;
	struct cursor cursor;
	struct item sub;

	if (item->length < CONTEXT_HEADER_SIZE)
		return CAIRN_EPROTO;
	/* Ids are odd, so without duplicates there are never more than the array holds. */
	if (item->value[0] % 2 == 0 || parsed->seen[item->value[0]])
		return CAIRN_EPROTO;
	parsed->seen[item->value[0]] = true;
	context = &request->contexts[request->context_count++];
	*context = (struct ul_context){.id = item->value[0],
	    .transfers = parsed->transfers + parsed->transfers_used,
	    .result = UL_CONTEXT_NO_ABSTRACT_SYNTAX};
	cursor =
	    (struct cursor){item->value + CONTEXT_HEADER_SIZE, item->length - CONTEXT_HEADER_SIZE};
	while (cursor.left > 0) {
		int code =
		    item_next(&cursor, &sub) ? parse_syntax(parsed, context, &sub) : CAIRN_EPROTO;

		if (code != 0)
			return code;
	}
	return context->abstract != NULL && context->transfer_count > 0 ? 0 : CAIRN_EPROTO;
}

/* PS3.7 D.3.3.7.1: type, positive response requested, primary field, secondary field.  Only its
 * form is checked; the fields may be passwords and are not kept. */
static int
parse_identity(struct ul_request *request, const struct item *item)
{
	size_t primary, secondary;

	if (item->length < 6 || item->value[0] == 0)
		return CAIRN_EPROTO;
	primary = ul_read_u16(item->value + 2);
	if (primary > item->length - 6)
		return CAIRN_EPROTO;
	secondary = ul_read_u16(item->value + 4 + primary);
	if (secondary > item->length - 6 - primary)
		return CAIRN_EPROTO;
	request->identity_type = item->value[0];
	return 0;
}

static int
parse_user_item(struct ul_request *request, const struct item *item)
{
	switch (item->type) {
	case ITEM_MAX_LENGTH:
		if (item->length != 4)
			return CAIRN_EPROTO;
		request->max_pdu = ul_read_u32(item->value);
		/* Less than a PDV header and two bytes could carry nothing. */
		if (request->max_pdu != 0 && request->max_pdu < UL_PDV_HEADER_SIZE + 2)
			return CAIRN_EPROTO;
		return 0;
	case ITEM_IMPLEMENTATION_UID:
		return item_uid(item, request->implementation_uid) ? 0 : CAIRN_EPROTO;
	case ITEM_IMPLEMENTATION_VERSION:
		return trimmed(item->value, item->length, request->implementation_version)
		    ? 0
		    : CAIRN_EPROTO;
	case ITEM_ASYNCHRONOUS:
		if (item->length != 4)
			return CAIRN_EPROTO;
		request->asked_operations = ul_read_u16(item->value);
		return 0;
	case ITEM_USER_IDENTITY:
		return parse_identity(request, item);
	default: /* role selection and extended negotiation: not answered means not agreed */
		return 0;
	}
}

static int
parse_user_information(struct parsed *parsed, const struct item *item)
{
	struct cursor cursor = {item->value, item->length};
	struct item sub;

	if (parsed->seen_user_information)
		return CAIRN_EPROTO;
	parsed->seen_user_information = true;
	while (cursor.left > 0) {
		int code = item_next(&cursor, &sub) ? parse_user_item(&parsed->request, &sub)
						    : CAIRN_EPROTO;

		if (code != 0)
			return code;
	}
	return 0;
}

static int
parse_item(struct parsed *parsed, const struct item *item)
{
	struct ul_request *request = &parsed->request;

	switch (item->type) {
	case ITEM_APPLICATION_CONTEXT:
		if (request->application_context[0] != 0)
			return CAIRN_EPROTO;
		return item_uid(item, request->application_context) ? 0 : CAIRN_EPROTO;
	case ITEM_CONTEXT_RQ:
		return parse_context(parsed, item);
	case ITEM_USER_INFORMATION:
		return parse_user_information(parsed, item);
	default:
		return 0;
	}
}

static int
parse_body(struct parsed *parsed, const uint8_t *body, size_t length)
{
	struct ul_request *request = &parsed->request;
	struct cursor cursor = {body + UL_REQUEST_MIN, length - UL_REQUEST_MIN};
	struct item item;

	request->version = ul_read_u16(body);
	if (!trimmed(body + UL_TITLES_OFFSET, UL_AE_MAX, request->called) ||
	    !trimmed(body + UL_TITLES_OFFSET + UL_AE_MAX, UL_AE_MAX, request->calling))
		return CAIRN_EPROTO;
	while (cursor.left > 0) {
		int code = item_next(&cursor, &item) ? parse_item(parsed, &item) : CAIRN_EPROTO;

		if (code != 0)
			return code;
	}
	return request->application_context[0] != 0 && request->context_count > 0 ? 0
										  : CAIRN_EPROTO;
}

int
ul_request_parse(const uint8_t *body, size_t length, struct ul_request **ret_request)
{
	struct parsed *parsed;
	int code;

	if (length < UL_REQUEST_MIN)
		return CAIRN_EPROTO;
	parsed = calloc(1, sizeof *parsed);
	if (parsed == NULL)
		return CAIRN_ENOMEM;
	parsed->transfers_max =
	    TRANSFERS_IN(length) < UL_TRANSFERS_MAX ? TRANSFERS_IN(length) : UL_TRANSFERS_MAX;
	parsed->transfers = calloc(parsed->transfers_max + 1, sizeof *parsed->transfers);
	parsed->text = malloc(length);
	code = parsed->transfers != NULL && parsed->text != NULL ? parse_body(parsed, body, length)
								 : CAIRN_ENOMEM;
	if (code != 0) {
		ul_request_free(&parsed->request);
		return code;
	}
	*ret_request = &parsed->request;
	return 0;
}

void
ul_request_free(struct ul_request *request)
{
	struct parsed *parsed = (struct parsed *)request;

	if (parsed == NULL)
		return;
	free(parsed->transfers);
	free(parsed->text);
	free(parsed);
}

bool
ul_context_choose(struct ul_context *context, const char *transfer_syntax)
{
	for (size_t i = 0; i < context->transfer_count; i++) {
		if (strcmp(context->transfers[i], transfer_syntax) == 0) {
			context->result = UL_CONTEXT_ACCEPTED;
			context->chosen = i;
			return true;
		}
	}
	return false;
}

/* ---- building --------------------------------------------------------------------------- */

static int
put_item(struct buf *out, uint8_t type, const void *value, size_t length)
{
	const uint8_t header[ITEM_HEADER_SIZE] = {type, 0, (uint8_t)(length >> 8), (uint8_t)length};
	int code = buf_append(out, header, sizeof header);

	return code != 0 ? code : buf_append(out, value, length);
}

static int
put_context(struct buf *out, const struct ul_context *context)
{
	bool accepted = context->result == UL_CONTEXT_ACCEPTED;
	/* "Not significant" when refused (PS3.8 Table 9-18), yet old peers want the item. */
	const char *transfer = accepted ? context->transfers[context->chosen] : DCM_IMPLICIT_LE;
	uint8_t value[CONTEXT_HEADER_SIZE + ITEM_HEADER_SIZE + UL_UID_MAX] = {context->id, 0,
	    (uint8_t)context->result, 0, ITEM_TRANSFER, 0, 0, (uint8_t)strlen(transfer)};

	memcpy(value + CONTEXT_HEADER_SIZE + ITEM_HEADER_SIZE, transfer, strlen(transfer));
	return put_item(
	    out, ITEM_CONTEXT_AC, value, CONTEXT_HEADER_SIZE + ITEM_HEADER_SIZE + strlen(transfer));
}

/* Nothing else is answered: without these items the asynchronous window is 1, roles are the default
 * ones, and no extended negotiation is agreed. */
static int
put_user_information(struct buf *out, uint32_t max_pdu)
{
	BUF_AUTO info = {.max = 256};
	uint8_t length[4];
	int code;

	ul_write_u32(length, max_pdu);
	code = put_item(&info, ITEM_MAX_LENGTH, length, sizeof length);
	if (code == 0)
		code = put_item(&info, ITEM_IMPLEMENTATION_UID, DCM_IMPLEMENTATION_UID,
		    strlen(DCM_IMPLEMENTATION_UID));
	if (code == 0)
		code = put_item(&info, ITEM_IMPLEMENTATION_VERSION, DCM_IMPLEMENTATION_VERSION,
		    strlen(DCM_IMPLEMENTATION_VERSION));
	return code != 0 ? code : put_item(out, ITEM_USER_INFORMATION, info.data, info.length);
}

int
ul_accept_build(struct buf *out, const struct ul_request *request,
    const uint8_t titles[UL_TITLES_SIZE], uint32_t max_pdu)
{
	static const uint8_t header[UL_HEADER_SIZE + 4] = {UL_ASSOCIATE_AC, 0, 0, 0, 0, 0, 0, 1};
	size_t start = out->length;
	int code = buf_append(out, header, sizeof header);

	if (code == 0)
		code = buf_append(out, titles, UL_TITLES_SIZE);
	if (code == 0)
		code = put_item(out, ITEM_APPLICATION_CONTEXT, UL_APPLICATION_CONTEXT,
		    strlen(UL_APPLICATION_CONTEXT));
	for (size_t i = 0; code == 0 && i < request->context_count; i++)
		code = put_context(out, &request->contexts[i]);
	if (code == 0)
		code = put_user_information(out, max_pdu);
	if (code == 0)
		ul_write_u32(
		    out->data + start + 2, (uint32_t)(out->length - start - UL_HEADER_SIZE));
	return code;
}

void
ul_short_build(uint8_t ret[UL_SHORT_PDU_SIZE], enum ul_pdu_type type, const uint8_t last[3])
{
	const uint8_t pdu[UL_SHORT_PDU_SIZE] = {
	    (uint8_t)type, 0, 0, 0, 0, 4, 0, last[0], last[1], last[2]};

	memcpy(ret, pdu, sizeof pdu);
}
