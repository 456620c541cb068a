/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_VERDICT_H
#define GUARD_VERDICT_H

/* What rules return, and how it adds up to a decision. */

#include <lua.h>

#include "guard/guard.h"

/* Makes the decision a denial by `rule`.  The text is cut and cleaned to one printable line. */
void verdict_deny(struct guard_decision *decision, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds what is on top of the stack (kept): nothing, a denial, a permit, or nonsense, which is a
 * denial.  Returns false when the decision is final. */
bool verdict_add(lua_State *lua, struct guard_decision *decision, const char *rule);

#endif
