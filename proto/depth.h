/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_DEPTH_H
#define PROTO_DEPTH_H

/*
 * How deep a packed message nests, read from its bytes before it is unpacked.  protobuf-c unpacks
 * nested messages by recursion and without a limit, so that a few megabytes of a message type that
 * contains itself (cairn.Expression) would overflow the stack.  This walk does not recurse, reads
 * each byte at most once and allocates nothing.
 *
 * It follows what protobuf-c would follow: a length-delimited field whose descriptor says
 * "message".
 */

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

/* More than anything that we send: an expression is at most 64 deep, in a request, and each of its
 * leaves holds a scalar. */
#define PROTO_DEPTH_MAX 100

enum proto_depth {
	PROTO_DEPTH_OK,
	PROTO_DEPTH_MALFORMED, /* a tag, varint or length that no protobuf message has */
	PROTO_DEPTH_TOO_DEEP,  /* more than `max` levels of messages, the outermost counted */
};

/* `max` is at most PROTO_DEPTH_MAX.  Bytes that are OK may still not be a message of this type. */
enum proto_depth proto_depth_check(
    const ProtobufCMessageDescriptor *type, const void *bytes, size_t length, unsigned max);

/* Unpacks what nests at most PROTO_DEPTH_MAX deep; NULL for everything else. */
ProtobufCMessage *proto_unpack(const ProtobufCMessageDescriptor *type,
    ProtobufCAllocator *allocator, const void *bytes, size_t length);

#endif
