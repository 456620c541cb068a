/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a data set.  The first two choose the transfer syntax, whether pixel data is read,
 * and the size of the pieces; the rest is the data set.  What must hold: each token lies in the
 * buffer; pieces give the same tokens as the whole; and a data set that was read to its end is,
 * written again, one with the same tokens.
 */
#include <stdlib.h>
#include <string.h>

#include "dicom/reader.h"
#include "dicom/writer.h"

#define TOKENS_MAX 20000u

#define must(condition)                   \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

struct tokens {
	struct dcm_token list[TOKENS_MAX];
	size_t count;
	int code;
	bool ended;
};

static const struct dcm_syntax *
choose(uint8_t byte)
{
	static const char *const uids[] = {
	    DCM_EXPLICIT_LE, DCM_IMPLICIT_LE, DCM_EXPLICIT_BE, "1.2.840.10008.1.2.4.50"};

	return dcm_syntax_find(uids[byte & 3]);
}

static void
check(const struct dcm_token *t, const uint8_t *data, size_t length)
{
	char text[64];
	double number;
	int32_t days;

	must(t->depth <= DCM_DEPTH_MAX && t->offset <= length);
	if (t->kind == DCM_ELEMENT)
		must(t->value_offset <= length && t->length <= length - t->value_offset);
	if (t->kind == DCM_ITEM_BEGIN && t->vr != DCM_VR('S', 'Q'))
		must(t->value_offset <= length && t->length <= length - t->value_offset);
	if (t->kind == DCM_ELEMENT && dcm_value_text(data, t, text, sizeof text)) {
		(void)dcm_text_date(text, &days);
		(void)dcm_text_age(text, &number);
		(void)dcm_text_number(text, &number);
	}
}

static void
read_all(struct tokens *out, const struct dcm_syntax *syntax, bool pixels, const uint8_t *data,
    size_t length, size_t step)
{
	size_t there = step == 0 ? length : 0;
	struct dcm_reader reader;
	struct dcm_token t;

	out->count = 0;
	out->ended = false;
	dcm_reader_init(&reader, syntax, 0);
	reader.pixels_as_elements = pixels;
	while (out->count < TOKENS_MAX) {
		out->code = dcm_reader_next(&reader, data, there, there == length, &t, NULL);
		if (out->code != 0)
			return;
		if (t.kind == DCM_MORE) {
			must(there < length);
			there = length - there < step ? length : there + step;
			continue;
		}
		check(&t, data, there);
		out->ended = t.kind == DCM_END;
		if (out->ended || t.kind == DCM_PIXELS)
			return;
		out->list[out->count++] = t;
	}
}

static void
must_be_equal(const struct tokens *a, const struct tokens *b)
{
	must(a->count == b->count && a->code == b->code && a->ended == b->ended);
	for (size_t i = 0; i < a->count; i++) {
		const struct dcm_token *x = &a->list[i], *y = &b->list[i];

		must(x->kind == y->kind && x->tag == y->tag && x->vr == y->vr);
		must(x->length == y->length && x->depth == y->depth);
		must(x->offset == y->offset && x->value_offset == y->value_offset);
	}
}

/* Lengths become even, and a value too long for its VR's length field becomes UN. */
static void
must_be_rewritten(const struct tokens *a, const struct tokens *b)
{
	must(b->ended && a->count == b->count);
	for (size_t i = 0; i < a->count; i++) {
		const struct dcm_token *x = &a->list[i], *y = &b->list[i];

		must(x->kind == y->kind && x->tag == y->tag && x->depth == y->depth);
		must(x->vr == y->vr || y->vr == DCM_VR('U', 'N'));
		if (x->kind == DCM_ELEMENT)
			must(y->length == x->length + (x->length & 1));
	}
}

static void
rewrite(const struct tokens *read, const uint8_t *data, struct tokens *again)
{
	BUF_AUTO out = {.max = 64u << 20};
	struct dcm_writer w;

	dcm_writer_init(&w, &out, dcm_syntax_find(DCM_EXPLICIT_LE));
	for (size_t i = 0; i < read->count; i++) {
		if ((read->list[i].tag & 0xffff) == 0)
			return; /* group lengths are left out */
		must(dcm_put_token(&w, data, &read->list[i]) == 0);
	}
	read_all(again, dcm_syntax_find(DCM_EXPLICIT_LE), true, out.data, out.length, 0);
	must_be_rewritten(read, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tokens whole, pieces;
	const struct dcm_syntax *syntax;
	bool pixels;

	if (size < 2)
		return 0;
	syntax = choose(data[0]);
	pixels = (data[0] & 4) != 0;
	read_all(&whole, syntax, pixels, data + 2, size - 2, 0);
	read_all(&pieces, syntax, pixels, data + 2, size - 2, (size_t)data[1] + 1);
	must_be_equal(&whole, &pieces);
	if (whole.ended && whole.count < TOKENS_MAX)
		rewrite(&whole, data + 2, &pieces);
	return 0;
}
