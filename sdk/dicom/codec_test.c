/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of reader and writer together, on a data set that has something of everything. */
#include "base/test.h"
#include "dicom/reader.h"
#include "dicom/sample_test.h"

#define TOKENS_MAX 512

static const char *const encodings[] = {DCM_IMPLICIT_LE, DCM_EXPLICIT_LE, DCM_EXPLICIT_BE};

#define ENCODINGS (sizeof encodings / sizeof encodings[0])

static void
compose(struct buf *out, const char *uid, bool encapsulated)
{
	struct dcm_writer w;

	dcm_writer_init(&w, out, dcm_syntax_find(uid));
	assert_int_equal(sample_write(&w, true, encapsulated), 0);
}

/* Reads all of it, `step` bytes at a time (0: at once), and returns the number of tokens. */
static size_t
read_all(const struct buf *in, const char *uid, size_t step, struct dcm_token *tokens)
{
	size_t there = step == 0 ? in->length : 0, count = 0;
	struct cairn_error err = {0};
	struct dcm_reader reader;

	dcm_reader_init(&reader, dcm_syntax_find(uid), 0);
	reader.pixels_as_elements = true;
	for (;;) {
		struct dcm_token *t = &tokens[count];

		assert_ok(
		    dcm_reader_next(&reader, in->data, there, there == in->length, t, &err), &err);
		if (t->kind == DCM_END)
			return count;
		if (t->kind == DCM_MORE) {
			assert_true(there < in->length);
			there = in->length - there < step ? in->length : there + step;
			continue;
		}
		assert_true(++count < TOKENS_MAX);
	}
}

static void
assert_rewritten(const char *from, const char *to)
{
	static struct dcm_token tokens[TOKENS_MAX];
	BUF_AUTO in = {.max = 1 << 16}, out = {.max = 1 << 16}, want = {.max = 1 << 16};
	struct dcm_writer w;
	size_t count;

	compose(&in, from, false);
	compose(&want, to, false);
	count = read_all(&in, from, 0, tokens);
	dcm_writer_init(&w, &out, dcm_syntax_find(to));
	for (size_t i = 0; i < count; i++)
		assert_int_equal(dcm_put_token(&w, in.data, &tokens[i]), 0);
	assert_int_equal(out.length, want.length);
	assert_memory_equal(out.data, want.data, want.length);
}

/* Not from implicit to explicit: what an implicit data set does not say, nothing can restore. */
static void
written_tokens_are_the_bytes_that_were_read(void **state)
{
	(void)state;
	assert_rewritten(DCM_IMPLICIT_LE, DCM_IMPLICIT_LE);
	assert_rewritten(DCM_EXPLICIT_LE, DCM_EXPLICIT_LE);
	assert_rewritten(DCM_EXPLICIT_BE, DCM_EXPLICIT_BE);
	assert_rewritten(DCM_EXPLICIT_LE, DCM_EXPLICIT_BE);
	assert_rewritten(DCM_EXPLICIT_BE, DCM_EXPLICIT_LE);
}

static void
assert_same_token(const struct dcm_token *a, const struct dcm_token *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->tag, b->tag);
	assert_int_equal(a->vr, b->vr);
	assert_int_equal(a->length, b->length);
	assert_int_equal(a->depth, b->depth);
	assert_int_equal(a->offset, b->offset);
	assert_int_equal(a->value_offset, b->value_offset);
}

static void
bytes_one_by_one_give_the_tokens_of_the_whole(void **state)
{
	static struct dcm_token whole[TOKENS_MAX], pieces[TOKENS_MAX];
	static const size_t steps[] = {1, 3, 7, 100};

	(void)state;
	for (size_t e = 0; e < ENCODINGS; e++) {
		BUF_AUTO in = {.max = 1 << 16};
		size_t count;

		compose(&in, encodings[e], e != 0);
		count = read_all(&in, encodings[e], 0, whole);
		for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
			assert_int_equal(read_all(&in, encodings[e], steps[s], pieces), count);
			for (size_t i = 0; i < count; i++)
				assert_same_token(&pieces[i], &whole[i]);
		}
	}
}

/* Reads data[0..length) from an allocation of exactly that size, so that sanitizers see overruns.
 */
static int
read_cut(const struct buf *in, size_t length, const char *uid, bool eof, struct dcm_token *last)
{
	uint8_t *copy = malloc(length == 0 ? 1 : length);
	struct dcm_reader reader;
	int code;

	assert_non_null(copy);
	memcpy(copy, in->data, length);
	dcm_reader_init(&reader, dcm_syntax_find(uid), 0);
	reader.pixels_as_elements = true;
	do
		code = dcm_reader_next(&reader, copy, length, eof, last, NULL);
	while (code == 0 && last->kind != DCM_END && last->kind != DCM_MORE);
	free(copy);
	return code;
}

/* Where the data set may end: behind each element and sequence at the top. */
static bool
is_boundary(const struct dcm_token *tokens, size_t count, size_t offset)
{
	for (size_t i = 0; i < count; i++) {
		if (tokens[i].depth == 0 && tokens[i].offset == offset &&
		    tokens[i].kind != DCM_SEQUENCE_END)
			return true;
	}
	return false;
}

static void
a_cut_at_any_byte_is_noticed(void **state)
{
	static struct dcm_token tokens[TOKENS_MAX];

	(void)state;
	for (size_t e = 0; e < ENCODINGS; e++) {
		BUF_AUTO in = {.max = 1 << 16};
		size_t count;

		compose(&in, encodings[e], e != 0);
		count = read_all(&in, encodings[e], 0, tokens);
		for (size_t cut = 0; cut < in.length; cut++) {
			struct dcm_token last = {.kind = DCM_MORE};

			assert_int_equal(read_cut(&in, cut, encodings[e], false, &last), 0);
			assert_int_equal(last.kind, DCM_MORE);
			if (is_boundary(tokens, count, cut))
				assert_int_equal(read_cut(&in, cut, encodings[e], true, &last), 0);
			else
				assert_int_equal(
				    read_cut(&in, cut, encodings[e], true, &last), CAIRN_ECORRUPT);
		}
	}
}

static void
every_vr_is_read_as_it_was_written(void **state)
{
	static const char vrs[] =
	    "AEASATCSDADSDTFLFDISLOLTOBODOFOLOVOWPNSHSLSSSTSVTMUCUIULUNURUSUTUV";
	static struct dcm_token tokens[TOKENS_MAX];

	(void)state;
	for (size_t e = 1; e < ENCODINGS; e++) {
		BUF_AUTO out = {.max = 1 << 16};
		struct dcm_writer w;
		size_t count;

		dcm_writer_init(&w, &out, dcm_syntax_find(encodings[e]));
		for (uint32_t i = 0; vrs[2 * i] != 0; i++)
			assert_int_equal(dcm_put_bytes(&w, DCM_TAG(0x0011, 0x1000 + i),
					     DCM_VR(vrs[2 * i], vrs[2 * i + 1]), "12345678", 8),
			    0);
		count = read_all(&out, encodings[e], 0, tokens);
		assert_int_equal(count, strlen(vrs) / 2);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(tokens[i].vr, DCM_VR(vrs[2 * i], vrs[2 * i + 1]));
			assert_int_equal(tokens[i].length, 8);
			assert_memory_equal(out.data + tokens[i].value_offset, "12345678", 8);
		}
	}
}

static void
text_keeps_the_bytes_of_its_character_set(void **state)
{
	static const char name[] = "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B";
	static struct dcm_token tokens[TOKENS_MAX];
	BUF_AUTO in = {.max = 1 << 16};
	char text[64] = "";
	size_t count;

	(void)state;
	compose(&in, DCM_EXPLICIT_LE, false);
	count = read_all(&in, DCM_EXPLICIT_LE, 0, tokens);
	for (size_t i = 0; i < count; i++) {
		if (tokens[i].tag == DCM_TAG(0x0010, 0x1001))
			assert_true(dcm_value_text(in.data, &tokens[i], text, sizeof text));
	}
	assert_string_equal(text, name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(written_tokens_are_the_bytes_that_were_read),
	    cmocka_unit_test(bytes_one_by_one_give_the_tokens_of_the_whole),
	    cmocka_unit_test(a_cut_at_any_byte_is_noticed),
	    cmocka_unit_test(every_vr_is_read_as_it_was_written),
	    cmocka_unit_test(text_keeps_the_bytes_of_its_character_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
