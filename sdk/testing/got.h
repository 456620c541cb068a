/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTING_GOT_H
#define TESTING_GOT_H

/* Puts other functions in the place of those that one loaded object calls, by rewriting its global
 * offset table: the object's own calls are caught, those of the libraries it uses are not. */

#include <stddef.h>

struct got_hook {
	const char *name;          /* "malloc" */
	void (*replacement)(void); /* of the same type as what it replaces */
};

/* In the object that holds `address`.  Returns how many table entries were rewritten. */
size_t got_replace(const void *address, const struct got_hook *hooks, size_t count);

/* ---- allocations that fail ---------------------------------------------------------------- */

/* Catches the object's malloc, calloc, realloc, strdup and strndup.  0 when it has none. */
size_t got_watch_allocations(const void *address);
/* The nth from now on this thread's watch fails, once; 0: none. */
void got_fail_allocation(unsigned nth);
/* Whether it has failed since. */
int got_allocation_failed(void);
/* Allocations between pause and resume are not counted. */
void got_pause(void);
void got_resume(void);

#endif
