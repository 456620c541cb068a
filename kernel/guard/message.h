/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_MESSAGE_H
#define GUARD_MESSAGE_H

/*
 * A protobuf message as Lua tables, through its descriptors: enum values by name, repeated fields
 * as lists, bytes as text, an absent message or an unset alternative of a oneof as nil.  A field
 * that the type does not have is an error that suggests the nearest.
 */

#include <stddef.h>

#include <lua.h>
#include <protobuf-c/protobuf-c.h>

#define MESSAGE_DEPTH_MAX 64
#define MESSAGE_NODES_MAX 10000

/* Pushes a fresh table. Raises an error for a message larger than the limits. */
void message_push(lua_State *lua, const ProtobufCMessage *message);

#endif
