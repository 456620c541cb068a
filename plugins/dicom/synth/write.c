/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/file.h"
#include "dicom/writer.h"
#include "synth.h"

#define INSTANCE_MAX (64u << 20)

/* A UID under 2.25 (PS3.5 B.2) that depends on the seed and what it names; 64 bits are enough for
 * invented ones. */
static void
make_uid(const struct synth_options *options, const struct synth_patient *patient,
    const struct synth_series *series, int slice, char ret[DCM_UID_MAX + 1])
{
	char text[160];
	uint8_t digest[EVP_MAX_MD_SIZE];
	uint64_t number = 0;

	snprintf(text, sizeof text, "cairn synth %llu %u %u %d %d",
	    (unsigned long long)options->seed, patient->index, series->study_number,
	    slice < -1 ? -1 : (int)series->series_number, slice);
	if (EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) != 1)
		memset(digest, 0, sizeof digest);
	for (int i = 0; i < 8; i++)
		number = number << 8 | digest[i];
	snprintf(ret, DCM_UID_MAX + 1, "2.25.%llu", (unsigned long long)number);
}

static void
date_text(int32_t days, char ret[9])
{
	int year, month, day;

	clock_date(days, &year, &month, &day);
	snprintf(ret, 9, "%04u%02u%02u", (unsigned)year % 10000, (unsigned)month % 100,
	    (unsigned)day % 100);
}

/* Collects the first error, so that a list of attributes reads like one. */
struct output {
	struct dcm_writer writer;
	int code;
};

static void
text(struct output *out, uint32_t tag, const char *vr, const char *value)
{
	if (out->code == 0)
		out->code = dcm_put_text(&out->writer, tag, DCM_VR(vr[0], vr[1]), value);
}

static void
number(struct output *out, uint32_t tag, unsigned value)
{
	if (out->code == 0)
		out->code = dcm_put_u16(&out->writer, tag, DCM_VR('U', 'S'), (uint16_t)value);
}

/* One coded entry, as the only item of a sequence (PS3.3 8.8); `more` (0: none) is an empty
 * sequence in it. */
static void
code(struct output *out, uint32_t tag, const char *const entry[3], uint32_t more)
{
	struct dcm_writer *writer = &out->writer;

	if (out->code == 0)
		out->code = dcm_put_sequence_begin(writer, tag);
	if (out->code == 0)
		out->code = dcm_put_item_begin(writer);
	text(out, DCM_TAG(0x0008, 0x0100), "SH", entry[0]);
	text(out, DCM_TAG(0x0008, 0x0102), "SH", entry[1]);
	text(out, DCM_TAG(0x0008, 0x0104), "LO", entry[2]);
	if (out->code == 0 && more != 0)
		out->code = dcm_put_sequence_begin(writer, more);
	if (out->code == 0 && more != 0)
		out->code = dcm_put_sequence_end(writer);
	if (out->code == 0)
		out->code = dcm_put_item_end(writer);
	if (out->code == 0)
		out->code = dcm_put_sequence_end(writer);
}

/* Of attributes that a module requires and nothing here can know (type 2). */
static void
empty(struct output *out, uint32_t tag, const char *vr)
{
	text(out, tag, vr, "");
}

static const char *const classes[] = {
    "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.1.2"};
static const char *const modalities[] = {"CT", "MR", "MG"};
static const char *const image_types[] = {
    "ORIGINAL\\PRIMARY\\AXIAL", "ORIGINAL\\PRIMARY\\OTHER", "DERIVED\\PRIMARY"};

/* Group 0008: modules SOP Common, General Study, General Series, General Equipment, General Image.
 */
static void
put_identity(struct output *out, const struct synth_patient *patient,
    const struct synth_series *series, const char *instance)
{
	static const char *const breast[] = {"76752008", "SCT", "Breast"};
	char date[9], accession[24];

	date_text(series->study_day, date);
	snprintf(accession, sizeof accession, "ACC%06u-%u", patient->index + 1,
	    series->study_number + 1);
	text(out, DCM_TAG(0x0008, 0x0005), "CS", "ISO_IR 100");
	text(out, DCM_TAG(0x0008, 0x0008), "CS", image_types[series->modality]);
	text(out, DCM_TAG(0x0008, 0x0016), "UI", classes[series->modality]);
	text(out, DCM_TAG(0x0008, 0x0018), "UI", instance);
	text(out, DCM_TAG(0x0008, 0x0020), "DA", date);
	text(out, DCM_TAG(0x0008, 0x0021), "DA", date);
	text(out, DCM_TAG(0x0008, 0x0022), "DA", date);
	text(out, DCM_TAG(0x0008, 0x0023), "DA", date);
	text(out, DCM_TAG(0x0008, 0x0030), "TM", "093000");
	text(out, DCM_TAG(0x0008, 0x0032), "TM", "093512");
	text(out, DCM_TAG(0x0008, 0x0033), "TM", "093512");
	text(out, DCM_TAG(0x0008, 0x0050), "SH", accession);
	text(out, DCM_TAG(0x0008, 0x0060), "CS", modalities[series->modality]);
	if (series->modality == SYNTH_MG)
		text(out, DCM_TAG(0x0008, 0x0068), "CS", "FOR PRESENTATION");
	text(out, DCM_TAG(0x0008, 0x0070), "LO", series->manufacturer);
	text(out, DCM_TAG(0x0008, 0x0080), "LO", "Synthetic General Hospital");
	text(out, DCM_TAG(0x0008, 0x0090), "PN", "Referrer^Invented");
	text(out, DCM_TAG(0x0008, 0x1030), "LO", series->protocol);
	text(out, DCM_TAG(0x0008, 0x103e), "LO", series->description);
	text(out, DCM_TAG(0x0008, 0x1090), "LO", series->model);
	if (series->modality == SYNTH_MG)
		code(out, DCM_TAG(0x0008, 0x2218), breast, 0);
}

static void
put_patient(
    struct output *out, const struct synth_patient *patient, const struct synth_series *series)
{
	char age[8];

	snprintf(age, sizeof age, "%03uY",
	    (unsigned)(series->study_day - patient->birth_day) / 365u % 1000u);
	text(out, DCM_TAG(0x0010, 0x0010), "PN", patient->name);
	text(out, DCM_TAG(0x0010, 0x0020), "LO", patient->id);
	text(out, DCM_TAG(0x0010, 0x0030), "DA", patient->birth_date);
	text(out, DCM_TAG(0x0010, 0x0040), "CS", patient->female ? "F" : "M");
	text(out, DCM_TAG(0x0010, 0x1010), "AS", age);
	text(out, DCM_TAG(0x0010, 0x1040), "LO", "1 Invented Street, Nowhere");
}

/* "R CC", "L MLO" */
static bool
is_oblique(const struct synth_series *series)
{
	return strstr(series->description, "MLO") != NULL;
}

/* Group 0018: how it was acquired, by the IOD's own module. */
static void
put_acquisition(struct output *out, const struct synth_series *series, unsigned matrix)
{
	bool mr = series->modality == SYNTH_MR;
	char value[64];

	text(out, DCM_TAG(0x0018, 0x0015), "CS", series->body_part);
	if (mr) {
		text(out, DCM_TAG(0x0018, 0x0020), "CS", "SE");
		text(out, DCM_TAG(0x0018, 0x0021), "CS", "NONE");
		empty(out, DCM_TAG(0x0018, 0x0022), "CS");
		text(out, DCM_TAG(0x0018, 0x0023), "CS", "2D");
	}
	if (series->slice_thickness > 0) {
		snprintf(value, sizeof value, "%g", series->slice_thickness);
		text(out, DCM_TAG(0x0018, 0x0050), "DS", value);
	}
	if (mr) {
		empty(out, DCM_TAG(0x0018, 0x0080), "DS");
		empty(out, DCM_TAG(0x0018, 0x0081), "DS");
		empty(out, DCM_TAG(0x0018, 0x0091), "IS");
	} else {
		empty(out, DCM_TAG(0x0018, 0x0060), "DS");
	}
	text(out, DCM_TAG(0x0018, 0x1000), "LO", "SN-0042");
	text(out, DCM_TAG(0x0018, 0x1030), "LO", series->protocol);
	if (series->modality != SYNTH_MG) {
		text(out, DCM_TAG(0x0018, 0x5100), "CS", "HFS");
		return;
	}
	snprintf(value, sizeof value, "%.4f\\%.4f", 240.0 / matrix, 240.0 / matrix);
	text(out, DCM_TAG(0x0018, 0x1164), "DS", value);
	text(out, DCM_TAG(0x0018, 0x1508), "CS", "MAMMOGRAPHIC");
	text(out, DCM_TAG(0x0018, 0x5101), "CS", is_oblique(series) ? "MLO" : "CC");
	empty(out, DCM_TAG(0x0018, 0x7004), "CS");
}

/* Group 0020 of slices in a frame of reference. */
static void
put_plane(struct output *out, const struct synth_series *series, unsigned slice, const char *frame)
{
	char value[64];

	snprintf(value, sizeof value, "-180\\-180\\%g", -(double)slice * series->slice_thickness);
	text(out, DCM_TAG(0x0020, 0x0032), "DS", value);
	text(out, DCM_TAG(0x0020, 0x0037), "DS", "1\\0\\0\\0\\1\\0");
	text(out, DCM_TAG(0x0020, 0x0052), "UI", frame);
	empty(out, DCM_TAG(0x0020, 0x1040), "LO");
}

/* Group 0020 of a projection. */
static void
put_view(struct output *out, const struct synth_series *series)
{
	bool right = series->description[0] == 'R';
	const char *orientation = right ? "P\\L" : "A\\R";

	if (is_oblique(series))
		orientation = right ? "P\\FL" : "A\\FR";
	text(out, DCM_TAG(0x0020, 0x0020), "CS", orientation);
	text(out, DCM_TAG(0x0020, 0x0062), "CS", right ? "R" : "L");
}

static void
put_relation(struct output *out, const struct synth_series *series, unsigned slice,
    const char *const uids[3])
{
	char value[16];

	text(out, DCM_TAG(0x0020, 0x000d), "UI", uids[0]);
	text(out, DCM_TAG(0x0020, 0x000e), "UI", uids[1]);
	snprintf(value, sizeof value, "%u", series->study_number + 1);
	text(out, DCM_TAG(0x0020, 0x0010), "SH", value);
	snprintf(value, sizeof value, "%u", series->series_number + 1);
	text(out, DCM_TAG(0x0020, 0x0011), "IS", value);
	empty(out, DCM_TAG(0x0020, 0x0012), "IS");
	snprintf(value, sizeof value, "%u", slice + 1);
	text(out, DCM_TAG(0x0020, 0x0013), "IS", value);
	if (series->modality == SYNTH_MG)
		put_view(out, series);
	else
		put_plane(out, series, slice, uids[2]);
}

/* Group 0028, and what of a mammogram follows it. */
static void
put_image(struct output *out, const struct synth_series *series, unsigned matrix)
{
	char value[64];

	number(out, DCM_TAG(0x0028, 0x0002), 1);
	text(out, DCM_TAG(0x0028, 0x0004), "CS", "MONOCHROME2");
	number(out, DCM_TAG(0x0028, 0x0010), matrix);
	number(out, DCM_TAG(0x0028, 0x0011), matrix);
	if (series->modality != SYNTH_MG) {
		snprintf(value, sizeof value, "%.4f\\%.4f", 360.0 / matrix, 360.0 / matrix);
		text(out, DCM_TAG(0x0028, 0x0030), "DS", value);
	}
	number(out, DCM_TAG(0x0028, 0x0100), 16);
	number(out, DCM_TAG(0x0028, 0x0101), 12);
	number(out, DCM_TAG(0x0028, 0x0102), 11);
	number(out, DCM_TAG(0x0028, 0x0103), 0);
	text(out, DCM_TAG(0x0028, 0x0301), "CS", "NO");
	if (series->modality == SYNTH_CT) {
		text(out, DCM_TAG(0x0028, 0x1052), "DS", "-1024");
		text(out, DCM_TAG(0x0028, 0x1053), "DS", "1");
		text(out, DCM_TAG(0x0028, 0x1054), "LO", "HU");
	}
}

/* Modules DX Image, Mammography Image, Acquisition Context. */
static void
put_mammogram(struct output *out, const struct synth_series *series)
{
	static const char *const cc[] = {"399162004", "SCT", "cranio-caudal"};
	static const char *const mlo[] = {"399368009", "SCT", "medio-lateral oblique"};

	text(out, DCM_TAG(0x0028, 0x1040), "CS", "LIN");
	if (out->code == 0) /* more X-rays are smaller values */
		out->code =
		    dcm_put_u16(&out->writer, DCM_TAG(0x0028, 0x1041), DCM_VR('S', 'S'), 0xffff);
	text(out, DCM_TAG(0x0028, 0x1050), "DS", "2048");
	text(out, DCM_TAG(0x0028, 0x1051), "DS", "4096");
	text(out, DCM_TAG(0x0028, 0x1052), "DS", "0");
	text(out, DCM_TAG(0x0028, 0x1053), "DS", "1");
	text(out, DCM_TAG(0x0028, 0x1054), "LO", "US");
	text(out, DCM_TAG(0x0028, 0x2110), "CS", "00");
	text(out, DCM_TAG(0x0040, 0x0318), "CS", "BREAST");
	if (out->code == 0)
		out->code = dcm_put_sequence_begin(&out->writer, DCM_TAG(0x0040, 0x0555));
	if (out->code == 0)
		out->code = dcm_put_sequence_end(&out->writer);
	code(out, DCM_TAG(0x0054, 0x0220), is_oblique(series) ? mlo : cc, DCM_TAG(0x0054, 0x0222));
	text(out, DCM_TAG(0x2050, 0x0020), "CS", "IDENTITY");
}

static int
put_pixels(struct output *out, const struct synth_series *series, unsigned slice, unsigned matrix)
{
	size_t length = (size_t)matrix * matrix * 2;
	uint16_t *pixels = malloc(length);

	if (pixels == NULL)
		return CAIRN_ENOMEM;
	synth_phantom(series, slice, matrix, pixels); /* little endian, as this machine is */
	if (out->code == 0)
		out->code = dcm_put_bytes(
		    &out->writer, DCM_TAG(0x7fe0, 0x0010), DCM_VR('O', 'W'), pixels, length);
	free(pixels);
	return out->code;
}

/* Without syncing each file: what was made can be made again. */
static int
save(const char *path, const struct buf *file, struct cairn_error *err)
{
	FD_AUTO fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || file_write_all(fd, file->data, file->length) != 0)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot write %s: %s", path, strerror(errno));
	return 0;
}

int
synth_write(const char *path, const struct synth_options *options,
    const struct synth_patient *patient, const struct synth_series *series, unsigned slice,
    struct cairn_error *err)
{
	char study[DCM_UID_MAX + 1], series_uid[DCM_UID_MAX + 1], frame[DCM_UID_MAX + 1];
	char instance[DCM_UID_MAX + 1];
	const char *const uids[3] = {study, series_uid, frame};
	BUF_AUTO file = {.max = INSTANCE_MAX};
	struct output out = {.code = 0};

	make_uid(options, patient, series, -3, frame);
	make_uid(options, patient, series, -2, study);
	make_uid(options, patient, series, -1, series_uid);
	make_uid(options, patient, series, (int)slice, instance);
	out.code = dcm_meta_write(&file, classes[series->modality], instance, DCM_EXPLICIT_LE);
	dcm_writer_init(&out.writer, &file, dcm_syntax_find(DCM_EXPLICIT_LE));
	put_identity(&out, patient, series, instance);
	put_patient(&out, patient, series);
	put_acquisition(&out, series, options->matrix);
	put_relation(&out, series, slice, uids);
	put_image(&out, series, options->matrix);
	if (series->modality == SYNTH_MG)
		put_mammogram(&out, series);
	if (put_pixels(&out, series, slice, options->matrix) != 0)
		return cairn_error_set(
		    err, out.code, "cannot make %s: %s", path, cairn_code_text(out.code));
	return save(path, &file, err);
}
