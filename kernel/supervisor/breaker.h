/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_BREAKER_H
#define SUPERVISOR_BREAKER_H

/* When to try again after a crash, and when to stop trying. */

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_LIMIT_MAX 65536u

struct breaker {
	uint64_t *crashes_ms; /* the last `limit` crashes, a ring */
	unsigned limit;       /* at least 1 */
	uint64_t window_ms;
	uint64_t crash_count; /* since the last clear */
	unsigned delay_ms;    /* of the next restart */
};

int breaker_init(struct breaker *breaker, unsigned limit, unsigned window_s);
void breaker_fini(struct breaker *breaker);
void breaker_clear(struct breaker *breaker);

/* Notes a crash after `ready_for_ms` of being ready.  False: the breaker is open.  Otherwise
 * `*ret_delay_ms` is the pause before the next start: 50, 100, ... at most 10,000, and 50 again
 * after it was ready for 200 ms. */
bool breaker_crash(
    struct breaker *breaker, uint64_t now_ms, uint64_t ready_for_ms, unsigned *ret_delay_ms);

#endif
