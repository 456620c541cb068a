/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk: one pass of the reader's tokens, without recursion.  What may stay is not written
 * element by element but copied in runs of the original's bytes; a run ends where something is
 * changed.  Sequences are always written with undefined length, as their contents may shrink.
 *
 * Elements whose encoding is not that of the data set around them (a sequence that travelled as VR
 * UN and is implicit VR inside) are written anew in the data set's own encoding.
 */
#include <string.h>

#include "deid/element.h"
#include "dicom/reader.h"

struct frame {
	bool clean;    /* inside a cleaned sequence: texts that no table names are cleaned too */
	bool standard; /* a coding scheme that a standard defines: its meanings are safe */
	uint32_t last; /* the last tag that stayed */
	struct deid_blocks blocks;
};

struct walk {
	struct deid_edit edit;
	const struct deid_input *input;
	struct dcm_reader reader;
	size_t run_begin; /* bytes of the input that stay and are not copied yet */
	size_t run_end;
	bool adds;           /* a header gets the added attributes, a trailer not */
	size_t added;        /* how many are written */
	uint32_t next_added; /* the tag of the next one, UINT32_MAX after the last */
	bool skipping;       /* inside a sequence that goes */
	unsigned skip_depth;
	bool clean_next; /* the items of the sequence just begun are cleaned */
	struct frame frames[DCM_DEPTH_MAX + 1];
};

static int
flush(struct walk *walk)
{
	size_t begin = walk->run_begin;

	walk->run_begin = walk->run_end;
	return buf_append(walk->edit.writer.out, walk->input->data + begin, walk->run_end - begin);
}

/* Is the token's own encoding the one that we write? */
static bool
same_encoding(const struct walk *walk, const struct dcm_token *token)
{
	const struct dcm_reader *reader = &walk->reader;
	bool explicit_vr = reader->explicit_vr && !reader->levels[reader->depth].implicit_vr;

	return explicit_vr == walk->edit.writer.explicit_vr &&
	    token->big_endian == walk->edit.writer.big_endian;
}

static int
keep(struct walk *walk, const struct dcm_token *token)
{
	int code;

	if (!same_encoding(walk, token)) {
		code = flush(walk);
		return code != 0 ? code
				 : dcm_put_token(&walk->edit.writer, walk->input->data, token);
	}
	if (walk->run_end != token->offset) {
		code = flush(walk);
		if (code != 0)
			return code;
		walk->run_begin = token->offset;
	}
	walk->run_end = token->value_offset + token->length;
	return 0;
}

/* Writes the added attributes that come before `tag`. */
static int
add_until(struct walk *walk, uint32_t tag)
{
	int code = 0;

	while (walk->next_added < tag && code == 0) {
		code = flush(walk);
		if (code == 0)
			code = deid_added_write(&walk->edit, walk->added++);
		walk->next_added = deid_added_tag(walk->added);
	}
	return code;
}

/* ---- elements --------------------------------------------------------------------------- */

static bool
is_creator(uint32_t tag)
{
	return (tag & 0xffff) >= 0x10 && (tag & 0xffff) <= 0xff;
}

static struct deid_rule
private_rule(struct walk *walk, const struct dcm_token *token, const uint8_t *value)
{
	struct deid_profile *profile = walk->edit.profile;
	struct deid_blocks *blocks = &walk->frames[token->depth].blocks;
	struct deid_rule rule = {.act = DEID_ACT_REMOVE, .vr = token->vr};

	if ((profile->options & DEID_SAFE_PRIVATE) == 0)
		return rule;
	if (is_creator(token->tag)) {
		if (token->kind == DCM_ELEMENT &&
		    deid_blocks_reserve(blocks, &profile->safe, token->tag, value, token->length))
			rule.act = DEID_ACT_KEEP;
		return rule;
	}
	if ((token->tag & 0xffff) < 0x1000 || !deid_blocks_safe(blocks, &profile->safe, token->tag))
		return rule;
	return deid_rule_safe(profile, token->vr);
}

static bool
is_standard_scheme(const uint8_t *value, size_t length)
{
	static const char *const schemes[] = {"DCM", "SCT", "SRT", "SNM3", "LN", "UCUM", "RADLEX",
	    "FMA", "I10", "ICD10", "I9C", "NCIt", "MDNS", "UBERON", "RO", "NEU"};

	while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == 0))
		length--;
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
		if (strlen(schemes[i]) == length && memcmp(schemes[i], value, length) == 0)
			return true;
	return false;
}

/* Inside a cleaned sequence: of a code its value, scheme and version stay, and its meaning where a
 * standard defines it; of the rest, listed words. */
static void
tighten(
    struct walk *walk, struct deid_rule *rule, const struct dcm_token *token, const uint8_t *value)
{
	struct frame *frame = &walk->frames[token->depth];

	if (!frame->clean || !rule->loose)
		return;
	switch (token->tag) {
	case DCM_TAG(0x0008, 0x0102):
		frame->standard = is_standard_scheme(value, token->length);
		return;
	case DCM_TAG(0x0008, 0x0100):
	case DCM_TAG(0x0008, 0x0103):
	case DCM_TAG(0x0008, 0x0119):
		return;
	case DCM_TAG(0x0008, 0x0104):
		if (frame->standard)
			return;
		break;
	default:
		break;
	}
	rule->act = DEID_ACT_CLEAN;
}

static int
element(struct walk *walk, const struct dcm_token *token)
{
	const uint8_t *value = walk->input->data + token->value_offset;
	struct deid_rule rule = deid_rule_get(walk->edit.profile, token->tag, token->vr);
	bool stays = false;
	size_t before = 0;
	int code = 0;

	if (rule.act == DEID_ACT_PRIVATE)
		rule = private_rule(walk, token, value);
	tighten(walk, &rule, token, value);
	/* What is too long to be a UID is not retained as one. */
	if (rule.act == DEID_ACT_KEEP && rule.vr == DCM_VR('U', 'I') &&
	    token->length > DCM_UID_MAX && memchr(value, '\\', token->length) == NULL)
		rule.act = DEID_ACT_UID;
	if (rule.act == DEID_ACT_REMOVE)
		return 0;
	if (rule.act != DEID_ACT_KEEP) {
		code = flush(walk);
		before = walk->edit.writer.out->length;
		if (code == 0)
			code = deid_element_write(
			    &walk->edit, rule, token->tag, value, token->length, &stays);
		if (code != 0)
			return code;
	}
	if (rule.act == DEID_ACT_KEEP || stays)
		code = keep(walk, token);
	else if (walk->edit.writer.out->length == before)
		return 0; /* nothing could be kept of it */
	walk->frames[token->depth].last = token->tag;
	return code;
}

/* ---- sequences -------------------------------------------------------------------------- */

static int
put_token(struct walk *walk, const struct dcm_token *token)
{
	int code = flush(walk);

	return code != 0 ? code : dcm_put_token(&walk->edit.writer, walk->input->data, token);
}

/* Fragments (of VR OB or OW) stay or go as they are. */
static int
begin_sequence(struct walk *walk, const struct dcm_token *token)
{
	struct deid_rule rule = deid_rule_get(walk->edit.profile, token->tag, token->vr);
	bool items = token->vr == DCM_VR('S', 'Q');
	int code = 0;

	if (rule.act == DEID_ACT_PRIVATE)
		rule = private_rule(walk, token, NULL);
	if (rule.act != DEID_ACT_REMOVE)
		walk->frames[token->depth].last = token->tag;
	if (rule.act == DEID_ACT_KEEP || (rule.act == DEID_ACT_CLEAN && items)) {
		walk->clean_next = walk->frames[token->depth].clean || rule.act == DEID_ACT_CLEAN;
		return put_token(walk, token);
	}
	walk->skipping = true;
	walk->skip_depth = token->depth;
	if (items && (rule.act == DEID_ACT_EMPTY || rule.act == DEID_ACT_DUMMY)) {
		code = flush(walk);
		if (code == 0)
			code =
			    deid_sequence_write(&walk->edit, (enum deid_act)rule.act, token->tag);
	}
	return code;
}

static int
begin_item(struct walk *walk, const struct dcm_token *token)
{
	if (token->depth <= DCM_DEPTH_MAX) {
		struct frame *frame = &walk->frames[token->depth];

		/* The second item of a sequence finds what its first one left. */
		frame->clean = walk->clean_next;
		frame->standard = false;
		frame->last = 0;
		frame->blocks.count = 0;
	}
	return put_token(walk, token);
}

/* Written by us, or a second one of the same tag, which stood behind something that went: with
 * both, readers would differ on which one counts. */
static bool
is_surplus(const struct walk *walk, const struct dcm_token *token)
{
	return token->tag == walk->frames[token->depth].last ||
	    (token->depth == 0 && walk->adds && deid_is_added(token->tag));
}

static int
take_element(struct walk *walk, const struct dcm_token *token)
{
	int code = token->depth == 0 ? add_until(walk, token->tag) : 0;

	if (code != 0)
		return code;
	if (is_surplus(walk, token)) {
		walk->skipping = token->kind == DCM_SEQUENCE_BEGIN;
		walk->skip_depth = token->depth;
		return 0;
	}
	return token->kind == DCM_ELEMENT ? element(walk, token) : begin_sequence(walk, token);
}

static int
take(struct walk *walk, const struct dcm_token *token)
{
	if (walk->skipping) {
		if (token->kind == DCM_SEQUENCE_END && token->depth == walk->skip_depth)
			walk->skipping = false;
		return 0;
	}
	switch (token->kind) {
	case DCM_ELEMENT:
	case DCM_SEQUENCE_BEGIN:
		return take_element(walk, token);
	case DCM_ITEM_BEGIN:
		return begin_item(walk, token);
	default:
		/* After a nested sequence its parent's mode counts for the next item again. */
		walk->clean_next = walk->frames[token->depth].clean;
		return put_token(walk, token);
	}
}

/* ---- the two calls ---------------------------------------------------------------------- */

static int
check_patient(const struct deid_patient *patient, struct cairn_error *err)
{
	size_t length = strlen(patient->pseudonym);

	for (size_t i = 0; i < length; i++)
		if (patient->pseudonym[i] < '!' || patient->pseudonym[i] > '~' ||
		    strchr("\\^=", patient->pseudonym[i]) != NULL)
			length = 0;
	if (length == 0 || length > DEID_PSEUDONYM_MAX)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "a pseudonym is 1 to %d printable ASCII characters without space, '\\', '^' "
		    "and '='",
		    DEID_PSEUDONYM_MAX);
	return 0;
}

static int
run(struct walk *walk, struct dcm_token *token, struct cairn_error *err)
{
	const struct deid_input *input = walk->input;
	int code;

	for (;;) {
		code = dcm_reader_next(&walk->reader, input->data, input->length, true, token, err);
		if (code != 0)
			return code;
		/* The reader finds out when a data set is not encoded as announced. */
		walk->edit.writer.explicit_vr = walk->reader.explicit_vr;
		if (token->kind == DCM_PIXELS || token->kind == DCM_END)
			break;
		code = take(walk, token);
		if (code != 0)
			return cairn_error_set(
			    err, code, "the rewritten header: %s", cairn_code_text(code));
	}
	code = add_until(walk, token->kind == DCM_END ? UINT32_MAX : token->tag);
	if (code == 0)
		code = flush(walk);
	return code == 0
	    ? 0
	    : cairn_error_set(err, code, "the rewritten header: %s", cairn_code_text(code));
}

static void
prepare(struct walk *walk, struct deid_profile *profile, const struct deid_patient *patient,
    const struct deid_input *input, struct buf *out)
{
	walk->edit.profile = profile;
	walk->edit.patient = patient;
	walk->input = input;
	walk->run_begin = walk->run_end = 0;
	walk->skipping = false;
	walk->skip_depth = 0;
	walk->clean_next = false;
	walk->frames[0].clean = walk->frames[0].standard = false;
	walk->frames[0].last = 0;
	walk->frames[0].blocks.count = 0;
	dcm_writer_init(&walk->edit.writer, out, input->syntax);
	dcm_reader_init(&walk->reader, input->syntax, 0);
}

/* The true encoding, where the data set has another one than it was announced with. */
static const struct dcm_syntax *
found_syntax(const struct dcm_syntax *announced, bool explicit_vr)
{
	if (announced->explicit_vr == explicit_vr || announced->encapsulated ||
	    announced->big_endian)
		return announced;
	return dcm_syntax_find(explicit_vr ? DCM_EXPLICIT_LE : DCM_IMPLICIT_LE);
}

void
deid_end_set(struct deid_end *ret, const struct dcm_token *token,
    const struct dcm_syntax *announced, const struct dcm_reader *reader, size_t length)
{
	*ret = (struct deid_end){
	    .offset = length,
	    .value_offset = length,
	    .syntax = found_syntax(announced, reader->explicit_vr),
	};
	if (token->kind != DCM_PIXELS)
		return;
	ret->pixels = true;
	ret->tag = token->tag;
	ret->vr = token->vr;
	ret->length = token->length;
	ret->offset = token->offset;
	ret->value_offset = token->value_offset;
}

int
deid_header(struct deid_profile *profile, const struct deid_patient *patient,
    const struct deid_input *input, struct buf *out, struct deid_end *ret_end,
    struct cairn_error *err)
{
	struct walk walk;
	struct dcm_token token;
	size_t before = out->length;
	int code = check_patient(patient, err);

	if (code != 0)
		return code;
	prepare(&walk, profile, patient, input, out);
	walk.adds = true;
	walk.added = 0;
	walk.next_added = deid_added_tag(0);
	code = run(&walk, &token, err);
	if (code != 0) {
		out->length = before;
		return code;
	}
	deid_end_set(ret_end, &token, input->syntax, &walk.reader, input->length);
	return 0;
}

int
deid_trailer(struct deid_profile *profile, const struct deid_patient *patient,
    const struct deid_input *input, struct buf *out, struct cairn_error *err)
{
	struct walk walk;
	struct dcm_token token;
	size_t before = out->length;
	int code = check_patient(patient, err);

	if (code != 0)
		return code;
	prepare(&walk, profile, patient, input, out);
	walk.adds = false;
	walk.next_added = UINT32_MAX;
	code = run(&walk, &token, err);
	if (code == 0 && token.kind == DCM_PIXELS)
		code = cairn_error_set(err, CAIRN_ECORRUPT,
		    "element (%04x,%04x) at offset %zu: pixel data after the pixel data",
		    (unsigned)DCM_GROUP(token.tag), (unsigned)(token.tag & 0xffff), token.offset);
	if (code != 0)
		out->length = before;
	return code;
}
