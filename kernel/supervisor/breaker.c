/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/breaker.h"

#include <stdlib.h>

#include <cairn/error.h>

#define FIRST_DELAY_MS 50u
#define LAST_DELAY_MS 10000u
#define FORGIVEN_AFTER_MS 200u /* it works: what ends a loop of crashes then is the breaker */

int
breaker_init(struct breaker *breaker, unsigned limit, unsigned window_s)
{
	if (limit == 0)
		limit = 1;
	if (limit > BREAKER_LIMIT_MAX)
		limit = BREAKER_LIMIT_MAX;
	*breaker = (struct breaker){
	    .limit = limit, .window_ms = (uint64_t)window_s * 1000, .delay_ms = FIRST_DELAY_MS};
	breaker->crashes_ms = calloc(limit, sizeof *breaker->crashes_ms);
	return breaker->crashes_ms == NULL ? CAIRN_ENOMEM : 0;
}

void
breaker_fini(struct breaker *breaker)
{
	free(breaker->crashes_ms);
	breaker->crashes_ms = NULL;
}

void
breaker_clear(struct breaker *breaker)
{
	breaker->crash_count = 0;
	breaker->delay_ms = FIRST_DELAY_MS;
}

bool
breaker_crash(
    struct breaker *breaker, uint64_t now_ms, uint64_t ready_for_ms, unsigned *ret_delay_ms)
{
	uint64_t oldest;

	breaker->crashes_ms[breaker->crash_count % breaker->limit] = now_ms;
	breaker->crash_count++;
	oldest = breaker->crashes_ms[breaker->crash_count % breaker->limit];
	if (breaker->crash_count >= breaker->limit && now_ms - oldest <= breaker->window_ms)
		return false;
	if (ready_for_ms >= FORGIVEN_AFTER_MS)
		breaker->delay_ms = FIRST_DELAY_MS;
	*ret_delay_ms = breaker->delay_ms;
	breaker->delay_ms =
	    breaker->delay_ms * 2 > LAST_DELAY_MS ? LAST_DELAY_MS : breaker->delay_ms * 2;
	return true;
}
