/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_LISTENER_H
#define RUNTIME_LISTENER_H

/*
 * Listening sockets, passed from the kernel to a host over a SOCK_SEQPACKET pair: the host sends
 * one request, the kernel answers with one message that carries the descriptor (SCM_RIGHTS) or says
 * why not.  Both ends are this build's: the bytes are no public format.
 */

#include <stdbool.h>
#include <stdint.h>

#include <cairn/error.h>

#define LISTENER_ADDRESS_MAX 64
#define LISTENER_BACKLOG 512 /* connections that wait while nobody accepts */

struct listener_request {
	char address[LISTENER_ADDRESS_MAX];
	uint16_t port;
};

/* Whether the descriptor is such a pair's end. */
bool listener_is_peer(int fd);

/* Binds and listens, non-blocking and close-on-exec. */
int listener_make(const char *address, uint16_t port, int *ret_fd, struct cairn_error *err);

/* The host's side: asks and waits, at most LISTENER_WAIT_MS. */
int listener_ask(
    int peer, const char *address, uint16_t port, int *ret_fd, struct cairn_error *err);

/* The kernel's side.  CAIRN_EAGAIN: no request is there; CAIRN_EUNAVAILABLE: the host is gone. */
int listener_take(int peer, struct listener_request *ret);
/* `fd` when `code` is 0, else the words. */
int listener_answer(int peer, int code, const char *text, int fd);

#endif
