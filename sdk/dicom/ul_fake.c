/* SPDX-License-Identifier: Apache-2.0 */
#include "dicom/ul_fake.h"

#include <assert.h>
#include <string.h>

#include "dicom/part10.h"

static struct ul_fake *
fake_of(struct ul_assoc *assoc)
{
	return (struct ul_fake *)assoc;
}

static void
fake_send(struct ul_assoc *assoc, const uint8_t *bytes, size_t length)
{
	if (buf_append(&fake_of(assoc)->sent, bytes, length) != 0)
		ul_drop(assoc, UL_LIMIT);
}

static void
fake_close(struct ul_assoc *assoc)
{
	fake_of(assoc)->closed = true;
}

static void
fake_artim(struct ul_assoc *assoc, bool run)
{
	fake_of(assoc)->artim = run;
}

static void
fake_pause(struct ul_assoc *assoc)
{
	(void)assoc;
}

static void
fake_wake(struct ul_assoc *assoc)
{
	fake_of(assoc)->woken = true;
}

static bool
fake_admit(struct ul_assoc *assoc)
{
	return !fake_of(assoc)->full;
}

void
ul_fake_init(struct ul_fake *fake, const struct ul_ops *ops, void *arg)
{
	static const struct ul_transport transport = {
	    fake_send, fake_close, fake_artim, fake_pause, fake_wake, fake_admit};
	const struct ul_ops own = *ops; /* may be in `fake`: tests begin again with it */

	memset(fake, 0, sizeof *fake);
	fake->ops = own;
	ul_options_default(&fake->options);
	buf_init(&fake->sent, 1 << 20);
	buf_init(&fake->stash, 1 << 20);
	ul_assoc_init(&fake->assoc, &transport, &fake->options, &fake->ops, arg);
	ul_event(&fake->assoc, UL_EVT5_TRANSPORT_INDICATION);
}

void
ul_fake_fini(struct ul_fake *fake)
{
	ul_event(&fake->assoc, UL_EVT17_TRANSPORT_CLOSED);
	ul_assoc_wake(&fake->assoc);
	ul_assoc_fini(&fake->assoc);
	buf_fini(&fake->sent);
	buf_fini(&fake->stash);
}

void
ul_fake_feed(struct ul_fake *fake, const void *bytes, size_t length)
{
	size_t used = 0;

	if (fake->stash.length == 0)
		used = ul_assoc_feed(&fake->assoc, bytes, length);
	if (used < length && !fake->closed)
		(void)buf_append(&fake->stash, (const uint8_t *)bytes + used, length - used);
}

void
ul_fake_turn(struct ul_fake *fake)
{
	fake->woken = false;
	ul_assoc_wake(&fake->assoc);
	buf_consume(
	    &fake->stash, ul_assoc_feed(&fake->assoc, fake->stash.data, fake->stash.length));
}

unsigned
ul_fake_sent(struct ul_fake *fake, struct buf *ret_pdu)
{
	size_t length;

	buf_clear(ret_pdu);
	if (fake->sent.length < UL_HEADER_SIZE)
		return 0;
	length = UL_HEADER_SIZE + ul_read_u32(fake->sent.data + 2);
	assert(length <= fake->sent.length);
	if (buf_append(ret_pdu, fake->sent.data, length) != 0)
		return 0;
	buf_consume(&fake->sent, length);
	return ret_pdu->data[0];
}

/* ---- bytes ------------------------------------------------------------------------------- */

static void
append(struct buf *out, const void *bytes, size_t length)
{
	int code = buf_append(out, bytes, length);

	assert(code == 0);
	(void)code;
}

void
ul_fake_pdu(struct buf *out, unsigned type, const void *body, size_t length)
{
	uint8_t header[UL_HEADER_SIZE] = {(uint8_t)type};

	ul_write_u32(header + 2, (uint32_t)length);
	append(out, header, sizeof header);
	append(out, body, length);
}

void
ul_fake_pdv(struct buf *out, uint8_t context, unsigned flags, const void *bytes, size_t length)
{
	uint8_t header[UL_HEADER_SIZE + UL_PDV_HEADER_SIZE] = {UL_P_DATA_TF};

	ul_write_u32(header + 2, (uint32_t)length + UL_PDV_HEADER_SIZE);
	ul_write_u32(header + 6, (uint32_t)length + 2);
	header[10] = context;
	header[11] = (uint8_t)flags;
	append(out, header, sizeof header);
	append(out, bytes, length);
}

static void
put_item(struct buf *out, uint8_t type, const void *value, size_t length)
{
	const uint8_t header[4] = {type, 0, (uint8_t)(length >> 8), (uint8_t)length};

	append(out, header, sizeof header);
	append(out, value, length);
}

static void
put_context(struct buf *out, uint8_t id, const char *abstract)
{
	BUF_AUTO item = {.max = 1024};

	append(&item, (const uint8_t[]){id, 0, 0, 0}, 4);
	put_item(&item, 0x30, abstract, strlen(abstract));
	put_item(&item, 0x40, DCM_IMPLICIT_LE, strlen(DCM_IMPLICIT_LE));
	put_item(&item, 0x40, DCM_EXPLICIT_LE, strlen(DCM_EXPLICIT_LE));
	put_item(out, 0x20, item.data, item.length);
}

void
ul_fake_request(struct buf *out, const char *const *abstracts, size_t count, uint32_t max_pdu)
{
	BUF_AUTO body = {.max = 65536};
	BUF_AUTO info = {.max = 256};
	uint8_t length[4];

	append(&body, "\0\1\0\0CAIRN           STORE           ", 36);
	append(&body, (const uint8_t[32]){0}, 32);
	put_item(&body, 0x10, UL_APPLICATION_CONTEXT, strlen(UL_APPLICATION_CONTEXT));
	for (size_t i = 0; i < count; i++)
		put_context(&body, (uint8_t)(2 * i + 1), abstracts[i]);
	ul_write_u32(length, max_pdu);
	put_item(&info, 0x51, length, sizeof length);
	put_item(&info, 0x52, "2.25.1", 6);
	put_item(&info, 0x53, "\0\5\0\5", 4);
	put_item(&info, 0x55, "TESTER", 6);
	put_item(&info, 0x58, "\2\0\0\4user\0\4pass", 14);
	put_item(&body, 0x50, info.data, info.length);
	ul_fake_pdu(out, UL_ASSOCIATE_RQ, body.data, body.length);
}
