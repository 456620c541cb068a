/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* One printable line, cut between characters: it goes to terminals and into the ledger. */
static void
copy_reason(char ret[GUARD_TEXT_MAX], const char *text)
{
	size_t length = strnlen(text, GUARD_TEXT_MAX);

	if (length == GUARD_TEXT_MAX) {
		length = GUARD_TEXT_MAX - 1;
		while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
			length--;
	}
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		ret[i] = c < 0x20 || c == 0x7f ? ' ' : text[i];
	}
	ret[length] = 0;
}

void
verdict_deny(struct guard_decision *decision, const char *rule, const char *format, ...)
{
	char text[2 * GUARD_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	decision->permit = false;
	decision->obligation_count = 0;
	snprintf(decision->rule, sizeof decision->rule, "%s", rule);
	copy_reason(decision->reason, text);
}

/* ---- obligations ------------------------------------------------------------------------ */

static bool
demand(struct guard_decision *decision, const char *name, int64_t value)
{
	struct guard_obligation *o = decision->obligations;
	size_t i = 0;

	while (i < decision->obligation_count && strcmp(o[i].name, name) != 0)
		i++;
	if (i == GUARD_OBLIGATIONS_MAX || !text_copy(o[i].name, sizeof o[i].name, name))
		return false;
	if (i == decision->obligation_count) {
		decision->obligation_count++;
		o[i].value = value;
	} else if (value > o[i].value) {
		o[i].value = value;
	}
	return true;
}

static bool
demand_one(lua_State *lua, struct guard_decision *decision)
{
	int is_integer = 0;
	lua_Integer value = lua_tointegerx(lua, -1, &is_integer);

	if (lua_type(lua, -2) != LUA_TSTRING || lua_type(lua, -1) != LUA_TNUMBER || !is_integer ||
	    value < 0)
		return false;
	return demand(decision, lua_tostring(lua, -2), value);
}

/* Of the verdict on top. */
static bool
add_obligations(lua_State *lua, struct guard_decision *decision)
{
	bool good = true;

	lua_pushliteral(lua, "obligations");
	if (lua_rawget(lua, -2) == LUA_TTABLE) {
		for (lua_pushnil(lua); good && lua_next(lua, -2) != 0;) {
			good = demand_one(lua, decision);
			lua_pop(lua, 1);
		}
		if (!good)
			lua_pop(lua, 1); /* the key that lua_next() would have taken */
	} else {
		good = lua_isnil(lua, -1);
	}
	lua_pop(lua, 1);
	return good;
}

/* ---- verdicts --------------------------------------------------------------------------- */

static const char *
text_field(lua_State *lua, const char *name)
{
	const char *text = NULL;

	lua_pushstring(lua, name);
	if (lua_rawget(lua, -2) == LUA_TSTRING)
		text = lua_tostring(lua, -1); /* lives as long as the verdict that holds it */
	lua_pop(lua, 1);
	return text;
}

static void
permit(struct guard_decision *decision, const char *rule, const char *reason)
{
	if (decision->permit)
		return; /* the first one's reason stands */
	decision->permit = true;
	snprintf(decision->rule, sizeof decision->rule, "%s", rule);
	copy_reason(decision->reason, reason);
}

bool
verdict_add(lua_State *lua, struct guard_decision *decision, const char *rule)
{
	const char *what, *reason;

	if (lua_isnil(lua, -1))
		return true;
	if (lua_type(lua, -1) != LUA_TTABLE) {
		verdict_deny(decision, rule,
		    "rule '%s' returned a %s; a rule returns deny(...), "
		    "permit(...) or nothing",
		    rule, lua_typename(lua, lua_type(lua, -1)));
		return false;
	}
	what = text_field(lua, "verdict");
	reason = text_field(lua, "reason");
	if (what != NULL && reason != NULL && *reason != 0) {
		if (strcmp(what, "deny") == 0) {
			verdict_deny(decision, rule, "%s", reason);
			return false;
		}
		if (strcmp(what, "permit") == 0 && add_obligations(lua, decision)) {
			permit(decision, rule, reason);
			return true;
		}
	}
	verdict_deny(decision, rule,
	    "rule '%s' returned a table that is no verdict; a rule returns "
	    "deny(...), permit(...) or nothing",
	    rule);
	return false;
}
