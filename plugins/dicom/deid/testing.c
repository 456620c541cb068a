/* SPDX-License-Identifier: Apache-2.0 */
#include "deid/testing.h"

const uint8_t deid_test_key[DEID_UID_KEY_SIZE] = "a key for the tests, no secret.";

const struct dcm_syntax *
deid_test_syntax(size_t index)
{
	static const char *const uids[SYNTAX_COUNT] = {
	    DCM_IMPLICIT_LE, DCM_EXPLICIT_LE, DCM_EXPLICIT_BE};

	return dcm_syntax_find(uids[index]);
}

void
doc_init(struct doc *doc, const struct dcm_syntax *syntax)
{
	*doc = (struct doc){.syntax = syntax, .in.max = 1 << 24, .out.max = 1 << 24};
	dcm_writer_init(&doc->w, &doc->in, syntax);
}

void
doc_fini(struct doc *doc)
{
	buf_fini(&doc->in);
	buf_fini(&doc->out);
}

void
doc_put(struct doc *doc, uint32_t tag, const char *vr, const char *text)
{
	assert_int_equal(dcm_put_text(&doc->w, tag, DCM_VR(vr[0], vr[1]), text), 0);
}

void
doc_open(struct doc *doc, uint32_t tag)
{
	assert_int_equal(dcm_put_sequence_begin(&doc->w, tag), 0);
	assert_int_equal(dcm_put_item_begin(&doc->w), 0);
}

void
doc_next(struct doc *doc)
{
	assert_int_equal(dcm_put_item_end(&doc->w), 0);
	assert_int_equal(dcm_put_item_begin(&doc->w), 0);
}

void
doc_close(struct doc *doc)
{
	assert_int_equal(dcm_put_item_end(&doc->w), 0);
	assert_int_equal(dcm_put_sequence_end(&doc->w), 0);
}

struct deid_profile *
deid_test_profile(unsigned options)
{
	const struct deid_config config = {
	    .options = options, .uid_key = deid_test_key, .project = "tests"};
	struct deid_profile *profile = NULL;
	struct cairn_error err = {0};

	assert_ok(deid_profile_new(&profile, &config, &err), &err);
	return profile;
}

void
doc_run(struct doc *doc, struct deid_profile *profile)
{
	const struct deid_patient patient = {PSEUDONYM, SHIFT};
	const struct deid_input input = {doc->syntax, doc->in.data, doc->in.length};

	buf_clear(&doc->out);
	assert_ok(
	    deid_header(profile, &patient, &input, &doc->out, &doc->end, &doc->err), &doc->err);
}

void
doc_run_with(struct doc *doc, unsigned options)
{
	struct deid_profile *profile = deid_test_profile(options);

	doc_run(doc, profile);
	deid_profile_free(profile);
}

/* ---- looking into the result ------------------------------------------------------------ */

#define DEPTH_MAX 32

struct place {
	uint32_t tag[DEPTH_MAX];
	int item[DEPTH_MAX];
};

static bool
is_at(const struct place *place, const struct dcm_token *token, const char *path)
{
	char text[DEPTH_MAX * 16] = "", part[32];

	for (unsigned i = 0; i < token->depth; i++) {
		snprintf(part, sizeof part, "%08X[%d].", place->tag[i], place->item[i]);
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s", part);
	}
	snprintf(part, sizeof part, "%08X", token->tag);
	snprintf(text + strlen(text), sizeof text - strlen(text), "%s", part);
	return strcmp(text, path) == 0;
}

static bool
find(struct doc *doc, const char *path, struct dcm_token *token)
{
	struct dcm_reader reader;
	struct place place = {{0}, {0}};

	dcm_reader_init(&reader, doc->syntax, 0);
	for (;;) {
		assert_ok(dcm_reader_next(
			      &reader, doc->out.data, doc->out.length, true, token, &doc->err),
		    &doc->err);
		if (token->kind == DCM_END || token->kind == DCM_PIXELS)
			return false;
		assert_true(token->depth < DEPTH_MAX);
		if ((token->kind == DCM_ELEMENT || token->kind == DCM_SEQUENCE_BEGIN) &&
		    is_at(&place, token, path))
			return true;
		if (token->kind == DCM_SEQUENCE_BEGIN) {
			place.tag[token->depth] = token->tag;
			place.item[token->depth] = -1;
		} else if (token->kind == DCM_ITEM_BEGIN) {
			place.item[token->depth - 1]++;
		}
	}
}

const char *
doc_text(struct doc *doc, const char *path)
{
	struct dcm_token token;

	if (!find(doc, path, &token))
		return NULL;
	if (token.kind == DCM_SEQUENCE_BEGIN)
		return "SQ";
	assert_true(dcm_value_text(doc->out.data, &token, doc->text, sizeof doc->text));
	return doc->text;
}

const char *
doc_vr(struct doc *doc, const char *path)
{
	struct dcm_token token;

	if (!find(doc, path, &token))
		return NULL;
	snprintf(doc->text, sizeof doc->text, "%c%c", token.vr >> 8, token.vr & 0xff);
	return doc->text;
}

bool
doc_contains(const struct doc *doc, const char *text)
{
	return memmem(doc->out.data, doc->out.length, text, strlen(text)) != NULL;
}
