/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_ELEMENT_H
#define PROTO_ELEMENT_H

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

/* How many bytes one value of a repeated field takes in the memory of an unpacked message. */
size_t proto_element_size(ProtobufCType type);

#endif
