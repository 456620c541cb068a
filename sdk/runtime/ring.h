/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_RING_H
#define RUNTIME_RING_H

/* A queue of NNG messages that knows how many bytes it holds.  Owns what is in it. */

#include <stddef.h>

#include <nng/nng.h>

struct ring {
	nng_msg **slots; /* capacity is zero or a power of two */
	size_t capacity;
	size_t head;
	size_t count;
	size_t bytes;
};

void ring_fini(struct ring *ring);          /* frees the messages and the memory; reusable */
int ring_reserve(struct ring *ring);        /* room for one more: 0 or CAIRN_ENOMEM */
void ring_put(struct ring *ring, nng_msg *msg);       /* after ring_reserve() */
void ring_put_first(struct ring *ring, nng_msg *msg); /* after ring_reserve() */
nng_msg *ring_take(struct ring *ring);      /* the caller's; NULL when empty */

#endif
