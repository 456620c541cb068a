/* SPDX-License-Identifier: Apache-2.0 */
#include "node/details.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cairn/error.h>

#include "base/buf.h"
#include "element.h"
#include "node/words.h"

#define DEPTH_MAX 100

/* A buffer that has a maximum; what does not fit makes `full`, and the value is replaced. */
struct writer {
	struct buf out;
	bool full;
};

static void write_message(struct writer *w, const ProtobufCMessage *message, unsigned depth);

static void
put(struct writer *w, const char *text)
{
	if (!w->full && buf_append_text(&w->out, text) != 0)
		w->full = true;
}

static void putf(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
putf(struct writer *w, const char *format, ...)
{
	char text[64];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	put(w, text);
}

/* ---- values ----------------------------------------------------------------------------- */

/* As JSON has it when `quoted`. */
static void
write_text(struct writer *w, const char *text, bool quoted)
{
	char *clean = malloc(DETAIL_BYTES_MAX + 1);

	if (clean == NULL || strlen(text) > DETAIL_BYTES_MAX) {
		w->full = true;
		free(clean);
		return;
	}
	words_clean(clean, DETAIL_BYTES_MAX + 1, text, false);
	if (!quoted) {
		put(w, clean);
	} else {
		put(w, "\"");
		for (const char *at = clean; *at != 0; at++) {
			if (*at == '"' || *at == '\\')
				put(w, "\\");
			putf(w, "%c", *at);
		}
		put(w, "\"");
	}
	free(clean);
}

static void
write_enum(struct writer *w, const ProtobufCEnumDescriptor *type, int32_t number, bool quoted)
{
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);

	if (value == NULL)
		putf(w, "%" PRId32, number);
	else
		write_text(w, value->name, quoted);
}

#define READ(TYPE, AT, RET) \
	TYPE RET;           \
	memcpy(&RET, AT, sizeof RET)

static void
write_number(struct writer *w, const ProtobufCFieldDescriptor *field, const void *at)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32: {
		READ(int32_t, at, value);
		putf(w, "%" PRId32, value);
		break;
	}
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32: {
		READ(uint32_t, at, value);
		putf(w, "%" PRIu32, value);
		break;
	}
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64: {
		READ(int64_t, at, value);
		putf(w, "%" PRId64, value);
		break;
	}
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64: {
		READ(uint64_t, at, value);
		putf(w, "%" PRIu64, value);
		break;
	}
	case PROTOBUF_C_TYPE_FLOAT: {
		READ(float, at, value);
		putf(w, "%.9g", (double)value);
		break;
	}
	default: {
		READ(double, at, value);
		putf(w, "%.15g", value);
		break;
	}
	}
}

static void
write_value(struct writer *w, const ProtobufCFieldDescriptor *field, const void *at, unsigned depth)
{
	bool quoted = depth > 0;

	switch (field->type) {
	case PROTOBUF_C_TYPE_BOOL: {
		READ(protobuf_c_boolean, at, value);
		put(w, value ? "true" : "false");
		break;
	}
	case PROTOBUF_C_TYPE_ENUM: {
		READ(int32_t, at, value);
		write_enum(w, field->descriptor, value, quoted);
		break;
	}
	case PROTOBUF_C_TYPE_STRING: {
		READ(const char *, at, value);
		write_text(w, value == NULL ? "" : value, quoted);
		break;
	}
	case PROTOBUF_C_TYPE_BYTES: {
		READ(ProtobufCBinaryData, at, value);
		putf(w, quoted ? "\"%zu bytes\"" : "%zu bytes", value.len);
		break;
	}
	case PROTOBUF_C_TYPE_MESSAGE: {
		READ(const ProtobufCMessage *, at, value);
		write_message(w, value, depth + 1);
		break;
	}
	default:
		write_number(w, field, at);
	}
}

/* ---- fields ----------------------------------------------------------------------------- */

/* Whether the wire would not carry it. */
static bool
is_default(const ProtobufCFieldDescriptor *field, const uint8_t *at)
{
	static const uint8_t zeros[sizeof(ProtobufCBinaryData)];

	if (field->type == PROTOBUF_C_TYPE_STRING) {
		READ(const char *, at, value);
		return value == NULL || *value == 0;
	}
	if (field->type == PROTOBUF_C_TYPE_BYTES) {
		READ(ProtobufCBinaryData, at, value);
		return value.len == 0;
	}
	return memcmp(at, zeros, proto_element_size(field->type)) == 0;
}

static bool
is_absent(const ProtobufCFieldDescriptor *field, const uint8_t *base)
{
	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		READ(size_t, base + field->quantifier_offset, count);
		return count == 0;
	}
	if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
		READ(uint32_t, base + field->quantifier_offset, which);
		return which != field->id;
	}
	return field->type != PROTOBUF_C_TYPE_ENUM && is_default(field, base + field->offset);
}

static void
write_list(
    struct writer *w, const ProtobufCFieldDescriptor *field, const uint8_t *base, unsigned depth)
{
	READ(size_t, base + field->quantifier_offset, count);
	READ(const uint8_t *, base + field->offset, items);

	if (depth == 0 && field->type == PROTOBUF_C_TYPE_MESSAGE) {
		putf(w, "%zu", count); /* instances, refusals: how many, never which */
		return;
	}
	put(w, depth > 0 ? "[" : "");
	for (size_t i = 0; i < count && !w->full; i++) {
		put(w, i == 0 ? "" : depth > 0 ? "," : ", ");
		write_value(w, field, items + i * proto_element_size(field->type), depth);
	}
	put(w, depth > 0 ? "]" : "");
}

static void
write_field(
    struct writer *w, const ProtobufCFieldDescriptor *field, const uint8_t *base, unsigned depth)
{
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		write_list(w, field, base, depth);
	else
		write_value(w, field, base + field->offset, depth);
}

/* Recurses as deep as the message, which the router lets be PROTO_DEPTH_MAX levels. */
static void
write_message(struct writer *w, const ProtobufCMessage *message, unsigned depth)
{
	bool first = true;

	if (depth > DEPTH_MAX || message == NULL) {
		put(w, "null");
		return;
	}
	put(w, "{");
	for (unsigned i = 0; i < message->descriptor->n_fields && !w->full; i++) {
		const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];

		if (is_absent(field, (const uint8_t *)message))
			continue;
		putf(w, "%s\"%.40s\":", first ? "" : ",", field->name);
		write_field(w, field, (const uint8_t *)message, depth);
		first = false;
	}
	put(w, "}");
}

/* ---- details ---------------------------------------------------------------------------- */

static int
add(struct details *details, const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message)
{
	struct writer w = {.out = {.max = DETAIL_BYTES_MAX}};
	char *value;

	write_field(&w, field, (const uint8_t *)message, 0);
	if (w.full) {
		buf_fini(&w.out);
		w = (struct writer){.out = {.max = DETAIL_BYTES_MAX}};
		put(&w, "(too long for a record)");
	}
	value = buf_text(&w.out) == NULL ? NULL : strdup(buf_text(&w.out));
	buf_fini(&w.out);
	if (value == NULL)
		return CAIRN_ENOMEM;
	details->items[details->count++] = (struct detail){field->name, value};
	return 0;
}

static bool
has(const struct details *details, const char *name)
{
	for (size_t i = 0; i < details->count; i++) {
		if (strcmp(details->items[i].name, name) == 0)
			return true;
	}
	return false;
}

int
details_add(struct details *details, const char *const *names, const ProtobufCMessage *message)
{
	for (; names != NULL && *names != NULL; names++) {
		const ProtobufCFieldDescriptor *field =
		    protobuf_c_message_descriptor_get_field_by_name(message->descriptor, *names);

		if (field == NULL || has(details, *names) || details->count == DETAILS_MAX ||
		    is_absent(field, (const uint8_t *)message))
			continue;
		if (add(details, field, message) != 0)
			return CAIRN_ENOMEM;
	}
	return 0;
}

void
details_fini(struct details *details)
{
	for (size_t i = 0; i < details->count; i++)
		free(details->items[i].value);
	*details = (struct details){0};
}
