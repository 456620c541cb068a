/* SPDX-License-Identifier: Apache-2.0 */
#include "dicom/ul_assoc.h"

#include <stdlib.h>
#include <string.h>

/* PDVs that we send are cut to this even if the peer takes more: a P-DATA-TF is held whole. */
#define SEND_PDU_MAX 65536u
#define SEND_MAX (64u << 20)

void
ul_options_default(struct ul_options *ret)
{
	*ret = (struct ul_options){
	    .max_associations = 512,
	    .max_per_peer = 64,
	    .artim_ms = 10000,
	    .idle_ms = 300000,
	    .max_pdu = 262144,
	    .max_request_bytes = 131072,
	    .max_contexts = UL_CONTEXTS_MAX,
	    .write_queue_bytes = 262144,
	    .receive_bytes = 262144,
	    .backlog = 511,
	};
}

const char *
ul_reason_text(enum ul_reason reason)
{
	static const char *const texts[] = {
	    [UL_RELEASED] = "released",
	    [UL_REJECTED] = "rejected",
	    [UL_ABORTED] = "aborted by us",
	    [UL_PEER_ABORTED] = "aborted by the peer",
	    [UL_PROTOCOL_ERROR] = "aborted: the peer broke the protocol",
	    [UL_LOST] = "connection lost",
	    [UL_IDLE] = "idle for too long",
	    [UL_LIMIT] = "the peer does not read, or memory is short",
	    [UL_STOPPED] = "stopped",
	};

	return texts[reason];
}

void
ul_assoc_init(struct ul_assoc *assoc, const struct ul_transport *transport,
    const struct ul_options *options, const struct ul_ops *ops, void *ops_arg)
{
	assoc->state = UL_STA1;
	assoc->transport = transport;
	assoc->options = options;
	assoc->ops = ops;
	assoc->ops_arg = ops_arg;
	buf_init(&assoc->parser.body, options->max_request_bytes);
}

void
ul_assoc_fini(struct ul_assoc *assoc)
{
	ul_request_free(assoc->request);
	assoc->request = NULL;
	free(assoc->accepted);
	assoc->accepted = NULL;
	assoc->accepted_count = 0;
	buf_fini(&assoc->parser.body);
}

int
ul_accept(struct ul_assoc *assoc)
{
	return ul_event(assoc, UL_EVT7_ACCEPT);
}

int
ul_reject(struct ul_assoc *assoc, enum ul_reject_result result, enum ul_reject_source source,
    enum ul_reject_reason reason)
{
	assoc->rejection[0] = (uint8_t)result;
	assoc->rejection[1] = (uint8_t)source;
	assoc->rejection[2] = (uint8_t)reason;
	return ul_event(assoc, UL_EVT8_REJECT);
}

int
ul_release(struct ul_assoc *assoc)
{
	return ul_event(assoc, UL_EVT11_RELEASE_REQUEST) == 0 ? 0 : CAIRN_EUNAVAILABLE;
}

void
ul_abort(struct ul_assoc *assoc)
{
	/* Where there is nothing to abort the table has no cell, and nothing is to be done. */
	(void)ul_event(assoc, UL_EVT15_ABORT_REQUEST);
}

static int
put_pdu(struct buf *out, const uint8_t header[2], const uint8_t *bytes, size_t length)
{
	uint8_t start[UL_HEADER_SIZE + UL_PDV_HEADER_SIZE] = {UL_P_DATA_TF};
	int code;

	ul_write_u32(start + 2, (uint32_t)(length + UL_PDV_HEADER_SIZE));
	ul_write_u32(start + UL_HEADER_SIZE, (uint32_t)(length + 2));
	start[10] = header[0];
	start[11] = header[1];
	code = buf_append(out, start, sizeof start);
	return code != 0 ? code : buf_append(out, bytes, length);
}

static int
put_pdus(
    struct buf *out, size_t piece, const uint8_t header[2], const uint8_t *bytes, size_t length)
{
	const uint8_t more[2] = {header[0], header[1] & UL_COMMAND};
	int code = 0;

	while (code == 0 && length > piece) {
		code = put_pdu(out, more, bytes, piece);
		bytes += piece;
		length -= piece;
	}
	return code != 0 ? code : put_pdu(out, header, bytes, length);
}

int
ul_send(struct ul_assoc *assoc, uint8_t context, unsigned flags, const void *bytes, size_t length)
{
	const uint8_t header[2] = {context, (uint8_t)(flags & (UL_COMMAND | UL_LAST))};
	size_t pdu =
	    assoc->peer_max == 0 || assoc->peer_max > SEND_PDU_MAX ? SEND_PDU_MAX : assoc->peer_max;
	/* Fragments have an even length (PS3.8 Annex E). */
	size_t piece = (pdu - UL_PDV_HEADER_SIZE) & ~(size_t)1;
	BUF_AUTO out = {.max = SEND_MAX};
	int code;

	if (assoc->state != UL_STA6 && assoc->state != UL_STA8)
		return CAIRN_EUNAVAILABLE;
	if (ul_context_find(assoc, context) == NULL)
		return CAIRN_EINVAL;
	code = put_pdus(&out, piece, header, bytes, length);
	if (code != 0)
		return code;
	assoc->send_bytes = out.data;
	assoc->send_length = out.length;
	return ul_event(assoc, UL_EVT9_P_DATA_REQUEST);
}

void
ul_pause(struct ul_assoc *assoc)
{
	if (assoc->ended)
		return;
	if (assoc->paused++ == 0)
		assoc->transport->pause(assoc);
}

void
ul_resume(struct ul_assoc *assoc)
{
	if (assoc->ended || assoc->paused == 0)
		return;
	if (--assoc->paused == 0)
		assoc->transport->wake(assoc);
}

void
ul_hold(struct ul_assoc *assoc)
{
	assoc->held++;
}

void
ul_unhold(struct ul_assoc *assoc)
{
	if (assoc->held > 0)
		assoc->held--;
}

const char *
ul_called(const struct ul_assoc *assoc)
{
	return assoc->called;
}

const char *
ul_calling(const struct ul_assoc *assoc)
{
	return assoc->calling;
}

const char *
ul_peer(const struct ul_assoc *assoc)
{
	return assoc->peer;
}

const struct ul_accepted *
ul_context_find(const struct ul_assoc *assoc, uint8_t id)
{
	for (size_t i = 0; i < assoc->accepted_count; i++)
		if (assoc->accepted[i].id == id)
			return &assoc->accepted[i];
	return NULL;
}

void *
ul_user(const struct ul_assoc *assoc)
{
	return assoc->user;
}

void
ul_set_user(struct ul_assoc *assoc, void *user)
{
	assoc->user = user;
}

void *
ul_layer(const struct ul_assoc *assoc)
{
	return assoc->layer;
}

void
ul_set_layer(struct ul_assoc *assoc, void *layer)
{
	assoc->layer = layer;
}
