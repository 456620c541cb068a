/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message is a command set and perhaps a data set, each a run of PDVs of one presentation context
 * (PS3.7 6.3, PS3.8 Annex E).  The command set is collected (it is small), the data set is handed
 * on in pieces.  What breaks that order is aborted; a request that is in order but not for us is
 * answered with a status after its data set has gone by.
 */
#include "dicom/dimse.h"

#include <stdlib.h>
#include <string.h>

struct dimse {
	struct dimse_ops ops;
	void *arg;
	struct ul_server *server; /* NULL when used without */
	void (*done)(void *arg);
	void *done_arg;
};

/* A request that the consumer has not answered, or whose answer waits for the data set's end. */
struct pending {
	struct dimse_store store; /* first: what the consumer sees */
	struct session *session;  /* NULL once the association is over */
	struct pending *next;
	bool receiving;
	bool responded;
	uint16_t status; /* when responded */
	char comment[DIMSE_COMMENT_MAX + 1];
};

struct session {
	struct dimse *dimse;
	struct ul_assoc *assoc;
	struct buf bytes;             /* of the command set under way */
	struct dimse_command request; /* the last one that came whole */
	uint8_t context;              /* of the message under way */
	bool in_data;                 /* its command set is complete, its data set is not */
	struct pending *storing;      /* whose data set comes; NULL: it is dropped */
	uint16_t refusal;             /* the status when it has gone by */
	struct pending *pending;
	unsigned outstanding;
};

/* ---- responses --------------------------------------------------------------------------- */

static void
respond(struct session *session, uint8_t context, const struct dimse_command *response)
{
	BUF_AUTO out = {.max = DIMSE_COMMAND_MAX};
	int code = dimse_command_build(&out, response);

	if (code == 0)
		code = ul_send(session->assoc, context, UL_COMMAND | UL_LAST, out.data, out.length);
	/* A request that we cannot answer must not look as if it were still under way. */
	if (code != 0 && code != CAIRN_EUNAVAILABLE)
		ul_abort(session->assoc);
}

/* The answer to session->request by this layer itself. */
static void
answer(struct session *session, uint16_t status)
{
	struct dimse_command response = session->request;

	response.has &= DIMSE_HAS_AFFECTED_CLASS | DIMSE_HAS_AFFECTED_INSTANCE;
	if (!ul_uid_valid(response.affected_class))
		response.has &= ~(unsigned)DIMSE_HAS_AFFECTED_CLASS;
	if (!ul_uid_valid(response.affected_instance))
		response.has &= ~(unsigned)DIMSE_HAS_AFFECTED_INSTANCE;
	response.has |=
	    DIMSE_HAS_FIELD | DIMSE_HAS_RESPONDED_ID | DIMSE_HAS_DATA_SET_TYPE | DIMSE_HAS_STATUS;
	response.field |= DIMSE_RESPONSE;
	response.responded_id = response.message_id;
	response.data_set_type = DIMSE_NO_DATA_SET;
	response.status = status;
	respond(session, session->context, &response);
}

static void
pending_unlink(struct pending *pending)
{
	struct pending **at = &pending->session->pending;

	while (*at != pending)
		at = &(*at)->next;
	*at = pending->next;
	pending->session->outstanding--;
}

static void
pending_send(struct pending *pending)
{
	const struct dimse_store *store = &pending->store;
	struct session *session = pending->session;
	struct dimse_command response = {
	    .has = DIMSE_HAS_AFFECTED_CLASS | DIMSE_HAS_FIELD | DIMSE_HAS_RESPONDED_ID |
		DIMSE_HAS_DATA_SET_TYPE | DIMSE_HAS_STATUS | DIMSE_HAS_AFFECTED_INSTANCE,
	    .field = DIMSE_C_STORE_RQ | DIMSE_RESPONSE,
	    .responded_id = store->message_id,
	    .data_set_type = DIMSE_NO_DATA_SET,
	    .status = pending->status,
	};

	memcpy(response.affected_class, store->sop_class, sizeof store->sop_class);
	memcpy(response.affected_instance, store->sop_instance, sizeof store->sop_instance);
	memcpy(response.comment, pending->comment, sizeof pending->comment);
	if (pending->comment[0] != 0)
		response.has |= DIMSE_HAS_COMMENT;
	respond(session, store->context_id, &response);
	pending_unlink(pending);
	free(pending);
}

/* LO without what would be a second value or a control character. */
static void
copy_comment(char ret[DIMSE_COMMENT_MAX + 1], const char *comment)
{
	size_t length = 0;

	for (; *comment != 0 && length < DIMSE_COMMENT_MAX; comment++)
		if (*comment >= 0x20 && *comment <= 0x7e && *comment != '\\')
			ret[length++] = *comment;
	ret[length] = 0;
}

void
dimse_store_respond(struct dimse_store *store, uint16_t status, const char *comment)
{
	struct pending *pending = (struct pending *)store;

	if (pending->session == NULL) {
		free(pending);
		return;
	}
	pending->responded = true;
	pending->status = status;
	if (comment != NULL && status != DIMSE_SUCCESS)
		copy_comment(pending->comment, comment);
	if (pending->receiving)
		return;
	ul_unhold(pending->session->assoc);
	pending_send(pending);
}

/* ---- C-STORE ----------------------------------------------------------------------------- */

/* 0, or the status to refuse with. */
static uint16_t
check_store(const struct session *session)
{
	const struct dimse_command *request = &session->request;
	const struct ul_accepted *context = ul_context_find(session->assoc, session->context);

	if (strcmp(request->affected_class, context->abstract) != 0)
		return DIMSE_CLASS_NOT_SUPPORTED;
	if (!ul_uid_valid(request->affected_instance))
		return DIMSE_INVALID_INSTANCE;
	if (request->data_set_type == DIMSE_NO_DATA_SET)
		return DIMSE_MISTYPED_ARGUMENT;
	return 0;
}

static struct pending *
pending_new(struct session *session)
{
	const struct dimse_command *request = &session->request;
	const struct ul_accepted *context = ul_context_find(session->assoc, session->context);
	struct pending *pending = calloc(1, sizeof *pending);
	struct dimse_store *store;

	if (pending == NULL)
		return NULL;
	store = &pending->store;
	store->assoc = session->assoc;
	store->context_id = session->context;
	store->message_id = request->message_id;
	store->priority = request->priority;
	store->move_message_id = request->move_id;
	memcpy(store->transfer_syntax, context->transfer, sizeof store->transfer_syntax);
	memcpy(store->sop_class, request->affected_class, sizeof store->sop_class);
	memcpy(store->sop_instance, request->affected_instance, sizeof store->sop_instance);
	memcpy(store->move_originator, request->move_originator, sizeof store->move_originator);
	pending->session = session;
	pending->receiving = true;
	pending->next = session->pending;
	session->pending = pending;
	session->outstanding++;
	return pending;
}

/* 0 when the consumer has it, else the status to refuse with. */
static uint16_t
begin_store(struct session *session)
{
	uint16_t status = check_store(session);

	if (status != 0)
		return status;
	session->storing = pending_new(session);
	if (session->storing == NULL)
		return DIMSE_OUT_OF_RESOURCES;
	session->dimse->ops.on_store_begin(session->dimse->arg, &session->storing->store);
	return 0;
}

static void
end_store(struct session *session)
{
	struct pending *pending = session->storing;

	session->storing = NULL;
	pending->receiving = false;
	if (pending->responded) {
		pending_send(pending);
		return;
	}
	ul_hold(session->assoc);
	session->dimse->ops.on_store_end(session->dimse->arg, &pending->store, true);
}

/* ---- messages ---------------------------------------------------------------------------- */

static void
perform(struct session *session)
{
	const struct dimse_command *request = &session->request;
	uint16_t status = DIMSE_UNRECOGNIZED_OPERATION;

	session->in_data = request->data_set_type != DIMSE_NO_DATA_SET;
	if (request->field == DIMSE_C_STORE_RQ)
		status = begin_store(session);
	else if (request->field == DIMSE_C_ECHO_RQ)
		status = DIMSE_SUCCESS;
	session->refusal = status;
	if (!session->in_data)
		answer(session, status);
}

static void
command_complete(struct session *session)
{
	const unsigned needed = DIMSE_HAS_MESSAGE_ID | DIMSE_HAS_DATA_SET_TYPE;
	struct dimse_command *request = &session->request;
	int code = dimse_command_parse(session->bytes.data, session->bytes.length, request);

	buf_fini(&session->bytes);
	if (code != 0 || (request->field & DIMSE_RESPONSE) != 0) {
		ul_abort(session->assoc);
		return;
	}
	/* Everything is answered in the order it came, so what C-CANCEL means is done already. */
	if (request->field == DIMSE_C_CANCEL_RQ)
		return;
	if ((request->has & needed) != needed || session->outstanding >= DIMSE_OUTSTANDING_MAX)
		ul_abort(session->assoc);
	else
		perform(session);
}

static void
on_command(struct session *session, uint8_t context, bool last, const uint8_t *bytes, size_t length)
{
	if (session->in_data || (session->bytes.length > 0 && context != session->context)) {
		ul_abort(session->assoc);
		return;
	}
	session->context = context;
	if (buf_append(&session->bytes, bytes, length) != 0)
		ul_abort(session->assoc);
	else if (last)
		command_complete(session);
}

static void
on_data(struct session *session, uint8_t context, bool last, const uint8_t *bytes, size_t length)
{
	struct pending *storing = session->storing;

	if (!session->in_data || context != session->context) {
		ul_abort(session->assoc);
		return;
	}
	if (storing != NULL && !storing->responded && length > 0)
		session->dimse->ops.on_store_data(
		    session->dimse->arg, &storing->store, bytes, length);
	if (!last)
		return;
	session->in_data = false;
	if (storing != NULL)
		end_store(session);
	else
		answer(session, session->refusal);
}

static void
on_pdv(void *arg, struct ul_assoc *assoc, uint8_t context, unsigned flags, const uint8_t *bytes,
    size_t length)
{
	struct session *session = ul_layer(assoc);
	bool last = (flags & UL_LAST) != 0;

	(void)arg;
	if ((flags & UL_COMMAND) != 0)
		on_command(session, context, last, bytes, length);
	else
		on_data(session, context, last, bytes, length);
}

/* ---- associations ------------------------------------------------------------------------ */

static void
on_associate(void *arg, struct ul_assoc *assoc, struct ul_request *request)
{
	struct dimse *dimse = arg;
	struct session *session = calloc(1, sizeof *session);

	if (session == NULL) {
		ul_reject(assoc, UL_REJECT_TRANSIENT, UL_REJECT_PRESENTATION, UL_REJECT_CONGESTION);
		return;
	}
	session->dimse = dimse;
	session->assoc = assoc;
	buf_init(&session->bytes, DIMSE_COMMAND_MAX);
	ul_set_layer(assoc, session);
	dimse->ops.on_associate(dimse->arg, assoc, request);
}

/* The consumer keeps what it has not answered; what is answered already was ours. */
static void
detach_all(struct session *session)
{
	struct pending *next;

	for (struct pending *pending = session->pending; pending != NULL; pending = next) {
		next = pending->next;
		pending->session = NULL;
		pending->store.assoc = NULL;
		if (pending->responded)
			free(pending);
	}
	session->pending = NULL;
}

static void
on_closed(void *arg, struct ul_assoc *assoc, enum ul_reason reason)
{
	struct dimse *dimse = arg;
	struct session *session = ul_layer(assoc);
	struct pending *storing;

	if (session == NULL)
		return;
	storing = session->storing;
	if (storing != NULL && storing->responded)
		storing = NULL;
	detach_all(session);
	if (storing != NULL)
		dimse->ops.on_store_end(dimse->arg, &storing->store, false);
	dimse->ops.on_closed(dimse->arg, assoc, reason);
	buf_fini(&session->bytes);
	free(session);
}

/* ---- the layer --------------------------------------------------------------------------- */

int
dimse_new(const struct dimse_ops *ops, void *arg, struct dimse **ret_dimse, struct ul_ops *ret_ops)
{
	struct dimse *dimse = calloc(1, sizeof *dimse);

	if (dimse == NULL)
		return CAIRN_ENOMEM;
	dimse->ops = *ops;
	dimse->arg = arg;
	*ret_ops = (struct ul_ops){on_associate, on_pdv, on_closed};
	*ret_dimse = dimse;
	return 0;
}

void
dimse_free(struct dimse *dimse)
{
	free(dimse);
}

int
dimse_listen(struct uv_loop_s *loop, const char *address, uint16_t port,
    const struct ul_options *options, const struct dimse_ops *ops, void *arg,
    struct dimse **ret_dimse, struct cairn_error *err)
{
	struct dimse *dimse;
	struct ul_ops ul_ops;
	int code = dimse_new(ops, arg, &dimse, &ul_ops);

	if (code != 0)
		return cairn_error_set(err, code, "out of memory");
	code = ul_listen(loop, address, port, options, &ul_ops, dimse, &dimse->server, err);
	if (code != 0) {
		dimse_free(dimse);
		return code;
	}
	*ret_dimse = dimse;
	return 0;
}

int
dimse_listen_fd(struct uv_loop_s *loop, int fd, const struct ul_options *options,
    const struct dimse_ops *ops, void *arg, struct dimse **ret_dimse, struct cairn_error *err)
{
	struct dimse *dimse;
	struct ul_ops ul_ops;
	int code = dimse_new(ops, arg, &dimse, &ul_ops);

	if (code != 0)
		return cairn_error_set(err, code, "out of memory");
	code = ul_listen_fd(loop, fd, options, &ul_ops, dimse, &dimse->server, err);
	if (code != 0) {
		dimse_free(dimse);
		return code;
	}
	*ret_dimse = dimse;
	return 0;
}

struct ul_server *
dimse_server(struct dimse *dimse)
{
	return dimse->server;
}

static void
on_server_closed(void *arg)
{
	struct dimse *dimse = arg;
	void (*done)(void *done_arg) = dimse->done;
	void *done_arg = dimse->done_arg;

	dimse_free(dimse);
	if (done != NULL)
		done(done_arg);
}

void
dimse_close(struct dimse *dimse, void (*done)(void *arg), void *arg)
{
	dimse->done = done;
	dimse->done_arg = arg;
	ul_server_close(dimse->server, on_server_closed, dimse);
}
