/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_UL_CONNECTION_H
#define DICOM_UL_CONNECTION_H

/* One TCP connection that carries one association; private to the upper layer's server. */

#include <uv.h>

#include "dicom/ul_assoc.h"

struct ul_connection {
	struct ul_assoc assoc; /* first: the transport's calls get the connection back */
	struct ul_server *server;
	struct ul_connection *older;
	struct ul_connection *younger;
	uv_tcp_t tcp;
	uv_timer_t timer; /* ARTIM, or else the idle time */
	bool artim;
	bool closing;
	bool reading;
	bool wanted;      /* the next pass of the server's idle handle looks at it */
	unsigned handles; /* not yet closed */
	int fd;
	uint64_t active_ms; /* when the peer's last bytes came */
	struct buf stash;   /* received and not delivered: only while paused */
};

struct ul_server {
	uv_loop_t *loop;
	struct ul_options options;
	struct ul_ops ops;
	void *ops_arg;
	uv_tcp_t listener;
	uv_idle_t idle; /* runs while a connection is wanted, before the loop blocks again */
	unsigned handles;
	bool listening;
	bool closing;
	bool deaf; /* a connection is waiting that we had no memory for */
	void (*done)(void *arg);
	void *done_arg;
	void (*drained)(void *arg); /* when the last connection is gone */
	void *drained_arg;
	struct ul_connection *oldest;
	struct ul_connection *youngest;
	struct ul_stats stats;
	/* One receive buffer for all: what it holds is delivered before the next read. */
	uint8_t *receive;
};

/* A connection that waits in the server's listener.  CAIRN_ENOMEM (it goes on waiting), or
 * CAIRN_EIO with nothing left behind. */
int ul_connection_accept(struct ul_server *server, struct ul_connection **ret_connection);

/* Starts reading and the ARTIM timer. */
void ul_connection_start(struct ul_connection *connection);

/* What is due from the loop: on_closed, delivery after a pause, reading again. */
void ul_connection_work(struct ul_connection *connection);

/* The ARTIM timer, expired before its time. */
void ul_connection_evict(struct ul_connection *connection);

/* Closes without a word; on_closed comes before the memory goes. */
void ul_connection_close(struct ul_connection *connection);

/* ---- the server's side ------------------------------------------------------------------- */

bool ul_server_admits(const struct ul_server *server, const struct ul_connection *connection);
void ul_server_want(struct ul_server *server); /* run the idle handle */
void ul_server_lost(struct ul_server *server); /* a connection's memory is gone */

#endif
