/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_UL_H
#define DICOM_UL_H

/*
 * The DICOM upper layer (PS3.8) as acceptor, on a libuv loop: many associations at once, one
 * thread.  Everything here is called from the loop's thread, and every callback is made on it.
 *
 * P-DATA is never collected: fragments are handed on as they arrive, in the receive buffer.  What a
 * peer can make us hold is bounded by struct ul_options.  A-RELEASE requests are answered by the
 * layer itself; everything that breaks PS3.8 is answered by A-ABORT as its tables say.
 *
 * Since 0.1.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

struct uv_loop_s;
struct ul_assoc;  /* one association; valid from on_associate until on_closed returns */
struct ul_server; /* one listener and its associations */

#define UL_AE_MAX 16          /* an AE title, PS3.5 6.2 */
#define UL_UID_MAX 64         /* PS3.5 9.1 */
#define UL_PEER_MAX 64        /* a peer's address as text, with its zero */
#define UL_CONTEXTS_MAX 128   /* odd numbers of a byte */
#define UL_TRANSFERS_MAX 4096 /* transfer syntaxes in one request, all contexts together */

struct ul_options {
	size_t max_associations;  /* of this server; more are rejected: local limit exceeded */
	size_t max_per_peer;      /* the same for one peer address */
	unsigned artim_ms;        /* PS3.8 9.1.5: for a request to come, for a peer to hang up */
	unsigned idle_ms;         /* without a byte from the peer; 0 for ever */
	uint32_t max_pdu;         /* what we announce and enforce, PS3.8 D.1 */
	size_t max_request_bytes; /* of an A-ASSOCIATE-RQ */
	size_t max_contexts;      /* proposed in one request, at most UL_CONTEXTS_MAX */
	size_t write_queue_bytes; /* waiting for a peer that does not read; more drops it */
	size_t receive_bytes;     /* the receive buffer, one for the server */
	int backlog;
};

/* 512 associations, 64 per peer, ARTIM 10 s, idle 300 s, PDU 256 KiB, request 128 KiB, 128
 * contexts, write queue 256 KiB, receive buffer 256 KiB. */
void ul_options_default(struct ul_options *ret);

/* ---- the request ------------------------------------------------------------------------ */

enum ul_context_result { /* PS3.8 Table 9-18 */
	UL_CONTEXT_ACCEPTED = 0,
	UL_CONTEXT_USER_REJECTION = 1,
	UL_CONTEXT_NO_REASON = 2,
	UL_CONTEXT_NO_ABSTRACT_SYNTAX = 3,
	UL_CONTEXT_NO_TRANSFER_SYNTAX = 4,
};

/* One proposed presentation context.  Whoever answers sets `result` (it comes as
 * UL_CONTEXT_NO_ABSTRACT_SYNTAX) and, when accepting, `chosen`. */
struct ul_context {
	uint8_t id;
	const char *abstract;
	const char *const *transfers;
	size_t transfer_count;
	enum ul_context_result result;
	size_t chosen; /* index into transfers */
};

/* An A-ASSOCIATE-RQ.  All text is checked: AE titles are printable and trimmed, UIDs are digits and
 * single dots. */
struct ul_request {
	uint16_t version; /* bit 0 is set in version 1 */
	char called[UL_AE_MAX + 1];
	char calling[UL_AE_MAX + 1];
	char application_context[UL_UID_MAX + 1];
	char implementation_uid[UL_UID_MAX + 1]; /* "" when absent */
	char implementation_version[UL_AE_MAX + 1];
	uint32_t max_pdu;          /* the peer's; 0 is unlimited */
	uint16_t asked_operations; /* asynchronous window; we never grant more than 1 */
	uint8_t identity_type;     /* PS3.7 D.3.3.7; 0 when no user identity came; never stored */
	size_t context_count;
	struct ul_context contexts[UL_CONTEXTS_MAX];
};

/* Accepts `context` with this transfer syntax if it was proposed; false leaves it as it was. */
bool ul_context_choose(struct ul_context *context, const char *transfer_syntax);

struct ul_accepted {
	uint8_t id;
	char abstract[UL_UID_MAX + 1];
	char transfer[UL_UID_MAX + 1];
};

/* ---- callbacks -------------------------------------------------------------------------- */

enum ul_reason {
	UL_RELEASED,       /* in order */
	UL_REJECTED,       /* we rejected the request */
	UL_ABORTED,        /* we aborted: ul_abort() */
	UL_PEER_ABORTED,   /* A-ABORT or A-P-ABORT from the peer */
	UL_PROTOCOL_ERROR, /* the peer broke PS3.8 and was sent an A-ABORT */
	UL_LOST,           /* the transport connection ended under the association */
	UL_IDLE,           /* nothing came for idle_ms */
	UL_LIMIT,          /* the peer does not read, or memory is short */
	UL_STOPPED,        /* ul_server_close() */
};

const char *ul_reason_text(enum ul_reason reason);

/* The message control header of a PDV, PS3.8 E.2. */
#define UL_COMMAND 1u
#define UL_LAST 2u

struct ul_ops {
	/* Answer now or later with ul_accept() or ul_reject().  `request` is valid until then. */
	void (*on_associate)(void *arg, struct ul_assoc *assoc, struct ul_request *request);

	/* A piece of a PDV of an accepted context; `bytes` are valid during the call and may be
	 * none.  UL_LAST is set on the piece that ends a message's command or data set. */
	void (*on_pdv)(void *arg, struct ul_assoc *assoc, uint8_t context, unsigned flags,
	    const uint8_t *bytes, size_t length);

	/* The association is over.  Once for each on_associate, always from the loop and never
	 * from inside a call of ours.  `assoc` must not be used afterwards. */
	void (*on_closed)(void *arg, struct ul_assoc *assoc, enum ul_reason reason);
};

/* ---- an association --------------------------------------------------------------------- */

/* Answers the request as its contexts say.  CAIRN_EINVAL when it was answered or withdrawn. */
int ul_accept(struct ul_assoc *assoc);

/* PS3.8 Table 9-21. */
enum ul_reject_result { UL_REJECT_PERMANENT = 1, UL_REJECT_TRANSIENT = 2 };
enum ul_reject_source { UL_REJECT_USER = 1, UL_REJECT_ACSE = 2, UL_REJECT_PRESENTATION = 3 };
enum ul_reject_reason {
	UL_REJECT_NO_REASON = 1,           /* source user or ACSE */
	UL_REJECT_APPLICATION_CONTEXT = 2, /* source user */
	UL_REJECT_CALLING = 3,             /* source user */
	UL_REJECT_CALLED = 7,              /* source user */
	UL_REJECT_VERSION = 2,             /* source ACSE */
	UL_REJECT_CONGESTION = 1,          /* source presentation */
	UL_REJECT_LOCAL_LIMIT = 2,         /* source presentation */
};
int ul_reject(struct ul_assoc *assoc, enum ul_reject_result result, enum ul_reject_source source,
    enum ul_reject_reason reason);

/* Sends one PDV list, cut to the peer's maximum length.  `flags` as above; the last piece carries
 * UL_LAST if they do.  The bytes are copied.  CAIRN_EUNAVAILABLE when there is no association to
 * send on, CAIRN_EINVAL for a context that was not accepted, CAIRN_ENOMEM, CAIRN_ELIMIT. */
int ul_send(
    struct ul_assoc *assoc, uint8_t context, unsigned flags, const void *bytes, size_t length);

int ul_release(struct ul_assoc *assoc); /* A-RELEASE-RQ; on_closed follows */
void ul_abort(struct ul_assoc *assoc);  /* A-ABORT (service user); on_closed follows */

/* Back-pressure: between them nothing is delivered and nothing read, so that TCP slows the peer.
 * They nest.  A peer that goes away meanwhile is noticed at ul_resume(). */
void ul_pause(struct ul_assoc *assoc);
void ul_resume(struct ul_assoc *assoc);

/* While held, the idle time does not run: the peer waits for us.  They nest. */
void ul_hold(struct ul_assoc *assoc);
void ul_unhold(struct ul_assoc *assoc);

const char *ul_called(const struct ul_assoc *assoc);
const char *ul_calling(const struct ul_assoc *assoc);
const char *ul_peer(const struct ul_assoc *assoc); /* numeric address */
const struct ul_accepted *ul_context_find(const struct ul_assoc *assoc, uint8_t id); /* or NULL */

void *ul_user(const struct ul_assoc *assoc); /* the consumer's; NULL at first */
void ul_set_user(struct ul_assoc *assoc, void *user);
void *ul_layer(const struct ul_assoc *assoc); /* of the layer between (DIMSE); NULL at first */
void ul_set_layer(struct ul_assoc *assoc, void *layer);

/* PS3.5 9.1: 1-64 digits and dots, no empty component (so that it is safe as a file name). */
bool ul_uid_valid(const char *uid);

/* ---- the server ------------------------------------------------------------------------- */

struct ul_stats {
	uint64_t connections;  /* accepted transport connections */
	uint64_t associations; /* accepted associations */
	uint64_t rejected;     /* A-ASSOCIATE-RJ sent */
	uint64_t evicted;      /* connections without association that gave way to newer ones */
	uint64_t timed_out;    /* by ARTIM */
	size_t open;           /* connections now */
	size_t associated;     /* of them, associations */
};

/* Listens on a numeric address and port (0: any free one).  `ops` and `options` are copied.
 * Has the process ignore SIGPIPE if that has its default action.
 * CAIRN_EINVAL, CAIRN_EIO, CAIRN_ENOMEM. */
int ul_listen(struct uv_loop_s *loop, const char *address, uint16_t port,
    const struct ul_options *options, const struct ul_ops *ops, void *arg,
    struct ul_server **ret_server, struct cairn_error *err);

/* The same on a bound TCP socket, whose descriptor the server owns from success on. */
int ul_listen_fd(struct uv_loop_s *loop, int fd, const struct ul_options *options,
    const struct ul_ops *ops, void *arg, struct ul_server **ret_server, struct cairn_error *err);

uint16_t ul_server_port(const struct ul_server *server);
void ul_server_stats(const struct ul_server *server, struct ul_stats *ret);

/* Takes no new connections; associations go on. */
void ul_server_stop_listening(struct ul_server *server);
/* Stops listening; `drained` when the last connection is gone, unless closed first. */
void ul_server_drain(struct ul_server *server, void (*drained)(void *arg), void *arg);

/* Aborts what is left (on_closed is called for each), frees the server, then calls `done` (may be
 * NULL) from the loop. */
void ul_server_close(struct ul_server *server, void (*done)(void *arg), void *arg);

#endif
