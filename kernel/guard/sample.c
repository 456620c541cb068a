/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "guard/check.h"

#define DEPTH 2

/* Recurses DEPTH levels. */
static ProtobufCMessage *
make(const ProtobufCMessageDescriptor *type, unsigned depth)
{
	ProtobufCMessage *message = calloc(1, type->sizeof_message);

	if (message == NULL)
		return NULL;
	protobuf_c_message_init(type, message);
	for (unsigned i = 0; i < type->n_fields && depth > 0; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		ProtobufCMessage *inner;

		if (field->type != PROTOBUF_C_TYPE_MESSAGE ||
		    field->label == PROTOBUF_C_LABEL_REPEATED ||
		    (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0)
			continue;
		inner = make(field->descriptor, depth - 1);
		memcpy((char *)message + field->offset, &inner, sizeof(void *));
	}
	return message;
}

ProtobufCMessage *
guard_sample(const ProtobufCMessageDescriptor *type)
{
	return type == NULL ? NULL : make(type, DEPTH);
}
