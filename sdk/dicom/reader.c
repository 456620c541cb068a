/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pull reader.  Its state is an offset and a stack of levels: level 0 is the data set, odd ones
 * are sequences, even ones items.  Each call reads one header at `position`; nothing is committed
 * before everything that the token needs is in the buffer, so that a call that answers DCM_MORE or
 * fails leaves the reader as it was, and a growing buffer is never scanned twice.
 *
 * `limit` of a level is the end of the nearest level of defined length around it, so that a length
 * is checked against all that encloses it by one comparison.
 */
#include "dicom/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dicom/reader_private.h"

#define VR_SQ DCM_VR('S', 'Q')
#define VR_UN DCM_VR('U', 'N')
#define VR_OB DCM_VR('O', 'B')
#define VR_OW DCM_VR('O', 'W')

void
dcm_reader_init(struct dcm_reader *reader, const struct dcm_syntax *syntax, size_t position)
{
	memset(reader, 0, sizeof *reader);
	reader->explicit_vr = syntax->explicit_vr;
	reader->big_endian = syntax->big_endian;
	reader->position = position;
	reader->levels[0] = (struct dcm_level){.end = SIZE_MAX, .limit = SIZE_MAX, .is_item = true};
}

int
dcm_reader_refuse(
    const struct dcm_view *v, int code, const struct dcm_token *t, const char *format, ...)
{
	char text[CAIRN_ERROR_TEXT_MAX - 64];
	va_list args;

	if (v->err == NULL)
		return code;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return cairn_error_set(v->err, code, "element (%04x,%04x) at offset %zu: %s",
	    (unsigned)(t->tag >> 16), (unsigned)(t->tag & 0xffffu), t->offset, text);
}

/* Are `bytes` from the token's offset both allowed by the enclosing levels and in the buffer?
 * Leaves the token's kind alone when they are, makes it DCM_MORE when they may still come. */
int
dcm_reader_need(const struct dcm_view *v, struct dcm_token *t, uint64_t bytes)
{
	const struct dcm_level *top = &v->reader->levels[v->reader->depth];
	size_t there = v->length > t->offset ? v->length - t->offset : 0;

	if (top->limit - t->offset < bytes)
		return dcm_reader_refuse(v, CAIRN_ECORRUPT, t,
		    "expected %llu bytes, but what encloses it, (%04x,%04x), ends after %zu",
		    (unsigned long long)bytes, (unsigned)(top->tag >> 16),
		    (unsigned)(top->tag & 0xffffu), top->limit - t->offset);
	if (there >= bytes)
		return 0;
	if (v->eof)
		return dcm_reader_refuse(v, CAIRN_ECORRUPT, t,
		    "expected %llu bytes, but the data ends after %zu", (unsigned long long)bytes,
		    there);
	t->kind = DCM_MORE;
	return 0;
}

/* Takes the token: from here on the reader stands at `position`. */
static int
commit(const struct dcm_view *v, const struct dcm_token *t, size_t position)
{
	struct dcm_reader *r = v->reader;

	if (r->elements >= DCM_ELEMENTS_MAX)
		return dcm_reader_refuse(
		    v, CAIRN_ELIMIT, t, "more than %u elements and items", DCM_ELEMENTS_MAX);
	r->elements++;
	r->position = position;
	return 0;
}

/* Enters the sequence or item that `t` begins; its value starts at t->value_offset. */
static int
push(const struct dcm_view *v, struct dcm_token *t, bool implicit_vr)
{
	struct dcm_reader *r = v->reader;
	const struct dcm_level *top = &r->levels[r->depth];
	struct dcm_level *level;
	size_t end = SIZE_MAX;
	int code;

	if (r->depth == 2 * DCM_DEPTH_MAX)
		return dcm_reader_refuse(v, CAIRN_ELIMIT, t,
		    "sequences are nested deeper than %u levels", DCM_DEPTH_MAX);
	if (t->length != DCM_UNDEFINED && __builtin_add_overflow(t->value_offset, t->length, &end))
		return dcm_reader_refuse(
		    v, CAIRN_ECORRUPT, t, "its length of %u is beyond memory", t->length);
	code = commit(v, t, t->value_offset);
	if (code != 0)
		return code;
	level = &r->levels[++r->depth];
	*level = (struct dcm_level){
	    .end = end,
	    .limit = end != SIZE_MAX ? end : top->limit,
	    .is_item = !top->is_item,
	    .implicit_vr = implicit_vr,
	    .vr = t->vr,
	    .tag = t->tag,
	};
	return 0;
}

static int
pop(const struct dcm_view *v, struct dcm_token *t)
{
	struct dcm_reader *r = v->reader;
	const struct dcm_level *top = &r->levels[r->depth];

	t->kind = top->is_item ? DCM_ITEM_END : DCM_SEQUENCE_END;
	t->tag = top->tag;
	t->vr = top->vr;
	t->length = 0;
	t->depth = r->depth / 2;
	t->value_offset = t->offset;
	r->depth--;
	return 0;
}

static int
begin_sequence(const struct dcm_view *v, struct dcm_token *t, bool implicit_vr)
{
	t->kind = DCM_SEQUENCE_BEGIN;
	v->reader->levels[v->reader->depth].last_tag = t->tag;
	return push(v, t, implicit_vr);
}

/* Only sequences and encapsulated fragments may leave their length open. */
static int
begin_undefined(const struct dcm_view *v, struct dcm_token *t)
{
	bool implicit_vr = v->reader->levels[v->reader->depth].implicit_vr;

	if (t->vr == VR_OW && (implicit_vr || !v->reader->explicit_vr))
		t->vr = VR_OB; /* what fragments are, when the file does not say it (PS3.5 A.4) */
	switch (t->vr) {
	case VR_SQ:
	case VR_OB:
	case VR_OW:
		return begin_sequence(v, t, implicit_vr);
	default:
		if (t->vr != VR_UN && !DCM_IS_PRIVATE(t->tag))
			return dcm_reader_refuse(v, CAIRN_ECORRUPT, t,
			    "undefined length, which VR %c%c cannot have", t->vr >> 8,
			    t->vr & 0xff);
		t->vr = VR_SQ;
		return begin_sequence(v, t, true);
	}
}

/* A sequence that passed through a system that did not know it: VR UN, and the value is the
 * sequence in implicit VR little endian (PS3.5 6.2.2).  An item's tag in the first 4 bytes tells.
 */
static int
begin_unknown(const struct dcm_view *v, struct dcm_token *t)
{
	const struct dcm_entry *entry = dcm_dict_find(t->tag);
	static const uint8_t item[4] = {0xfe, 0xff, 0x00, 0xe0};
	int code;

	if (entry == NULL || entry->vr != VR_SQ || t->length < 8)
		return 0;
	code = dcm_reader_need(v, t, t->value_offset - t->offset + sizeof item);
	if (code != 0 || t->kind == DCM_MORE)
		return code;
	if (memcmp(v->data + t->value_offset, item, sizeof item) != 0)
		return 0;
	t->vr = VR_SQ;
	return begin_sequence(v, t, true);
}

static bool
is_pixels(uint32_t tag)
{
	return tag == DCM_TAG(0x7fe0, 0x0010) || tag == DCM_TAG(0x7fe0, 0x0009) ||
	    tag == DCM_TAG(0x7fe0, 0x0008);
}

static int
whole_element(const struct dcm_view *v, struct dcm_token *t)
{
	struct dcm_reader *r = v->reader;
	size_t header = t->value_offset - t->offset;
	int code = dcm_reader_need(v, t, (uint64_t)header + t->length);

	if (code != 0 || t->kind == DCM_MORE)
		return code;
	code = commit(v, t, t->value_offset + t->length);
	if (code == 0)
		r->levels[r->depth].last_tag = t->tag;
	return code;
}

static int
begin_element(const struct dcm_view *v, struct dcm_token *t)
{
	struct dcm_reader *r = v->reader;
	const struct dcm_level *top = &r->levels[r->depth];
	int code;

	if (t->length != DCM_UNDEFINED && t->length > top->limit - t->value_offset)
		return dcm_reader_need(v, t, (uint64_t)t->value_offset - t->offset + t->length);
	if (r->depth == 0 && !r->pixels_as_elements && is_pixels(t->tag)) {
		t->kind = DCM_PIXELS;
		return 0;
	}
	if (t->tag == top->last_tag && t->tag != 0)
		return dcm_reader_refuse(
		    v, CAIRN_ECORRUPT, t, "it stands here twice, so that which one counts is open");
	if (t->length == DCM_UNDEFINED)
		return begin_undefined(v, t);
	if (t->vr == VR_SQ)
		return begin_sequence(v, t, top->implicit_vr);
	if (t->vr == VR_UN) {
		code = begin_unknown(v, t);
		if (code != 0 || t->kind != DCM_ELEMENT)
			return code;
	}
	return whole_element(v, t);
}

/* An item or sequence delimiter.  In a level of defined length it may only be its last 8 bytes:
 * some writers put it there though none is needed; it is skipped, and the level ends by its length.
 */
static int
end_level(const struct dcm_view *v, struct dcm_token *t)
{
	struct dcm_reader *r = v->reader;
	const struct dcm_level *top = &r->levels[r->depth];
	uint32_t expected = top->is_item ? DCM_TAG_ITEM_END : DCM_TAG_SEQUENCE_END;

	if (r->depth == 0 || t->tag != expected ||
	    (top->end != SIZE_MAX && top->end - t->offset != 8))
		return dcm_reader_refuse(v, CAIRN_ECORRUPT, t,
		    "expected %s, found a delimiter that closes nothing open here",
		    top->is_item ? "a data element" : "an item or the end of its sequence");
	r->position = t->offset + 8;
	t->offset = r->position;
	return pop(v, t);
}

/* Zero bytes after the last element are padding to a block or a word, if nothing else follows. */
static int
at_padding(const struct dcm_view *v, struct dcm_token *t)
{
	size_t end = v->length;

	t->kind = DCM_MORE;
	if (!v->eof)
		return 0;
	for (size_t i = t->offset; i < end; i++) {
		if (v->data[i] != 0)
			return dcm_reader_refuse(v, CAIRN_ECORRUPT, t,
			    "expected a data element or zeros up to the end, found more at offset "
			    "%zu",
			    i);
	}
	t->kind = DCM_END;
	return 0;
}

/* Two zero bytes would be group 0000, which ends nowhere; one may be half of a tag that was cut. */
static bool
looks_like_padding(const struct dcm_view *v, size_t offset)
{
	const uint8_t *at = v->data + offset;

	return v->reader->elements > 0 && at[0] == 0 && v->length - offset >= 2 && at[1] == 0 &&
	    DCM_GROUP(v->reader->levels[0].last_tag) != 0;
}

static int
next_in_item(const struct dcm_view *v, struct dcm_token *t)
{
	struct dcm_reader *r = v->reader;
	int code;

	if (r->depth == 0) {
		if (t->offset >= v->length) {
			t->kind = v->eof && t->offset == v->length ? DCM_END : DCM_MORE;
			return v->eof && t->kind == DCM_MORE ? dcm_reader_need(v, t, 8) : 0;
		}
		if (looks_like_padding(v, t->offset))
			return at_padding(v, t);
	}
	code = dcm_reader_header(v, t);
	if (code != 0 || t->kind == DCM_MORE)
		return code;
	if (DCM_GROUP(t->tag) == 0xfffe)
		return end_level(v, t);
	return begin_element(v, t);
}

/* A fragment is an item whose value is bytes: it is given out whole, and its level ends at once. */
static int
begin_fragment(const struct dcm_view *v, struct dcm_token *t)
{
	int code;

	if (t->length == DCM_UNDEFINED)
		return dcm_reader_refuse(v, CAIRN_ECORRUPT, t,
		    "a fragment of encapsulated pixel data has an undefined length");
	code = dcm_reader_need(v, t, (uint64_t)8 + t->length);
	if (code != 0 || t->kind == DCM_MORE)
		return code;
	code = push(v, t, false);
	if (code == 0)
		v->reader->position = t->value_offset + t->length;
	return code;
}

static int
next_in_sequence(const struct dcm_view *v, struct dcm_token *t)
{
	struct dcm_reader *r = v->reader;
	const struct dcm_level *top = &r->levels[r->depth];
	int code = dcm_reader_header(v, t);

	if (code != 0 || t->kind == DCM_MORE)
		return code;
	if (t->tag != DCM_TAG_ITEM && DCM_GROUP(t->tag) == 0xfffe)
		return end_level(v, t);
	if (t->tag != DCM_TAG_ITEM)
		return dcm_reader_refuse(v, CAIRN_ECORRUPT, t,
		    "expected an item or the end of sequence (%04x,%04x)",
		    (unsigned)(top->tag >> 16), (unsigned)(top->tag & 0xffffu));
	if (t->length != DCM_UNDEFINED && t->length > top->limit - t->value_offset)
		return dcm_reader_need(v, t, (uint64_t)8 + t->length);
	t->kind = DCM_ITEM_BEGIN;
	t->tag = top->tag;
	t->vr = top->vr;
	t->depth = r->depth / 2 + 1;
	if (top->vr != VR_SQ)
		return begin_fragment(v, t);
	return push(v, t, top->implicit_vr);
}

int
dcm_reader_next(struct dcm_reader *reader, const uint8_t *data, size_t length, bool eof,
    struct dcm_token *ret_token, struct cairn_error *err)
{
	const struct dcm_view view = {reader, data, length, eof, err};
	const struct dcm_level *top = &reader->levels[reader->depth];
	struct dcm_token t = {
	    .kind = DCM_ELEMENT,
	    .depth = reader->depth / 2,
	    .offset = reader->position,
	    .big_endian = reader->big_endian && !top->implicit_vr,
	};
	int code;

	if (top->end == t.offset)
		code = pop(&view, &t);
	else if (top->is_item)
		code = next_in_item(&view, &t);
	else
		code = next_in_sequence(&view, &t);
	if (code == 0)
		*ret_token = t;
	return code;
}
