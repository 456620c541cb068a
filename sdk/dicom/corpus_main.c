/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dcm_make_corpus DIR: the seeds of the codec's fuzz targets, as they lie in tests/fuzz/corpus; run
 * it again after the sample has changed.  All of them are made here, none comes from a file.
 */
#include <stdio.h>

#include "base/buf.h"
#include "base/file.h"
#include "dicom/part10.h"
#include "dicom/sample_test.h"

#define SEED_MAX (1u << 16)

static const char *const uids[] = {
    DCM_EXPLICIT_LE, DCM_IMPLICIT_LE, DCM_EXPLICIT_BE, "1.2.840.10008.1.2.4.50"};

#define UIDS (sizeof uids / sizeof uids[0])

static int
save(const char *dir, const char *target, size_t number, const struct buf *seed)
{
	struct cairn_error err = {0};
	char folder[512], name[16], path[600];
	int code = file_join(folder, sizeof folder, dir, target);

	if (code == 0)
		code = file_mkdirs(folder, 0755, &err);
	snprintf(name, sizeof name, "seed-%zu", number);
	if (code == 0)
		code = file_join(path, sizeof path, folder, name);
	if (code == 0)
		code = file_write(path, seed->data, seed->length, 0644, &err);
	if (code != 0)
		fprintf(stderr, "%s: %s\n", dir, err.text);
	return code;
}

static int
compose(struct buf *out, size_t index)
{
	struct dcm_writer w;

	dcm_writer_init(&w, out, dcm_syntax_find(uids[index]));
	return sample_write(&w, true, index == 3);
}

static int
make_reader_seed(const char *dir, size_t index)
{
	BUF_AUTO seed = {.max = SEED_MAX};
	uint8_t choice[2] = {(uint8_t)(index | 4), 16};
	int code = buf_append(&seed, choice, sizeof choice);

	if (code == 0)
		code = compose(&seed, index);
	return code == 0 ? save(dir, "dicom_reader", index, &seed) : code;
}

static int
make_meta_seed(const char *dir, size_t index)
{
	BUF_AUTO seed = {.max = SEED_MAX};
	int code = index == 0
	    ? 0
	    : dcm_meta_write(&seed, "1.2.840.10008.5.1.4.1.1.2", "2.25.1", uids[index]);

	if (code == 0)
		code = compose(&seed, index);
	if (code == 0 && seed.length > 512)
		seed.length = 512;
	return code == 0 ? save(dir, "dicom_meta", index, &seed) : code;
}

static int
make_inflate_seed(const char *dir, size_t index)
{
	BUF_AUTO plain = {.max = SEED_MAX};
	BUF_AUTO seed = {.max = SEED_MAX};
	int code = compose(&plain, index);

	if (code == 0)
		code = dcm_deflate(plain.data, plain.length, &seed, NULL);
	return code == 0 ? save(dir, "dicom_inflate", index, &seed) : code;
}

int
main(int argc, char **argv)
{
	int code = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIR\n", argv[0]);
		return 2;
	}
	for (size_t i = 0; code == 0 && i < UIDS; i++) {
		code = make_reader_seed(argv[1], i);
		if (code == 0)
			code = make_meta_seed(argv[1], i);
		if (code == 0)
			code = make_inflate_seed(argv[1], i);
	}
	return code == 0 ? 0 : 1;
}
