/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers read to the pixel data, by our codec; bench_header runs it beside DCMTK on the same
 * files.
 *
 *   bench_header_cairn file|memory SECONDS FILE...   files a second
 *   bench_header_cairn make DIR COUNT TEMPLATE       COUNT small instances with TEMPLATE's header
 *
 * "file" opens each file and reads no more of it than the header needs; "memory" has the beginnings
 * of all files loaded before the clock starts.  Twelve attributes of each header are copied out, as
 * an index would; DCMTK is not asked for any.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "dicom/part10.h"
#include "dicom/reader.h"
#include "dicom/writer.h"

#define FIRST_READ 4096u
#define HEADER_MAX (64u << 20)
#define SMALL_PIXELS (56u * 56u * 2u)

static const uint32_t wanted[12] = {DCM_TAG(8, 0x16), DCM_TAG(8, 0x18), DCM_TAG(8, 0x20),
    DCM_TAG(8, 0x60), DCM_TAG(8, 0x70), DCM_TAG(8, 0x1090), DCM_TAG(0x10, 0x20),
    DCM_TAG(0x10, 0x40), DCM_TAG(0x18, 0x15), DCM_TAG(0x18, 0x50), DCM_TAG(0x20, 0x0d),
    DCM_TAG(0x20, 0x0e)};

struct head {
	char values[12][128];
	uint64_t elements;
	struct dcm_reader reader;
	bool started;
};

static void
pick(struct head *head, const uint8_t *data, const struct dcm_token *t)
{
	head->elements++;
	if (t->depth != 0 || t->kind != DCM_ELEMENT)
		return;
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		if (t->tag == wanted[i])
			(void)dcm_value_text(data, t, head->values[i], sizeof head->values[i]);
	}
}

/* 0 when the header is complete, CAIRN_EAGAIN when more bytes are needed: then it goes on where it
 * stopped, because the reader does. */
static int
parse(const uint8_t *data, size_t length, bool eof, struct head *head)
{
	struct dcm_meta meta;
	struct dcm_token t = {.kind = DCM_MORE};
	int code = 0;

	if (!head->started) {
		code = dcm_meta_read(data, length, eof, &meta, NULL);
		if (code == 0 && (meta.syntax == NULL || meta.syntax->deflated))
			code = CAIRN_EUNSUPPORTED;
		if (code != 0)
			return code;
		dcm_reader_init(&head->reader, meta.syntax, meta.dataset_offset);
		head->started = true;
	}
	while ((code = dcm_reader_next(&head->reader, data, length, eof, &t, NULL)) == 0) {
		if (t.kind == DCM_PIXELS || t.kind == DCM_END)
			return 0;
		if (t.kind == DCM_MORE)
			return CAIRN_EAGAIN;
		pick(head, data, &t);
	}
	return code;
}

/* Appends up to `want` bytes; true at the end of the file. */
static bool
read_more(int fd, struct buf *buf, size_t want)
{
	ssize_t got;

	if (buf_reserve(buf, want) != 0)
		return true;
	got = read(fd, buf->data + buf->length, want);
	if (got > 0)
		buf->length += (size_t)got;
	return got < (ssize_t)want;
}

static int
read_head(const char *path, struct buf *buf, struct head *head)
{
	FD_AUTO fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t want = FIRST_READ;
	int code;

	buf_clear(buf);
	head->started = false;
	do {
		bool eof = fd < 0 || read_more(fd, buf, want);

		code = parse(buf->data, buf->length, eof, head);
		want = buf->length * 3;
	} while (code == CAIRN_EAGAIN);
	return code;
}

static int
run_files(char **paths, size_t count, uint64_t until_ns, uint64_t *ret_read)
{
	BUF_AUTO buf = {.max = HEADER_MAX};
	static struct head head;

	while (clock_monotonic_ns() < until_ns) {
		for (size_t i = 0; i < count; i++) {
			if (read_head(paths[i], &buf, &head) != 0) {
				fprintf(stderr, "cannot read %s\n", paths[i]);
				return 1;
			}
		}
		*ret_read += count;
	}
	return 0;
}

static int
load(char **paths, size_t count, struct buf *ret)
{
	static struct head head;

	for (size_t i = 0; i < count; i++) {
		ret[i].max = HEADER_MAX;
		if (read_head(paths[i], &ret[i], &head) != 0) {
			fprintf(stderr, "cannot read %s\n", paths[i]);
			return 1;
		}
	}
	return 0;
}

static int
run_memory(char **paths, size_t count, uint64_t seconds_ns, uint64_t *ret_read, uint64_t *ret_ns)
{
	struct buf *bufs = calloc(count, sizeof *bufs);
	static struct head head;
	uint64_t start, now;
	int code = bufs == NULL ? 1 : load(paths, count, bufs);

	start = now = clock_monotonic_ns();
	while (code == 0 && now - start < seconds_ns) {
		for (size_t i = 0; i < count; i++) {
			head.started = false;
			(void)parse(bufs[i].data, bufs[i].length, true, &head);
		}
		*ret_read += count;
		now = clock_monotonic_ns();
	}
	*ret_ns = now - start;
	for (size_t i = 0; bufs != NULL && i < count; i++)
		buf_fini(&bufs[i]);
	free(bufs);
	return code;
}

static int
run(const char *mode, const char *seconds, char **paths, size_t count)
{
	uint64_t read = 0, spent, start = clock_monotonic_ns();
	int64_t limit;
	int code;

	if (text_to_integer(seconds, 1, 3600, &limit) != 0)
		return 2;
	if (strcmp(mode, "memory") == 0) {
		code = run_memory(paths, count, (uint64_t)limit * 1000000000u, &read, &spent);
	} else {
		code = run_files(paths, count, start + (uint64_t)limit * 1000000000u, &read);
		spent = clock_monotonic_ns() - start;
	}
	if (code == 0)
		printf("%.0f\n", (double)read * 1e9 / (double)spent);
	return code;
}

/* The template's header with other UIDs and 6 KB of pixels, as explicit VR little endian. */
static int
make_one(const struct buf *in, const struct dcm_meta *meta, const char *dir, int64_t number)
{
	BUF_AUTO out = {.max = HEADER_MAX};
	struct dcm_reader reader;
	struct dcm_token t = {.kind = DCM_MORE};
	struct dcm_writer w;
	static const uint8_t pixels[SMALL_PIXELS];
	char uid[65], path[600];
	int code;

	snprintf(uid, sizeof uid, "2.25.%lld", (long long)number + 1);
	snprintf(path, sizeof path, "%s/%06lld.dcm", dir, (long long)number);
	code = dcm_meta_write(&out, meta->sop_class, uid, DCM_EXPLICIT_LE);
	dcm_reader_init(&reader, meta->syntax, meta->dataset_offset);
	dcm_writer_init(&w, &out, dcm_syntax_find(DCM_EXPLICIT_LE));
	while (code == 0) {
		code = dcm_reader_next(&reader, in->data, in->length, true, &t, NULL);
		if (code != 0 || t.kind == DCM_PIXELS || t.kind == DCM_END)
			break;
		code = t.tag == DCM_TAG(8, 0x18) ? dcm_put_text(&w, t.tag, t.vr, uid)
						 : dcm_put_token(&w, in->data, &t);
	}
	if (code == 0)
		code = dcm_put_bytes(
		    &w, DCM_TAG(0x7fe0, 0x10), DCM_VR('O', 'W'), pixels, sizeof pixels);
	return code == 0 ? file_write(path, out.data, out.length, 0600, NULL) : code;
}

static int
make(const char *dir, const char *count_text, const char *template_path)
{
	BUF_AUTO in = {.max = HEADER_MAX};
	struct cairn_error err = {0};
	struct dcm_meta meta;
	int64_t count;
	int code = text_to_integer(count_text, 1, 1000000, &count);

	if (code == 0)
		code = file_mkdirs(dir, 0700, &err);
	if (code == 0)
		code = file_read(template_path, &in, &err);
	if (code == 0)
		code = dcm_meta_read(in.data, in.length, true, &meta, &err);
	for (int64_t i = 0; code == 0 && i < count; i++)
		code = make_one(&in, &meta, dir, i);
	if (code != 0)
		fprintf(stderr, "%s: %s\n", template_path, err.text);
	return code == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "make") == 0)
		return make(argv[2], argv[3], argv[4]);
	if (argc > 3 && (strcmp(argv[1], "file") == 0 || strcmp(argv[1], "memory") == 0))
		return run(argv[1], argv[2], argv + 3, (size_t)argc - 3);
	fprintf(
	    stderr, "usage: %s file|memory SECONDS FILE... | make DIR COUNT TEMPLATE\n", argv[0]);
	return 2;
}
