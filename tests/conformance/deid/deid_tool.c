/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deid_tool [-o OPTION]... [-s DAYS] [-n REPEAT] IN OUT: de-identifies one Part 10 file as a
 * connector does, with a fixed key, pseudonym and date shift, for the conformance test.  With -n it
 * rewrites the header that often and prints the processor time of a pass.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "deid/deid.h"
#include "dicom/part10.h"
#include "dicom/reader.h"

#define FILE_MAX ((size_t)1 << 30)
#define OPTIONS_MAX 16

struct job {
	unsigned options;
	int64_t shift;
	int64_t repeat;
	const char *safe[OPTIONS_MAX];
	size_t safe_count;
	const char *in;
	const char *out;
};

/* Where the pixel data element ends. */
static int
pixels_end(const struct deid_input *input, const struct deid_end *end, size_t *ret,
    struct cairn_error *err)
{
	struct dcm_reader reader;
	struct dcm_token token;
	int code;

	dcm_reader_init(&reader, end->syntax, end->offset);
	reader.pixels_as_elements = true;
	do {
		code = dcm_reader_next(&reader, input->data, input->length, true, &token, err);
		if (code != 0)
			return code;
	} while (token.kind != DCM_ELEMENT && (token.kind != DCM_SEQUENCE_END || token.depth != 0));
	*ret = reader.position;
	return 0;
}

static int
rewrite(struct deid_profile *profile, const struct deid_patient *patient,
    const struct deid_input *input, struct buf *out, struct cairn_error *err)
{
	struct deid_end end;
	size_t after;
	struct deid_input rest = *input;
	int code = deid_header(profile, patient, input, out, &end, err);

	if (code != 0 || !end.pixels)
		return code;
	code = pixels_end(input, &end, &after, err);
	if (code == 0)
		code = buf_append(out, input->data + end.offset, after - end.offset);
	if (code != 0)
		return code;
	rest.data += after;
	rest.length -= after;
	return deid_trailer(profile, patient, &rest, out, err);
}

/* Processor time, so that a busy machine does not count. */
static uint64_t
cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void
measure(struct deid_profile *profile, const struct deid_patient *patient,
    const struct deid_input *input, int64_t repeat)
{
	BUF_AUTO out = {.max = FILE_MAX};
	struct deid_end end = {0};
	struct deid_scan scan;
	uint64_t start, middle, stop;

	start = cpu_ns();
	for (int64_t i = 0; i < repeat; i++) {
		buf_clear(&out);
		if (deid_header(profile, patient, input, &out, &end, NULL) != 0)
			return;
	}
	middle = cpu_ns();
	for (int64_t i = 0; i < repeat; i++)
		if (deid_scan(input, &scan, NULL) != 0)
			return;
	stop = cpu_ns();
	printf("%zu bytes of header: rewrite %llu ns, scan %llu ns\n", end.offset,
	    (unsigned long long)((middle - start) / (uint64_t)repeat),
	    (unsigned long long)((stop - middle) / (uint64_t)repeat));
}

static int
write_file(const struct job *job, struct deid_profile *profile, const struct deid_scan *scan,
    struct buf *data_set, struct cairn_error *err)
{
	BUF_AUTO out = {.max = FILE_MAX}, deflated = {.max = FILE_MAX};
	const struct dcm_syntax *syntax = scan->end.syntax;
	char instance[DCM_UID_MAX + 1];
	int code =
	    deid_uid(profile, scan->sop_instance[0] ? scan->sop_instance : "1.2.3", instance, err);

	if (code == 0)
		code = dcm_meta_write(&out, scan->sop_class, instance, syntax->uid);
	if (code == 0 && syntax->deflated) {
		code = dcm_deflate(data_set->data, data_set->length, &deflated, err);
		data_set = &deflated;
	}
	if (code == 0)
		code = buf_append(&out, data_set->data, data_set->length);
	if (code == 0)
		code = file_write(job->out, out.data, out.length, 0644, err);
	return code;
}

static int
convert(const struct job *job, struct deid_profile *profile, struct cairn_error *err)
{
	const struct deid_patient patient = {"pseudonym7c4", (int32_t)job->shift};
	BUF_AUTO file = {.max = FILE_MAX}, inflated = {.max = FILE_MAX}, out = {.max = FILE_MAX};
	struct deid_input input;
	struct deid_scan scan;
	struct dcm_meta meta;
	const char *reason = "";
	int code = file_read(job->in, &file, err);

	if (code == 0)
		code = dcm_meta_read(file.data, file.length, true, &meta, err);
	if (code != 0)
		return code;
	if (meta.syntax == NULL)
		return cairn_error_set(
		    err, CAIRN_EUNSUPPORTED, "transfer syntax %s", meta.transfer_syntax);
	input = (struct deid_input){
	    meta.syntax, file.data + meta.dataset_offset, file.length - meta.dataset_offset};
	if (meta.syntax->deflated) {
		code = dcm_inflate(input.data, input.length, &inflated, err);
		input.data = inflated.data;
		input.length = inflated.length;
	}
	if (code == 0)
		code = deid_scan(&input, &scan, err);
	if (code != 0)
		return code;
	if (!deid_supported(scan.sop_class, &reason))
		printf("unsupported: %s\n", reason);
	if (deid_pixel_risk(&scan, &reason) != DEID_RISK_NONE)
		printf("pixels: %s\n", reason);
	if (job->repeat > 0)
		measure(profile, &patient, &input, job->repeat);
	code = rewrite(profile, &patient, &input, &out, err);
	return code != 0 ? code : write_file(job, profile, &scan, &out, err);
}

static int
parse(struct job *job, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "o:s:n:p:")) != -1) {
		if (option == 'o' && deid_option_find(optarg) != 0)
			job->options |= deid_option_find(optarg);
		else if (option == 's' && text_to_integer(optarg, -3650, 3650, &job->shift) == 0)
			continue;
		else if (option == 'n' && text_to_integer(optarg, 1, 10000000, &job->repeat) == 0)
			continue;
		else if (option == 'p' && job->safe_count < OPTIONS_MAX)
			job->safe[job->safe_count++] = optarg;
		else
			return CAIRN_EINVAL;
	}
	if (argc - optind != 2)
		return CAIRN_EINVAL;
	job->in = argv[optind];
	job->out = argv[optind + 1];
	return 0;
}

int
main(int argc, char **argv)
{
	static const uint8_t key[DEID_UID_KEY_SIZE] = "conformance test, not a secret";
	struct job job = {.shift = -100};
	struct deid_profile *profile;
	struct cairn_error err = {0};
	struct deid_config config = {.uid_key = key, .project = "conformance"};
	int code;

	if (parse(&job, argc, argv) != 0) {
		fprintf(stderr,
		    "usage: deid_tool [-o OPTION]... [-p SAFE]... [-s DAYS] [-n REPEAT] "
		    "IN OUT\n");
		return 2;
	}
	config.options = job.options;
	config.safe_private = job.safe;
	config.safe_private_count = job.safe_count;
	code = deid_profile_new(&profile, &config, &err);
	if (code == 0) {
		code = convert(&job, profile, &err);
		deid_profile_free(profile);
	}
	if (code != 0)
		fprintf(stderr, "%s: %s: %s\n", job.in, cairn_code_text(code), err.text);
	return code == 0 ? 0 : 1;
}
