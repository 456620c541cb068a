/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A test tool: what our codec makes of a file, for comparison with other readers.
 *
 *   dcm_dump_tool [--chunk N] FILE        one line a token on standard output
 *   dcm_dump_tool --rewrite UID OUT FILE  all tokens written again in that transfer syntax
 *
 * The first line is "meta SYNTAX CLASS INSTANCE", each of the others "DEPTH KIND TAG VR
 * LENGTH SHA1" with the value's bytes hashed as they stand in the file.
 * With --chunk the file reaches the reader N bytes at a time.  A refused file ends with a line
 * "refused: why" and status 1; wrong usage has status 2.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "dicom/part10.h"
#include "dicom/reader.h"
#include "dicom/writer.h"

#define FILE_MAX ((size_t)2 << 30)

struct job {
	size_t chunk;              /* 0: the whole file at once */
	struct dcm_writer *writer; /* NULL: print */
	struct dcm_meta meta;
	struct buf dataset; /* what the reader reads: the file, or what it inflated to */
	size_t offset;
};

static void
digest(const uint8_t *data, size_t length, char ret_hex[41])
{
	uint8_t sha1[20];
	size_t size = sizeof sha1;

	if (EVP_Q_digest(NULL, "SHA1", NULL, data, length, sha1, &size) != 1)
		memset(sha1, 0, sizeof sha1);
	text_hex(sha1, sizeof sha1, ret_hex);
}

static void
print_token(const uint8_t *data, const struct dcm_token *t)
{
	static const char *const kinds[] = {
	    "more", "element", "sequence", "item", "item-end", "sequence-end", "pixels", "end"};
	bool fragment = t->kind == DCM_ITEM_BEGIN && t->vr != DCM_VR('S', 'Q');
	char hex[41] = "-";

	if (t->kind == DCM_ELEMENT || fragment)
		digest(data + t->value_offset, t->length, hex);
	printf("%u %s %08x %c%c %u %s\n", t->depth, fragment ? "fragment" : kinds[t->kind],
	    (unsigned)t->tag, t->vr == 0 ? '-' : t->vr >> 8, t->vr == 0 ? '-' : t->vr & 0xff,
	    (unsigned)t->length, hex);
}

static int
walk(struct job *job, struct cairn_error *err)
{
	size_t total = job->dataset.length, there = job->chunk == 0 ? total : 0;
	struct dcm_token token;
	struct dcm_reader reader;
	int code;

	dcm_reader_init(&reader, job->meta.syntax, job->offset);
	reader.pixels_as_elements = true;
	for (;;) {
		code =
		    dcm_reader_next(&reader, job->dataset.data, there, there == total, &token, err);
		if (code != 0 || token.kind == DCM_END)
			return code;
		if (token.kind == DCM_MORE) {
			there = total - there < job->chunk ? total : there + job->chunk;
			continue;
		}
		if (job->writer == NULL)
			print_token(job->dataset.data, &token);
		else if ((code = dcm_put_token(job->writer, job->dataset.data, &token)) != 0)
			return cairn_error_set(err, code, "cannot write what was read");
	}
}

/* Reads the file, its meta information, and makes the data set ready for the reader. */
static int
open_file(struct job *job, const char *path, struct cairn_error *err)
{
	BUF_AUTO file = {.max = FILE_MAX};
	int code = file_read(path, &file, err);

	if (code == 0)
		code = dcm_meta_read(file.data, file.length, true, &job->meta, err);
	if (code != 0)
		return code;
	if (job->meta.syntax == NULL)
		return cairn_error_set(
		    err, CAIRN_EUNSUPPORTED, "transfer syntax %s", job->meta.transfer_syntax);
	job->dataset.max = FILE_MAX;
	if (job->meta.syntax->deflated)
		return dcm_inflate(file.data + job->meta.dataset_offset,
		    file.length - job->meta.dataset_offset, &job->dataset, err);
	job->dataset = file;
	job->offset = job->meta.dataset_offset;
	file = (struct buf){.max = FILE_MAX};
	return 0;
}

static int
dump(struct job *job, const char *path, struct cairn_error *err)
{
	int code = open_file(job, path, err);

	if (code == 0)
		printf("meta %s %s %s\n", job->meta.transfer_syntax, job->meta.sop_class,
		    job->meta.sop_instance);
	return code == 0 ? walk(job, err) : code;
}

static int
rewrite_file(
    struct job *job, const char *uid, const char *target, const char *path, struct cairn_error *err)
{
	const struct dcm_syntax *syntax = dcm_syntax_find(uid);
	BUF_AUTO out = {.max = FILE_MAX};
	BUF_AUTO plain = {.max = FILE_MAX};
	struct dcm_writer writer;
	int code = open_file(job, path, err);

	if (code != 0)
		return code;
	if (syntax == NULL)
		return cairn_error_set(err, CAIRN_EINVAL, "unknown transfer syntax %s", uid);
	code = dcm_meta_write(&out, job->meta.sop_class, job->meta.sop_instance, uid);
	dcm_writer_init(&writer, syntax->deflated ? &plain : &out, syntax);
	job->writer = &writer;
	if (code == 0)
		code = walk(job, err);
	if (code == 0 && syntax->deflated)
		code = dcm_deflate(plain.data, plain.length, &out, err);
	return code == 0 ? file_write(target, out.data, out.length, 0600, err) : code;
}

int
main(int argc, char **argv)
{
	struct job job = {.chunk = 0};
	struct cairn_error err = {0};
	int64_t chunk = 0;
	int code;

	if (argc == 5 && strcmp(argv[1], "--rewrite") == 0) {
		code = rewrite_file(&job, argv[2], argv[3], argv[4], &err);
	} else if (argc == 2 ||
	    (argc == 4 && strcmp(argv[1], "--chunk") == 0 &&
		text_to_integer(argv[2], 1, INT32_MAX, &chunk) == 0)) {
		job.chunk = (size_t)chunk;
		code = dump(&job, argv[argc - 1], &err);
	} else {
		fprintf(stderr, "usage: %s [--chunk N] FILE | --rewrite UID OUT FILE\n", argv[0]);
		return 2;
	}
	buf_fini(&job.dataset);
	if (code != 0)
		printf("refused: %s\n", err.text[0] != 0 ? err.text : cairn_code_text(code));
	return code == 0 ? 0 : 1;
}
