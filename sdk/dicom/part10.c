/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File meta information is read as the data set in explicit VR little endian that it is, element by
 * element up to the first that is not of group 0002: the group length is not trusted, because files
 * with a wrong one exist and are otherwise sound.
 */
#include "dicom/part10.h"

#include <string.h>

#include "dicom/reader.h"
#include "dicom/writer.h"

#define PREAMBLE 128u
#define META_MAX (1u << 20) /* no meta information comes near */

static const char magic[4] = {'D', 'I', 'C', 'M'};

static uint32_t
tag_at(const uint8_t *at)
{
	return DCM_TAG(dcm_read_u16(at, false), dcm_read_u16(at + 2, false));
}

static int
take_uid(
    const uint8_t *data, const struct dcm_token *t, struct dcm_meta *meta, struct cairn_error *err)
{
	char *uid;

	switch (t->tag) {
	case DCM_TAG(0x0002, 0x0002):
		uid = meta->sop_class;
		break;
	case DCM_TAG(0x0002, 0x0003):
		uid = meta->sop_instance;
		break;
	case DCM_TAG(0x0002, 0x0010):
		uid = meta->transfer_syntax;
		break;
	default:
		return 0;
	}
	if (!dcm_value_text(data, t, uid, DCM_UID_MAX + 1))
		return cairn_error_set(err, CAIRN_ECORRUPT,
		    "file meta element (0002,%04x) is a UID of more than %d characters",
		    (unsigned)(t->tag & 0xffff), DCM_UID_MAX);
	return 0;
}

/* Reads group 0002 from `start` and leaves dataset_offset behind it. */
static int
read_group(
    const uint8_t *data, size_t length, bool eof, struct dcm_meta *meta, struct cairn_error *err)
{
	size_t bound = meta->dataset_offset + META_MAX;
	struct dcm_reader reader;
	struct dcm_token token = {.kind = DCM_END};
	int code;

	dcm_reader_init(&reader, dcm_syntax_find(DCM_EXPLICIT_LE), meta->dataset_offset);
	for (;;) {
		size_t at = reader.position;
		bool outside =
		    reader.depth == 0 && at + 4 <= length && DCM_GROUP(tag_at(data + at)) != 2;

		if (outside || (eof && at == length && reader.depth == 0))
			break;
		code = dcm_reader_next(&reader, data, length < bound ? length : bound,
		    eof || length >= bound, &token, err);
		if (code != 0)
			return cairn_error_prefix(err, code, "file meta information");
		if (token.kind == DCM_MORE)
			return CAIRN_EAGAIN;
		if (token.kind == DCM_END)
			break;
		code = token.kind == DCM_ELEMENT ? take_uid(data, &token, meta, err) : 0;
		if (code != 0)
			return code;
	}
	meta->dataset_offset = reader.position;
	return 0;
}

/* A data set without meta information begins with an element of a low group that PS3.6 lists; its
 * VR, where explicit, is the listed one. */
static const char *
guess_syntax(const uint8_t *at, size_t length)
{
	uint32_t tag = tag_at(at);
	uint32_t implicit_length = dcm_read_u32(at + 4, false);
	const struct dcm_entry *entry = dcm_dict_find(tag);

	if (entry == NULL || DCM_GROUP(tag) < 0x0004 || DCM_GROUP(tag) > 0x0020)
		return NULL;
	if (DCM_VR(at[4], at[5]) == entry->vr)
		return DCM_EXPLICIT_LE;
	return implicit_length <= length - 8 || implicit_length <= 0xffff ? DCM_IMPLICIT_LE : NULL;
}

/* Neither preamble nor a transfer syntax in the meta information: the first element tells. */
static int
guess(const uint8_t *data, size_t length, bool eof, struct dcm_meta *meta, struct cairn_error *err)
{
	size_t at = meta->dataset_offset;
	const char *uid;

	if (length - at < 8 && !eof)
		return CAIRN_EAGAIN;
	if (length - at < 8)
		return cairn_error_set(err, CAIRN_ECORRUPT,
		    "not DICOM: %zu bytes hold neither file meta information nor an element",
		    length);
	uid = guess_syntax(data + at, length - at);
	if (uid == NULL)
		return cairn_error_set(err, CAIRN_ECORRUPT,
		    "not DICOM: expected \"DICM\" at offset 128 or a data element at offset %zu, "
		    "found "
		    "bytes %02x %02x %02x %02x",
		    at, data[at], data[at + 1], data[at + 2], data[at + 3]);
	memcpy(meta->transfer_syntax, uid, strlen(uid) + 1);
	return 0;
}

/* Where group 0002 begins: behind the preamble, or at once in files that lost it; 0 and false when
 * there is none. */
static bool
find_group(const uint8_t *data, size_t length, size_t *ret_start)
{
	*ret_start = 0;
	if (length >= PREAMBLE + sizeof magic &&
	    memcmp(data + PREAMBLE, magic, sizeof magic) == 0) {
		*ret_start = PREAMBLE + sizeof magic;
		return true;
	}
	return length >= 4 && DCM_GROUP(tag_at(data)) == 2;
}

int
dcm_meta_read(
    const uint8_t *data, size_t length, bool eof, struct dcm_meta *ret, struct cairn_error *err)
{
	struct dcm_meta meta = {.syntax = NULL};
	int code;

	if (length < PREAMBLE + sizeof magic && !eof)
		return CAIRN_EAGAIN;
	if (find_group(data, length, &meta.dataset_offset)) {
		code = read_group(data, length, eof, &meta, err);
		if (code != 0)
			return code;
	}
	if (meta.transfer_syntax[0] == 0) {
		code = guess(data, length, eof, &meta, err);
		if (code != 0)
			return code;
	}
	meta.syntax = dcm_syntax_find(meta.transfer_syntax);
	*ret = meta;
	return 0;
}

static int
put_group(struct dcm_writer *w, const char *sop_class, const char *sop_instance,
    const char *transfer_syntax)
{
	static const uint8_t version[2] = {0, 1};
	int code = dcm_put_bytes(w, DCM_TAG(2, 1), DCM_VR('O', 'B'), version, sizeof version);

	if (code == 0)
		code = dcm_put_text(w, DCM_TAG(2, 2), DCM_VR('U', 'I'), sop_class);
	if (code == 0)
		code = dcm_put_text(w, DCM_TAG(2, 3), DCM_VR('U', 'I'), sop_instance);
	if (code == 0)
		code = dcm_put_text(w, DCM_TAG(2, 0x10), DCM_VR('U', 'I'), transfer_syntax);
	if (code == 0)
		code = dcm_put_text(w, DCM_TAG(2, 0x12), DCM_VR('U', 'I'), DCM_IMPLEMENTATION_UID);
	if (code == 0)
		code =
		    dcm_put_text(w, DCM_TAG(2, 0x13), DCM_VR('S', 'H'), DCM_IMPLEMENTATION_VERSION);
	return code;
}

int
dcm_meta_write(
    struct buf *out, const char *sop_class, const char *sop_instance, const char *transfer_syntax)
{
	BUF_AUTO group = {.max = 4096};
	struct dcm_writer w;
	int code;

	dcm_writer_init(&w, &group, dcm_syntax_find(DCM_EXPLICIT_LE));
	code = put_group(&w, sop_class, sop_instance, transfer_syntax);
	if (code == 0)
		code = buf_reserve(out, PREAMBLE + sizeof magic + 12 + group.length);
	if (code != 0)
		return code;
	dcm_writer_init(&w, out, dcm_syntax_find(DCM_EXPLICIT_LE));
	(void)buf_append_zero(out, PREAMBLE);
	(void)buf_append(out, magic, sizeof magic);
	(void)dcm_put_u32(&w, DCM_TAG(2, 0), DCM_VR('U', 'L'), (uint32_t)group.length);
	return buf_append(out, group.data, group.length);
}
