/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/message.h"

#include <string.h>

#include <lauxlib.h>

#include "base/text.h"
#include "element.h"

struct walk {
	lua_State *lua;
	unsigned depth;
	size_t nodes;
};

static void push_message(struct walk *w, const ProtobufCMessage *message);

static void
count_node(struct walk *w)
{
	if (++w->nodes > MESSAGE_NODES_MAX)
		luaL_error(w->lua, "the request is too large for the policy: over %d values",
		    MESSAGE_NODES_MAX);
}

/* ---- one value -------------------------------------------------------------------------- */

static void
push_unsigned(lua_State *lua, uint64_t value)
{
	if (value <= INT64_MAX)
		lua_pushinteger(lua, (lua_Integer)value);
	else
		lua_pushnumber(lua, (lua_Number)value); /* a little off rather than negative */
}

static void
push_enum(lua_State *lua, const ProtobufCEnumDescriptor *type, int32_t number)
{
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);

	if (value == NULL)
		lua_pushinteger(lua, number); /* of a newer peer */
	else
		lua_pushstring(lua, value->name);
}

#define READ(TYPE, AT, RET) \
	TYPE RET;           \
	memcpy(&RET, AT, sizeof RET)

/* Pushes what has the bits of a 4-byte or 8-byte field. */
static void
push_number(lua_State *lua, const ProtobufCFieldDescriptor *field, const void *at)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32: {
		READ(int32_t, at, value);
		lua_pushinteger(lua, value);
		break;
	}
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32: {
		READ(uint32_t, at, value);
		lua_pushinteger(lua, value);
		break;
	}
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64: {
		READ(int64_t, at, value);
		lua_pushinteger(lua, value);
		break;
	}
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64: {
		READ(uint64_t, at, value);
		push_unsigned(lua, value);
		break;
	}
	case PROTOBUF_C_TYPE_FLOAT: {
		READ(float, at, value);
		lua_pushnumber(lua, (lua_Number)value);
		break;
	}
	default: {
		READ(double, at, value);
		lua_pushnumber(lua, value);
		break;
	}
	}
}

static void
push_value(struct walk *w, const ProtobufCFieldDescriptor *field, const void *at)
{
	count_node(w);
	switch (field->type) {
	case PROTOBUF_C_TYPE_BOOL: {
		READ(protobuf_c_boolean, at, value);
		lua_pushboolean(w->lua, value);
		break;
	}
	case PROTOBUF_C_TYPE_ENUM: {
		READ(int32_t, at, value);
		push_enum(w->lua, field->descriptor, value);
		break;
	}
	case PROTOBUF_C_TYPE_STRING: {
		READ(const char *, at, value);
		lua_pushstring(w->lua, value == NULL ? "" : value);
		break;
	}
	case PROTOBUF_C_TYPE_BYTES: {
		READ(ProtobufCBinaryData, at, value);
		lua_pushlstring(
		    w->lua, (const char *)value.data, value.data == NULL ? 0 : value.len);
		break;
	}
	case PROTOBUF_C_TYPE_MESSAGE: {
		READ(const ProtobufCMessage *, at, value);
		if (value == NULL)
			lua_pushnil(w->lua);
		else
			push_message(w, value);
		break;
	}
	default:
		push_number(w->lua, field, at);
	}
}

/* ---- fields ----------------------------------------------------------------------------- */

static void
push_list(struct walk *w, const ProtobufCFieldDescriptor *field, const uint8_t *base)
{
	READ(size_t, base + field->quantifier_offset, count);
	READ(const uint8_t *, base + field->offset, items);

	lua_newtable(w->lua);
	for (size_t i = 0; i < count; i++) {
		push_value(w, field, items + i * proto_element_size(field->type));
		lua_rawseti(w->lua, -2, (lua_Integer)i + 1);
	}
}

static bool
is_set(const ProtobufCFieldDescriptor *field, const uint8_t *base)
{
	if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
		READ(uint32_t, base + field->quantifier_offset, which);
		return which == field->id;
	}
	if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->quantifier_offset != 0) {
		READ(protobuf_c_boolean, base + field->quantifier_offset, has);
		return has != 0;
	}
	return true;
}

static void
push_field(struct walk *w, const ProtobufCFieldDescriptor *field, const uint8_t *base)
{
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		push_list(w, field, base);
	else if (is_set(field, base))
		push_value(w, field, base + field->offset);
	else
		lua_pushnil(w->lua);
}

struct names {
	const ProtobufCMessageDescriptor *type;
};

static const char *
next_name(const void *arg, size_t index)
{
	const struct names *names = arg;

	return index < names->type->n_fields ? names->type->fields[index].name : NULL;
}

/* What a rule asks for and the table does not hold: an absent field, or one the type lacks. */
static int
absent_field(lua_State *lua)
{
	struct names names = {lua_touserdata(lua, lua_upvalueindex(1))};
	const char *key = luaL_checkstring(lua, 2);
	const char *meant;

	for (unsigned i = 0; i < names.type->n_fields; i++) {
		if (strcmp(names.type->fields[i].name, key) == 0) {
			lua_pushnil(lua);
			return 1;
		}
	}
	meant = text_suggest(key, next_name, &names);
	return luaL_error(lua, "%s has no field '%s'%s%s%s", names.type->name, key,
	    meant == NULL ? "" : "; did you mean '", meant == NULL ? "" : meant,
	    meant == NULL ? "" : "'?");
}

/* Gives the table on top the type's metatable, which is made once. */
static void
set_type(lua_State *lua, const ProtobufCMessageDescriptor *type)
{
	if (lua_rawgetp(lua, LUA_REGISTRYINDEX, type) == LUA_TNIL) {
		lua_pop(lua, 1);
		lua_createtable(lua, 0, 1);
		lua_pushlightuserdata(lua, (void *)(uintptr_t)type);
		lua_pushcclosure(lua, absent_field, 1);
		lua_setfield(lua, -2, "__index");
		lua_pushvalue(lua, -1);
		lua_rawsetp(lua, LUA_REGISTRYINDEX, type);
	}
	lua_setmetatable(lua, -2);
}

static void
push_message(struct walk *w, const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;

	if (++w->depth > MESSAGE_DEPTH_MAX)
		luaL_error(w->lua, "the request is too large for the policy: over %d levels",
		    MESSAGE_DEPTH_MAX);
	luaL_checkstack(w->lua, 8, "the request is too large for the policy");
	count_node(w);
	lua_createtable(w->lua, 0, (int)type->n_fields);
	for (unsigned i = 0; i < type->n_fields; i++) {
		push_field(w, &type->fields[i], (const uint8_t *)message);
		lua_setfield(w->lua, -2, type->fields[i].name);
	}
	set_type(w->lua, type);
	w->depth--;
}

void
message_push(lua_State *lua, const ProtobufCMessage *message)
{
	struct walk w = {.lua = lua};

	push_message(&w, message);
}
