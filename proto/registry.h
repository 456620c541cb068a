/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_REGISTRY_H
#define PROTO_REGISTRY_H

#include <protobuf-c/protobuf-c.h>

/* The descriptor of a message type by its full name ("cairn.CountRequest"), NULL when unknown. */
const ProtobufCMessageDescriptor *proto_registry_find(const char *full_name);

#endif
