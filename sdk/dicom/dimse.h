/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_DIMSE_H
#define DICOM_DIMSE_H

/*
 * DIMSE (PS3.7) as service provider over the upper layer: C-ECHO is answered here, C-STORE is
 * handed on as a stream, any other request is answered with status 0211H, and a peer that breaks
 * PS3.7 gets an A-ABORT.  The loop's thread only, as in ul.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dicom/dimse_command.h"
#include "dicom/ul.h"

#define DIMSE_VERIFICATION "1.2.840.10008.1.1"

/* Requests of one association that wait for their answer.  We grant no asynchronous operations, so
 * a correct peer has one; this many are borne, more is an abort. */
#define DIMSE_OUTSTANDING_MAX 8

/*
 * A C-STORE request.  It is the consumer's from on_store_begin until it calls
 * dimse_store_respond(), which it does exactly once, whatever happens to the association.
 */
struct dimse_store {
	struct ul_assoc *assoc; /* NULL once the association is over */
	uint8_t context_id;
	uint16_t message_id;
	uint16_t priority;
	char transfer_syntax[UL_UID_MAX + 1];
	char sop_class[UL_UID_MAX + 1];      /* the context's abstract syntax */
	char sop_instance[UL_UID_MAX + 1];   /* checked: ul_uid_valid() */
	char move_originator[UL_AE_MAX + 1]; /* "" unless it comes from a C-MOVE */
	uint16_t move_message_id;
	void *user; /* the consumer's; NULL at first */
};

struct dimse_ops {
	/* As in struct ul_ops.  Contexts for DIMSE_VERIFICATION should be accepted. */
	void (*on_associate)(void *arg, struct ul_assoc *assoc, struct ul_request *request);

	/* A data set begins; then its bytes, as they come, valid during the call; then its end.
	 * After dimse_store_respond() none of these is called for that store any more: the rest of
	 * the data set is dropped.  `complete` is false when the association ended before the data
	 * set did. */
	void (*on_store_begin)(void *arg, struct dimse_store *store);
	void (*on_store_data)(
	    void *arg, struct dimse_store *store, const uint8_t *bytes, size_t length);
	void (*on_store_end)(void *arg, struct dimse_store *store, bool complete);

	void (*on_closed)(void *arg, struct ul_assoc *assoc, enum ul_reason reason);
};

/* Answers the request and frees `store`.  The response leaves when the data set has come whole.
 * `comment` (NULL: none) is cut to 64 printable ASCII characters.  After the association's end it
 * only frees. */
void dimse_store_respond(struct dimse_store *store, uint16_t status, const char *comment);

/* As ul_listen() and ul_listen_fd(); ul_user() of the associations is the consumer's. */
struct dimse;
int dimse_listen(struct uv_loop_s *loop, const char *address, uint16_t port,
    const struct ul_options *options, const struct dimse_ops *ops, void *arg,
    struct dimse **ret_dimse, struct cairn_error *err);
int dimse_listen_fd(struct uv_loop_s *loop, int fd, const struct ul_options *options,
    const struct dimse_ops *ops, void *arg, struct dimse **ret_dimse, struct cairn_error *err);

struct ul_server *dimse_server(struct dimse *dimse); /* for its port, statistics, stop_listening */

/* ul_server_close() and the memory of `dimse`, which goes before `done` (may be NULL). */
void dimse_close(struct dimse *dimse, void (*done)(void *arg), void *arg);

/* The layer without a server, for other transports and tests: what to hand to ul_assoc_init(). */
int dimse_new(
    const struct dimse_ops *ops, void *arg, struct dimse **ret_dimse, struct ul_ops *ret_ops);
void dimse_free(struct dimse *dimse);

#endif
