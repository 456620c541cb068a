/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_MEMORY_H
#define NODE_MEMORY_H

/*
 * How much memory the kernel and its plugins take: their proportional set sizes.  The system walks
 * all pages of a process for that figure (a millisecond for a large one), so that it is read on a
 * worker thread, at most once in MEMORY_PAUSE_MS however often somebody asks, and kept.
 */

#include <stdint.h>

#include <uv.h>

#define MEMORY_PAUSE_MS 1000u
#define MEMORY_PIDS_MAX 65 /* the kernel and NODE_PLUGINS_MAX plugins */

struct memory;

/* Which processes to look at, asked on the loop: fills at most `max`, returns how many. */
typedef size_t (*memory_pids_fn)(void *arg, int *ret, size_t max);

/* NULL when out of memory; all other functions take that. */
struct memory *memory_new(uv_loop_t *loop, memory_pids_fn pids, void *arg);
/* Ends when the loop next runs, if a reading is under way. */
void memory_free(struct memory *memory);

/* Begins a reading unless the last one is younger than MEMORY_PAUSE_MS or still under way. */
void memory_ask(struct memory *memory);
/* Begins a reading whatever the last one's age: a process is new. */
void memory_renew(struct memory *memory);

/* Kilobytes as of the last reading; 0 when that did not see the process. */
uint64_t memory_kb(const struct memory *memory, int pid);
/* Milliseconds since the last reading; UINT64_MAX when there was none. */
uint64_t memory_age_ms(const struct memory *memory);
/* How many readings there were. */
uint64_t memory_readings(const struct memory *memory);

#endif
